//! `kafka-get-offsets`: `topic:partition:offset` of the partitions that are chosen.
//!
//! What is wrong with the command line, and what fails, is said on stderr behind `Error occurred:`; a
//! partition that cannot be asked is skipped with a line on stderr and leaves the exit code 0.

mod filter;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::admin::{ListedOffset, OffsetSpec};
use ottla_client::{Admin, ApiError, Client, IsolationLevel};
use ottla_protocol::ids::TopicPartition;

use crate::console::{self, complain, say};
use crate::exceptions::{Failure, exception_name};
use crate::jopt::{self, Given, Opt, flag, value};
use crate::kafka_topics::is_internal;
use crate::properties::{self, client_options};
use crate::session;
use filter::Filter;

const CLIENT: &str = "GetOffsetShell";
/// The class that Kafka's tools throw for what they explain without a stack trace.
const TERSE: &str = "org.apache.kafka.tools.TerseException";

pub(crate) const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: HOST1:PORT1,…", "REQUIRED: where the cluster is."),
    value("command-config", "String: config file", "Properties of the client."),
    flag("exclude-internal-topics", "Leave Kafka's own topics out."),
    flag("help", "Print this."),
    value("partitions", "String: partition ids", "Only these, separated by commas."),
    value(
        "time",
        "String: <timestamp> / -1 or latest / …",
        "Offsets of this time: a timestamp in ms, latest, earliest, max-timestamp, earliest-local, \
         latest-tiered or earliest-pending-upload. (default: latest)",
    ),
    value("topic", "String: topic", "Only topics that this regular expression matches."),
    value(
        "topic-partitions",
        "String: topic1:1,topic2:0-3,…",
        "TOPIC:PARTITION, TOPIC:FROM-BELOW, separated by commas; TOPIC is a regular expression.",
    ),
    flag("version", "Print the version."),
];

/// Offsets by name, and as the protocol writes them.
const TIMES: &[(&str, i64)] = &[
    ("latest", -1),
    ("earliest", -2),
    ("max-timestamp", -3),
    ("earliest-local", -4),
    ("latest-tiered", -5),
    ("earliest-pending-upload", -6),
];
/// Nothing is tiered, so nothing waits to be.
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return occurred(&Failure::new(TERSE, error.to_string())),
    };
    let about = "An interactive shell for getting topic-partition offsets.";
    if let Some(code) = console::preamble(&given, &args, OPTIONS, about, &["bootstrap-server"]) {
        return code;
    }
    let bootstrap = match given.one("bootstrap-server") {
        Ok(bootstrap) => bootstrap.unwrap_or_default(),
        Err(error) => return occurred(&Failure::from(error)),
    };
    if ottla_client::parse_bootstrap(bootstrap).is_err() {
        let message = "Please provide valid host:port like host1:9091,host2:9092\n";
        return console::usage_error(message, OPTIONS);
    }
    session::run_or(print_offsets(bootstrap, &given), occurred)
}

fn occurred(failure: &Failure) -> ExitCode {
    match failure.class.as_str() {
        TERSE => complain(&format!("Error occurred: {}", failure.message)),
        "java.lang.RuntimeException" => {
            complain(&format!("Error occurred: {}", failure.message));
            complain(&failure.thrown());
        }
        _ => {
            complain(&format!("Error occurred: {}", failure.thrown()));
            complain(&format!("java.util.concurrent.ExecutionException: {}", failure.thrown()));
        }
    }
    ExitCode::FAILURE
}

fn terse(message: impl Into<String>) -> Failure {
    Failure::new(TERSE, message)
}

async fn print_offsets(bootstrap: &str, given: &Given) -> Result<(), Failure> {
    if given.has("topic-partitions") && (given.has("topic") || given.has("partitions")) {
        return Err(terse("--topic-partitions cannot be used with --topic or --partitions"));
    }
    let filter = match given.one("topic-partitions")? {
        Some(rules) => Filter::rules(rules).map_err(|rule| {
            let message = format!("{TERSE}: Invalid rule specification: {rule}");
            Failure::new("java.lang.RuntimeException", message)
        })?,
        None => Filter::topic(given.one("topic")?, given.one("partitions")?).map_err(terse)?,
    };
    let time = time(given.one("time")?.unwrap_or("latest"))?;
    let properties = properties::read(given.one("command-config")?)?;
    let options = client_options(CLIENT, &properties)?;
    let who = format!("AdminClient clientId={CLIENT}");
    let client = session::connect(bootstrap, options, &who)
        .await
        .map_err(|error| Failure::of_client(&error, "listTopics"))?;
    let partitions = chosen(&client, &filter, given.has("exclude-internal-topics")).await?;
    if partitions.is_empty() {
        return Err(terse("Could not match any topic-partitions with the specified filters"));
    }
    if time == EARLIEST_PENDING_UPLOAD {
        return Ok(());
    }
    let asked = partitions.into_iter().map(|p| (p, OffsetSpec::Timestamp(time))).collect();
    let listed = Admin::new(client)
        .list_offsets(&asked, IsolationLevel::ReadUncommitted)
        .await
        .map_err(|error| Failure::of_client(&error, "listOffsets"))?;
    print(listed);
    Ok(())
}

fn time(text: &str) -> Result<i64, Failure> {
    let named = TIMES.iter().find(|(name, _)| *name == text).map(|(_, time)| *time);
    named.or_else(|| text.parse().ok()).ok_or_else(|| {
        let names: Vec<_> = TIMES.iter().map(|(name, time)| format!("{time} or {name}")).collect();
        terse(format!(
            "Malformed time argument {text}. Please use {}, or a specified long format timestamp",
            names.join(" / ")
        ))
    })
}

async fn chosen(
    client: &Client,
    filter: &Filter,
    exclude_internal: bool,
) -> Result<Vec<TopicPartition>, Failure> {
    client.follow_all_topics();
    let metadata =
        client.refresh().await.map_err(|error| Failure::of_client(&error, "listTopics"))?;
    let topics = metadata.topics().filter(|topic| !(exclude_internal && is_internal(&topic.name)));
    let all = topics.flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|partition| TopicPartition::new(topic.name.clone(), partition.partition))
    });
    Ok(all.filter(|partition| filter.allows(partition)).collect())
}

/// In the order of their names as texts, as Kafka's tool prints them.
fn print(listed: BTreeMap<TopicPartition, Result<ListedOffset, ApiError>>) {
    let mut lines: Vec<(String, TopicPartition, Result<ListedOffset, ApiError>)> = listed
        .into_iter()
        .map(|(partition, outcome)| (partition.to_string(), partition, outcome))
        .collect();
    lines.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    for (name, partition, outcome) in lines {
        match outcome {
            Ok(ListedOffset { offset, .. }) if offset >= 0 => {
                say(&format!("{}:{}:{offset}", partition.topic, partition.partition));
            }
            Ok(_) => {}
            Err(error) => {
                if !error.is_retriable() {
                    let code = error.error_code().name();
                    console::log(
                        "ERROR",
                        &format!(
                            "[AdminClient clientId={CLIENT}] ListOffsets request for topic partition \
                             {name} failed due to an unexpected error {code}"
                        ),
                        "org.apache.kafka.clients.admin.internals.ListOffsetsHandler",
                    );
                }
                let class = exception_name(error.error_code());
                complain(&format!(
                    "Skip getting offsets for topic-partition {name} due to error: \
                     org.apache.kafka.common.errors.{class}: {error}"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests;
