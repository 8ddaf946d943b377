//! A committed offset: key versions 0 and 1.

use bytes::Bytes;
use ottla_protocol::ids::{KafkaUuid, LeaderEpoch, Offset, TimestampMs, TopicId};

use super::RecordError;
use super::wire::{Reader, Writer};

/// What a group has committed for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetValue {
    /// The next offset that the group wants.
    pub offset: Offset,
    /// The leader epoch of the last record that was consumed; -1: not told.
    pub leader_epoch: LeaderEpoch,
    /// The client's own words.
    pub metadata: Box<str>,
    /// When it was committed.
    pub commit_timestamp_ms: TimestampMs,
    /// When it expires, where the client said so (in old requests); -1: as the broker says.
    pub expire_timestamp_ms: TimestampMs,
    /// The life of the topic for which it was committed; zero: not known.
    pub topic_id: TopicId,
}

const WHAT: &str = "OffsetCommitValue";

impl OffsetValue {
    /// As Kafka does: in version 1 if it has an expiry time, else in version 4.
    pub(super) fn encode(&self) -> Bytes {
        let version = if self.expire_timestamp_ms == -1 { 4 } else { 1 };
        let mut writer = Writer::new(version, version >= 4);
        writer.i64(self.offset);
        if version >= 3 {
            writer.i32(self.leader_epoch);
        }
        writer.text(&self.metadata);
        writer.i64(self.commit_timestamp_ms);
        if version == 1 {
            writer.i64(self.expire_timestamp_ms);
        }
        let has_id = self.topic_id != KafkaUuid::ZERO;
        writer.tags(has_id.then_some(|field: &mut Writer| field.uuid(self.topic_id)));
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(WHAT, bytes);
        let version = reader.i16()?;
        if !(0..=4).contains(&version) {
            return Err(reader.unknown_version(version));
        }
        reader.set_flexible(version >= 4);
        let offset = reader.i64()?;
        let leader_epoch = if version >= 3 { reader.i32()? } else { -1 };
        let metadata = reader.text()?.into();
        let commit_timestamp_ms = reader.i64()?;
        let expire_timestamp_ms = if version == 1 { reader.i64()? } else { -1 };
        let mut topic_id = KafkaUuid::ZERO;
        reader.tags(|tag, field| {
            if tag == 0 {
                topic_id = field.uuid()?;
            }
            Ok(())
        })?;
        Ok(Self {
            offset,
            leader_epoch,
            metadata,
            commit_timestamp_ms,
            expire_timestamp_ms,
            topic_id,
        })
    }
}
