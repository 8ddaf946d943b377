//! A Kafka client: connections, metadata, producer, consumers by assignment and in groups, and
//! administration.
//!
//! Speaks Kafka's protocol to any cluster of version 4 or later, Ottla's included. The parts that
//! decide are pure (metadata, the producer's batches and sequences, the partitioner); the rest
//! does the network on tokio.
//!
//! - [`Client`]: one cluster; requests to a node, to any node, or to the controller; a metadata cache
//!   that refreshes through another node as soon as one is lost.
//! - [`Producer`]: idempotent by default, batching, retries until the delivery timeout.
//! - [`Consumer`]: reads the partitions that it is told to read.
//! - [`GroupConsumer`]: reads what its group gives it, by either group protocol, and commits offsets.
//! - [`Admin`]: topics, configs, offsets, groups, the quorum.

pub mod admin;
mod client;
mod cluster;
mod connection;
mod consumer;
mod coordinator;
mod error;
mod group;
mod metadata;
mod options;
mod partitioner;
mod producer;
mod versions;

pub use admin::Admin;
pub use client::{Client, Target};
pub use consumer::{Consumer, ConsumerOptions, Fetched, IsolationLevel, StartAt};
pub use coordinator::{CommittedOffset, GroupOffsets};
pub use error::{ApiError, BootstrapError, ClientError};
pub use group::{Assignor, GroupConsumer, GroupOptions, GroupProtocol, Matches, Topics};
pub use metadata::{Metadata, Node, PartitionInfo, TopicInfo};
pub use options::{ClientOptions, HostPort, parse_bootstrap, unresolved};
pub use partitioner::{murmur2, partition_for_key};
pub use producer::{
    Acknowledged, Acks, Delivery, ProduceError, Producer, ProducerOptions, ProducerRecord,
};
pub use versions::BrokerVersions;
