//! What all partitions of a broker share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_config::NodeConfig;
use ottla_log::LogDir;
use ottla_metadata::Image;
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, TopicIdPartition};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::clock::Clock;
use super::flusher::Flusher;
use super::herald::Herald;
use super::link::Links;
use super::proposals::Proposals;
use super::replica::Partition;
use super::throttle::Throttles;
use super::timers::Timers;

/// A broker whose stream has ended is suspected for so long: then the controller has judged it.
const SUSPICION: Duration = Duration::from_millis(500);

pub(super) struct Shared {
    pub(super) me: BrokerId,
    pub(super) config: Arc<NodeConfig>,
    pub(super) incarnation_id: KafkaUuid,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) clock: Clock,
    /// The metadata as last applied.
    pub(super) image: ArcSwap<Image>,
    pub(super) flusher: Flusher,
    pub(super) timers: Timers,
    pub(super) herald: Herald,
    pub(super) links: Links,
    pub(super) throttles: Throttles,
    pub(super) proposals: Proposals,
    /// True once the streams are to end.
    pub(super) stopping: watch::Sender<bool>,
    /// The log directories. Weak: a stopped broker's are unlocked though a replica is still held somewhere.
    pub(super) dirs: Vec<Weak<LogDir>>,
    /// What is out of service may have changed.
    pub(super) offline: Notify,
    /// Why the broker cannot go on: too much of its log directories is out of service.
    pub(super) failure: watch::Sender<Option<String>>,
    /// The cluster id as the log directories have it; the image's comes first.
    pub(super) stored_cluster_id: Option<String>,
    pub(super) broker_epoch: AtomicI64,
    /// Brokers whose stream has ended, and when.
    pub(super) lost: Mutex<HashMap<BrokerId, Instant>>,
    pub(super) partitions: RwLock<HashMap<TopicIdPartition, Arc<Partition>>>,
}

impl Shared {
    pub(super) fn get(&self, id: TopicIdPartition) -> Option<Arc<Partition>> {
        self.partitions.read().get(&id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().values().cloned().collect()
    }

    pub(super) fn cluster_id(&self) -> Option<String> {
        let image = self.image.load();
        image.cluster_id().map(ToString::to_string).or_else(|| self.stored_cluster_id.clone())
    }

    /// `producer.id.expiration.ms`, which changes while the broker runs.
    pub(super) fn producer_id_expiration_ms(&self) -> i64 {
        let image = self.image.load();
        let layers = image.broker_layers(self.me, &self.config.static_values);
        layers.long("producer.id.expiration.ms")
    }

    pub(super) fn broker_epoch(&self) -> BrokerEpoch {
        self.broker_epoch.load(Ordering::Acquire)
    }

    /// Where another broker can be reached.
    pub(super) fn address(&self, broker: BrokerId) -> Option<(String, u16)> {
        let image = self.image.load();
        let endpoint = image.broker(broker)?.inter_broker_endpoint()?;
        Some((endpoint.host.to_string(), endpoint.port))
    }

    /// A stream with the broker has ended by itself: its process may be gone.
    pub(super) fn note_lost(&self, broker: BrokerId) {
        self.lost.lock().insert(broker, Instant::now());
    }

    /// A stream with the broker has come up.
    pub(super) fn note_up(&self, broker: BrokerId) {
        self.lost.lock().remove(&broker);
    }

    pub(super) fn suspected_until(&self, broker: BrokerId) -> Option<Instant> {
        let since = self.lost.lock().get(&broker).copied()?;
        Some(since + SUSPICION).filter(|until| Instant::now() < *until)
    }
}
