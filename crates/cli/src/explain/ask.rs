//! Asks the cluster for what is judged elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ottla_client::admin::{
    ConfigResource, GroupDescription, GroupState, OffsetSpec, PartitionDescription,
    TopicDescription,
};
use ottla_client::{Admin, ApiError, ClientError, IsolationLevel, parse_bootstrap};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{TopicName, TopicPartition};

use super::group::{GroupFacts, Position};
use super::topic::{Ends, TopicFacts};
use super::{broker, group};
use crate::diagnosis::partition::{Brokers, Condition, condition};
use crate::doctor;

/// Partitions in one answer.
const PARTITIONS_PER_ANSWER: i32 = 2_000;
/// Where groups are kept.
const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The topic of that name, or the one before a `/` with a partition behind it.
pub(super) async fn topic(admin: &Admin, what: &str) -> Result<Option<TopicFacts>, ClientError> {
    if let Some(facts) = topic_called(admin, what, None).await? {
        return Ok(Some(facts));
    }
    // A slash cannot be in a topic's name; a dash can, but TOPIC-PARTITION is how logs write it.
    let parts = what.rsplit_once(['/', '-']).map(|(name, index)| (name, index.parse().ok()));
    match parts {
        Some((name, Some(index))) => topic_called(admin, name, Some(index)).await,
        _ => Ok(None),
    }
}

async fn topic_called(
    admin: &Admin,
    name: &str,
    only: Option<i32>,
) -> Result<Option<TopicFacts>, ClientError> {
    let Some(description) = described(admin, name).await? else { return Ok(None) };
    let brokers = Brokers::of(&admin.describe_cluster(true).await?.nodes);
    let configs = admin.describe_configs(&[ConfigResource::topic(name)]).await?;
    let configs = configs.into_iter().next().and_then(Result::ok).unwrap_or_default();
    let value =
        |key: &str| configs.iter().find(|it| it.name == key).and_then(|it| it.value.clone());
    let wanted = |index: i32| only.is_none_or(|only| only == index);
    let asked =
        description.partitions.iter().filter(|it| wanted(it.partition) && led(it, &brokers));
    let topic = TopicName::from(name);
    let asked: Vec<_> = asked.map(|it| TopicPartition::new(topic.clone(), it.partition)).collect();
    let ends = ends(admin, &asked).await;
    let ends = ends.into_iter().map(|(place, ends)| (place.partition, ends)).collect();
    // Asked of the controllers: without them there is no move to tell of.
    let moves = admin.list_partition_reassignments().await.unwrap_or_default();
    let moving: BTreeSet<i32> = moves
        .into_keys()
        .filter(|place| *place.topic == *name && wanted(place.partition))
        .map(|place| place.partition)
        .collect();
    Ok(Some(TopicFacts {
        min_isr: value("min.insync.replicas").and_then(|value| value.parse().ok()),
        compacted: value("cleanup.policy").is_some_and(|value| value.contains("compact")),
        description,
        only,
        brokers,
        ends,
        moving,
    }))
}

fn led(partition: &PartitionDescription, brokers: &Brokers) -> bool {
    partition.leader.is_some_and(|leader| brokers.live.contains(&leader))
}

async fn described(admin: &Admin, topic: &str) -> Result<Option<TopicDescription>, ClientError> {
    let described = admin.describe_topics(&[topic.to_owned()], PARTITIONS_PER_ANSWER).await?;
    match described.into_iter().next() {
        Some(Ok(description)) => Ok(Some(description)),
        Some(Err(error)) if is_no_such(&error) => Ok(None),
        Some(Err(error)) => Err(error.into()),
        None => Ok(None),
    }
}

fn is_no_such(error: &ApiError) -> bool {
    matches!(
        error.error_code(),
        ErrorCode::UnknownTopicOrPartition | ErrorCode::InvalidTopicException
    )
}

/// Where the records of partitions are, or why their leaders do not tell.
async fn ends(
    admin: &Admin,
    partitions: &[TopicPartition],
) -> BTreeMap<TopicPartition, Result<Ends, String>> {
    let ask = async |places: &[TopicPartition], spec, isolation| {
        let asked = places.iter().map(|place| (place.clone(), spec)).collect();
        match admin.list_offsets(&asked, isolation).await {
            Ok(listed) => listed
                .into_iter()
                .map(|(place, listed)| {
                    (place, listed.map(|it| it.offset).map_err(|error| error.to_string()))
                })
                .collect::<BTreeMap<_, _>>(),
            Err(error) => {
                places.iter().map(|place| (place.clone(), Err(error.to_string()))).collect()
            }
        }
    };
    let first = ask(partitions, OffsetSpec::Earliest, IsolationLevel::ReadUncommitted).await;
    // A leader that did not answer once is not waited for again.
    let answered: Vec<TopicPartition> =
        first.iter().filter(|(_, first)| first.is_ok()).map(|(place, _)| place.clone()).collect();
    let high = ask(&answered, OffsetSpec::Latest, IsolationLevel::ReadUncommitted).await;
    let stable = ask(&answered, OffsetSpec::Latest, IsolationLevel::ReadCommitted).await;
    let of = |listed: &BTreeMap<_, _>, place: &TopicPartition| -> Result<i64, String> {
        listed.get(place).cloned().unwrap_or_else(|| Err("no answer".to_owned()))
    };
    let ends = |place: &TopicPartition| {
        let ends = of(&first, place).and_then(|first| {
            let (high_watermark, stable) = (of(&high, place)?, of(&stable, place)?);
            Ok(Ends { first, stable, high_watermark })
        });
        (place.clone(), ends)
    };
    partitions.iter().map(ends).collect()
}

/// The group of that name; `None` if there is none.
pub(super) async fn group(admin: &Admin, id: &str) -> Result<Option<GroupFacts>, ClientError> {
    let ids = [id.to_owned()];
    let described = admin.describe_consumer_groups(&ids).await?.remove(id);
    let description = match described {
        None => return Ok(None),
        Some(Err(error)) if error.error_code() == ErrorCode::GroupIdNotFound => return Ok(None),
        Some(Ok(GroupDescription { state: GroupState::Dead, .. })) => return Ok(None),
        Some(Ok(description)) => Ok(description),
        Some(Err(error)) => Err(error.to_string()),
    };
    let home = home(admin, id).await?;
    let mut positions = Vec::new();
    // A coordinator that does not describe the group does not tell its offsets either.
    if description.is_ok()
        && let Some(Ok(offsets)) = admin.list_group_offsets(&ids, false).await?.remove(id)
    {
        let committed: Vec<(TopicPartition, i64)> = offsets
            .into_iter()
            .filter_map(|(place, committed)| Some((place, committed.ok()??.offset)))
            .collect();
        let places: Vec<TopicPartition> =
            committed.iter().map(|(place, _)| place.clone()).collect();
        let ends = ends(admin, &places).await;
        positions.extend(committed.into_iter().map(|(partition, committed)| {
            let ends = ends.get(&partition).and_then(|ends| ends.clone().ok());
            Position { partition, committed, ends }
        }));
    }
    Ok(Some(GroupFacts { id: id.to_owned(), description, home, positions }))
}

/// The partition of __consumer_offsets that keeps a group.
async fn home(admin: &Admin, id: &str) -> Result<Option<(String, Condition)>, ClientError> {
    let Some(topic) = described(admin, OFFSETS_TOPIC).await? else { return Ok(None) };
    let Some(index) = group::partition_of(id, topic.partitions.len()) else { return Ok(None) };
    let Some(partition) = topic.partitions.get(index) else { return Ok(None) };
    let brokers = Brokers::of(&admin.describe_cluster(true).await?.nodes);
    let min_isr = doctor::ask::min_isr(admin, &[topic.name]).await?.into_iter().next().flatten();
    let condition = condition(partition, &brokers, min_isr);
    Ok(Some((format!("{OFFSETS_TOPIC}-{index}"), condition)))
}

/// A broker, whether it is registered or not.
pub(super) async fn broker(
    admin: &Admin,
    bootstrap: &str,
    id: i32,
    patience: Duration,
) -> Result<broker::Facts, ClientError> {
    let cluster = admin.describe_cluster(true).await?;
    let registered = cluster.nodes.iter().map(|node| node.id).collect();
    let node = cluster.nodes.into_iter().find(|node| node.id == id);
    let broker = match node {
        Some(node) => Some(doctor::ask::broker(node, patience).await),
        None => None,
    };
    // Of several addresses nobody knows which one was taken; with one there is no doubt.
    let reached_by = match parse_bootstrap(bootstrap)?.as_slice() {
        [only] => Some(only.host.clone()),
        _ => None,
    };
    let topics = doctor::ask::topics(admin).await?;
    Ok(broker::Facts { id, broker, registered, cluster_id: cluster.id, reached_by, topics })
}

/// Names of topics and groups, as far as they can be learnt.
pub(super) async fn names(admin: &Admin) -> Vec<String> {
    let topics = admin.list_topics().await.unwrap_or_default().into_iter().map(|it| it.name);
    let groups = admin.list_groups(&[], &[]).await.unwrap_or_default();
    topics.chain(groups.into_iter().map(|it| it.group_id)).collect()
}
