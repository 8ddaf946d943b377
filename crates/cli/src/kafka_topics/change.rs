//! Create, alter, delete.

use std::collections::BTreeMap;

use ottla_client::admin::{NewPartitions, NewTopic, Outcome};
use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;

use super::select;
use crate::console::say;
use crate::exceptions::Failure;
use crate::jopt::Given;

const COLLISION_WARNING: &str = "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') \
     could collide. To avoid issues it is best to use either, but not both.";
/// More partitions than this are not asked for in one describe answer.
const PARTITION_LIMIT: i32 = 2000;

/// Brokers by partition.
type Assignment = BTreeMap<i32, Vec<i32>>;

pub(super) async fn create(admin: &Admin, given: &Given) -> Result<(), Failure> {
    let topic = new_topic(given)?;
    if topic.name.contains(['.', '_']) {
        say(COLLISION_WARNING);
    }
    let topic = checked(topic)?;
    let name = topic.name.clone();
    let outcomes = admin.create_topics(&[topic], false).await;
    let call = |error: ClientError| Failure::of_client(&error, "createTopics");
    match first_error(outcomes.map_err(call)?) {
        None => say(&format!("Created topic {name}.")),
        Some(error)
            if given.has("if-not-exists")
                && error.error_code() == ErrorCode::TopicAlreadyExists => {}
        Some(error) => return Err((&error).into()),
    }
    Ok(())
}

/// A topic as the command line describes it, counts unchecked.
struct Wanted {
    name: String,
    partitions: Option<i32>,
    replication_factor: Option<i32>,
    assignments: Assignment,
    configs: BTreeMap<String, String>,
}

fn new_topic(given: &Given) -> Result<Wanted, Failure> {
    Ok(Wanted {
        name: given.one("topic")?.unwrap_or_default().to_owned(),
        partitions: given.number("partitions")?,
        replication_factor: given.number("replication-factor")?,
        assignments: given.one("replica-assignment")?.map_or(Ok(Assignment::new()), assignment)?,
        configs: configs(given.all("config"))?,
    })
}

fn checked(topic: Wanted) -> Result<NewTopic, Failure> {
    let replication_factor = match topic.replication_factor.map(i16::try_from) {
        None => None,
        Some(Ok(factor)) if factor >= 1 => Some(factor),
        Some(_) => {
            let message = "The replication factor must be between 1 and 32767 inclusive";
            return Err(Failure::illegal_argument(message));
        }
    };
    if topic.partitions.is_some_and(|partitions| partitions < 1) {
        return Err(Failure::illegal_argument("The partitions must be greater than 0"));
    }
    if topic.name.is_empty() {
        return Err(Failure::new(
            "org.apache.kafka.common.errors.InvalidTopicException",
            "The given topic name '' cannot be represented in a request.",
        ));
    }
    Ok(NewTopic {
        name: topic.name,
        partitions: topic.partitions,
        replication_factor,
        assignments: topic.assignments,
        configs: topic.configs,
    })
}

/// Reads `1:2,2:3`: the brokers of each partition, in order.
pub(super) fn assignment(text: &str) -> Result<Assignment, Failure> {
    let mut partitions = Assignment::new();
    for (partition, brokers) in (0..).zip(text.split(',')) {
        let brokers: Vec<i32> = brokers
            .split(':')
            .map(|broker| {
                let broker = broker.trim();
                broker.parse().map_err(|_| {
                    let message = format!("For input string: \"{broker}\"");
                    Failure::new("java.lang.NumberFormatException", message)
                })
            })
            .collect::<Result<_, _>>()?;
        let twice: Vec<String> = brokers
            .iter()
            .enumerate()
            .filter(|(at, broker)| brokers.iter().position(|other| other == *broker) != Some(*at))
            .map(|(_, broker)| broker.to_string())
            .collect();
        if !twice.is_empty() {
            return Err(Failure::new(
                "org.apache.kafka.tools.AdminCommandFailedException",
                format!(
                    "Partition replica lists may not contain duplicate entries: {}",
                    twice.join(",")
                ),
            ));
        }
        let factor = partitions.first_key_value().map_or(brokers.len(), |(_, first)| first.len());
        if brokers.len() != factor {
            return Err(Failure::new(
                "org.apache.kafka.tools.AdminOperationException",
                format!("Partition {partition} has different replication factor: {brokers:?}"),
            ));
        }
        partitions.insert(partition, brokers);
    }
    Ok(partitions)
}

/// Reads `key=value` configs; neither part may be missing.
pub(super) fn configs<'a>(
    given: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, Failure> {
    given
        .map(|config| match config.split_once('=') {
            Some((key, value)) if !value.trim().is_empty() => {
                Ok((key.trim().to_owned(), value.trim().to_owned()))
            }
            _ => Err(Failure::illegal_argument(
                "requirement failed: Invalid topic config: all configs to be added must be in the \
                 format \"key=val\".",
            )),
        })
        .collect()
}

pub(super) async fn alter(admin: &Admin, given: &Given) -> Result<(), Failure> {
    let total = given.number("partitions")?.unwrap_or_default();
    let wanted = given.one("replica-assignment")?.map(assignment).transpose()?;
    let names = select::topics(admin, given).await?;
    select::ensure_exists(&names, given)?;
    if names.is_empty() {
        return Ok(());
    }
    let mut topics = Vec::with_capacity(names.len());
    for name in &names {
        let assignments = match &wanted {
            Some(wanted) => Some(behind(wanted, partition_count(admin, name).await?)),
            None => None,
        };
        topics.push(NewPartitions { topic: name.clone(), total, assignments });
    }
    let outcomes = admin.create_partitions(&topics).await;
    let outcomes = outcomes.map_err(|error| Failure::of_client(&error, "createPartitions"))?;
    first_error(outcomes).map_or(Ok(()), |error| Err((&error).into()))
}

/// The part of an assignment that is about new partitions.
fn behind(wanted: &Assignment, existing: usize) -> Vec<Vec<i32>> {
    wanted.values().skip(existing).cloned().collect()
}

async fn partition_count(admin: &Admin, name: &str) -> Result<usize, Failure> {
    let described = admin.describe_topics(&[name.to_owned()], PARTITION_LIMIT).await;
    let described = described.map_err(|error| Failure::of_client(&error, "describeTopics"))?;
    match described.into_iter().next() {
        Some(Ok(topic)) => Ok(topic.partitions.len()),
        Some(Err(error)) => Err((&error).into()),
        None => Ok(0),
    }
}

pub(super) async fn delete(admin: &Admin, given: &Given) -> Result<(), Failure> {
    let names = select::topics(admin, given).await?;
    select::ensure_exists(&names, given)?;
    if names.is_empty() {
        return Ok(());
    }
    let outcomes = admin.delete_topics(&names).await;
    let outcomes = outcomes.map_err(|error| Failure::of_client(&error, "deleteTopics"))?;
    first_error(outcomes).map_or(Ok(()), |error| Err((&error).into()))
}

fn first_error<T>(outcomes: Vec<Outcome<T>>) -> Option<ottla_client::ApiError> {
    outcomes.into_iter().find_map(Result::err)
}
