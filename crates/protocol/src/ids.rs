//! The names of things: topics, partitions, brokers, epochs.
//!
//! Offsets and epochs are plain integers under a name, as on the wire; what is easy to confuse (a
//! topic's id, a partition by name, a partition by id) is a type of its own.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// A node's id (`node.id`): brokers and controllers share one number space, as in KRaft.
pub type BrokerId = i32;
/// A partition's number inside its topic, from 0.
pub type PartitionIndex = i32;
/// A record's position in its partition, from 0.
pub type Offset = i64;
/// Counts the leaders of one partition (KIP-101); rises by one with each new leader.
pub type LeaderEpoch = i32;
/// Counts the changes of one partition's state (KIP-497); the key of AlterPartition's compare-and-set.
pub type PartitionEpoch = i32;
/// Names one registration of a broker (KIP-380): the metadata offset at which it registered.
pub type BrokerEpoch = i64;
/// A position in the committed metadata log (the raft log index).
pub type MetadataOffset = u64;
/// Milliseconds since the Unix epoch, or -1 for none.
pub type TimestampMs = i64;

/// No leader, in Kafka's wire form.
pub const NO_LEADER: BrokerId = -1;
/// No producer id (a producer without idempotence).
pub const NO_PRODUCER_ID: i64 = -1;

/// A 128-bit id in Kafka's text form: 22 characters of URL-safe base64 without padding. Ids that are
/// made here never start with `-`, so that tools do not take them for an option.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct KafkaUuid(pub Uuid);

/// Names one life of a topic: a topic that is deleted and created again has another id (KIP-516).
pub type TopicId = KafkaUuid;

impl KafkaUuid {
    /// The id that stands for "none".
    pub const ZERO: Self = Self(Uuid::nil());

    /// From 16 random bytes; the caller draws again when [`KafkaUuid::is_reserved`] says so.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// From a byte slice of exactly 16 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self)
    }

    /// Zero, one (Kafka's metadata topic) and ids whose text starts with `-` are not given out.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.as_u128() <= 1 || self.to_string().starts_with('-')
    }
}

impl fmt::Display for KafkaUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for KafkaUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 22 characters of URL-safe base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an id: 22 characters of URL-safe base64 are expected")]
pub struct InvalidUuid(pub String);

impl FromStr for KafkaUuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidUuid(text.chars().take(64).collect());
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| invalid())?;
        Self::from_slice(&bytes).ok_or_else(invalid)
    }
}

/// A topic's name, shared cheaply. Always an own copy, never a slice of a request's frame (which it
/// would keep alive).
pub type TopicName = Arc<str>;

/// A partition by its topic's name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: TopicName,
    /// The partition's number.
    pub partition: PartitionIndex,
}

impl TopicPartition {
    /// A partition by name and number.
    #[must_use]
    pub fn new(topic: impl Into<TopicName>, partition: PartitionIndex) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A partition by its topic's id: what brokers and the controller use among themselves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicIdPartition {
    /// The topic's id.
    pub topic_id: TopicId,
    /// The partition's number.
    pub partition: PartitionIndex,
}

impl TopicIdPartition {
    /// A partition by id and number.
    #[must_use]
    pub fn new(topic_id: TopicId, partition: PartitionIndex) -> Self {
        Self { topic_id, partition }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_text_is_kafkas() {
        let id: KafkaUuid = "qt3_el6fSZG1LdblLws6ew".parse().expect("a valid id");
        assert_eq!(id.to_string(), "qt3_el6fSZG1LdblLws6ew");
        assert!("short".parse::<KafkaUuid>().is_err());
        assert!(KafkaUuid::ZERO.is_reserved());
    }
}
