//! `kafka-leader-election`: elects preferred leaders, and any live replica where there is none.
//!
//! An unclean election may lose records. What it would give up is said on stderr before it is held.

mod given_up;
pub(crate) mod options;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::admin::{ElectionType, Outcome};
use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TopicPartition;

use crate::console::{self, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Given};
use crate::json_file::{array, field, integer, object, parse, read, string};
use crate::properties;
use crate::session;
use crate::thrown::{self, Thrown};
use options::{Misuse, OPTIONS, command_failed};

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return Thrown::from(error).caught(),
    };
    let election_type = match options::check(&given, args.is_empty()) {
        Ok(election_type) => election_type,
        Err(Misuse::Usage(message)) => return console::usage_error(&message, OPTIONS),
        Err(Misuse::Thrown(thrown)) => return thrown.caught(),
        Err(Misuse::Version) => return console::version(),
    };
    session::run_or(run(election_type, &given), Thrown::caught)
}

/// How an election is called in what the tool says.
fn name(election_type: ElectionType) -> &'static str {
    match election_type {
        ElectionType::Preferred => "PREFERRED",
        ElectionType::Unclean => "UNCLEAN",
    }
}

async fn run(election_type: ElectionType, given: &Given) -> Result<(), Thrown> {
    let partitions = partitions(given)?;
    let (path, old_path) = (given.one("command-config")?, given.one("admin.config")?);
    let properties = properties::read(path.or(old_path))?;
    let options = thrown::options("adminclient-1", &properties)?;
    let bootstrap = given.one("bootstrap-server")?.unwrap_or_default();
    let who = format!("AdminClient clientId={}", options.client_id);
    let client = session::connect(bootstrap, options, &who).await.map_err(unreached)?;
    let admin = Admin::new(client);
    if election_type == ElectionType::Unclean {
        given_up::tell(&admin, partitions.as_deref()).await;
    }
    let said =
        admin.elect_leaders(election_type, partitions.as_deref()).await.map_err(unreached)?;
    report(election_type, with_unsaid(said, partitions))
}

/// Of partitions that the cluster says nothing of there is nothing to elect.
fn with_unsaid(
    mut said: Vec<(TopicPartition, Outcome<()>)>,
    asked: Option<Vec<TopicPartition>>,
) -> Vec<(TopicPartition, Outcome<()>)> {
    let known: BTreeSet<_> = said.iter().map(|(partition, _)| partition.clone()).collect();
    let unsaid = asked.into_iter().flatten().filter(|partition| !known.contains(partition));
    let not_needed = ottla_client::ApiError::of(ErrorCode::ElectionNotNeeded);
    said.extend(unsaid.map(|partition| (partition, Err(not_needed.clone()))));
    said
}

fn unreached(error: ClientError) -> Thrown {
    match &error {
        ClientError::NoNode { .. } | ClientError::RequestTimeout { .. } => {
            let message = "Timeout waiting for election results";
            say(message);
            Thrown::caused(
                command_failed(message),
                Failure::of_client(&error, "electLeaders").into(),
            )
        }
        _ => Thrown::unreached(&error, "electLeaders"),
    }
}

/// Which partitions; `None`: all of them.
fn partitions(given: &Given) -> Result<Option<Vec<TopicPartition>>, Thrown> {
    if let Some(path) = given.one("path-to-json-file")? {
        let text = read(path).map_err(|(said, cause)| {
            let runtime = Failure::new("java.lang.RuntimeException", said.thrown());
            Thrown::caused(runtime, Thrown::caused(said, cause.into()))
        })?;
        return Ok(Some(election_data(&text)?));
    }
    let Some(topic) = given.one("topic")? else { return Ok(None) };
    let partition = given.number("partition")?.unwrap_or_default();
    Ok(Some(vec![TopicPartition::new(topic, partition)]))
}

/// `{"partitions":[{"topic":"t","partition":0}]}`.
fn election_data(text: &str) -> Result<Vec<TopicPartition>, Failure> {
    let wrong =
        |message: &str| Failure::new("org.apache.kafka.tools.AdminOperationException", message);
    let value = parse(text).map_err(|_| wrong("Replica election data is empty"))?;
    let items = object(&value)?
        .get("partitions")
        .ok_or_else(|| wrong("Replica election data is missing \"partitions\" field"))?;
    let mut partitions = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for item in array(items)? {
        let item = object(item)?;
        let partition = TopicPartition::new(
            string(field(item, "topic")?)?,
            integer(field(item, "partition")?)?,
        );
        if !partitions.insert(partition.clone()) {
            twice.insert(partition.to_string());
        }
    }
    if !twice.is_empty() {
        let twice: Vec<_> = twice.into_iter().collect();
        let twice = twice.join(", ");
        return Err(wrong(&format!(
            "Replica election data contains duplicate partitions: [{twice}]"
        )));
    }
    Ok(partitions.into_iter().collect())
}

/// Says what became of each partition.
fn report(
    election_type: ElectionType,
    said: Vec<(TopicPartition, Outcome<()>)>,
) -> Result<(), Thrown> {
    let election_type = name(election_type);
    let (mut elected, mut not_needed, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (partition, outcome) in said {
        match outcome {
            Ok(()) => elected.push(partition.to_string()),
            Err(error) if error.error_code() == ErrorCode::ElectionNotNeeded => {
                not_needed.push(partition.to_string());
            }
            Err(error) => refused.push((partition, Failure::from(&error))),
        }
    }
    if !elected.is_empty() {
        let list = elected.join(", ");
        say(&format!(
            "Successfully completed leader election ({election_type}) for partitions {list}"
        ));
    }
    if !not_needed.is_empty() {
        let list = not_needed.join(", ");
        say(&format!("Valid replica already elected for partitions {list}"));
    }
    for (partition, failure) in &refused {
        say(&format!(
            "Error completing leader election ({election_type}) for partition: {partition}: {}",
            failure.thrown()
        ));
    }
    if refused.is_empty() {
        return Ok(());
    }
    let message = format!("{} replica(s) could not be elected", refused.len());
    let suppressed = refused.into_iter().map(|(_, failure)| failure).collect();
    Err(Thrown::from(command_failed(message)).suppressing(suppressed))
}

#[cfg(test)]
mod tests;
