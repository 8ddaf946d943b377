//! A node's settings, resolved from its properties.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::address::{HostPort, Listener, Voter};
use crate::properties::Properties;
use crate::resolve;

/// What a node does (`process.roles`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Stores partitions and serves clients.
    pub broker: bool,
    /// Votes in the controller quorum.
    pub controller: bool,
}

/// Something the operator should know about an accepted configuration; printed at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The key it is about, if it is about one.
    pub key: Option<String>,
    /// The sentence.
    pub text: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a node cannot start with these settings: one sentence that names the key to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The key to change.
    pub key: String,
    /// The whole sentence.
    pub message: String,
}

/// A node's settings, typed. Field names are the keys' names.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfig {
    /// `node.id`.
    pub node_id: i32,
    /// `process.roles`; both where nobody says.
    pub roles: Roles,
    /// `cluster.id` (`CLUSTER_ID` in the environment): what an empty cluster is to be called, or what
    /// an existing one must be called.
    pub cluster_id: Option<String>,
    /// `broker.rack`.
    pub rack: Option<String>,

    /// `listeners`, the controllers' among them.
    pub listeners: Vec<Listener>,
    /// `advertised.listeners`: what clients and other nodes are told, brokers' listeners only.
    pub advertised_listeners: Vec<Listener>,
    /// Where the others reach this node's controller: by `controller.quorum.voters`, else by the
    /// controllers' listener in `advertised.listeners` or `listeners`. Without meaning on a broker.
    pub controller_address: HostPort,
    /// `controller.listener.names`.
    pub controller_listener_names: Vec<String>,
    /// `inter.broker.listener.name`.
    pub inter_broker_listener_name: String,
    /// `controller.quorum.voters`; this node alone where nobody says; empty only on a node that was
    /// given `controller.quorum.bootstrap.servers` instead.
    pub quorum_voters: Vec<Voter>,
    /// `controller.quorum.bootstrap.servers`.
    pub quorum_bootstrap_servers: Vec<HostPort>,

    /// `log.dirs`; `./data/<node.id>` where nobody says.
    pub log_dirs: Vec<PathBuf>,
    /// `metadata.log.dir`; the first of `log.dirs` where nobody says.
    pub metadata_log_dir: PathBuf,

    /// `num.partitions` of a topic created without a count.
    pub num_partitions: i32,
    /// `default.replication.factor`; `None` means the live brokers, at most 3.
    pub default_replication_factor: Option<i16>,
    /// `auto.create.topics.enable`.
    pub auto_create_topics_enable: bool,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,

    /// `replica.lag.time.max.ms`.
    pub replica_lag_time_max_ms: i64,
    /// `broker.heartbeat.interval.ms`.
    pub broker_heartbeat_interval_ms: i32,
    /// `broker.session.timeout.ms`.
    pub broker_session_timeout_ms: i32,
    /// `controlled.shutdown.enable`.
    pub controlled_shutdown_enable: bool,
    /// `auto.leader.rebalance.enable`.
    pub auto_leader_rebalance_enable: bool,
    /// `leader.imbalance.check.interval.seconds`.
    pub leader_imbalance_check_interval_seconds: i64,

    /// `controller.quorum.election.timeout.ms`: elections are drawn between this and twice this.
    pub controller_quorum_election_timeout_ms: i32,
    /// `controller.quorum.heartbeat.interval.ms`.
    pub controller_quorum_heartbeat_interval_ms: i32,

    /// `num.recovery.threads.per.data.dir`.
    pub num_recovery_threads_per_data_dir: i32,
    /// `log.retention.check.interval.ms`.
    pub log_retention_check_interval_ms: i64,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub replica_high_watermark_checkpoint_interval_ms: i64,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i32,

    /// `socket.request.max.bytes`.
    pub socket_request_max_bytes: i32,
    /// `max.connections` of the whole node.
    pub max_connections: i32,
    /// `max.connections.per.ip`.
    pub max_connections_per_ip: i32,
    /// `connections.max.idle.ms`; negative means never.
    pub connections_max_idle_ms: i64,
    /// `fetch.max.bytes`: the most a Fetch response holds.
    pub fetch_max_bytes: i32,
    /// `quota.window.num`.
    pub quota_window_num: i32,
    /// `quota.window.size.seconds`.
    pub quota_window_size_seconds: i32,
    /// `controller.quota.window.num`.
    pub controller_quota_window_num: i32,
    /// `controller.quota.window.size.seconds`.
    pub controller_quota_window_size_seconds: i32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub max_incremental_fetch_session_cache_slots: i32,
    /// `max.request.partition.size.limit`: partitions in one DescribeTopicPartitions response.
    pub max_request_partition_size_limit: i32,

    /// `group.initial.rebalance.delay.ms` of classic groups.
    pub group_initial_rebalance_delay_ms: i32,
    /// `group.min.session.timeout.ms` of classic groups.
    pub group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms` of classic groups.
    pub group_max_session_timeout_ms: i32,
    /// `group.max.size` of classic groups.
    pub group_max_size: i32,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: i32,
    /// `offsets.retention.minutes`.
    pub offsets_retention_minutes: i32,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,

    /// Every key that the file or the environment set: the layer [`crate::Layers::file`].
    pub static_values: BTreeMap<String, String>,
}

impl NodeConfig {
    /// Resolves a node's settings. Notices say what was assumed or has no effect; an error is one
    /// sentence that names the key to change.
    pub fn resolve(properties: &Properties) -> Result<(Self, Vec<Notice>), ConfigError> {
        resolve::resolve(properties)
    }

    /// The listeners that clients and other brokers connect to.
    pub fn broker_listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(|listener| !self.is_controller_listener(&listener.name))
    }

    /// The listeners that serve the controller's gRPC; empty on a node without that role.
    pub fn controller_listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(|listener| self.is_controller_listener(&listener.name))
    }

    /// Where controllers can be reached: the voters, else the bootstrap servers.
    #[must_use]
    pub fn controller_endpoints(&self) -> Vec<HostPort> {
        if self.quorum_voters.is_empty() {
            return self.quorum_bootstrap_servers.clone();
        }
        let address = |voter: &Voter| HostPort { host: voter.host.clone(), port: voter.port };
        self.quorum_voters.iter().map(address).collect()
    }

    fn is_controller_listener(&self, name: &str) -> bool {
        self.controller_listener_names.iter().any(|controller| controller == name)
    }
}
