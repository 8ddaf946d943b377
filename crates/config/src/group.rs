//! A group's settings as they are in force.

use std::collections::BTreeMap;

use crate::keys;
use crate::layers::Layers;
use crate::rules::group_bounds;

/// The settings of one group, after its own overrides, the cluster's dynamic defaults, the node's file
/// and the defaults; never outside what the brokers allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupConfig {
    /// `consumer.assignment.interval.ms`: the least time between two assignments.
    pub consumer_assignment_interval_ms: i32,
    /// `consumer.heartbeat.interval.ms`.
    pub consumer_heartbeat_interval_ms: i32,
    /// `consumer.session.timeout.ms`.
    pub consumer_session_timeout_ms: i32,
}

impl GroupConfig {
    /// The settings in force. `overrides` are the group's own, `cluster_defaults` the brokers' dynamic
    /// defaults, `broker_static` what the node's file and environment set
    /// ([`crate::NodeConfig::static_values`]).
    #[must_use]
    pub fn effective(
        overrides: &BTreeMap<String, String>,
        cluster_defaults: &BTreeMap<String, String>,
        broker_static: &BTreeMap<String, String>,
    ) -> Self {
        Self::of(&Layers {
            own: Some(overrides),
            broker: None,
            cluster: Some(cluster_defaults),
            file: Some(broker_static),
        })
    }

    /// The settings in force by the given layers.
    #[must_use]
    pub fn of(layers: &Layers<'_>) -> Self {
        let bounded = |name| {
            let value = layers.int(name);
            let (least, most) = keys::find(name).map_or((None, None), group_bounds);
            let value = most.map_or(value, |most| value.min(layers.int(most.name)));
            least.map_or(value, |least| value.max(layers.int(least.name)))
        };
        Self {
            consumer_assignment_interval_ms: bounded("consumer.assignment.interval.ms"),
            consumer_heartbeat_interval_ms: bounded("consumer.heartbeat.interval.ms"),
            consumer_session_timeout_ms: bounded("consumer.session.timeout.ms"),
        }
    }
}
