//! Records out of batches: for clients, tools and tests.

use bytes::{Buf, Bytes};

use super::header::{BATCH_HEADER_LEN, BatchError, BatchHeader, NO_TIMESTAMP, TimestampType};
use super::{Compression, CompressionError, batches, check_crc, decompress, varint};
use crate::ids::{Offset, TimestampMs};

/// A header of a record; keys may repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The header's key.
    pub key: String,
    /// Its value; null is not empty.
    pub value: Option<Bytes>,
}

/// A record as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its position in the partition.
    pub offset: Offset,
    /// Milliseconds since the epoch, or -1; what it means is `timestamp_type`.
    pub timestamp: TimestampMs,
    /// Whose timestamp it is.
    pub timestamp_type: TimestampType,
    /// The epoch of the leader that took it.
    pub leader_epoch: i32,
    /// The key; null is not empty.
    pub key: Option<Bytes>,
    /// The value; null is a tombstone.
    pub value: Option<Bytes>,
    /// The headers in their order.
    pub headers: Vec<Header>,
}

/// How much decoding may take.
#[derive(Debug, Clone, Copy)]
pub struct DecodeLimits {
    /// The most bytes that one batch may decompress to.
    pub batch_bytes: usize,
}

impl Default for DecodeLimits {
    /// 256 MiB a batch.
    fn default() -> Self {
        Self { batch_bytes: 256 << 20 }
    }
}

/// Why records cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The batch around them is damaged.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// They do not decompress.
    #[error("the batch at offset {base_offset}: {source}")]
    Compression {
        /// The batch's base offset.
        base_offset: Offset,
        /// What the codec said.
        source: CompressionError,
    },
    /// A record inside the batch is damaged.
    #[error("record {index} of the batch at offset {base_offset} is damaged: {reason}")]
    Record {
        /// The batch's base offset.
        base_offset: Offset,
        /// Which record of the batch, from 0.
        index: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

/// Every record of a run of batches, in order; checksums are checked, control batches are skipped, a
/// batch cut at the end (as a fetch may return it) ends the run. Copies the bytes once; see
/// [`decode_shared`].
pub fn decode_records(bytes: &[u8]) -> Result<Vec<Record>, RecordError> {
    decode_shared(&Bytes::copy_from_slice(bytes), DecodeLimits::default())
}

/// [`decode_records`] without a copy: keys and values of uncompressed batches share the memory of
/// `bytes` and keep it alive.
pub fn decode_shared(bytes: &Bytes, limits: DecodeLimits) -> Result<Vec<Record>, RecordError> {
    let mut records = Vec::new();
    for batch in batches(bytes) {
        match batch {
            Ok(batch) if batch.header.is_control() => check_crc(batch.bytes)?,
            Ok(batch) => decode_batch(&bytes.slice_ref(batch.bytes), limits, &mut records)?,
            Err(BatchError::Truncated { .. }) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(records)
}

/// Appends the records of one whole batch (exactly its bytes, control batches too) to `records`.
pub fn decode_batch(
    batch: &Bytes,
    limits: DecodeLimits,
    records: &mut Vec<Record>,
) -> Result<(), RecordError> {
    let header = BatchHeader::parse(batch)?;
    check_crc(batch)?;
    let packed = batch.slice(BATCH_HEADER_LEN..);
    let codec = header
        .compression()
        .ok_or(BatchError::Invalid("the batch names an unknown compression codec"))?;
    let mut body = match codec {
        Compression::None => packed,
        _ => decompress(codec, &packed, limits.batch_bytes).map(Bytes::from).map_err(|source| {
            RecordError::Compression { base_offset: header.base_offset, source }
        })?,
    };
    let count = usize::try_from(header.count)
        .map_err(|_| BatchError::Invalid("the batch has an invalid record count"))?;
    // A record takes at least seven bytes: an absurd count reserves nothing.
    records.reserve(count.min(body.len() / 7));
    for index in 0..count {
        let record = decode_record(&header, &mut body).map_err(|reason| RecordError::Record {
            base_offset: header.base_offset,
            index,
            reason,
        })?;
        records.push(record);
    }
    if body.is_empty() {
        return Ok(());
    }
    let reason = "bytes are left behind the last record";
    Err(RecordError::Record { base_offset: header.base_offset, index: count, reason })
}

const CUT: &str = "it is cut";

fn decode_record(header: &BatchHeader, body: &mut Bytes) -> Result<Record, &'static str> {
    let length = varint::get_i32(body).ok_or(CUT)?;
    let length = usize::try_from(length).map_err(|_| "its length is negative")?;
    if body.len() < length {
        return Err(CUT);
    }
    let mut rest = body.split_to(length);
    let _attributes = rest.try_get_i8().map_err(|_| CUT)?;
    let timestamp_delta = varint::get(&mut rest).ok_or(CUT)?;
    let offset_delta = varint::get_i32(&mut rest).ok_or(CUT)?;
    let key = take_nullable(&mut rest)?;
    let value = take_nullable(&mut rest)?;
    let header_count = varint::get_i32(&mut rest).ok_or(CUT)?;
    let header_count = usize::try_from(header_count).map_err(|_| "a negative header count")?;
    // A header takes at least two bytes.
    let mut headers = Vec::with_capacity(header_count.min(rest.len() / 2));
    for _ in 0..header_count {
        let key = take_nullable(&mut rest)?.ok_or("a header without a key")?;
        let key = std::str::from_utf8(&key).map_err(|_| "a header key is not UTF-8")?.to_owned();
        headers.push(Header { key, value: take_nullable(&mut rest)? });
    }
    if !rest.is_empty() {
        return Err("its length is too great");
    }
    let timestamp = match header.timestamp_type() {
        TimestampType::LogAppendTime => header.max_timestamp,
        TimestampType::CreateTime if header.base_timestamp == NO_TIMESTAMP => NO_TIMESTAMP,
        TimestampType::CreateTime => header.base_timestamp.saturating_add(timestamp_delta),
    };
    Ok(Record {
        offset: header.base_offset.saturating_add(i64::from(offset_delta)),
        timestamp,
        timestamp_type: header.timestamp_type(),
        leader_epoch: header.partition_leader_epoch,
        key,
        value,
        headers,
    })
}

fn take_nullable(rest: &mut Bytes) -> Result<Option<Bytes>, &'static str> {
    let length = varint::get_i32(rest).ok_or(CUT)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| "a negative length")?;
    if rest.len() < length {
        return Err(CUT);
    }
    Ok(Some(rest.split_to(length)))
}
