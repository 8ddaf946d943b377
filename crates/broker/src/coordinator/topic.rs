//! The topic that groups live in. It is created when the first client asks for a coordinator.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::{Layers, NodeConfig};
use ottla_metadata::proposal::{CreateTopics, NewTopic};
use ottla_metadata::{Image, Proposal, Reply};
use ottla_protocol::ErrorCode;
use tokio::time::Instant;

use crate::controller_link::ControllerLink;
use crate::metadata::Metadata;

/// Its name.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// How long a client that asks for a coordinator waits for the topic.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);
/// A cluster that has just been started is given so long to become complete before its topic is created
/// with fewer replicas than it should have: they would stay fewer.
const COMPLETE_AFTER: Duration = Duration::from_secs(10);

/// Creates the topic once, whoever asks.
#[derive(Debug)]
pub(crate) struct OffsetsTopic {
    started: Instant,
    creating: tokio::sync::Mutex<()>,
}

impl OffsetsTopic {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), creating: tokio::sync::Mutex::new(()) }
    }

    /// The topic is in the image, or has been created and is in it now. False: not yet, ask again.
    pub(crate) async fn ensure(
        &self,
        config: &NodeConfig,
        metadata: &Metadata,
        link: &ControllerLink,
    ) -> bool {
        let exists = || metadata.image().topic_by_name(OFFSETS_TOPIC).is_some();
        if exists() {
            return true;
        }
        let _creating = self.creating.lock().await;
        if exists() {
            return true;
        }
        let wish = Wish::of(config, &metadata.image());
        let expected = wish.expected_replicas(config);
        if wish.live < expected && self.started.elapsed() < COMPLETE_AFTER {
            tracing::info!(
                live = wish.live,
                expected,
                "{OFFSETS_TOPIC} is not created yet: more brokers are expected"
            );
            return false;
        }
        self.create(&wish, link).await && exists()
    }

    async fn create(&self, wish: &Wish, link: &ControllerLink) -> bool {
        let topics = vec![wish.topic()];
        let proposal = Proposal::CreateTopics(CreateTopics { topics, validate_only: false });
        let deadline = Instant::now() + CREATE_TIMEOUT;
        let reply = match link.controllers().propose_and_see(&proposal, deadline).await {
            Ok(Reply::CreateTopics(results)) => results.into_iter().next(),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "{OFFSETS_TOPIC} could not be created");
                return false;
            }
        };
        match reply {
            Some(Ok(created)) => {
                let replicas = created.replication_factor;
                tracing::info!(
                    partitions = created.partitions,
                    replicas,
                    "created {OFFSETS_TOPIC}"
                );
                if wish.replicas() < wish.replication_factor {
                    tracing::warn!(
                        "{OFFSETS_TOPIC} has {replicas} replicas instead of {} \
                         (offsets.topic.replication.factor), as only {} brokers are live: groups \
                         survive fewer failures",
                        wish.replication_factor,
                        wish.live,
                    );
                }
                true
            }
            // Another broker was faster: its topic comes by the feed.
            Some(Err(refusal)) if refusal.code == ErrorCode::TopicAlreadyExists => true,
            Some(Err(refusal)) => {
                tracing::warn!(%refusal, "{OFFSETS_TOPIC} was refused");
                false
            }
            None => false,
        }
    }
}

/// What the topic is to be like.
struct Wish {
    live: i32,
    partitions: i32,
    replication_factor: i32,
    segment_bytes: String,
}

impl Wish {
    fn of(config: &NodeConfig, image: &Image) -> Self {
        let layers = Layers { file: Some(&config.static_values), ..Layers::default() };
        let text = |name| layers.text(name).unwrap_or_default();
        let number = |name| text(name).trim().parse().unwrap_or(-1);
        let live = image.live_brokers().filter(|broker| broker.is_active()).count();
        Self {
            live: i32::try_from(live).unwrap_or(i32::MAX).max(1),
            partitions: number("offsets.topic.num.partitions"),
            replication_factor: number("offsets.topic.replication.factor"),
            segment_bytes: text("offsets.topic.segment.bytes"),
        }
    }

    /// How many replicas there should be as soon as the cluster is complete. Every voter is taken for a
    /// broker to come: in small clusters, where it matters, they mostly are.
    fn expected_replicas(&self, config: &NodeConfig) -> i32 {
        let voters = i32::try_from(config.quorum_voters.len()).unwrap_or(i32::MAX);
        self.replication_factor.min(voters)
    }

    fn replicas(&self) -> i32 {
        self.replication_factor.min(self.live)
    }

    fn topic(&self) -> NewTopic {
        let config = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        NewTopic {
            name: Arc::from(OFFSETS_TOPIC),
            partitions: self.partitions,
            replication_factor: self.replicas(),
            assignments: Vec::new(),
            configs: vec![
                config("cleanup.policy", "compact"),
                // The coordinator compresses by itself (offsets.topic.compression.codec).
                config("compression.type", "producer"),
                config("segment.bytes", &self.segment_bytes),
            ],
        }
    }
}
