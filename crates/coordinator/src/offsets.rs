//! Committed offsets: what is stored, and who may store, read and delete it.

mod commit;
mod delete;
mod expiry;
mod fetch;
mod store;

use ottla_metadata::{Image, Topic};
use ottla_protocol::ids::{KafkaUuid, PartitionIndex};

pub use store::CommittedOffset;
pub(crate) use store::Offsets;

use crate::GroupName;
use crate::record::{OffsetValue, Record};

/// The topic of this name, if it has the partition.
fn topic_with<'a>(image: &'a Image, topic: &str, partition: PartitionIndex) -> Option<&'a Topic> {
    image.topic_by_name(topic).filter(|topic| topic.partitions.contains_key(&partition))
}

/// Whether the offset was committed for an earlier life of the topic. Where either is not known it passes:
/// offsets that other software wrote have no topic id.
fn is_of_another_life(image: &Image, topic: &str, value: &OffsetValue) -> bool {
    value.topic_id != KafkaUuid::ZERO
        && image.topic_by_name(topic).is_some_and(|topic| topic.id != value.topic_id)
}

fn tombstone(group: &GroupName, topic: &std::sync::Arc<str>, partition: PartitionIndex) -> Record {
    let (group, topic) = (group.clone(), topic.clone());
    Record::Offset { group, topic, partition, value: None }
}
