//! Throttles: set for what moves, cleared when it has moved.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::Admin;
use ottla_client::admin::{AlterOperation, ConfigResource, Reassignment, ResourceType};
use ottla_protocol::ids::{BrokerId, TopicPartition};

use super::assignment::{ReplicaId, Replicas};
use super::stop::Stop;
use super::{failed, joined, plural};
use crate::console::say;
use crate::exceptions::Failure;

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const LOG_DIRS_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

/// Who sends a partition, and to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) sources: BTreeSet<BrokerId>,
    pub(super) destinations: BTreeSet<BrokerId>,
}

/// What moves once `proposed` is under way beside what already is.
pub(super) fn moves(
    under_way: &BTreeMap<TopicPartition, Reassignment>,
    proposed: &Replicas,
    current: &Replicas,
) -> BTreeMap<TopicPartition, Move> {
    let going = under_way.iter().map(|(partition, moving)| {
        let destinations: BTreeSet<_> = moving.adding.iter().copied().collect();
        let all = moving.replicas.iter().copied();
        let sources = all.filter(|broker| !destinations.contains(broker)).collect();
        (partition.clone(), Move { sources, destinations })
    });
    let mut moves: BTreeMap<_, _> = going.collect();
    for (partition, target) in proposed {
        let here = || current.get(partition).into_iter().flatten().copied().collect();
        let moving = moves
            .entry(partition.clone())
            .or_insert_with(|| Move { sources: here(), destinations: BTreeSet::new() });
        let target = target.iter().copied();
        moving.destinations = target.filter(|broker| !moving.sources.contains(broker)).collect();
    }
    moves
}

/// `partition:broker,…` of each topic, sorted as texts are.
fn throttled(
    moves: &BTreeMap<TopicPartition, Move>,
    brokers: impl Fn(&Move) -> &BTreeSet<BrokerId>,
) -> BTreeMap<String, String> {
    let mut topics: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (partition, moving) in moves {
        let items = topics.entry(partition.topic.to_string()).or_default();
        let item = |broker| format!("{}:{broker}", partition.partition);
        items.extend(brokers(moving).iter().map(item));
    }
    topics.into_iter().map(|(topic, items)| (topic, joined(items))).collect()
}

/// Throttles what moves between brokers to so many bytes a second, at each of them.
pub(super) async fn set(
    admin: &Admin,
    moves: &BTreeMap<TopicPartition, Move>,
    rate: u64,
) -> Result<(), Stop> {
    let followers = throttled(moves, |moving| &moving.destinations);
    for (topic, leaders) in throttled(moves, |moving| &moving.sources) {
        let followers = followers.get(&topic).cloned().unwrap_or_default();
        let operations = [
            AlterOperation::Set(LEADER_REPLICAS.to_owned(), leaders),
            AlterOperation::Set(FOLLOWER_REPLICAS.to_owned(), followers),
        ];
        alter(admin, &ConfigResource::topic(&topic), &operations).await?;
    }
    let both =
        |moving: &Move| -> Vec<_> { moving.sources.union(&moving.destinations).copied().collect() };
    let brokers: BTreeSet<_> = moves.values().flat_map(both).collect();
    for broker in brokers {
        let operations = [LEADER_RATE, FOLLOWER_RATE]
            .map(|key| AlterOperation::Set(key.to_owned(), rate.to_string()));
        alter(admin, &broker_resource(broker), &operations).await?;
    }
    say(&format!("The inter-broker throttle limit was set to {rate} B/s"));
    Ok(())
}

/// Throttles what moves between the log directories of these replicas' brokers.
pub(super) async fn set_for_log_dirs(
    admin: &Admin,
    replicas: impl Iterator<Item = &ReplicaId>,
    rate: u64,
) -> Result<(), Stop> {
    let brokers: BTreeSet<_> = replicas.map(|replica| replica.broker).collect();
    if brokers.is_empty() {
        return Ok(());
    }
    for broker in brokers {
        let operation = AlterOperation::Set(LOG_DIRS_RATE.to_owned(), rate.to_string());
        alter(admin, &broker_resource(broker), &[operation]).await?;
    }
    say(&format!("The replica-alter-dir throttle limit was set to {rate} B/s"));
    Ok(())
}

/// Clears the throttles of every live broker, of those that the partitions were to go to, and of the
/// partitions' topics.
pub(super) async fn clear(admin: &Admin, target: &Replicas) -> Result<(), Stop> {
    let cluster = admin.describe_cluster(false).await.map_err(failed("listNodes"))?;
    let live = cluster.nodes.iter().map(|node| node.id);
    let brokers: BTreeSet<_> = live.chain(target.values().flatten().copied()).collect();
    let list = joined(&brokers);
    say(&format!("Clearing broker-level throttles on broker{} {list}", plural(brokers.len())));
    for broker in brokers {
        let operations = [LEADER_RATE, FOLLOWER_RATE, LOG_DIRS_RATE]
            .map(|key| AlterOperation::Delete(key.to_owned()));
        alter(admin, &broker_resource(broker), &operations).await?;
    }
    let topics: BTreeSet<_> = target.keys().map(|partition| partition.topic.to_string()).collect();
    let list = joined(&topics);
    say(&format!("Clearing topic-level throttles on topic{} {list}", plural(topics.len())));
    for topic in topics {
        let operations =
            [LEADER_REPLICAS, FOLLOWER_REPLICAS].map(|key| AlterOperation::Delete(key.to_owned()));
        alter(admin, &ConfigResource::topic(&topic), &operations).await?;
    }
    Ok(())
}

fn broker_resource(broker: BrokerId) -> ConfigResource {
    ConfigResource { kind: ResourceType::Broker, name: broker.to_string() }
}

async fn alter(
    admin: &Admin,
    resource: &ConfigResource,
    operations: &[AlterOperation],
) -> Result<(), Stop> {
    let said = admin.incremental_alter_configs(resource, operations, false).await;
    let said = said.map_err(|error| match error {
        // Kafka's client waits a minute for a broker that is not there.
        ottla_client::ClientError::UnknownNode(_) => Stop::execution(Failure::new(
            "org.apache.kafka.common.errors.TimeoutException",
            "Timed out waiting for a node assignment. Call: incrementalAlterConfigs",
        )),
        error => failed("incrementalAlterConfigs")(error),
    })?;
    said.map_err(|error| Stop::execution((&error).into()))
}
