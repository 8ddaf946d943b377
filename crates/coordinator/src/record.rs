//! The records of `__consumer_offsets`, byte for byte Kafka's.

mod classic;
mod consumer;
mod key;
mod offset;
mod wire;

use bytes::Bytes;
use ottla_protocol::ids::{PartitionIndex, TopicName};

pub use classic::{ClassicGroupValue, ClassicMemberValue};
pub use consumer::{
    AssignedPartitions, ClassicMemberMetadata, ConsumerGroupValue, ConsumerMemberValue,
    CurrentAssignmentValue, PartitionMetadataValue, RegularExpressionValue, TargetAssignmentValue,
    TargetMetadataValue,
};
pub use offset::OffsetValue;

use crate::{GroupName, MemberId};

/// One fact about a group. A value of `None` is a tombstone: the fact is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Key version 1 (0 is read): a committed offset.
    Offset {
        /// The group.
        group: GroupName,
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: PartitionIndex,
        /// The offset.
        value: Option<OffsetValue>,
    },
    /// Key version 2: a classic group.
    ClassicGroup {
        /// The group.
        group: GroupName,
        /// The whole group.
        value: Option<ClassicGroupValue>,
    },
    /// Key version 3: a consumer group.
    ConsumerGroup {
        /// The group.
        group: GroupName,
        /// Its epoch.
        value: Option<ConsumerGroupValue>,
    },
    /// Key version 4, which Kafka 4.0 wrote: only tombstones are written.
    ConsumerPartitionMetadata {
        /// The group.
        group: GroupName,
        /// What it says is not needed any more.
        value: Option<PartitionMetadataValue>,
    },
    /// Key version 5: what a member has said of itself.
    ConsumerMember {
        /// The group.
        group: GroupName,
        /// The member.
        member: MemberId,
        /// What it said.
        value: Option<ConsumerMemberValue>,
    },
    /// Key version 6: the epoch of the target assignment.
    ConsumerTargetMetadata {
        /// The group.
        group: GroupName,
        /// The epoch.
        value: Option<TargetMetadataValue>,
    },
    /// Key version 7: what a member is to have.
    ConsumerTarget {
        /// The group.
        group: GroupName,
        /// The member.
        member: MemberId,
        /// The partitions.
        value: Option<TargetAssignmentValue>,
    },
    /// Key version 8: what a member has.
    ConsumerCurrent {
        /// The group.
        group: GroupName,
        /// The member.
        member: MemberId,
        /// Its epoch, state and partitions.
        value: Option<CurrentAssignmentValue>,
    },
    /// Key version 16: the topics that a regular expression stands for.
    ConsumerRegularExpression {
        /// The group.
        group: GroupName,
        /// The expression.
        expression: std::sync::Arc<str>,
        /// The topics.
        value: Option<RegularExpressionValue>,
    },
}

/// A record that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end too soon, or hold what cannot be.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// Which message.
        what: &'static str,
        /// In what way.
        reason: &'static str,
    },
    /// A value in a version that is not known.
    #[error("{what} has the unknown version {version}")]
    UnknownVersion {
        /// Which message.
        what: &'static str,
        /// The version.
        version: i16,
    },
}

impl Record {
    /// Key and value as they are written; `None` is a tombstone.
    #[must_use]
    pub fn encode(&self) -> (Bytes, Option<Bytes>) {
        (key::encode(self), key::encode_value(self))
    }

    /// What a key and a value say; `None`: a kind of record that is not known here, or none of a group's.
    ///
    /// # Errors
    /// [`RecordError`]: it is a known kind of record, and damaged.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self>, RecordError> {
        key::decode(key, value)
    }

    /// Whether it says that something is no more.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        match self {
            Self::Offset { value, .. } => value.is_none(),
            Self::ClassicGroup { value, .. } => value.is_none(),
            Self::ConsumerGroup { value, .. } => value.is_none(),
            Self::ConsumerPartitionMetadata { value, .. } => value.is_none(),
            Self::ConsumerMember { value, .. } => value.is_none(),
            Self::ConsumerTargetMetadata { value, .. } => value.is_none(),
            Self::ConsumerTarget { value, .. } => value.is_none(),
            Self::ConsumerCurrent { value, .. } => value.is_none(),
            Self::ConsumerRegularExpression { value, .. } => value.is_none(),
        }
    }

    /// The group that it is about.
    #[must_use]
    pub fn group(&self) -> &GroupName {
        match self {
            Self::Offset { group, .. }
            | Self::ClassicGroup { group, .. }
            | Self::ConsumerGroup { group, .. }
            | Self::ConsumerPartitionMetadata { group, .. }
            | Self::ConsumerMember { group, .. }
            | Self::ConsumerTargetMetadata { group, .. }
            | Self::ConsumerTarget { group, .. }
            | Self::ConsumerCurrent { group, .. }
            | Self::ConsumerRegularExpression { group, .. } => group,
        }
    }
}
