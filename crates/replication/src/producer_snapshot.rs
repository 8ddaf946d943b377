//! Producer state as bytes: Kafka's `.snapshot` format, version 1.
//!
//! ```text
//! version i16 | crc u32 (CRC-32C of what follows) | count i32 | count × entry
//! entry: producer id i64, epoch i16, last sequence i32, last offset i64, offset delta i32,
//!        timestamp i64, coordinator epoch i32, first offset of the open transaction i64
//! ```
//! Kafka writes one entry per producer, its last batch. Here each remembered batch has its entry, oldest
//! first, so that what was in flight when everybody stopped is known again afterwards; Kafka's reader takes
//! the last one of each producer.

use bytes::{Buf, BufMut};
use ottla_protocol::ids::TimestampMs;

use crate::producer_state::{CachedBatch, ProducerState};

const VERSION: i16 = 1;
const HEAD_LEN: usize = 2 + 4;
const ENTRY_LEN: usize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
const NO_COORDINATOR_EPOCH: i32 = -1;
const NO_TRANSACTION: i64 = -1;

/// Why a snapshot cannot be used: the state is then built from an older one and the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It ends too early, or goes on too long.
    #[error("the producer snapshot has {found} bytes where {expected} are due")]
    Length {
        /// Bytes there are.
        found: usize,
        /// Bytes there should be.
        expected: usize,
    },
    /// Another version.
    #[error("the producer snapshot has version {0}, only 1 is known")]
    Version(i16),
    /// The checksum does not match.
    #[error("the producer snapshot's checksum does not match")]
    Checksum,
}

/// The state as a snapshot; the order is by producer id, so that equal states give equal bytes.
#[must_use]
pub fn encode(state: &ProducerState) -> Vec<u8> {
    let mut producers: Vec<_> = state.producers().collect();
    producers.sort_by_key(|(id, _)| *id);
    let none =
        [CachedBatch { last_sequence: -1, last_offset: -1, offset_delta: 0, timestamp_ms: -1 }];
    let mut body = vec![0; 4];
    let mut count = 0;
    for (id, producer) in producers {
        let nothing = producer.batches.is_empty().then_some(&none).into_iter().flatten();
        for batch in producer.batches.iter().chain(nothing) {
            count += 1;
            body.put_i64(id);
            body.put_i16(producer.epoch);
            body.put_i32(batch.last_sequence);
            body.put_i64(batch.last_offset);
            body.put_i32(batch.offset_delta);
            body.put_i64(batch.timestamp_ms);
            body.put_i32(NO_COORDINATOR_EPOCH);
            body.put_i64(NO_TRANSACTION);
        }
    }
    body[..4].copy_from_slice(&i32::to_be_bytes(count));
    let mut bytes = Vec::with_capacity(HEAD_LEN + body.len());
    bytes.put_i16(VERSION);
    bytes.put_u32(crc32c::crc32c(&body));
    bytes.extend_from_slice(&body);
    bytes
}

/// The state of a snapshot. `now_ms` counts as the time at which each producer was last heard of. Some may
/// have been forgotten before it was taken.
///
/// # Errors
/// See [`SnapshotError`].
pub fn decode(bytes: &[u8], now_ms: TimestampMs) -> Result<ProducerState, SnapshotError> {
    let least = HEAD_LEN + 4;
    let mut rest = bytes;
    if rest.len() < least {
        return Err(SnapshotError::Length { found: bytes.len(), expected: least });
    }
    let version = rest.get_i16();
    if version != VERSION {
        return Err(SnapshotError::Version(version));
    }
    if rest.get_u32() != crc32c::crc32c(rest) {
        return Err(SnapshotError::Checksum);
    }
    let count = usize::try_from(rest.get_i32()).unwrap_or(usize::MAX);
    let expected = count.saturating_mul(ENTRY_LEN).saturating_add(least);
    if bytes.len() != expected {
        return Err(SnapshotError::Length { found: bytes.len(), expected });
    }
    let mut state = ProducerState::incomplete();
    for _ in 0..count {
        let id = rest.get_i64();
        let epoch = rest.get_i16();
        let batch = CachedBatch {
            last_sequence: rest.get_i32(),
            last_offset: rest.get_i64(),
            offset_delta: rest.get_i32(),
            timestamp_ms: rest.get_i64(),
        };
        rest.advance(4 + 8);
        let batch = (batch.last_sequence >= 0).then_some(batch);
        state.restore(id, epoch, batch, now_ms);
    }
    Ok(state)
}
