//! Every configuration key once: name, type, default, bounds, scope, what changing it means.
//!
//! [`keys`] is THE table. The parser of a node's settings ([`NodeConfig::resolve`]), the typed views of
//! a topic ([`TopicConfig`]) and of a group ([`GroupConfig`]), validation, DescribeConfigs
//! ([`describe`]) and docs/configuration.md ([`docs`]) all derive from it. Pure: texts come in, values
//! go out; reading files and the environment is the caller's.

pub mod address;
pub mod describe;
pub mod docs;
mod dynamic;
mod group;
pub mod keys;
mod layers;
mod listeners;
mod node;
mod properties;
mod quorum;
mod resolve;
mod rules;
mod topic;
mod value;

pub use ottla_protocol::ConfigSource;

pub use address::{HostPort, Listener, SecurityProtocol, Voter};
pub use dynamic::DynamicNodeConfig;
pub use group::GroupConfig;
pub use layers::{Layers, Synonym};
pub use node::{ConfigError, NodeConfig, Notice, Roles};
pub use properties::{Properties, PropertiesError};
pub use rules::{
    validate_broker_configs, validate_client_metrics, validate_group_configs,
    validate_topic_config, validate_topic_configs,
};
pub use topic::{CleanupPolicy, TimestampType, TopicConfig, default_min_insync_replicas};
pub use value::InvalidConfig;
