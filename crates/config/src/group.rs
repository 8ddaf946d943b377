//! A group's settings as they are in force.

use crate::keys;
use crate::layers::Layers;
use crate::rules::group_bounds;

/// The settings of one group, as the layers add up; never outside what the brokers allow.
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
    /// The settings in force.
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
