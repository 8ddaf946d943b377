//! Assignments: which replicas a partition has, in which directories; as JSON and as the cluster has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ottla_client::Admin;
use ottla_protocol::ids::{BrokerId, TopicPartition};
use serde::Serialize;
use serde_json::Value;

use super::stop::Stop;
use super::{failed, joined, log_dirs};
use crate::exceptions::Failure;
use crate::json_file::{array, field, integer, object, parse, string};
use crate::thrown::Thrown;

const VERSION: i32 = 1;
/// A directory of the broker's choice.
const ANY: &str = "any";
/// One answer holds so many partitions of a topic.
const PARTITION_LIMIT: i32 = 2000;

/// A replica of a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReplicaId {
    pub(super) partition: TopicPartition,
    pub(super) broker: BrokerId,
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.broker)
    }
}

/// The replicas of partitions.
pub(super) type Replicas = BTreeMap<TopicPartition, Vec<BrokerId>>;

/// What `--reassignment-json-file` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Assignment {
    /// In the file's order.
    partitions: Vec<(TopicPartition, Vec<BrokerId>)>,
    /// Where a replica is to be, if the file says so.
    pub(super) log_dirs: BTreeMap<ReplicaId, String>,
}

impl Assignment {
    pub(super) fn parse(text: &str) -> Result<Self, Stop> {
        let value = parse(text).map_err(|cause| {
            let said = Failure::new(ADMIN_OPERATION, cause.message.clone());
            Thrown::caused(said, cause.into())
        })?;
        let root = object(&value)?;
        check_version(root.get("version"))?;
        let mut assignment = Self::default();
        for item in root.get("partitions").map_or(Ok(&[][..]), array)? {
            assignment.add(item)?;
        }
        Ok(assignment)
    }

    fn add(&mut self, item: &Value) -> Result<(), Stop> {
        let fields = object(item)?;
        let partition = TopicPartition::new(
            string(field(fields, "topic")?)?,
            integer(field(fields, "partition")?)?,
        );
        let brokers = array(field(fields, "replicas")?)?.iter().map(integer);
        let brokers = brokers.collect::<Result<Vec<_>, _>>()?;
        if let Some(dirs) = fields.get("log_dirs") {
            let dirs = array(dirs)?.iter().map(string).collect::<Result<Vec<_>, _>>()?;
            if dirs.len() != brokers.len() {
                return Err(Stop::command_failed(format!(
                    "Size of replicas list {brokers:?} is different from size of log dirs list [{}] \
                     for partition {partition}",
                    dirs.join(", ")
                )));
            }
            for (broker, dir) in brokers.iter().zip(dirs).filter(|(_, dir)| *dir != ANY) {
                let replica = ReplicaId { partition: partition.clone(), broker: *broker };
                self.log_dirs.insert(replica, dir.to_owned());
            }
        }
        self.partitions.push((partition, brokers));
        Ok(())
    }

    /// Refuses what cannot be executed.
    pub(super) fn check(&self) -> Result<(), Stop> {
        let refuse = |message: String| Err(Stop::command_failed(message));
        if self.partitions.is_empty() {
            return refuse("Partition reassignment list cannot be empty".to_owned());
        }
        if self.partitions.iter().any(|(_, brokers)| brokers.is_empty()) {
            return refuse("Partition replica list cannot be empty".to_owned());
        }
        let twice = repeated(self.partitions.iter().map(|(partition, _)| partition));
        if !twice.is_empty() {
            let twice = joined(twice);
            return refuse(format!(
                "Partition reassignment contains duplicate topic partitions: {twice}"
            ));
        }
        let entries = self.partitions.iter().filter_map(|(partition, brokers)| {
            let twice = repeated(brokers);
            let entries = format!("{partition} contains multiple entries for {}", joined(&twice));
            (!twice.is_empty()).then_some(entries)
        });
        let entries: Vec<_> = entries.collect();
        if !entries.is_empty() {
            return refuse(format!(
                "Partition replica lists may not contain duplicate entries: {}",
                entries.join(". ")
            ));
        }
        Ok(())
    }

    /// By partition; of several entries the last counts.
    pub(super) fn replicas(&self) -> Replicas {
        self.partitions.iter().cloned().collect()
    }
}

const ADMIN_OPERATION: &str = "org.apache.kafka.tools.AdminOperationException";

pub(super) fn check_version(version: Option<&Value>) -> Result<(), Stop> {
    match version.map(integer).transpose()? {
        None | Some(VERSION) => Ok(()),
        Some(other) => Err(admin_operation(format!("Not supported version field value {other}"))),
    }
}

pub(super) fn admin_operation(message: impl Into<String>) -> Stop {
    Failure::new(ADMIN_OPERATION, message).into()
}

/// What stands there more than once.
pub(super) fn repeated<'a, T: Ord>(items: impl IntoIterator<Item = &'a T>) -> BTreeSet<&'a T> {
    let mut seen = BTreeSet::new();
    items.into_iter().filter(|item| !seen.insert(*item)).collect()
}

#[derive(Serialize)]
struct Document<'a> {
    version: i32,
    partitions: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    topic: &'a str,
    partition: i32,
    replicas: &'a [BrokerId],
    log_dirs: Vec<&'a str>,
}

/// As `--reassignment-json-file` takes it.
pub(super) fn json(replicas: &Replicas, dirs: &BTreeMap<ReplicaId, String>) -> String {
    let dir = |partition: &TopicPartition, broker: &BrokerId| {
        let replica = ReplicaId { partition: partition.clone(), broker: *broker };
        dirs.get(&replica).map_or(ANY, String::as_str)
    };
    let entry = |(partition, brokers)| -> Entry<'_> {
        let (partition, brokers): (&TopicPartition, &Vec<BrokerId>) = (partition, brokers);
        Entry {
            topic: &partition.topic,
            partition: partition.partition,
            replicas: brokers,
            log_dirs: brokers.iter().map(|broker| dir(partition, broker)).collect(),
        }
    };
    let document = Document { version: VERSION, partitions: replicas.iter().map(entry).collect() };
    serde_json::to_string(&document).unwrap_or_default()
}

/// The same with the directories in which the replicas are now.
pub(super) async fn json_with_dirs(admin: &Admin, replicas: &Replicas) -> String {
    let brokers: BTreeSet<_> = replicas.values().flatten().copied().collect();
    let dirs = log_dirs::by_replica(admin, brokers).await;
    let present = dirs.into_iter().filter_map(|(id, dirs)| Some((id, dirs.current?)));
    json(replicas, &present.collect())
}

/// The replicas that the partitions of some topics have. A topic that is not there fails the call;
/// `None` in its place if `lenient`.
pub(super) async fn of_topics(
    admin: &Admin,
    topics: &BTreeSet<String>,
) -> Result<BTreeMap<String, Option<Replicas>>, Stop> {
    let names: Vec<_> = topics.iter().cloned().collect();
    let described = admin.describe_topics(&names, PARTITION_LIMIT).await;
    let described = described.map_err(failed("describeTopics"))?;
    let mut found = BTreeMap::new();
    for (name, topic) in names.into_iter().zip(described) {
        let replicas = match topic {
            Ok(topic) => Some(
                topic
                    .partitions
                    .iter()
                    .map(|it| {
                        let partition = TopicPartition::new(topic.name.as_str(), it.partition);
                        (partition, it.replicas.clone())
                    })
                    .collect(),
            ),
            Err(error) if error.error_code().name() == "UNKNOWN_TOPIC_OR_PARTITION" => None,
            Err(error) => return Err(Stop::execution((&error).into())),
        };
        found.insert(name, replicas);
    }
    Ok(found)
}

/// The failure that a topic is not there.
pub(super) fn topic_not_found(topic: &str) -> Stop {
    unknown(format!("Topic {topic} not found."))
}

pub(super) fn unknown(message: String) -> Stop {
    let class = "org.apache.kafka.common.errors.UnknownTopicOrPartitionException";
    Stop::execution(Failure::new(class, message))
}
