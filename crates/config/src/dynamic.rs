//! A node's settings that change while it runs.

use std::collections::BTreeMap;

use crate::layers::Layers;
use crate::value::{count_by_address, items};

/// The settings of a node that IncrementalAlterConfigs can change, after the broker's own, the cluster's
/// defaults, the node's file and the defaults; those of topics are [`crate::TopicConfig`]'s.
#[derive(Debug, Clone, PartialEq)]
pub struct DynamicNodeConfig {
    /// `max.connections` of the whole node.
    pub max_connections: i32,
    /// `listener.name.NAME.max.connections`, by NAME in small letters.
    pub listener_max_connections: BTreeMap<String, i32>,
    /// `listener.name.NAME.max.connection.creation.rate`, likewise.
    pub listener_creation_rates: BTreeMap<String, i32>,
    /// `max.connections.per.ip`.
    pub max_connections_per_ip: i32,
    /// `max.connections.per.ip.overrides`: other limits, by address or host name.
    pub max_connections_per_ip_overrides: BTreeMap<String, i32>,
    /// `max.connection.creation.rate`: new connections a second.
    pub max_connection_creation_rate: i32,
    /// `log.cleaner.threads`.
    pub log_cleaner_threads: i32,
    /// `log.cleaner.backoff.ms`.
    pub log_cleaner_backoff_ms: i64,
    /// `log.cleaner.dedupe.buffer.size` in bytes.
    pub log_cleaner_dedupe_buffer_size: i64,
    /// `log.cleaner.io.buffer.size` in bytes.
    pub log_cleaner_io_buffer_size: i32,
    /// `log.cleaner.io.buffer.load.factor`: how full the dedupe buffer may get, from 0 to 1.
    pub log_cleaner_io_buffer_load_factor: f64,
    /// `log.cleaner.io.max.bytes.per.second`.
    pub log_cleaner_io_max_bytes_per_second: f64,
}

impl DynamicNodeConfig {
    /// The settings in force by the given layers, of which `own` is not looked at.
    #[must_use]
    pub fn of(layers: &Layers<'_>) -> Self {
        let overrides = layers.text("max.connections.per.ip.overrides").unwrap_or_default();
        Self {
            max_connections: layers.int("max.connections"),
            listener_max_connections: of_listeners(layers, "max.connections"),
            listener_creation_rates: of_listeners(layers, "max.connection.creation.rate"),
            max_connections_per_ip: layers.int("max.connections.per.ip"),
            max_connections_per_ip_overrides: items(&overrides)
                .filter_map(count_by_address)
                .map(|(address, count)| (address.to_owned(), count))
                .collect(),
            max_connection_creation_rate: layers.int("max.connection.creation.rate"),
            log_cleaner_threads: layers.int("log.cleaner.threads"),
            log_cleaner_backoff_ms: layers.long("log.cleaner.backoff.ms"),
            log_cleaner_dedupe_buffer_size: layers.long("log.cleaner.dedupe.buffer.size"),
            log_cleaner_io_buffer_size: layers.int("log.cleaner.io.buffer.size"),
            log_cleaner_io_buffer_load_factor: layers.double("log.cleaner.io.buffer.load.factor"),
            log_cleaner_io_max_bytes_per_second: layers
                .double("log.cleaner.io.max.bytes.per.second"),
        }
    }
}

/// A number that each listener may have under a prefix of its own.
fn of_listeners(layers: &Layers<'_>, key: &str) -> BTreeMap<String, i32> {
    let farthest_first = [layers.file, layers.cluster, layers.broker];
    let set = farthest_first.into_iter().flatten().flatten();
    let of_listener = set.filter_map(|(name, value)| {
        let (listener, behind) = name.strip_prefix("listener.name.")?.split_once('.')?;
        let number = value.trim().parse().ok().filter(|number| *number >= 0)?;
        (behind == key).then(|| (listener.to_lowercase(), number))
    });
    of_listener.collect()
}
