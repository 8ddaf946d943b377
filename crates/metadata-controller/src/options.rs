//! What a controller is started with.

use std::path::PathBuf;
use std::time::Duration;

use ottla_config::{HostPort, NodeConfig, Voter};
use ottla_metadata::Limits;
use ottla_protocol::ids::{BrokerId, KafkaUuid};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Where the quorum's data lives under `metadata.log.dir`.
const DIRECTORY: &str = "__cluster_metadata";

/// What a controller is started with.
#[derive(Debug, Clone)]
pub struct ControllerOptions {
    /// `node.id`.
    pub node_id: BrokerId,
    /// The cluster's id, where the operator or the node's own data says it.
    pub cluster_id: Option<String>,
    /// Drawn anew at each start of the process; the same for every role of the process.
    pub incarnation: KafkaUuid,
    /// `controller.quorum.voters`: those who form the quorum. Once there is one, its log says who votes.
    pub voters: Vec<Voter>,
    /// `controller.quorum.bootstrap.servers`, where no voters are named: controllers that know of the
    /// quorum; or those who form it, if this node is one of them.
    pub bootstrap_servers: Vec<HostPort>,
    /// Where the others reach this controller.
    pub address: HostPort,
    /// `directory.id` of the metadata's directory: with the node's id it names a voter.
    pub directory_id: KafkaUuid,
    /// Where the CONTROLLER listeners listen: on every address that a host resolves to; an empty host means
    /// every address of the machine.
    pub listen: Vec<HostPort>,
    /// Takes the connections of the listeners that do not speak HTTP/2, as those of Kafka's clients;
    /// without it they are closed.
    pub clients: Option<mpsc::Sender<TcpStream>>,
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
        let own = voters.iter().find(|voter| voter.id == node_id);
        let address = own.map_or_else(
            || HostPort { host: String::new(), port: 0 },
            |own| HostPort { host: own.host.clone(), port: own.port },
        );
        Self {
            node_id,
            cluster_id: None,
            incarnation,
            voters,
            bootstrap_servers: Vec::new(),
            address,
            directory_id: KafkaUuid::ZERO,
            listen: Vec::new(),
            clients: None,
            dir,
            session_timeout: Duration::from_millis(1500),
            election_timeout: Duration::from_millis(300),
            heartbeat_interval: Duration::from_millis(100),
            balance_interval: Some(Duration::from_secs(5)),
            snapshot_entries: 20_000,
            limits: Limits::default(),
        }
    }

    /// What a node's configuration says. Its data lives in a directory of its own under
    /// `metadata.log.dir`.
    #[must_use]
    pub fn from_config(config: &NodeConfig, incarnation: KafkaUuid) -> Self {
        let millis = |value: i32| Duration::from_millis(u64::try_from(value).unwrap_or(1));
        let seconds =
            u64::try_from(config.leader_imbalance_check_interval_seconds).unwrap_or(1).max(1);
        let named = !config.quorum_voters.is_empty();
        Self {
            cluster_id: config.cluster_id.clone(),
            bootstrap_servers: match named {
                true => Vec::new(),
                false => config.quorum_bootstrap_servers.clone(),
            },
            address: config.controller_address.clone(),
            listen: config
                .controller_listeners()
                .map(|listener| HostPort { host: listener.host.clone(), port: listener.port })
                .collect(),
            session_timeout: millis(config.broker_session_timeout_ms),
            election_timeout: millis(config.controller_quorum_election_timeout_ms),
            heartbeat_interval: millis(config.controller_quorum_heartbeat_interval_ms),
            balance_interval: config
                .auto_leader_rebalance_enable
                .then_some(Duration::from_secs(seconds)),
            limits: Limits::of(config),
            ..Self::new(
                config.node_id,
                incarnation,
                config.quorum_voters.clone(),
                config.metadata_log_dir.join(DIRECTORY),
            )
        }
    }
}
