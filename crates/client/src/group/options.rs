//! What a group consumer is told about its group.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_protocol::ids::TopicName;

use super::Assignor;
use crate::metadata::Metadata;

/// `group.protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupProtocol {
    /// The members divide the partitions among themselves.
    #[default]
    Classic,
    /// The coordinator divides them (KIP-848).
    Consumer,
}

/// Settings of a [`GroupConsumer`]; the defaults are Kafka's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOptions {
    /// `group.id`.
    pub group_id: String,
    /// `group.protocol`.
    pub protocol: GroupProtocol,
    /// `group.instance.id`: a static member (KIP-345).
    pub instance_id: Option<String>,
    /// `session.timeout.ms`, of the classic protocol.
    pub session_timeout_ms: u64,
    /// `heartbeat.interval.ms`, of the classic protocol.
    pub heartbeat_interval_ms: u64,
    /// `max.poll.interval.ms`: whoever is not polled for longer leaves; also how long a rebalance waits.
    pub max_poll_interval_ms: u64,
    /// `auto.commit.interval.ms`; `None` stands for `enable.auto.commit=false`.
    pub auto_commit_interval_ms: Option<u64>,
    /// `partition.assignment.strategy`, of the classic protocol: the first that all members know divides.
    /// If all of them are cooperative, this member keeps what it owns while the group rebalances.
    pub assignors: Vec<Assignor>,
    /// `group.remote.assignor`, of the new protocol; `None` leaves it to the coordinator.
    pub remote_assignor: Option<String>,
    /// `client.rack`.
    pub rack: Option<String>,
    /// `allow.auto.create.topics`.
    pub auto_create_topics: bool,
}

impl GroupOptions {
    /// The defaults for a group.
    #[must_use]
    pub fn of(group_id: &str) -> Self {
        Self {
            group_id: group_id.to_owned(),
            protocol: GroupProtocol::Classic,
            instance_id: None,
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 3_000,
            max_poll_interval_ms: 300_000,
            auto_commit_interval_ms: Some(5_000),
            assignors: vec![Assignor::Range, Assignor::CooperativeSticky],
            remote_assignor: None,
            rack: None,
            auto_create_topics: true,
        }
    }
}

/// Says of a topic's name whether it is meant.
pub type Matches = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What a group consumer reads.
#[derive(Clone)]
pub enum Topics {
    /// These.
    Named(BTreeSet<TopicName>),
    /// Every topic whose name matches, also those to come; never Kafka's own.
    Matching(Matches),
}

impl Topics {
    pub(super) fn resolve(&self, metadata: &Metadata) -> BTreeSet<TopicName> {
        match self {
            Self::Named(names) => names.clone(),
            Self::Matching(matches) => metadata
                .topics()
                .filter(|topic| !topic.internal && matches(&topic.name))
                .map(|topic| TopicName::clone(&topic.name))
                .collect(),
        }
    }
}
