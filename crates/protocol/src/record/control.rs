//! Control records: the marks that end transactions, written by brokers only.

use bytes::{Buf, BufMut, Bytes};

use super::{DecodeLimits, RecordBatchBuilder, RecordError, decode_batch};
use crate::ids::TimestampMs;

/// The mark at the end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndTransaction {
    /// Its records count for nothing.
    Abort,
    /// Its records count.
    Commit,
}

/// A control record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRecord {
    /// A transaction of the batch's producer ends.
    EndTransaction {
        /// How.
        how: EndTransaction,
        /// The epoch of the transaction coordinator that wrote it.
        coordinator_epoch: i32,
    },
    /// A kind that Ottla neither writes nor needs (Kafka's raft marks).
    Other {
        /// Its number.
        kind: i16,
    },
}

/// Why a control batch cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The batch is damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The batch's record is none of control.
    #[error("a control batch must hold one record with a key of version and type")]
    Malformed,
}

impl ControlRecord {
    /// Reads the record of one whole control batch.
    pub fn from_batch(batch: &Bytes) -> Result<Self, ControlError> {
        let mut records = Vec::new();
        decode_batch(batch, DecodeLimits::default(), &mut records)?;
        let record = records.first().ok_or(ControlError::Malformed)?;
        let mut key = record.key.clone().ok_or(ControlError::Malformed)?;
        let _version = key.try_get_i16().map_err(|_| ControlError::Malformed)?;
        let kind = key.try_get_i16().map_err(|_| ControlError::Malformed)?;
        let how = match kind {
            0 => EndTransaction::Abort,
            1 => EndTransaction::Commit,
            kind => return Ok(Self::Other { kind }),
        };
        let mut value = record.value.clone().ok_or(ControlError::Malformed)?;
        let _version = value.try_get_i16().map_err(|_| ControlError::Malformed)?;
        let coordinator_epoch = value.try_get_i32().map_err(|_| ControlError::Malformed)?;
        Ok(Self::EndTransaction { how, coordinator_epoch })
    }
}

impl EndTransaction {
    /// A batch with this mark, still to be given its producer and offset.
    #[must_use]
    pub fn to_batch(self, timestamp: TimestampMs, coordinator_epoch: i32) -> RecordBatchBuilder {
        let mut key = Vec::with_capacity(4);
        key.put_i16(0);
        key.put_i16(match self {
            Self::Abort => 0,
            Self::Commit => 1,
        });
        let mut value = Vec::with_capacity(6);
        value.put_i16(0);
        value.put_i32(coordinator_epoch);
        let mut builder = RecordBatchBuilder::default().control(true).transactional(true);
        builder.append(timestamp, Some(&key), Some(&value), &[]);
        builder
    }
}
