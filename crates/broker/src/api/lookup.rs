//! Finding what a request names.

use std::sync::Arc;

use ottla_metadata::{Endpoint, Image, Partition as PartitionState, Topic};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{
    BrokerId, KafkaUuid, LeaderEpoch, NO_LEADER, PartitionIndex, TopicId, TopicIdPartition,
};

use super::error::listener_not_found_code;
use super::{Context, Node};
use crate::partition::Partition;

/// How a request names a topic: newer versions of Produce and Fetch by id.
pub(super) fn topic<'a>(
    image: &'a Image,
    by_id: bool,
    name: &str,
    id: TopicId,
) -> Result<&'a Topic, ErrorCode> {
    if by_id {
        image.topic(id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topic_by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

/// The replica of a partition on this broker.
pub(super) fn replica(
    context: &Context,
    topic: &Topic,
    partition: PartitionIndex,
) -> Result<Arc<Partition>, ErrorCode> {
    if !topic.partitions.contains_key(&partition) {
        return Err(ErrorCode::UnknownTopicOrPartition);
    }
    let id = TopicIdPartition::new(topic.id, partition);
    context.broker.partitions.get(id).ok_or(ErrorCode::NotLeaderOrFollower)
}

/// The replica of a partition that is named by its topic's name.
pub(super) fn replica_by_name(
    context: &Context,
    image: &Image,
    name: &str,
    partition: PartitionIndex,
) -> Result<Arc<Partition>, ErrorCode> {
    replica(context, topic(image, false, name, KafkaUuid::ZERO)?, partition)
}

/// A leader to tell a client of that came to the wrong broker (KIP-951).
#[derive(Debug, Clone)]
pub(super) struct LeaderHint {
    pub(super) leader: BrokerId,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) endpoint: Endpoint,
    pub(super) rack: Option<Arc<str>>,
}

/// Who leads, if that is another, live broker.
pub(super) fn leader_hint(
    context: &Context,
    image: &Image,
    id: TopicIdPartition,
) -> Option<LeaderHint> {
    let partition = image.partition(id)?;
    let leader = partition.leader.filter(|leader| *leader != context.broker.id)?;
    let broker = image.broker(leader).filter(|broker| !broker.fenced)?;
    let endpoint = broker.endpoint(&context.listener)?.clone();
    let leader_epoch = partition.leader_epoch;
    Some(LeaderHint { leader, leader_epoch, endpoint, rack: broker.rack.clone() })
}

/// A partition as clients of this listener see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionView {
    pub(super) code: ErrorCode,
    /// -1 if there is none that the client could reach.
    pub(super) leader: BrokerId,
    pub(super) offline_replicas: Vec<BrokerId>,
}

impl PartitionView {
    pub(super) fn of(
        context: &Context,
        image: &Image,
        id: TopicIdPartition,
        partition: &PartitionState,
    ) -> Self {
        let live = |id: BrokerId| image.broker(id).filter(|broker| !broker.fenced);
        let (code, leader) = match partition.leader.map(|leader| (leader, live(leader))) {
            Some((leader, Some(broker))) if broker.endpoint(&context.listener).is_some() => {
                (ErrorCode::None, leader)
            }
            Some((_, Some(_))) => (listener_not_found_code(context.version), NO_LEADER),
            Some((_, None)) | None => (ErrorCode::LeaderNotAvailable, NO_LEADER),
        };
        let offline = partition.replicas.iter().filter(|broker| {
            live(**broker).is_none_or(|broker| broker.offline_replicas.contains(&id))
        });
        Self { code, leader, offline_replicas: offline.copied().collect() }
    }
}

/// The broker that clients take for the controller: any live one serves, as requests for the controller
/// are passed on; the one beside the active controller saves a hop.
pub(super) fn controller_id(node: &Node, listener: &str, image: &Image) -> BrokerId {
    let reachable = |id: &BrokerId| {
        image
            .broker(*id)
            .is_some_and(|broker| !broker.fenced && broker.endpoint(listener).is_some())
    };
    node.controllers.active().filter(reachable).unwrap_or(node.id)
}

/// Kafka's own topics.
pub(super) fn is_internal(topic: &str) -> bool {
    matches!(topic, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}
