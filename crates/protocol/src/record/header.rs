//! The head of a batch, read without touching its records.

use bytes::Buf;

use super::Compression;
use crate::ids::{LeaderEpoch, NO_PRODUCER_ID, Offset, TimestampMs};

/// Bytes before the records of a batch.
pub const BATCH_HEADER_LEN: usize = 61;
/// Bytes that `batch_length` does not count: the base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// The base sequence of a batch without a producer id, and of control batches.
pub const NO_SEQUENCE: i32 = -1;
/// No timestamp.
pub const NO_TIMESTAMP: TimestampMs = -1;

/// The only format version served.
const MAGIC: i8 = 2;
/// Where the checksum stands, and where what it covers begins.
pub(super) const CRC_AT: usize = 17;
pub(super) const CRC_COVERS_FROM: usize = 21;

pub(super) const COMPRESSION_MASK: i16 = 0x07;
pub(super) const LOG_APPEND_TIME: i16 = 0x08;
pub(super) const TRANSACTIONAL: i16 = 0x10;
pub(super) const CONTROL: i16 = 0x20;
pub(super) const DELETE_HORIZON: i16 = 0x40;

/// What the timestamps of a batch mean (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the append: the batch's maximum timestamp counts for each record.
    LogAppendTime,
}

/// The fixed head of a batch. Plain values: nothing is checked here but what is needed to find the
/// end of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record; set by the leader.
    pub base_offset: Offset,
    /// Bytes of the batch behind this field; see [`BatchHeader::size_in_bytes`].
    pub batch_length: i32,
    /// The epoch of the leader that appended the batch; set by the leader.
    pub partition_leader_epoch: LeaderEpoch,
    /// CRC-32C of everything behind this field.
    pub crc: u32,
    /// Compression, timestamp type and the flags.
    pub attributes: i16,
    /// The last record's offset less the first's; survives compaction.
    pub last_offset_delta: i32,
    /// The first record's timestamp, in milliseconds; after compaction possibly the delete horizon.
    pub base_timestamp: TimestampMs,
    /// The greatest timestamp in the batch, in milliseconds.
    pub max_timestamp: TimestampMs,
    /// The idempotent producer, or -1.
    pub producer_id: i64,
    /// Its epoch, or -1.
    pub producer_epoch: i16,
    /// The first record's sequence number, or -1.
    pub base_sequence: i32,
    /// How many records the batch holds.
    pub count: i32,
}

impl BatchHeader {
    /// Reads a header from the first [`BATCH_HEADER_LEN`] bytes of a batch; the rest of the batch
    /// need not be there.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        if bytes.len() < BATCH_HEADER_LEN {
            return Err(BatchError::Truncated {
                position: 0,
                needed: BATCH_HEADER_LEN,
                available: bytes.len(),
            });
        }
        let mut rest = bytes;
        let base_offset = rest.get_i64();
        let batch_length = rest.get_i32();
        let partition_leader_epoch = rest.get_i32();
        let magic = rest.get_i8();
        if magic != MAGIC {
            return Err(BatchError::BadMagic { position: 0, magic });
        }
        if batch_length < (BATCH_HEADER_LEN - LOG_OVERHEAD) as i32 {
            return Err(BatchError::BadLength { position: 0, length: batch_length });
        }
        Ok(Self {
            base_offset,
            batch_length,
            partition_leader_epoch,
            crc: rest.get_u32(),
            attributes: rest.get_i16(),
            last_offset_delta: rest.get_i32(),
            base_timestamp: rest.get_i64(),
            max_timestamp: rest.get_i64(),
            producer_id: rest.get_i64(),
            producer_epoch: rest.get_i16(),
            base_sequence: rest.get_i32(),
            count: rest.get_i32(),
        })
    }

    /// The whole batch's size in bytes, header included.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        LOG_OVERHEAD + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// The offset of the last record (or of the last that was there before compaction).
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// The offset behind the batch.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.last_offset().saturating_add(1)
    }

    /// The last record's sequence number; sequences wrap from `i32::MAX` to 0. [`NO_SEQUENCE`] for a
    /// batch without one.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        let sum = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        (sum % (i64::from(i32::MAX) + 1)) as i32
    }

    /// Whether the batch names an idempotent producer.
    #[must_use]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id != NO_PRODUCER_ID
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch holds control records, which consumers do not see.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether `base_timestamp` is a delete horizon set by compaction (KIP-534).
    #[must_use]
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON != 0
    }

    /// How the records are compressed; `None` for a number that no codec has.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        Compression::from_id(self.attributes & COMPRESSION_MASK)
    }

    /// What the timestamps mean.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }
}

/// What is wrong with a batch. Positions are bytes from the beginning of the given slice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The slice ends inside a batch: normal at the end of a fetch, a torn write at the end of a log.
    #[error("the batch at byte {position} needs {needed} bytes, {available} are there")]
    Truncated {
        /// Where the batch begins.
        position: usize,
        /// Bytes that the batch, or its header, takes.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// Another format version than 2.
    #[error("the batch at byte {position} has magic {magic}, only 2 is supported")]
    BadMagic {
        /// Where the batch begins.
        position: usize,
        /// The number found.
        magic: i8,
    },
    /// A length that cannot hold a header.
    #[error("the batch at byte {position} has the impossible length {length}")]
    BadLength {
        /// Where the batch begins.
        position: usize,
        /// The length found.
        length: i32,
    },
    /// The checksum does not match.
    #[error(
        "the batch at offset {base_offset} has checksum {found:#010x}, its bytes give {computed:#010x}"
    )]
    BadCrc {
        /// The batch's base offset.
        base_offset: Offset,
        /// The checksum in the header.
        found: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A produced record set is not exactly one batch.
    #[error("a produce request must hold exactly one record batch per partition, found {found}")]
    NotOneBatch {
        /// How many there are (2 stands for "more than one").
        found: usize,
    },
    /// The header contradicts itself, or holds what a client may not write.
    #[error("{0}")]
    Invalid(&'static str),
}

impl BatchError {
    fn at(self, offset: usize) -> Self {
        match self {
            Self::Truncated { position, needed, available } => {
                Self::Truncated { position: position + offset, needed, available }
            }
            Self::BadMagic { position, magic } => {
                Self::BadMagic { position: position + offset, magic }
            }
            Self::BadLength { position, length } => {
                Self::BadLength { position: position + offset, length }
            }
            other => other,
        }
    }
}

/// One batch inside a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchView<'a> {
    /// The parsed header.
    pub header: BatchHeader,
    /// The whole batch, header included.
    pub bytes: &'a [u8],
    /// Where the batch begins in the slice.
    pub position: usize,
}

/// Walks the batches of a slice; ends after the first error. Checks lengths and magic, not checksums.
#[must_use]
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { bytes, position: 0 }
}

/// The iterator of [`batches`].
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let position = self.position;
        let rest = self.bytes.get(position..).filter(|rest| !rest.is_empty())?;
        self.position = self.bytes.len();
        let header = match BatchHeader::parse(rest) {
            Ok(header) => header,
            Err(error) => return Some(Err(error.at(position))),
        };
        let size = header.size_in_bytes();
        let Some(bytes) = rest.get(..size) else {
            let available = rest.len();
            return Some(Err(BatchError::Truncated { position, needed: size, available }));
        };
        self.position = position + size;
        Some(Ok(BatchView { header, bytes, position }))
    }
}

/// Checks the checksum of one whole batch (exactly its bytes).
pub fn check_crc(batch: &[u8]) -> Result<(), BatchError> {
    let header = BatchHeader::parse(batch)?;
    let computed = crc32c::crc32c(&batch[CRC_COVERS_FROM..]);
    if computed == header.crc {
        return Ok(());
    }
    Err(BatchError::BadCrc { base_offset: header.base_offset, found: header.crc, computed })
}

/// Checks what a client sent for one partition: exactly one batch of version 2 with the right
/// checksum, whose header is consistent, which is no control batch. Records are not looked at.
pub fn check_produced(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    let mut walk = batches(bytes);
    let Some(first) = walk.next().transpose()? else {
        return Err(BatchError::NotOneBatch { found: 0 });
    };
    if walk.next().is_some() {
        return Err(BatchError::NotOneBatch { found: 2 });
    }
    check_crc(first.bytes)?;

    let header = first.header;
    if header.last_offset_delta < 0 {
        return Err(BatchError::Invalid("the batch has an invalid offset range"));
    }
    if header.count <= 0 {
        return Err(BatchError::Invalid("the batch has an invalid record count"));
    }
    if i64::from(header.count) != i64::from(header.last_offset_delta) + 1 {
        return Err(BatchError::Invalid("the batch's record count contradicts its offset range"));
    }
    if header.is_control() {
        return Err(BatchError::Invalid("clients are not allowed to write control records"));
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return Err(BatchError::Invalid("the batch has a producer id but no sequence number"));
    }
    if header.compression().is_none() {
        return Err(BatchError::Invalid("the batch names an unknown compression codec"));
    }
    Ok(header)
}
