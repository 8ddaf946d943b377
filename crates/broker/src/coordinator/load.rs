//! Groups out of their partition's log: all that is committed of it, and that includes all that was ever
//! acknowledged to anybody.

use std::sync::Arc;

use bytes::Bytes;
use ottla_coordinator::{Groups, LogRecord};
use ottla_protocol::ids::{LeaderEpoch, Offset};
use ottla_protocol::record::{self, DecodeLimits};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

use super::shard::committed_up_to;
use crate::partition::{Isolation, Partition, ReadError, ReadRequest, ReplicaRole};

/// How much of the log is held in memory at a time.
const READ_BYTES: usize = 4 << 20;

/// Why the groups cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// Nothing is wrong: the leadership has moved on.
    #[error("this broker does not lead the partition in this epoch any more")]
    NotLeader,
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log holds something that is not a batch.
    #[error(transparent)]
    Batch(#[from] record::RecordError),
    /// A bug.
    #[error("loading came to an unexpected end: {0}")]
    Panic(#[from] JoinError),
}

impl From<record::BatchError> for LoadError {
    fn from(error: record::BatchError) -> Self {
        Self::Batch(error.into())
    }
}

/// Loads the groups of a partition that this broker has begun to lead in `epoch`. `turns` bounds how many
/// partitions are read at a time.
pub(super) async fn load(
    partition: &Arc<Partition>,
    epoch: LeaderEpoch,
    mut groups: Groups,
    turns: &Semaphore,
) -> Result<(Groups, Loaded), LoadError> {
    let status = partition.status();
    if status.role != ReplicaRole::Leader || status.leader_epoch != epoch {
        return Err(LoadError::NotLeader);
    }
    // Nothing is appended before the groups are loaded: this is all that earlier leaders have left. What
    // of it was acknowledged is known to be committed once all of it is.
    let end = status.log_end_offset;
    let mut loaded = Loaded { offset: status.log_start_offset, ..Loaded::default() };
    loop {
        // The semaphore is never closed.
        let turn = turns.acquire().await;
        let reading = Arc::clone(partition);
        (groups, loaded) = spawn_blocking(move || {
            loaded.read(&reading, epoch, &mut groups).map(|()| (groups, loaded))
        })
        .await??;
        drop(turn);
        if loaded.offset >= end {
            return Ok((groups, loaded));
        }
        if !committed_up_to(partition, epoch, end).await {
            return Err(LoadError::NotLeader);
        }
    }
}

/// How far loading is.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// The next offset to read.
    offset: Offset,
    /// Records that have been read.
    pub(super) records: u64,
    /// Records that no version of Kafka would have written.
    pub(super) damaged: u64,
}

impl Loaded {
    /// Reads on, up to the high watermark. Blocking.
    fn read(
        &mut self,
        partition: &Partition,
        epoch: LeaderEpoch,
        groups: &mut Groups,
    ) -> Result<(), LoadError> {
        loop {
            let read = partition.read(ReadRequest {
                offset: self.offset,
                max_bytes: READ_BYTES,
                at_least_one: true,
                current_leader_epoch: Some(epoch),
                last_fetched_epoch: None,
                isolation: Isolation::ReadUncommitted,
            })?;
            if read.records.is_empty() {
                // Compaction may have left nothing between here and there.
                self.offset = self.offset.max(read.high_watermark);
                return Ok(());
            }
            self.take(partition, &read.records, groups)?;
        }
    }

    fn take(
        &mut self,
        partition: &Partition,
        bytes: &Bytes,
        groups: &mut Groups,
    ) -> Result<(), LoadError> {
        let begun_at = self.offset;
        let mut records = Vec::new();
        for batch in record::batches(bytes) {
            let batch = match batch {
                Ok(batch) => batch,
                // The next read begins with it.
                Err(record::BatchError::Truncated { .. }) if self.offset > begun_at => break,
                Err(error) => return Err(error.into()),
            };
            if !batch.header.is_control() {
                let bytes = bytes.slice_ref(batch.bytes);
                record::decode_batch(&bytes, DecodeLimits::default(), &mut records)?;
            }
            let from = self.offset;
            for record in records.drain(..).filter(|record| record.offset >= from) {
                self.records += 1;
                let Some(key) = &record.key else { continue };
                let record = LogRecord {
                    key,
                    value: record.value.as_deref(),
                    timestamp_ms: record.timestamp,
                    offset: record.offset,
                };
                let offset = record.offset;
                if let Err(error) = groups.load(record) {
                    // Somebody else wrote it: no reason to let all groups of the partition down.
                    self.damaged += 1;
                    tracing::error!(?partition, offset, %error, "a record is passed over");
                }
            }
            self.offset = self.offset.max(batch.header.next_offset());
        }
        Ok(())
    }
}
