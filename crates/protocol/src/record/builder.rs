//! Batches out of records: for clients, tools and tests.

use bytes::{BufMut, Bytes, BytesMut};

use super::header::{
    BATCH_HEADER_LEN, BatchHeader, CONTROL, CRC_AT, CRC_COVERS_FROM, LOG_APPEND_TIME, LOG_OVERHEAD,
    NO_SEQUENCE, NO_TIMESTAMP, TRANSACTIONAL, TimestampType,
};
use super::{Compression, Header, compress, varint};
use crate::ids::{LeaderEpoch, NO_PRODUCER_ID, Offset, TimestampMs};

/// The fields of an idempotent producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerFields {
    /// The id from InitProducerId.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The sequence number of the first record.
    pub base_sequence: i32,
}

impl ProducerFields {
    /// A producer without idempotence.
    pub const NONE: Self =
        Self { producer_id: NO_PRODUCER_ID, producer_epoch: -1, base_sequence: NO_SEQUENCE };
}

/// The batch is larger than its 4-byte length can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record batch cannot be larger than 2 GiB")]
pub struct BatchTooLarge;

/// Collects records and writes them as one batch. Fields that are the broker's to set (offset, leader
/// epoch) can be given too, for tests and for logs written by hand.
#[derive(Debug, Clone)]
pub struct RecordBatchBuilder {
    compression: Compression,
    level: Option<i32>,
    timestamp_type: TimestampType,
    producer: ProducerFields,
    transactional: bool,
    control: bool,
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    base_timestamp: TimestampMs,
    max_timestamp: TimestampMs,
    count: i32,
    body: BytesMut,
}

impl Default for RecordBatchBuilder {
    fn default() -> Self {
        Self::new(Compression::None)
    }
}

impl RecordBatchBuilder {
    /// An empty batch at offset 0, with the producer's timestamps and no producer id.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            level: None,
            timestamp_type: TimestampType::CreateTime,
            producer: ProducerFields::NONE,
            transactional: false,
            control: false,
            base_offset: 0,
            leader_epoch: -1,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            count: 0,
            body: BytesMut::new(),
        }
    }

    /// The codec's level instead of its default.
    #[must_use]
    pub fn level(mut self, level: Option<i32>) -> Self {
        self.level = level;
        self
    }

    /// Sets the offset of the first record.
    #[must_use]
    pub fn base_offset(mut self, base_offset: Offset) -> Self {
        self.base_offset = base_offset;
        self
    }

    /// Sets the leader's epoch.
    #[must_use]
    pub fn leader_epoch(mut self, leader_epoch: LeaderEpoch) -> Self {
        self.leader_epoch = leader_epoch;
        self
    }

    /// Sets whose the timestamps are.
    #[must_use]
    pub fn timestamp_type(mut self, timestamp_type: TimestampType) -> Self {
        self.timestamp_type = timestamp_type;
        self
    }

    /// Sets the producer; a producer knows its sequence only when it sends, so this may come last.
    #[must_use]
    pub fn producer(mut self, producer: ProducerFields) -> Self {
        self.producer = producer;
        self
    }

    /// Marks the batch as part of a transaction.
    #[must_use]
    pub fn transactional(mut self, transactional: bool) -> Self {
        self.transactional = transactional;
        self
    }

    /// Marks the batch as one of control records.
    #[must_use]
    pub fn control(mut self, control: bool) -> Self {
        self.control = control;
        self
    }

    /// Adds a record.
    pub fn append(
        &mut self,
        timestamp: TimestampMs,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) {
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        put_record(&mut self.body, timestamp_delta, self.count.into(), key, value, headers);
        self.count += 1;
    }

    /// How many records it holds.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Whether it holds no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its size in bytes before compression.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        BATCH_HEADER_LEN + self.body.len()
    }

    /// Writes the batch, with its checksum.
    pub fn build(&self) -> Result<Bytes, BatchTooLarge> {
        let packed;
        let body: &[u8] = match self.compression {
            Compression::None => &self.body,
            codec => {
                packed = compress(codec, self.level, &self.body);
                &packed
            }
        };
        let header = BatchHeader {
            base_offset: self.base_offset,
            batch_length: 0,
            partition_leader_epoch: self.leader_epoch,
            crc: 0,
            attributes: self.attributes(),
            last_offset_delta: (self.count - 1).max(0),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer.producer_id,
            producer_epoch: self.producer.producer_epoch,
            base_sequence: self.producer.base_sequence,
            count: self.count,
        };
        assemble(&header, body)
    }

    fn attributes(&self) -> i16 {
        let mut attributes = self.compression.id();
        if self.timestamp_type == TimestampType::LogAppendTime {
            attributes |= LOG_APPEND_TIME;
        }
        if self.transactional {
            attributes |= TRANSACTIONAL;
        }
        if self.control {
            attributes |= CONTROL;
        }
        attributes
    }
}

/// A batch of this head, whose length and checksum are computed, and these records.
pub(super) fn assemble(header: &BatchHeader, body: &[u8]) -> Result<Bytes, BatchTooLarge> {
    let size = BATCH_HEADER_LEN + body.len();
    let batch_length = i32::try_from(size - LOG_OVERHEAD).map_err(|_| BatchTooLarge)?;
    let mut batch = BytesMut::with_capacity(size);
    batch.put_i64(header.base_offset);
    batch.put_i32(batch_length);
    batch.put_i32(header.partition_leader_epoch);
    batch.put_i8(2);
    batch.put_u32(0);
    batch.put_i16(header.attributes);
    batch.put_i32(header.last_offset_delta);
    batch.put_i64(header.base_timestamp);
    batch.put_i64(header.max_timestamp);
    batch.put_i64(header.producer_id);
    batch.put_i16(header.producer_epoch);
    batch.put_i32(header.base_sequence);
    batch.put_i32(header.count);
    batch.put_slice(body);
    let crc = crc32c::crc32c(&batch[CRC_COVERS_FROM..]);
    batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    Ok(batch.freeze())
}

/// One record, behind its length.
pub(super) fn put_record(
    out: &mut BytesMut,
    timestamp_delta: i64,
    offset_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header],
) {
    let mut length = 1 + varint::size(timestamp_delta) + varint::size(offset_delta);
    length += nullable_size(key) + nullable_size(value);
    length += varint::size(headers.len() as i64);
    for header in headers {
        length += nullable_size(Some(header.key.as_bytes()));
        length += nullable_size(header.value.as_deref());
    }
    out.reserve(length + 5);
    varint::put(out, length as i64);
    out.put_i8(0);
    varint::put(out, timestamp_delta);
    varint::put(out, offset_delta);
    put_nullable(out, key);
    put_nullable(out, value);
    varint::put(out, headers.len() as i64);
    for header in headers {
        put_nullable(out, Some(header.key.as_bytes()));
        put_nullable(out, header.value.as_deref());
    }
}

fn nullable_size(bytes: Option<&[u8]>) -> usize {
    match bytes {
        None => varint::size(-1),
        Some(bytes) => varint::size(bytes.len() as i64) + bytes.len(),
    }
}

fn put_nullable(out: &mut BytesMut, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::put(out, -1),
        Some(bytes) => {
            varint::put(out, bytes.len() as i64);
            out.put_slice(bytes);
        }
    }
}
