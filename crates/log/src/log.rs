//! One partition's log.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ids::{LeaderEpoch, Offset, TimestampMs, TopicId, TopicPartition};

use crate::{LogConfig, LogDir, LogError};

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendInfo {
    /// The first offset appended: the log end before.
    pub base_offset: Offset,
    /// The log end after.
    pub log_end: Offset,
    /// A new segment begins at `base_offset`: a good moment for a producer snapshot of the state
    /// before this append.
    pub rolled: bool,
}

/// What a flush achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Everything below is on disk. Never beyond the log end.
    pub flushed: Offset,
    /// A whole segment has become durable: call [`LogDir::checkpoint_recovery_points`] soon.
    pub checkpoint_due: bool,
}

/// The end of an epoch in a log (KIP-101, KIP-279).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch of this log that is at most the one asked for; -1 if there is none.
    pub epoch: LeaderEpoch,
    /// The offset behind its last record; -1 if there is none.
    pub end_offset: Offset,
}

/// Where a timestamp was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's timestamp.
    pub timestamp: TimestampMs,
    /// The record's offset.
    pub offset: Offset,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

/// The leader epochs of a log and where each began (`leader-epoch-checkpoint`). Epochs and offsets
/// rise strictly along it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl LeaderEpochs {
    /// The entries, oldest first: (epoch, first offset).
    #[must_use]
    pub fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    /// The latest epoch.
    #[must_use]
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.0)
    }

    /// The largest epoch at most `epoch`, and its end: the start of the next epoch, or `log_end`.
    #[must_use]
    pub fn end_offset_for(&self, _epoch: LeaderEpoch, _log_end: Offset) -> EpochEnd {
        unimplemented!("skeleton")
    }

    /// The epoch of the record at `offset`.
    #[must_use]
    pub fn epoch_at(&self, _offset: Offset) -> Option<LeaderEpoch> {
        unimplemented!("skeleton")
    }
}

/// A read, ready to be carried out without the partition's lock.
#[derive(Debug)]
pub struct ReadPlan {
    _private: (),
}

impl ReadPlan {
    /// Nothing is to be read: the offset is at the bound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        unimplemented!("skeleton")
    }

    /// An upper bound for the bytes that [`ReadPlan::read`] returns.
    #[must_use]
    pub fn max_len(&self) -> usize {
        unimplemented!("skeleton")
    }

    /// Reads whole batches, whose CRCs have been checked. Blocking; takes no lock.
    /// [`LogError::Overtaken`] asks for a new plan.
    pub fn read(self) -> Result<Bytes, LogError> {
        unimplemented!("skeleton")
    }
}

/// A flush, ready to be carried out without the partition's lock. One at a time per log.
#[derive(Debug)]
pub struct FlushPlan {
    _private: (),
}

impl FlushPlan {
    /// The log end when the plan was made: what a flush makes durable.
    #[must_use]
    pub fn upto(&self) -> Offset {
        unimplemented!("skeleton")
    }

    /// Flushes the files, then the directory if files are new. Blocking; takes no lock. A failure puts
    /// the whole log directory out of service.
    pub fn flush(&self) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }
}

/// A search for a timestamp, ready to be carried out without the partition's lock.
#[derive(Debug)]
pub struct TimestampSearch {
    _private: (),
}

impl TimestampSearch {
    /// The first record at or after the timestamp, exact to the record also inside compressed batches.
    /// Blocking; takes no lock.
    pub fn run(self) -> Result<Option<TimestampOffset>, LogError> {
        unimplemented!("skeleton")
    }
}

/// The files of a segment that retention removed: renamed to `….deleted`, still on disk.
#[derive(Debug)]
pub struct RetiredSegment {
    /// Its first offset.
    pub base_offset: Offset,
    /// Its size in bytes.
    pub size: u64,
}

impl RetiredSegment {
    /// Removes the files (after `file.delete.delay.ms`). Blocking; takes no lock.
    pub fn remove(self) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }
}

/// One partition's log. Files are opened when needed and closed when others need the room.
#[derive(Debug)]
pub struct Log {
    _dir: Arc<LogDir>,
}

impl Log {
    /// The partition.
    #[must_use]
    pub fn topic_partition(&self) -> &TopicPartition {
        unimplemented!("skeleton")
    }

    /// Its topic's id, from `partition.metadata`.
    #[must_use]
    pub fn topic_id(&self) -> TopicId {
        unimplemented!("skeleton")
    }

    /// The directory that it lives in.
    #[must_use]
    pub fn dir(&self) -> &Arc<LogDir> {
        unimplemented!("skeleton")
    }

    /// The first offset that may be read.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        unimplemented!("skeleton")
    }

    /// The offset of the next record.
    #[must_use]
    pub fn log_end(&self) -> Offset {
        unimplemented!("skeleton")
    }

    /// Everything below is on disk (Kafka's recovery point).
    #[must_use]
    pub fn flushed_offset(&self) -> Offset {
        unimplemented!("skeleton")
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size(&self) -> u64 {
        unimplemented!("skeleton")
    }

    /// The high watermark of the last checkpoint, or what [`Log::set_high_watermark`] last said; within
    /// log start and log end.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        unimplemented!("skeleton")
    }

    /// Notes the high watermark for the next checkpoint. One atomic store.
    pub fn set_high_watermark(&self, _high_watermark: Offset) {
        unimplemented!("skeleton")
    }

    /// Replaces the settings.
    pub fn set_config(&mut self, _config: LogConfig) {
        unimplemented!("skeleton")
    }

    /// Appends whole batches, stamped with offsets from the log end on and with their leader epoch,
    /// whose CRCs the caller has checked. One write per segment touched; nothing is flushed. A batch
    /// with a new leader epoch begins that epoch in [`Log::epochs`].
    pub fn append(&mut self, _batches: &[u8]) -> Result<AppendInfo, LogError> {
        unimplemented!("skeleton")
    }

    /// Plans a read from the batch that holds `offset`, of at most `max_bytes` in whole batches (but of
    /// one batch, however large, if `at_least_one`: KIP-74), below `upto` and within one segment.
    pub fn plan_read(
        &mut self,
        _offset: Offset,
        _max_bytes: usize,
        _upto: Offset,
        _at_least_one: bool,
    ) -> Result<ReadPlan, LogError> {
        unimplemented!("skeleton")
    }

    /// The leader epochs.
    #[must_use]
    pub fn epochs(&self) -> &LeaderEpochs {
        unimplemented!("skeleton")
    }

    /// Begins `epoch` at the log end (on becoming leader); no effect unless it is above the latest.
    /// Written to disk with the next flush.
    pub fn assign_epoch(&mut self, _epoch: LeaderEpoch) {
        unimplemented!("skeleton")
    }

    /// Plans the flush of everything appended so far; `None` if all of it is on disk.
    pub fn flush_plan(&mut self) -> Result<Option<FlushPlan>, LogError> {
        unimplemented!("skeleton")
    }

    /// Takes note that `plan` was carried out. A plan that a truncation has overtaken counts for
    /// nothing: compare [`Flushed::flushed`] with the log end and plan again.
    pub fn flushed(&mut self, _plan: &FlushPlan) -> Flushed {
        unimplemented!("skeleton")
    }

    /// Flushes here and now: plan, flush, note. For shutdown and tests.
    pub fn flush(&mut self) -> Result<Flushed, LogError> {
        unimplemented!("skeleton")
    }

    /// Closes the active segment and begins a new one at the log end; no effect on an empty segment.
    pub fn roll(&mut self) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// Removes everything from `offset` on, durably; the leader epochs too. An offset inside a batch
    /// removes that batch whole. Returns the new log end. At or above the log end: no effect.
    pub fn truncate_to(&mut self, _offset: Offset) -> Result<Offset, LogError> {
        unimplemented!("skeleton")
    }

    /// Removes everything and begins again, empty, at `offset`, durably.
    pub fn truncate_fully_and_start_at(&mut self, _offset: Offset) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// Raises the log start (DeleteRecords, or the leader's log start on a follower); lower values have
    /// no effect. Beyond the log end: [`LogError::OffsetOutOfRange`]. Whole segments below it are
    /// removed by the next [`Log::apply_retention`].
    pub fn increment_log_start(&mut self, _offset: Offset) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// Removes whole segments that are below the log start, too old or too much, never one that
    /// reaches above `high_watermark`. `now_ms` is the wall clock.
    pub fn apply_retention(
        &mut self,
        _now_ms: TimestampMs,
        _high_watermark: Offset,
    ) -> Result<Vec<RetiredSegment>, LogError> {
        unimplemented!("skeleton")
    }

    /// Plans the search for the first record whose timestamp is at least `timestamp`.
    pub fn plan_timestamp_search(
        &mut self,
        _timestamp: TimestampMs,
    ) -> Result<TimestampSearch, LogError> {
        unimplemented!("skeleton")
    }

    /// Plans the search for the (first) record with the largest timestamp of the log.
    pub fn plan_max_timestamp_search(&mut self) -> Result<TimestampSearch, LogError> {
        unimplemented!("skeleton")
    }

    /// Stores a producer snapshot for the state before `offset` as `<offset>.snapshot`; it becomes
    /// durable with the next flush.
    pub fn write_producer_snapshot(
        &mut self,
        _offset: Offset,
        _bytes: &[u8],
    ) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// The latest producer snapshot and its offset. One that does not decode can be removed by
    /// [`Log::remove_producer_snapshot`], and the one before be asked for.
    pub fn latest_producer_snapshot(&self) -> Result<Option<(Offset, Bytes)>, LogError> {
        unimplemented!("skeleton")
    }

    /// Removes a producer snapshot.
    pub fn remove_producer_snapshot(&mut self, _offset: Offset) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// Flushes and writes all that a clean start relies on. To be followed by [`LogDir::close_clean`].
    pub fn close(self) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }
}
