//! `kafka-verifiable-consumer`: a member of a group, and a line of JSON for whatever happens to it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use ottla_client::{Fetched, GroupConsumer, StartAt, Topics};
use ottla_protocol::ids::{TopicName, TopicPartition};
use ottla_protocol::record::Record;

use crate::argparse::{Given, Group, Kind, Parser, arg};
use crate::client_settings;
use crate::exceptions::Failure;
use crate::properties::{Properties, client_options};
use crate::verifiable::{self, bytes, event, list, object, text};

/// How long one look for records takes at most.
const POLL: Duration = Duration::from_millis(100);

pub(crate) const PARSER: &Parser = &Parser {
    name: "verifiable-consumer",
    description: "This tool reads a topic as a member of a group and prints what happens.",
    args: &[
        arg(
            &["--bootstrap-server"],
            Kind::Text,
            "HOST1:PORT1[,HOST2:PORT2[...]]",
            "Brokers of the cluster.",
        )
        .required()
        .in_group(0),
        arg(&["--topic"], Kind::Text, "TOPIC", "The topic to read.").required(),
        arg(
            &["--group-protocol"],
            Kind::Text,
            "GROUP-PROTOCOL",
            "classic or consumer. (default: classic)",
        ),
        arg(
            &["--group-remote-assignor"],
            Kind::Text,
            "GROUP-REMOTE-ASSIGNOR",
            "The broker's assignor, with the consumer protocol.",
        ),
        arg(&["--group-id"], Kind::Text, "GROUP-ID", "The group.").required(),
        arg(
            &["--group-instance-id"],
            Kind::Text,
            "GROUP-INSTANCE-ID",
            "The name of a static member.",
        ),
        arg(
            &["--max-messages"],
            Kind::Integer,
            "MAX-MESSAGES",
            "How many to read, or -1 until the process ends. (default: -1)",
        ),
        arg(
            &["--session-timeout"],
            Kind::Integer,
            "TIMEOUT-MS",
            "The session timeout, with the classic protocol.",
        ),
        arg(&["--verbose"], Kind::Flag, "", "Print every record. (default: false)"),
        arg(
            &["--enable-autocommit"],
            Kind::Flag,
            "",
            "Commit from time to time instead of after each read. (default: false)",
        ),
        arg(
            &["--reset-policy"],
            Kind::Text,
            "RESET-POLICY",
            "earliest, latest or none. (default: earliest)",
        ),
        arg(
            &["--assignment-strategy"],
            Kind::Text,
            "ASSIGNMENT-STRATEGY",
            "Accepted; the range assignor is used. (default: org.apache.kafka.clients.consumer.\
             RangeAssignor)",
        ),
        arg(&["--consumer.config"], Kind::Text, "CONFIG-FILE", "DEPRECATED; use --command-config."),
        arg(&["--command-config"], Kind::Text, "CONFIG-FILE", "Properties of the consumer."),
    ],
    groups: &[Group {
        title: "Connection Group",
        description: "Where the cluster is",
        exclusive: true,
        required: true,
    }],
    commands: &[],
};

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    verifiable::main(PARSER, &args, run)
}

fn properties(given: &Given) -> Result<Properties, Failure> {
    let mut properties = verifiable::properties(given, "--consumer.config")?;
    for (option, key) in [
        ("--group-protocol", "group.protocol"),
        ("--group-remote-assignor", "group.remote.assignor"),
        ("--group-instance-id", "group.instance.id"),
        ("--session-timeout", "session.timeout.ms"),
        ("--reset-policy", "auto.offset.reset"),
    ] {
        if let Some(value) = given.one(option) {
            properties.insert(key.to_owned(), value.to_owned());
        }
    }
    let automatic = given.has("--enable-autocommit").to_string();
    properties.insert("enable.auto.commit".to_owned(), automatic);
    Ok(properties)
}

async fn run(given: Given) -> Result<(), Failure> {
    let properties = properties(&given)?;
    let options = client_options("verifiable-consumer", &properties)?;
    let consumer_options = client_settings::consumer(&properties, StartAt::Earliest)?;
    let group =
        client_settings::group(given.one("--group-id").unwrap_or_default(), true, &properties)?;
    let client = verifiable::client(&given, options).await?;
    let topic = TopicName::from(given.one("--topic").unwrap_or_default());
    let topics = Topics::Named(BTreeSet::from([topic]));
    event("startup_complete", &[]);
    let mut consumer = GroupConsumer::subscribe(client, topics, consumer_options, group);
    let mut assigned = BTreeSet::new();
    let outcome = tokio::select! {
        outcome = read(&given, &mut consumer, &mut assigned) => outcome,
        () = verifiable::asked_to_end() => {
            event("shutdown_requested", &[]);
            Ok(())
        }
    };
    if !assigned.is_empty() {
        event("partitions_revoked", &[("partitions", partitions(&assigned))]);
    }
    // A group that cannot be left any more is left by its timeout.
    let _ = consumer.close().await;
    event("shutdown_complete", &[]);
    outcome
}

async fn read(
    given: &Given,
    consumer: &mut GroupConsumer,
    assigned: &mut BTreeSet<TopicPartition>,
) -> Result<(), Failure> {
    let most: i64 = given.number("--max-messages").unwrap_or(-1);
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let automatic = given.has("--enable-autocommit");
    let mut count: u64 = 0;
    while count < most {
        let fetched = consumer.poll(POLL).await;
        tell_assignment(consumer, assigned);
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => return Err(Failure::of_client(&error, "poll")),
        };
        if fetched.is_empty() {
            continue;
        }
        let left = most - count;
        let (taken, offsets) = tell_records(&fetched, left, given.has("--verbose"));
        count += taken;
        if automatic {
            continue;
        }
        for (partition, next) in &offsets {
            // What was not counted is to be read by somebody else.
            if consumer.position(partition) != Some(*next) {
                consumer.seek(partition, *next);
            }
        }
        let outcome = consumer.commit().await;
        let mut fields = vec![("offsets", committed(&offsets))];
        match outcome {
            Ok(()) => fields.push(("success", "true".to_owned())),
            Err(error) => {
                fields.push(("success", "false".to_owned()));
                fields.push(("error", text(&error.to_string())));
            }
        }
        event("offsets_committed", &fields);
    }
    Ok(())
}

fn tell_assignment(consumer: &GroupConsumer, assigned: &mut BTreeSet<TopicPartition>) {
    let now: BTreeSet<TopicPartition> = consumer.assignment().cloned().collect();
    let revoked: BTreeSet<_> = assigned.difference(&now).cloned().collect();
    let added: BTreeSet<_> = now.difference(assigned).cloned().collect();
    if !revoked.is_empty() {
        event("partitions_revoked", &[("partitions", partitions(&revoked))]);
    }
    if !added.is_empty() {
        event("partitions_assigned", &[("partitions", partitions(&added))]);
    }
    *assigned = now;
}

fn partition_fields(partition: &TopicPartition) -> Vec<(&'static str, String)> {
    vec![("topic", text(&partition.topic)), ("partition", partition.partition.to_string())]
}

fn partitions(partitions: &BTreeSet<TopicPartition>) -> String {
    list(partitions.iter().map(|partition| object(&partition_fields(partition))))
}

fn committed(offsets: &BTreeMap<TopicPartition, i64>) -> String {
    list(offsets.iter().map(|(partition, offset)| {
        let mut fields = partition_fields(partition);
        fields.push(("offset", offset.to_string()));
        object(&fields)
    }))
}

/// Prints what was read, at most `left` records; returns how many, and how far each partition is read.
fn tell_records(
    fetched: &[Fetched],
    left: u64,
    verbose: bool,
) -> (u64, BTreeMap<TopicPartition, i64>) {
    let mut count: u64 = 0;
    let mut rows = Vec::new();
    let mut offsets = BTreeMap::new();
    for Fetched { partition, records, .. } in fetched {
        let room = usize::try_from(left - count).unwrap_or(usize::MAX);
        let taken = records.get(..room.min(records.len())).unwrap_or_default();
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else { continue };
        if verbose {
            taken.iter().for_each(|record| tell_record(partition, record));
        }
        count += taken.len() as u64;
        let mut fields = partition_fields(partition);
        fields.push(("count", taken.len().to_string()));
        fields.push(("minOffset", first.offset.to_string()));
        fields.push(("maxOffset", last.offset.to_string()));
        rows.push(object(&fields));
        offsets.insert(partition.clone(), last.offset + 1);
    }
    event("records_consumed", &[("count", count.to_string()), ("partitions", list(rows))]);
    (count, offsets)
}

fn tell_record(partition: &TopicPartition, record: &Record) {
    let mut fields =
        vec![("key", bytes(record.key.as_deref())), ("value", bytes(record.value.as_deref()))];
    fields.extend(partition_fields(partition));
    fields.push(("offset", record.offset.to_string()));
    event("record_data", &fields);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As printed by Apache Kafka 4.3.1.
    #[test]
    fn the_usage_is_kafkas() {
        let args: Vec<_> = ["--topic", "t"].map(OsString::from).to_vec();
        assert_eq!(
            crate::argparse::parse(PARSER, &args).unwrap_err().text(),
            "\
usage: verifiable-consumer [-h] --topic TOPIC
                           [--group-protocol GROUP-PROTOCOL]
                           [--group-remote-assignor GROUP-REMOTE-ASSIGNOR]
                           --group-id GROUP-ID
                           [--group-instance-id GROUP-INSTANCE-ID]
                           [--max-messages MAX-MESSAGES]
                           [--session-timeout TIMEOUT-MS] [--verbose]
                           [--enable-autocommit]
                           [--reset-policy RESET-POLICY]
                           [--assignment-strategy ASSIGNMENT-STRATEGY]
                           [--consumer.config CONFIG-FILE]
                           [--command-config CONFIG-FILE]
                           --bootstrap-server HOST1:PORT1[,HOST2:PORT2[...]]
verifiable-consumer: error: argument --group-id is required
"
        );
    }
}
