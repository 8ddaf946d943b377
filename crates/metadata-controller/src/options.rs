//! What a controller is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ottla_metadata::Limits;
use ottla_protocol::ids::{BrokerId, KafkaUuid};

/// A voter of the quorum (`controller.quorum.voters`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// Its `node.id`.
    pub id: BrokerId,
    /// Where the others reach it.
    pub host: String,
    /// Where the others reach it.
    pub port: u16,
}

/// What a controller is started with.
#[derive(Debug, Clone)]
pub struct ControllerOptions {
    /// `node.id`.
    pub node_id: BrokerId,
    /// The cluster's id, where the operator or the node's own data says it.
    pub cluster_id: Option<String>,
    /// Drawn anew at each start of the process; the same for every role of the process.
    pub incarnation: KafkaUuid,
    /// All voters, this node among them.
    pub voters: Vec<Voter>,
    /// The addresses of the CONTROLLER listener.
    pub listen: Vec<SocketAddr>,
    /// Where the quorum's data lives; created if missing. Nothing else may live there.
    pub dir: PathBuf,
    /// `broker.session.timeout.ms`: a broker that is silent for so long is fenced.
    pub session_timeout: Duration,
    /// `controller.quorum.election.timeout.ms`: the least time without a leader before an election by
    /// timeout; drawn anew each time up to twice as much.
    pub election_timeout: Duration,
    /// How often the leader of the quorum shows that it is there.
    pub heartbeat_interval: Duration,
    /// `leader.imbalance.check.interval.seconds`; `None` without `auto.leader.rebalance.enable`.
    pub balance_interval: Option<Duration>,
    /// Snapshot after so many entries since the last one.
    pub snapshot_entries: u64,
    /// Defaults and bounds for what is planned.
    pub limits: Limits,
}

impl ControllerOptions {
    /// The settings of a node that says only who it is, with this project's defaults for the rest.
    #[must_use]
    pub fn new(
        node_id: BrokerId,
        incarnation: KafkaUuid,
        voters: Vec<Voter>,
        dir: PathBuf,
    ) -> Self {
        Self {
            node_id,
            cluster_id: None,
            incarnation,
            voters,
            listen: Vec::new(),
            dir,
            session_timeout: Duration::from_millis(1500),
            election_timeout: Duration::from_millis(300),
            heartbeat_interval: Duration::from_millis(100),
            balance_interval: Some(Duration::from_secs(5)),
            snapshot_entries: 20_000,
            limits: Limits::default(),
        }
    }

    /// The voter that this node is.
    pub(crate) fn me(&self) -> Option<&Voter> {
        self.voters.iter().find(|voter| voter.id == self.node_id)
    }
}
