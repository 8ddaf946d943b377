//! What the shards of a broker have around them.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::{Layers, NodeConfig};
use ottla_protocol::record::Compression;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::budget::Budget;
use super::clock::Clock;
use super::timers::Timers;

/// Where nobody says how long a write may take.
const COMMIT_TIMEOUT_MS: u32 = 5_000;

/// What all shards of a broker share.
pub(super) struct Shell {
    pub(super) runtime: Handle,
    pub(super) clock: Clock,
    pub(super) timers: Timers,
    /// For requests that wait, and records that wait for their append.
    pub(super) budget: Arc<Budget>,
    /// `offsets.topic.compression.codec`.
    pub(super) compression: Compression,
    /// `offsets.commit.timeout.ms`.
    pub(super) commit_timeout: Duration,
    /// A shard has failed and is to be loaded anew.
    pub(super) reload: Notify,
}

impl Shell {
    pub(super) fn new(config: &NodeConfig, runtime: Handle, waiting_bytes: usize) -> Self {
        let layers = Layers { file: Some(&config.static_values), ..Layers::default() };
        let number = |name| layers.text(name).and_then(|text| text.trim().parse::<u32>().ok());
        let codec = number("offsets.topic.compression.codec");
        let compression = codec.and_then(|codec| Compression::from_id(i16::try_from(codec).ok()?));
        let commit_timeout_ms = number("offsets.commit.timeout.ms").unwrap_or(COMMIT_TIMEOUT_MS);
        Self {
            runtime,
            clock: Clock::new(),
            timers: Timers::default(),
            budget: Budget::new(waiting_bytes),
            compression: compression.unwrap_or_default(),
            commit_timeout: Duration::from_millis(commit_timeout_ms.into()),
            reload: Notify::new(),
        }
    }
}
