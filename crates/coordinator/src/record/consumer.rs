//! A consumer group (KIP-848): key versions 3 to 8 and 16, all values in version 0.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ids::{PartitionIndex, TimestampMs, TopicId};

use super::RecordError;
use super::wire::{Reader, Writer};

/// A group's epoch (key version 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerGroupValue {
    /// Counts the changes of members, subscriptions and subscribed topics.
    pub epoch: i32,
    /// Of the subscribed topics as they were when the epoch began; 0: to be found out.
    pub metadata_hash: i64,
}

/// What Kafka 4.0 knew of the subscribed topics (key version 4); not needed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionMetadataValue;

/// What a member has said of itself (key version 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerMemberValue {
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// Its rack.
    pub rack_id: Option<Arc<str>>,
    /// Its client's id.
    pub client_id: Arc<str>,
    /// Its client's address.
    pub client_host: Arc<str>,
    /// The topics that it names.
    pub subscribed_topic_names: Vec<Arc<str>>,
    /// The topics that it describes.
    pub subscribed_topic_regex: Option<Arc<str>>,
    /// How long it has for giving up partitions; -1: not told.
    pub rebalance_timeout_ms: i32,
    /// The assignor that it wants.
    pub server_assignor: Option<Arc<str>>,
    /// Present if it speaks the classic protocol.
    pub classic_member_metadata: Option<ClassicMemberMetadata>,
}

/// A member of a consumer group that speaks the classic protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicMemberMetadata {
    /// After how long a silence it is gone.
    pub session_timeout_ms: i32,
    /// Its protocols, with what it said for each.
    pub supported_protocols: Vec<(Arc<str>, Bytes)>,
}

/// The epoch of the target assignment (key version 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetMetadataValue {
    /// The group epoch that it was made for.
    pub assignment_epoch: i32,
    /// When it was made; 0: not told.
    pub assignment_timestamp_ms: TimestampMs,
}

/// Partitions of one topic that a member has or is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedPartitions {
    /// The topic.
    pub topic_id: TopicId,
    /// The partitions.
    pub partitions: Vec<PartitionIndex>,
    /// Of each partition, the epoch in which the member got it; only in current assignments, and only
    /// where known.
    pub assignment_epochs: Option<Vec<i32>>,
}

/// What a member is to have (key version 7).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetAssignmentValue {
    /// The partitions; their epochs are not written.
    pub topic_partitions: Vec<AssignedPartitions>,
}

/// What a member has (key version 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentAssignmentValue {
    /// The epoch that the member is in.
    pub member_epoch: i32,
    /// The one before, which it may still name.
    pub previous_member_epoch: i32,
    /// Kafka's number: 0 stable, 1 unrevoked partitions, 2 unreleased partitions, 127 unknown.
    pub state: i8,
    /// What it has.
    pub assigned_partitions: Vec<AssignedPartitions>,
    /// What it is to give up.
    pub partitions_pending_revocation: Vec<AssignedPartitions>,
}

/// The topics that a regular expression stands for (key version 16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegularExpressionValue {
    /// The topics.
    pub topics: Vec<Arc<str>>,
    /// The metadata offset at which they were found.
    pub version: i64,
    /// When they were found.
    pub timestamp_ms: TimestampMs,
}

fn writer() -> Writer {
    Writer::new(0, true)
}

fn reader<'a>(what: &'static str, bytes: &'a [u8]) -> Result<Reader<'a>, RecordError> {
    let mut reader = Reader::new(what, bytes);
    match reader.i16()? {
        0 => {
            reader.set_flexible(true);
            Ok(reader)
        }
        version => Err(reader.unknown_version(version)),
    }
}

impl ConsumerGroupValue {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = writer();
        writer.i32(self.epoch);
        let hash = self.metadata_hash;
        writer.tags((hash != 0).then_some(|field: &mut Writer| field.i64(hash)));
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader("ConsumerGroupMetadataValue", bytes)?;
        let epoch = reader.i32()?;
        let mut metadata_hash = 0;
        reader.tags(|tag, field| {
            if tag == 0 {
                metadata_hash = field.i64()?;
            }
            Ok(())
        })?;
        Ok(Self { epoch, metadata_hash })
    }
}

impl ConsumerMemberValue {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = writer();
        writer.nullable_text(self.instance_id.as_deref());
        writer.nullable_text(self.rack_id.as_deref());
        writer.text(&self.client_id);
        writer.text(&self.client_host);
        writer.list(&self.subscribed_topic_names, |writer, topic| writer.text(topic));
        writer.nullable_text(self.subscribed_topic_regex.as_deref());
        writer.i32(self.rebalance_timeout_ms);
        writer.nullable_text(self.server_assignor.as_deref());
        writer.tags(self.classic_member_metadata.as_ref().map(|classic| {
            |field: &mut Writer| {
                // A tagged struct that may be null begins with whether it is there.
                field.i8(1);
                field.i32(classic.session_timeout_ms);
                field.list(&classic.supported_protocols, |field, (name, metadata)| {
                    field.text(name);
                    field.data(metadata);
                    field.no_tags();
                });
                field.no_tags();
            }
        }));
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader("ConsumerGroupMemberMetadataValue", bytes)?;
        let mut value = Self {
            instance_id: reader.nullable_name()?,
            rack_id: reader.nullable_name()?,
            client_id: reader.name()?,
            client_host: reader.name()?,
            subscribed_topic_names: reader.list(Reader::name)?,
            subscribed_topic_regex: reader.nullable_name()?,
            rebalance_timeout_ms: reader.i32()?,
            server_assignor: reader.nullable_name()?,
            classic_member_metadata: None,
        };
        reader.tags(|tag, field| {
            if tag == 0 && field.i8()? >= 0 {
                value.classic_member_metadata = Some(ClassicMemberMetadata {
                    session_timeout_ms: field.i32()?,
                    supported_protocols: field.list(|field| {
                        let protocol = (field.name()?, field.data()?);
                        field.skip_tags()?;
                        Ok(protocol)
                    })?,
                });
                field.skip_tags()?;
            }
            Ok(())
        })?;
        Ok(value)
    }
}

impl TargetMetadataValue {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = writer();
        writer.i32(self.assignment_epoch);
        let at_ms = self.assignment_timestamp_ms;
        writer.tags((at_ms != 0).then_some(|field: &mut Writer| field.i64(at_ms)));
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader("ConsumerGroupTargetAssignmentMetadataValue", bytes)?;
        let assignment_epoch = reader.i32()?;
        let mut assignment_timestamp_ms = 0;
        reader.tags(|tag, field| {
            if tag == 0 {
                assignment_timestamp_ms = field.i64()?;
            }
            Ok(())
        })?;
        Ok(Self { assignment_epoch, assignment_timestamp_ms })
    }
}

fn write_partitions(writer: &mut Writer, topics: &[AssignedPartitions], with_epochs: bool) {
    writer.list(topics, |writer, topic| {
        writer.uuid(topic.topic_id);
        writer.list(&topic.partitions, |writer, partition| writer.i32(*partition));
        let epochs = topic.assignment_epochs.as_ref().filter(|_| with_epochs);
        writer.tags(epochs.map(|epochs| {
            |field: &mut Writer| field.list(epochs, |field, epoch| field.i32(*epoch))
        }));
    });
}

fn read_partitions(reader: &mut Reader<'_>) -> Result<Vec<AssignedPartitions>, RecordError> {
    reader.list(|reader| {
        let topic_id = reader.uuid()?;
        let partitions = reader.list(Reader::i32)?;
        let mut assignment_epochs = None;
        reader.tags(|tag, field| {
            if tag == 0 {
                assignment_epochs = field.nullable_list(Reader::i32)?;
            }
            Ok(())
        })?;
        Ok(AssignedPartitions { topic_id, partitions, assignment_epochs })
    })
}

impl TargetAssignmentValue {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = writer();
        write_partitions(&mut writer, &self.topic_partitions, false);
        writer.no_tags();
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader("ConsumerGroupTargetAssignmentMemberValue", bytes)?;
        let topic_partitions = read_partitions(&mut reader)?;
        reader.skip_tags()?;
        Ok(Self { topic_partitions })
    }
}

impl CurrentAssignmentValue {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = writer();
        writer.i32(self.member_epoch);
        writer.i32(self.previous_member_epoch);
        writer.i8(self.state);
        write_partitions(&mut writer, &self.assigned_partitions, true);
        write_partitions(&mut writer, &self.partitions_pending_revocation, true);
        writer.no_tags();
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader("ConsumerGroupCurrentMemberAssignmentValue", bytes)?;
        let value = Self {
            member_epoch: reader.i32()?,
            previous_member_epoch: reader.i32()?,
            state: reader.i8()?,
            assigned_partitions: read_partitions(&mut reader)?,
            partitions_pending_revocation: read_partitions(&mut reader)?,
        };
        reader.skip_tags()?;
        Ok(value)
    }
}

impl RegularExpressionValue {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = writer();
        writer.list(&self.topics, |writer, topic| writer.text(topic));
        writer.i64(self.version);
        writer.i64(self.timestamp_ms);
        writer.no_tags();
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader("ConsumerGroupRegularExpressionValue", bytes)?;
        let value = Self {
            topics: reader.list(Reader::name)?,
            version: reader.i64()?,
            timestamp_ms: reader.i64()?,
        };
        reader.skip_tags()?;
        Ok(value)
    }
}
