//! Keys, and which value belongs to which: a key's version says what kind of record it is.

use bytes::Bytes;

use super::wire::{Reader, Writer};
use super::{
    ClassicGroupValue, ConsumerGroupValue, ConsumerMemberValue, CurrentAssignmentValue,
    OffsetValue, PartitionMetadataValue, Record, RecordError, RegularExpressionValue,
    TargetAssignmentValue, TargetMetadataValue,
};

pub(super) fn encode(record: &Record) -> Bytes {
    let (version, second) = match record {
        Record::Offset { group, topic, partition, .. } => {
            let mut writer = Writer::new(1, false);
            writer.text(group);
            writer.text(topic);
            writer.i32(*partition);
            return writer.finish();
        }
        Record::ClassicGroup { .. } => (2, None),
        Record::ConsumerGroup { .. } => (3, None),
        Record::ConsumerPartitionMetadata { .. } => (4, None),
        Record::ConsumerMember { member, .. } => (5, Some(member)),
        Record::ConsumerTargetMetadata { .. } => (6, None),
        Record::ConsumerTarget { member, .. } => (7, Some(member)),
        Record::ConsumerCurrent { member, .. } => (8, Some(member)),
        Record::ConsumerRegularExpression { expression, .. } => (16, Some(expression)),
    };
    let mut writer = Writer::new(version, false);
    writer.text(record.group());
    if let Some(second) = second {
        writer.text(second);
    }
    writer.finish()
}

pub(super) fn encode_value(record: &Record) -> Option<Bytes> {
    match record {
        Record::Offset { value, .. } => value.as_ref().map(OffsetValue::encode),
        Record::ClassicGroup { value, .. } => value.as_ref().map(ClassicGroupValue::encode),
        Record::ConsumerGroup { value, .. } => value.as_ref().map(ConsumerGroupValue::encode),
        Record::ConsumerPartitionMetadata { value, .. } => {
            // No topics.
            value.as_ref().map(|PartitionMetadataValue| Bytes::from_static(&[0, 0, 1, 0]))
        }
        Record::ConsumerMember { value, .. } => value.as_ref().map(ConsumerMemberValue::encode),
        Record::ConsumerTargetMetadata { value, .. } => {
            value.as_ref().map(TargetMetadataValue::encode)
        }
        Record::ConsumerTarget { value, .. } => value.as_ref().map(TargetAssignmentValue::encode),
        Record::ConsumerCurrent { value, .. } => value.as_ref().map(CurrentAssignmentValue::encode),
        Record::ConsumerRegularExpression { value, .. } => {
            value.as_ref().map(RegularExpressionValue::encode)
        }
    }
}

pub(super) fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Record>, RecordError> {
    let mut reader = Reader::new("a group's record key", key);
    let version = reader.i16()?;
    if !matches!(version, 0..=8 | 16) {
        return Ok(None);
    }
    let group = reader.name()?;
    let record = match version {
        0 | 1 => {
            let topic = reader.name()?;
            let partition = reader.i32()?;
            let value = value.map(OffsetValue::decode).transpose()?;
            Record::Offset { group, topic, partition, value }
        }
        2 => {
            let value = value.map(ClassicGroupValue::decode).transpose()?;
            Record::ClassicGroup { group, value }
        }
        3 => {
            let value = value.map(ConsumerGroupValue::decode).transpose()?;
            Record::ConsumerGroup { group, value }
        }
        4 => {
            let value = value.map(|_| PartitionMetadataValue);
            Record::ConsumerPartitionMetadata { group, value }
        }
        5 => {
            let member = reader.name()?;
            let value = value.map(ConsumerMemberValue::decode).transpose()?;
            Record::ConsumerMember { group, member, value }
        }
        6 => {
            let value = value.map(TargetMetadataValue::decode).transpose()?;
            Record::ConsumerTargetMetadata { group, value }
        }
        7 => {
            let member = reader.name()?;
            let value = value.map(TargetAssignmentValue::decode).transpose()?;
            Record::ConsumerTarget { group, member, value }
        }
        8 => {
            let member = reader.name()?;
            let value = value.map(CurrentAssignmentValue::decode).transpose()?;
            Record::ConsumerCurrent { group, member, value }
        }
        _ => {
            let expression = reader.name()?;
            let value = value.map(RegularExpressionValue::decode).transpose()?;
            Record::ConsumerRegularExpression { group, expression, value }
        }
    };
    Ok(Some(record))
}
