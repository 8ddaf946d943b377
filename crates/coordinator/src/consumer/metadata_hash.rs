//! The hash by which a group notices that its topics have changed (KIP-1101): number of partitions,
//! topic ids, racks of replicas. The same numbers as Kafka writes, so a group that moves between the
//! two does not rebalance for that.

use std::collections::BTreeSet;

use ottla_metadata::{Image, Topic};
use ottla_protocol::ids::{MetadataOffset, TopicName};
use twox_hash::XxHash3_64;

/// Tells the layout of the hashed bytes apart, should it ever change.
const LAYOUT: u8 = 0;

/// A hash, and what it is of: so that it is made once, not once per member that joins.
#[derive(Debug)]
pub(super) struct Hashed {
    /// The image.
    pub(super) image: MetadataOffset,
    /// The topics.
    pub(super) topics: BTreeSet<TopicName>,
    /// Their hash.
    pub(super) hash: i64,
}

/// The hash of the topics that exist among these; names in order. 0 if none does.
pub(super) fn group_hash<'a>(image: &Image, topics: impl Iterator<Item = &'a str>) -> i64 {
    let mut bytes = Vec::new();
    for topic in topics.filter_map(|name| image.topic_by_name(name)) {
        bytes.extend_from_slice(&topic_hash(image, topic).to_le_bytes());
    }
    if bytes.is_empty() { 0 } else { xxh3(&bytes) }
}

/// The hash of one topic.
pub(super) fn topic_hash(image: &Image, topic: &Topic) -> i64 {
    let mut bytes = vec![LAYOUT];
    let (high, low) = topic.id.0.as_u64_pair();
    bytes.extend_from_slice(&high.to_le_bytes());
    bytes.extend_from_slice(&low.to_le_bytes());
    put_string(&mut bytes, &topic.name);
    put_len(&mut bytes, topic.partitions.len());
    for (index, partition) in &topic.partitions {
        bytes.extend_from_slice(&index.to_le_bytes());
        let brokers = partition.replicas.iter().filter_map(|id| image.broker(*id));
        let mut racks: Vec<&str> = brokers.filter_map(|broker| broker.rack.as_deref()).collect();
        racks.sort_unstable();
        for rack in racks {
            put_len(&mut bytes, rack.encode_utf16().count());
            put_string(&mut bytes, rack);
        }
    }
    xxh3(&bytes)
}

fn xxh3(bytes: &[u8]) -> i64 {
    XxHash3_64::oneshot(bytes).cast_signed()
}

/// A string as Kafka's library hashes it: its UTF-16 units, then how many they are.
fn put_string(bytes: &mut Vec<u8>, text: &str) {
    text.encode_utf16().for_each(|unit| bytes.extend_from_slice(&unit.to_le_bytes()));
    put_len(bytes, text.encode_utf16().count());
}

fn put_len(bytes: &mut Vec<u8>, len: usize) {
    bytes.extend_from_slice(&i32::try_from(len).unwrap_or(i32::MAX).to_le_bytes());
}
