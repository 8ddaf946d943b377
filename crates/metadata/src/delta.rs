//! What a batch, or a snapshot, changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::ids::{
    BrokerId, MetadataOffset, TimestampMs, TopicId, TopicIdPartition, TopicName,
};

use crate::image::{Broker, Ignored, Image, Partition, Topic};
use crate::record::{ConfigResource, FenceCause};

/// The difference between two images. Everything is keyed, so each thing is named once, with its
/// state before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// The offset of the image after.
    pub offset: MetadataOffset,
    /// When the batch was made; 0 for a snapshot.
    pub timestamp_ms: TimestampMs,
    /// Brokers that were registered, changed or removed.
    pub brokers: BTreeMap<BrokerId, BrokerDelta>,
    /// Topics that are new.
    pub created_topics: BTreeMap<TopicId, TopicName>,
    /// Topics that are gone, as they were. Their partitions are not among [`Delta::partitions`].
    pub deleted_topics: BTreeMap<TopicId, Topic>,
    /// Partitions that are new or have changed.
    pub partitions: BTreeMap<TopicIdPartition, PartitionDelta>,
    /// Resources whose dynamic configuration has changed.
    pub configs: BTreeSet<ConfigResource>,
    /// Records that had nothing to act on; for the log.
    pub ignored: Vec<Ignored>,
}

/// A broker before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerDelta {
    /// Before; `None`: it was not registered.
    pub old: Option<Arc<Broker>>,
    /// After; `None`: it is not registered any more.
    pub new: Option<Arc<Broker>>,
    /// Why it was fenced, if the batch fenced it.
    pub cause: FenceCause,
    /// When the cause was first seen; 0 if unknown.
    pub detected_at_ms: TimestampMs,
}

/// A partition before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionDelta {
    /// Its topic's name.
    pub topic: TopicName,
    /// Before; `None`: it is new.
    pub old: Option<Arc<Partition>>,
    /// After.
    pub new: Arc<Partition>,
}

impl Delta {
    /// What differs between two images: for a snapshot that replaces an image.
    #[must_use]
    pub fn between(old: &Image, new: &Image) -> Self {
        let _ = (old, new);
        unimplemented!("between")
    }

    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.brokers.is_empty()
            && self.created_topics.is_empty()
            && self.deleted_topics.is_empty()
            && self.partitions.is_empty()
            && self.configs.is_empty()
    }
}
