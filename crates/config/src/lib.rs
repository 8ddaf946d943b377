//! Every configuration key once: name, type, default, bounds, scope, what changing it means.
//!
//! [`keys`] is THE table. The parser of a node's settings ([`NodeConfig::resolve`]), the typed view of
//! a topic ([`TopicConfig`]), validation, DescribeConfigs ([`describe`]) and docs/configuration.md
//! ([`docs`]) all derive from it. Pure: texts come in, values go out; reading files and the
//! environment is the caller's.

pub mod address;
pub mod describe;
pub mod docs;
pub mod keys;
mod layers;
mod listeners;
mod node;
mod properties;
mod quorum;
mod resolve;
mod topic;
mod value;

pub use address::{HostPort, Listener, SecurityProtocol, Voter};
pub use layers::{ConfigSource, Layers, Synonym};
pub use node::{ConfigError, NodeConfig, Notice, Roles};
pub use properties::{Properties, PropertiesError};
pub use topic::{CleanupPolicy, TimestampType, TopicConfig, default_min_insync_replicas};
pub use value::{
    InvalidConfig, validate_broker_config, validate_topic_config, validate_topic_configs,
};
