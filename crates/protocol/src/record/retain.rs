//! What compaction leaves of a batch: some of its records where they were, or its head alone.

use bytes::{Bytes, BytesMut};

use super::builder::{self, BatchTooLarge};
use super::header::{
    BatchHeader, CONTROL, DELETE_HORIZON, LOG_APPEND_TIME, NO_TIMESTAMP, TRANSACTIONAL,
    TimestampType,
};
use super::{Compression, Record, compress};
use crate::ids::TimestampMs;

/// The batch of `header` with only these of its records, at their offsets and in their order. Offset
/// range, epoch, producer and sequence stay; with a `delete_horizon`, that is when its tombstones and
/// marks may go (KIP-534). Compressed as it was, at the codec's default level.
///
/// # Errors
/// The records have become too large.
pub fn retain(
    header: &BatchHeader,
    records: &[Record],
    delete_horizon: Option<TimestampMs>,
) -> Result<Bytes, BatchTooLarge> {
    let codec = match header.compression() {
        Some(codec) if !records.is_empty() => codec,
        _ => Compression::None,
    };
    let flags = header.attributes & (LOG_APPEND_TIME | TRANSACTIONAL | CONTROL);
    let mut head = BatchHeader { attributes: flags | codec.id(), ..*header };
    head.count = i32::try_from(records.len()).map_err(|_| BatchTooLarge)?;
    // A head without records has no time either, or searches by time would stop at it.
    let latest = records.iter().map(|record| record.timestamp).max();
    head.max_timestamp = match (header.timestamp_type(), latest) {
        (_, None) => NO_TIMESTAMP,
        (TimestampType::LogAppendTime, Some(_)) => header.max_timestamp,
        (TimestampType::CreateTime, Some(latest)) => latest,
    };
    match delete_horizon {
        _ if records.is_empty() => head.base_timestamp = NO_TIMESTAMP,
        Some(horizon) => {
            head.attributes |= DELETE_HORIZON;
            head.base_timestamp = horizon;
        }
        None => {}
    }
    let mut body = BytesMut::new();
    for record in records {
        let timestamp_delta = record.timestamp.wrapping_sub(head.base_timestamp);
        let offset_delta = record.offset.wrapping_sub(header.base_offset);
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder::put_record(&mut body, timestamp_delta, offset_delta, key, value, &record.headers);
    }
    match codec {
        Compression::None => builder::assemble(&head, &body),
        codec => builder::assemble(&head, &compress(codec, None, &body)),
    }
}
