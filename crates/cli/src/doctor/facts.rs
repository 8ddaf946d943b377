//! What the doctor has seen.

use ottla_client::HostPort;
use ottla_client::admin::{ClusterNode, LogDir, Quorum, TopicDescription};

use super::dial::Dialled;

/// Everything that is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// What was heard at each address that the user has named.
    pub(super) bootstrap: Vec<(HostPort, Dialled)>,
    /// What the cluster says; absent when no broker was reached, an error when it did not answer.
    pub(super) cluster: Option<Result<ClusterFacts, String>>,
    /// Nodes that run on this machine.
    pub(super) processes: Vec<OpenFiles>,
}

/// What the cluster says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClusterFacts {
    /// `cluster.id`.
    pub(super) id: String,
    /// The host by which it was reached.
    pub(super) reached_by: String,
    /// All that are registered.
    pub(super) brokers: Vec<BrokerFacts>,
    /// All topics.
    pub(super) topics: Vec<TopicFacts>,
    /// The controllers.
    pub(super) quorum: Result<Quorum, String>,
    /// The active controller's clock less this machine's, ms.
    pub(super) clock_ahead_ms: Option<i64>,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerFacts {
    pub(crate) node: ClusterNode,
    /// What was heard at its advertised address.
    pub(crate) dialled: Dialled,
    /// Empty where it could not be asked.
    pub(crate) dirs: Vec<LogDir>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicFacts {
    pub(crate) description: TopicDescription,
    pub(crate) min_isr: Option<usize>,
}

/// The open files of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenFiles {
    pub(super) pid: u32,
    /// Open now, sockets included.
    pub(super) open: u64,
    /// As many as it may open.
    pub(super) limit: u64,
}
