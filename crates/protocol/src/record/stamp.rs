//! What a leader writes into a batch of its producer.

use super::header::{BATCH_HEADER_LEN, CRC_AT, CRC_COVERS_FROM, LOG_APPEND_TIME};
use crate::ids::{LeaderEpoch, Offset, TimestampMs};

const LEADER_EPOCH_AT: usize = 12;
const ATTRIBUTES_AT: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;

/// Writes the offset and the leader epoch, which the checksum does not cover, into one whole batch.
///
/// # Panics
/// If the slice is shorter than a batch header.
pub fn stamp(batch: &mut [u8], base_offset: Offset, leader_epoch: LeaderEpoch) {
    assert!(batch.len() >= BATCH_HEADER_LEN, "a batch that was checked before");
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[LEADER_EPOCH_AT..LEADER_EPOCH_AT + 4].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Makes `now_ms` the timestamp of every record of one whole batch (`message.timestamp.type`
/// LogAppendTime) and computes the checksum again.
///
/// # Panics
/// If the slice is shorter than a batch header.
pub fn stamp_log_append_time(batch: &mut [u8], now_ms: TimestampMs) {
    assert!(batch.len() >= BATCH_HEADER_LEN, "a batch that was checked before");
    let attributes = i16::from_be_bytes([batch[ATTRIBUTES_AT], batch[ATTRIBUTES_AT + 1]]);
    let attributes = attributes | LOG_APPEND_TIME;
    batch[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
    batch[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&now_ms.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_COVERS_FROM..]);
    batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
}
