//! What a batch, or a snapshot, changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::ids::{
    BrokerId, MetadataOffset, TimestampMs, TopicId, TopicIdPartition, TopicName,
};

use crate::image::{Broker, Ignored, Image, Partition, Topic};
use crate::record::{ConfigResource, FenceCause, Record};

/// The difference between two images. Everything is keyed, so each thing is named once, with its
/// state before and after. Quotas and credentials are left out: who follows them compares the images.
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
        let mut touched = Touched::default();
        for image in [old, new] {
            touched.brokers.extend(image.brokers().keys().map(|&id| (id, (FenceCause::None, 0))));
            for topic in image.topics() {
                touched.topics.insert(topic.id);
                touched.partitions.extend(
                    topic.partitions.keys().map(|&index| TopicIdPartition::new(topic.id, index)),
                );
            }
            touched.configs.extend(image.configs().map(|(resource, _)| resource.clone()));
        }
        touched.compare(old, new)
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

/// What records have named: where two images may differ.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    brokers: BTreeMap<BrokerId, (FenceCause, TimestampMs)>,
    topics: BTreeSet<TopicId>,
    partitions: BTreeSet<TopicIdPartition>,
    configs: BTreeSet<ConfigResource>,
}

impl Touched {
    /// Notes what a record names; `old` is the image before the batch.
    pub(crate) fn add(&mut self, old: &Image, record: &Record) {
        match record {
            Record::RegisterBroker(broker) => {
                self.brokers.entry(broker.broker_id).or_default();
            }
            Record::BrokerChange(change) => {
                let fencing = self.brokers.entry(change.broker_id).or_default();
                if change.fenced == Some(true) {
                    *fencing = (change.cause, change.detected_at_ms);
                }
            }
            Record::UnregisterBroker { broker_id, .. }
            | Record::OfflineReplicas { broker_id, .. } => {
                self.brokers.entry(*broker_id).or_default();
            }
            Record::Topic { topic_id, .. } => {
                self.topics.insert(*topic_id);
            }
            Record::RemoveTopic(topic_id) => {
                self.topics.insert(*topic_id);
                if let Some(topic) = old.topic(*topic_id) {
                    self.configs.insert(ConfigResource::Topic(topic.name.clone()));
                }
            }
            Record::Partition { id, .. } => {
                self.partitions.insert(*id);
            }
            Record::Config { resource, .. } => {
                self.configs.insert(resource.clone());
            }
            Record::ClusterId(_)
            | Record::ProducerIds { .. }
            | Record::FeatureLevel { .. }
            | Record::ClientQuota { .. }
            | Record::ScramCredential { .. } => {}
        }
    }

    /// The difference of two images that differ at most here.
    pub(crate) fn compare(self, old: &Image, new: &Image) -> Delta {
        let mut delta = Delta { offset: new.offset(), ..Delta::default() };
        for (id, (cause, detected_at_ms)) in self.brokers {
            let (before, after) = (old.broker(id), new.broker(id));
            if before != after {
                let (old, new) = (before.cloned(), after.cloned());
                delta.brokers.insert(id, BrokerDelta { old, new, cause, detected_at_ms });
            }
        }
        for id in self.topics {
            match (old.topic(id), new.topic(id)) {
                (None, Some(topic)) => {
                    delta.created_topics.insert(id, topic.name.clone());
                }
                (Some(topic), None) => {
                    delta.deleted_topics.insert(id, topic.clone());
                }
                _ => {}
            }
        }
        for id in self.partitions {
            let (before, after) = (old.partition(id), new.partition(id));
            let Some(after) = after else { continue };
            let Some(topic) = new.topic(id.topic_id) else { continue };
            if before != Some(after) {
                let (old, new) = (before.cloned(), Arc::clone(after));
                let topic = topic.name.clone();
                delta.partitions.insert(id, PartitionDelta { topic, old, new });
            }
        }
        delta.configs = self
            .configs
            .into_iter()
            .filter(|resource| old.config(resource) != new.config(resource))
            .collect();
        delta
    }
}
