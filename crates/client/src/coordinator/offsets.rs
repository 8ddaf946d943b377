//! OffsetCommit and OffsetFetch: what is sent, and what is made of the answers.

use std::collections::BTreeMap;

use ottla_protocol::ids::{LeaderEpoch, Offset, TopicPartition};
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::{
    self, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
};

use super::{is_moving, text};
use crate::admin::Outcome;
use crate::error::ApiError;

/// How far a group has read a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: Offset,
    /// The leader epoch of the last record read, if it was told.
    pub leader_epoch: Option<LeaderEpoch>,
    /// What the committing client wrote beside it.
    pub metadata: String,
}

/// The committed offsets of a group; `None` for a partition that was asked for and has none.
pub type GroupOffsets = BTreeMap<TopicPartition, Outcome<Option<CommittedOffset>>>;

/// As whom a client commits and fetches offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Empty for a client that is no member.
    pub(crate) member_id: String,
    /// The generation, or the member epoch; -1 for a client that is no member.
    pub(crate) epoch: i32,
    pub(crate) instance_id: Option<String>,
}

impl Identity {
    /// Of a client that is no member of the group.
    pub(crate) fn nobody() -> Self {
        Self { member_id: String::new(), epoch: -1, instance_id: None }
    }
}

fn topic_name(value: &str) -> messages::TopicName {
    messages::TopicName(text(value))
}

/// A request that commits offsets.
pub(crate) fn commit_offsets(
    version: i16,
    group: &str,
    identity: &Identity,
    offsets: &BTreeMap<TopicPartition, CommittedOffset>,
) -> OffsetCommitRequest {
    let all: Vec<_> = offsets.iter().collect();
    let topics = all.chunk_by(|(a, _), (b, _)| a.topic == b.topic).map(|run| {
        let wire = |(partition, committed): &(&TopicPartition, &CommittedOffset)| {
            let wire = OffsetCommitRequestPartition::default()
                .with_partition_index(partition.partition)
                .with_committed_offset(committed.offset)
                .with_committed_metadata(Some(text(&committed.metadata)));
            match committed.leader_epoch {
                Some(epoch) if version >= 6 => wire.with_committed_leader_epoch(epoch),
                _ => wire,
            }
        };
        OffsetCommitRequestTopic::default()
            .with_name(topic_name(&run[0].0.topic))
            .with_partitions(run.iter().map(wire).collect())
    });
    let request = OffsetCommitRequest::default()
        .with_group_id(messages::GroupId(text(group)))
        .with_generation_id_or_member_epoch(identity.epoch)
        .with_member_id(text(&identity.member_id))
        .with_topics(topics.collect());
    match &identity.instance_id {
        Some(instance) if version >= 7 => request.with_group_instance_id(Some(text(instance))),
        _ => request,
    }
}

/// What was said of each partition. A coordinator that is moving refuses all of them alike: that is
/// the refusal of the whole.
pub(crate) fn commit_outcomes(
    response: &OffsetCommitResponse,
) -> Outcome<BTreeMap<TopicPartition, Outcome<()>>> {
    let mut outcomes = BTreeMap::new();
    for topic in &response.topics {
        for partition in &topic.partitions {
            let place = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            let outcome = match ApiError::from_wire(partition.error_code, None) {
                None => Ok(()),
                Some(error) if is_moving(error.error_code()) => return Err(error),
                Some(error) => Err(error),
            };
            outcomes.insert(place, outcome);
        }
    }
    Ok(outcomes)
}

/// A request for the committed offsets of `partitions`, or of all partitions. Versions before 8 ask for
/// one group only: the first.
pub(crate) fn fetch_offsets(
    version: i16,
    groups: &[String],
    identity: &Identity,
    partitions: Option<&[TopicPartition]>,
    require_stable: bool,
) -> OffsetFetchRequest {
    let runs = || {
        let partitions = partitions.unwrap_or_default();
        partitions.chunk_by(|a, b| a.topic == b.topic).map(|run| {
            let indexes: Vec<i32> = run.iter().map(|partition| partition.partition).collect();
            (topic_name(&run[0].topic), indexes)
        })
    };
    let request = OffsetFetchRequest::default();
    let request = if version >= 7 { request.with_require_stable(require_stable) } else { request };
    if version >= 8 {
        let topic = |(name, indexes)| {
            OffsetFetchRequestTopics::default().with_name(name).with_partition_indexes(indexes)
        };
        let group = |group: &String| {
            let wire = OffsetFetchRequestGroup::default()
                .with_group_id(messages::GroupId(text(group)))
                .with_topics(partitions.map(|_| runs().map(topic).collect()));
            if version >= 9 && identity.epoch >= 0 {
                wire.with_member_id(Some(text(&identity.member_id)))
                    .with_member_epoch(identity.epoch)
            } else {
                wire
            }
        };
        return request.with_groups(groups.iter().map(group).collect());
    }
    let topic = |(name, indexes)| {
        OffsetFetchRequestTopic::default().with_name(name).with_partition_indexes(indexes)
    };
    let group = groups.first().map(String::as_str).unwrap_or_default();
    request
        .with_group_id(messages::GroupId(text(group)))
        .with_topics(partitions.map(|_| runs().map(topic).collect()))
}

/// The offsets of some topics of an answer: the two forms of the answer differ in their types only.
macro_rules! offsets {
    ($topics:expr) => {{
        let mut offsets = GroupOffsets::new();
        for topic in $topics {
            for one in &topic.partitions {
                let place = TopicPartition::new(topic.name.as_str(), one.partition_index);
                let epoch = Some(one.committed_leader_epoch).filter(|epoch| *epoch >= 0);
                let metadata = one.metadata.as_ref().map(ToString::to_string);
                let committed = (one.committed_offset >= 0).then(|| CommittedOffset {
                    offset: one.committed_offset,
                    leader_epoch: epoch,
                    metadata: metadata.unwrap_or_default(),
                });
                let error = ApiError::from_wire(one.error_code, None);
                offsets.insert(place, error.map_or(Ok(committed), Err));
            }
        }
        offsets
    }};
}

/// The committed offsets by group. `asked` is the group that a version before 8 was asked for.
pub(crate) fn fetched_offsets(
    asked: &str,
    version: i16,
    response: &OffsetFetchResponse,
) -> BTreeMap<String, Outcome<GroupOffsets>> {
    let judged = |code, offsets| ApiError::from_wire(code, None).map_or(Ok(offsets), Err);
    if version < 8 {
        let offsets = judged(response.error_code, offsets!(&response.topics));
        return BTreeMap::from([(asked.to_owned(), offsets)]);
    }
    let groups = response.groups.iter().map(|group| {
        (group.group_id.to_string(), judged(group.error_code, offsets!(&group.topics)))
    });
    groups.collect()
}
