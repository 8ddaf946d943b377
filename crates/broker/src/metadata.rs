//! What this broker knows of the cluster: the image that the committed metadata feed adds up to.
//!
//! The feed is the only writer. Readers take the image whole, and keep it for as long as one request
//! needs it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use ottla_metadata::{Delta, Image};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, MetadataOffset};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// For so long clients are still told of a broker that was fenced. A client that loses the broker and the
/// leadership in the same answer (librdkafka) is left with a partition on no broker until its next regular
/// look at the metadata; told of the leadership first, it just moves on.
const FAREWELL: Duration = Duration::from_secs(10);

/// The published image, and how far it has been applied to the partitions.
#[derive(Debug)]
pub(crate) struct Metadata {
    published: ArcSwap<Image>,
    applied: watch::Sender<MetadataOffset>,
    /// Brokers that served until then.
    fenced_at: Mutex<BTreeMap<BrokerId, Instant>>,
}

impl Metadata {
    pub(crate) fn new() -> Self {
        Self {
            published: ArcSwap::default(),
            applied: watch::Sender::new(0),
            fenced_at: Mutex::default(),
        }
    }

    /// The newest image.
    pub(crate) fn image(&self) -> Guard<Arc<Image>> {
        self.published.load()
    }

    /// The newest image, to be kept for longer.
    pub(crate) fn snapshot(&self) -> Arc<Image> {
        self.published.load_full()
    }

    /// Shows a new image to readers; `delta` is what is new in it.
    pub(super) fn publish(&self, image: Arc<Image>, delta: &Delta) {
        if !delta.brokers.is_empty() {
            let now = Instant::now();
            let mut fenced_at = self.fenced_at.lock();
            fenced_at.retain(|_, at| now < *at + FAREWELL);
            for (id, change) in &delta.brokers {
                let served = change.old.as_ref().is_some_and(|broker| !broker.fenced);
                match &change.new {
                    Some(broker) if broker.fenced && served => {
                        fenced_at.insert(*id, now);
                    }
                    Some(broker) if broker.fenced => {}
                    Some(_) | None => {
                        fenced_at.remove(id);
                    }
                }
            }
        }
        self.published.store(image);
    }

    /// Has this broker served until a moment ago?
    pub(crate) fn is_just_fenced(&self, id: BrokerId) -> bool {
        let fenced_at = self.fenced_at.lock();
        fenced_at.get(&id).is_some_and(|at| Instant::now() < *at + FAREWELL)
    }

    /// The partitions have followed the published image.
    pub(super) fn applied(&self, offset: MetadataOffset) {
        self.applied.send_replace(offset);
    }

    /// How far the partitions have followed.
    pub(crate) fn applied_offset(&self) -> MetadataOffset {
        *self.applied.borrow()
    }

    /// To wait for changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<MetadataOffset> {
        self.applied.subscribe()
    }

    /// Waits until the effects of `offset` are visible here; false if `deadline` came first.
    pub(crate) async fn wait_for(&self, offset: MetadataOffset, deadline: Instant) -> bool {
        let mut applied = self.applied.subscribe();
        // The sender lives in `self`: only the deadline can end the wait early.
        timeout_at(deadline, applied.wait_for(|applied| *applied >= offset)).await.is_ok()
    }

    /// Is this registration of the broker in the image, and unfenced?
    pub(crate) fn is_unfenced(&self, id: BrokerId, epoch: BrokerEpoch) -> bool {
        self.image().broker(id).is_some_and(|broker| broker.epoch == epoch && !broker.fenced)
    }
}

#[cfg(test)]
mod tests;
