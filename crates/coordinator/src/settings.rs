//! What a node's configuration says about groups.

use ottla_config::NodeConfig;

const MS_PER_MINUTE: i64 = 60_000;

/// What a node's configuration says about groups. Field names are the keys' names.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `group.initial.rebalance.delay.ms`.
    pub group_initial_rebalance_delay_ms: i32,
    /// `group.min.session.timeout.ms`.
    pub group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub group_max_session_timeout_ms: i32,
    /// `group.max.size` of classic groups.
    pub group_max_size: i32,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: i32,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// The whole configuration, for what a group's own configuration falls back to.
    pub node: NodeConfig,
}

impl Settings {
    /// Out of a node's configuration.
    #[must_use]
    pub fn of(node: &NodeConfig) -> Self {
        Self {
            group_initial_rebalance_delay_ms: node.group_initial_rebalance_delay_ms,
            group_min_session_timeout_ms: node.group_min_session_timeout_ms,
            group_max_session_timeout_ms: node.group_max_session_timeout_ms,
            group_max_size: node.group_max_size,
            offset_metadata_max_bytes: node.offset_metadata_max_bytes,
            offsets_retention_ms: i64::from(node.offsets_retention_minutes) * MS_PER_MINUTE,
            offsets_retention_check_interval_ms: node.offsets_retention_check_interval_ms,
            node: node.clone(),
        }
    }
}
