//! What this broker knows of the cluster: the image that the committed metadata feed adds up to.
//!
//! The feed is the only writer. Readers take the image whole, and keep it for as long as one request
//! needs it.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use ottla_metadata::Image;
use ottla_protocol::ids::{BrokerEpoch, BrokerId, MetadataOffset};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// The published image, and how far it has been applied to the partitions.
#[derive(Debug)]
pub(crate) struct Metadata {
    published: ArcSwap<Image>,
    applied: watch::Sender<MetadataOffset>,
}

impl Metadata {
    pub(crate) fn new() -> Self {
        Self { published: ArcSwap::default(), applied: watch::Sender::new(0) }
    }

    /// The newest image.
    pub(crate) fn image(&self) -> Guard<Arc<Image>> {
        self.published.load()
    }

    /// The newest image, to be kept for longer.
    pub(crate) fn snapshot(&self) -> Arc<Image> {
        self.published.load_full()
    }

    /// Shows a new image to readers.
    pub(super) fn publish(&self, image: Arc<Image>) {
        self.published.store(image);
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
