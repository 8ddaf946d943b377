//! A member of a consumer group, as the records tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ids::{PartitionIndex, TopicId, TopicName};

use crate::assignor::Assignment;

/// The member epoch of a static member that left and will come back (KIP-848).
pub(crate) const STATIC_LEAVE_EPOCH: i32 = -2;
/// The member epoch of a member that leaves for good.
pub(crate) const LEAVE_EPOCH: i32 = -1;

/// How far a member has come on the way to its target assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MemberState {
    /// It has what it can have in its epoch.
    #[default]
    Stable,
    /// It must give up partitions before it may move to the next epoch.
    UnrevokedPartitions,
    /// It waits for partitions that others have not given up yet.
    UnreleasedPartitions,
    /// Written by a later version: the member is fenced at its next heartbeat.
    Unknown,
}

impl MemberState {
    /// Its number in records.
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }

    /// The state of a number in a record.
    pub(crate) fn from_code(code: i8) -> Self {
        match code {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => Self::Unknown,
        }
    }
}

/// Partitions by topic, each with the epoch in which the member got it (KIP-1251). No topic is without
/// partitions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OwnedPartitions(BTreeMap<TopicId, BTreeMap<PartitionIndex, i32>>);

impl OwnedPartitions {
    /// All of an assignment, got in one epoch.
    pub(crate) fn of(assignment: &Assignment, epoch: i32) -> Self {
        assignment.iter().map(|(topic, partition)| (topic, partition, epoch)).collect()
    }

    /// Adds a partition, or changes its epoch.
    pub(crate) fn insert(&mut self, topic: TopicId, partition: PartitionIndex, epoch: i32) {
        self.0.entry(topic).or_default().insert(partition, epoch);
    }

    /// The epoch in which the partition was got; `None` if it is not in here.
    pub(crate) fn epoch(&self, topic: TopicId, partition: PartitionIndex) -> Option<i32> {
        self.0.get(&topic)?.get(&partition).copied()
    }

    /// Whether the partition is in here.
    pub(crate) fn contains(&self, topic: TopicId, partition: PartitionIndex) -> bool {
        self.epoch(topic, partition).is_some()
    }

    /// Every partition with its epoch, by topic id and number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TopicId, PartitionIndex, i32)> {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, epoch)| (*topic, *partition, *epoch))
        })
    }

    /// The topics and their partitions with epochs.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (TopicId, &BTreeMap<PartitionIndex, i32>)> {
        self.0.iter().map(|(topic, partitions)| (*topic, partitions))
    }

    /// The same partitions without epochs.
    pub(crate) fn to_assignment(&self) -> Assignment {
        self.iter().map(|(topic, partition, _)| (topic, partition)).collect()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(TopicId, PartitionIndex, i32)> for OwnedPartitions {
    fn from_iter<I: IntoIterator<Item = (TopicId, PartitionIndex, i32)>>(all: I) -> Self {
        let mut owned = Self::default();
        all.into_iter().for_each(|(topic, partition, epoch)| owned.insert(topic, partition, epoch));
        owned
    }
}

/// What is kept of a member that speaks the classic protocol inside a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassicMember {
    /// After how long silence it is out.
    pub(crate) session_timeout_ms: i32,
    /// The embedded protocols it offered, by preference: name and metadata as it sent them.
    pub(crate) protocols: Vec<(Arc<str>, Bytes)>,
}

/// What a member is and wants. Changes seldom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberMetadata {
    /// Its instance id (`group.instance.id`); `None` for dynamic members.
    pub(crate) instance_id: Option<Arc<str>>,
    /// Where it runs.
    pub(crate) rack_id: Option<Arc<str>>,
    /// The name it gave itself (`client.id`).
    pub(crate) client_id: Arc<str>,
    /// Where it comes from, as in `/127.0.0.1`.
    pub(crate) client_host: Arc<str>,
    /// The topics it subscribes to by name.
    pub(crate) topic_names: Arc<BTreeSet<TopicName>>,
    /// The regular expression it subscribes to; empty for none.
    pub(crate) topic_regex: Arc<str>,
    /// How long it may take to give up partitions, ms; -1 if it never said.
    pub(crate) rebalance_timeout_ms: i32,
    /// The assignor it asks for.
    pub(crate) server_assignor: Option<Arc<str>>,
    /// Set if it speaks the classic protocol.
    pub(crate) classic: Option<Arc<ClassicMember>>,
}

impl Default for MemberMetadata {
    fn default() -> Self {
        Self {
            instance_id: None,
            rack_id: None,
            client_id: "".into(),
            client_host: "".into(),
            topic_names: Arc::default(),
            topic_regex: "".into(),
            rebalance_timeout_ms: -1,
            server_assignor: None,
            classic: None,
        }
    }
}

/// What a member has. Changes with every rebalance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MemberAssignment {
    /// How far it has come.
    pub(crate) state: MemberState,
    /// Its epoch: the one of the target assignment that it follows.
    pub(crate) epoch: i32,
    /// The epoch before, for an answer that got lost.
    pub(crate) previous_epoch: i32,
    /// What it may consume.
    pub(crate) assigned: Arc<OwnedPartitions>,
    /// What it must give up; nobody else gets it before it has.
    pub(crate) pending_revocation: Arc<OwnedPartitions>,
}

/// A member of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its id.
    pub(crate) id: Arc<str>,
    /// What it is and wants.
    pub(crate) metadata: Arc<MemberMetadata>,
    /// What it has.
    pub(crate) current: Arc<MemberAssignment>,
}

impl Member {
    /// A member of which nothing is known yet.
    pub(crate) fn new(id: Arc<str>) -> Self {
        let current = MemberAssignment { previous_epoch: -1, ..MemberAssignment::default() };
        Self { id, metadata: Arc::default(), current: Arc::new(current) }
    }

    /// Whether it speaks the classic protocol.
    pub(crate) fn is_classic(&self) -> bool {
        self.metadata.classic.is_some()
    }

    /// Whether it has all of the target of this epoch.
    pub(crate) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.current.state == MemberState::Stable && self.current.epoch == target_epoch
    }

    /// The regular expression it subscribes to.
    pub(crate) fn regex(&self) -> Option<&Arc<str>> {
        Some(&self.metadata.topic_regex).filter(|regex| !regex.is_empty())
    }

    /// Everything that nobody else may have: what is assigned and what is yet to be given up.
    pub(crate) fn holds(&self) -> impl Iterator<Item = (TopicId, PartitionIndex)> {
        let all = self.current.assigned.iter().chain(self.current.pending_revocation.iter());
        all.map(|(topic, partition, _)| (topic, partition))
    }
}
