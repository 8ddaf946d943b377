//! Appending, and rolling to a new segment.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use ottla_protocol::ids::Offset;
use ottla_protocol::record::{BatchHeader, batches};

use super::Log;
use super::segment::{Indexes, Segment};
use crate::LogError;
use crate::files::LOG;

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

impl Log {
    /// Appends whole batches, stamped with offsets from the log end on and with their leader epoch,
    /// whose CRCs the caller has checked. One write per segment touched; nothing is flushed. A batch
    /// with a new leader epoch begins that epoch in [`Log::epochs`].
    ///
    /// An empty log that was told to begin inside a batch (the leader's log start, after DeleteRecords)
    /// takes that batch whole and keeps its log start.
    ///
    /// After [`LogError::StorageFailed`], be it for a full disk, the file ends at a whole batch if it could
    /// be cut.
    pub fn append(&mut self, batches: &[u8]) -> Result<AppendInfo, LogError> {
        self.append_checked(batches, false)
    }

    /// [`Log::append`] of what another log holds from this one's end on: where that one was compacted,
    /// offsets are missing.
    pub fn append_copied(&mut self, batches: &[u8]) -> Result<AppendInfo, LogError> {
        self.append_checked(batches, true)
    }

    fn append_checked(&mut self, batches: &[u8], gaps: bool) -> Result<AppendInfo, LogError> {
        self.dir.usable()?;
        let log_start = self.begin_inside_batch(batches)?;
        self.check_continues(batches, gaps)?;
        let base_offset = self.log_end;
        let mut rolled = false;
        let mut rest = batches;
        while !rest.is_empty() {
            if self.must_roll(rest)? {
                rolled |= self.log_end == base_offset;
                self.roll()?;
            }
            let (run, next) = rest.split_at(self.run_length(rest)?);
            self.write(run)?;
            rest = next;
            self.shared.log_start.fetch_max(log_start, Ordering::AcqRel);
        }
        Ok(AppendInfo { base_offset, log_end: self.log_end, rolled })
    }

    /// Lets an empty log begin with the batch that holds its log start. Returns the log start to keep.
    fn begin_inside_batch(&mut self, bytes: &[u8]) -> Result<Offset, LogError> {
        let log_start = self.log_start();
        if log_start == self.log_end && self.size() == 0 {
            let first = batches(bytes).next().and_then(Result::ok).map(|batch| batch.header);
            let inside = |header: &BatchHeader| {
                header.base_offset < log_start && header.next_offset() > log_start
            };
            if let Some(header) = first.filter(inside) {
                self.truncate_fully_and_start_at(header.base_offset)?;
            }
        }
        Ok(log_start)
    }

    /// Refuses, before anything is written, what are not whole batches from the log end on.
    fn check_continues(&self, bytes: &[u8], gaps: bool) -> Result<(), LogError> {
        let invalid = |what: String| LogError::InvalidBatches {
            partition: self.partition.clone(),
            log_end: self.log_end,
            what,
        };
        let mut next_offset = self.log_end;
        for batch in batches(bytes) {
            let header = batch.map_err(|error| invalid(error.to_string()))?.header;
            let follows =
                header.base_offset == next_offset || gaps && header.base_offset > next_offset;
            if !follows || header.last_offset_delta < 0 {
                let (first, last) = (header.base_offset, header.last_offset());
                return Err(invalid(format!("offsets {first} to {last}, expected {next_offset}")));
            }
            next_offset = header.next_offset();
        }
        Ok(())
    }

    /// Whether the first of these batches has to begin a new segment.
    fn must_roll(&mut self, bytes: &[u8]) -> Result<bool, LogError> {
        if self.active.size == 0 {
            return Ok(false);
        }
        let config = self.config;
        let (base, size) = (self.active.base_offset, self.active.size);
        let indexes = self.indexes()?;
        let (is_full, first) =
            (indexes.is_full(config.segment_index_bytes), indexes.first_timestamp);
        let head = batches(bytes).next().and_then(Result::ok);
        Ok(head.is_some_and(|batch| {
            is_full
                || !fits(&config, base, size, &batch.header)
                || is_late(&config, first, &batch.header)
        }))
    }

    /// How many bytes of these batches, at least one batch, go into the active segment.
    fn run_length(&mut self, bytes: &[u8]) -> Result<usize, LogError> {
        let config = self.config;
        let (base, mut size) = (self.active.base_offset, self.active.size);
        let mut first = self.indexes()?.first_timestamp;
        let mut run = 0;
        for batch in batches(bytes).map_while(Result::ok) {
            let header = &batch.header;
            if run > 0 && (!fits(&config, base, size, header) || is_late(&config, first, header)) {
                break;
            }
            first = first.or((header.max_timestamp >= 0).then_some(header.max_timestamp));
            size += batch.bytes.len() as u32;
            run += batch.bytes.len();
        }
        Ok(run)
    }

    fn write(&mut self, run: &[u8]) -> Result<(), LogError> {
        self.indexes()?;
        let file = self.log_file(self.closed.len())?;
        let position = self.active.size;
        if let Err(error) = file.file.write_all_at(run, position.into()) {
            // Away with the part that was written, so that what follows begins at a whole batch.
            // If that fails too, recovery does it.
            let _ = file.file.set_len(position.into());
            return Err(self.dir.fail(&file.path, &error));
        }
        self.active.size += run.len() as u32;

        let (base, interval) = (self.active.base_offset, self.config.index_interval_bytes);
        for batch in batches(run).map_while(Result::ok) {
            let header = batch.header;
            let (epoch, start) = (header.partition_leader_epoch, header.base_offset);
            if self.epochs.on_append(epoch, start, self.log_end) {
                self.epochs_changed.bump();
            }
            self.log_end = header.next_offset();
            if let Some(indexes) = &mut self.indexes {
                indexes.add(base, &header, interval);
            }
        }
        if self.indexes.as_ref().is_some_and(Indexes::is_due) {
            self.persist_indexes(false)?;
        }
        Ok(())
    }

    /// Closes the active segment and begins a new one at the log end; no effect on an empty segment.
    pub fn roll(&mut self) -> Result<(), LogError> {
        self.dir.usable()?;
        if self.active.size == 0 {
            return Ok(());
        }
        let base = self.active.base_offset;
        let indexes = self.indexes()?;
        indexes.push_time(base);
        let max_timestamp = indexes.max_timestamp.map_or(-1, |max| max.0);
        self.persist_indexes(true)?;
        self.create_segment_file(self.log_end)?;

        let mut closed = std::mem::replace(&mut self.active, Segment::new(self.log_end, 0));
        closed.dirty = true;
        closed.max_timestamp = Some(max_timestamp);
        self.closed.push(closed);
        self.indexes = Some(Indexes::new(self.log_end));
        Ok(())
    }

    /// Creates the empty file of a segment that is about to begin.
    pub(super) fn create_segment_file(&mut self, base: Offset) -> Result<(), LogError> {
        let path = crate::files::offset_file(&self.path(), base, LOG);
        File::create(&path).map_err(|error| self.dir.fail(&path, &error))?;
        self.names_changed.bump();
        Ok(())
    }
}

/// Whether a batch fits into a segment of this base and size, which is not empty.
fn fits(config: &crate::LogConfig, base: Offset, size: u32, header: &BatchHeader) -> bool {
    let grown = u64::from(size) + header.size_in_bytes() as u64;
    let relative = header.last_offset().saturating_sub(base);
    grown <= u64::from(config.segment_bytes) && relative <= i64::from(i32::MAX)
}

/// Whether a batch is too young for a segment whose first batch has this timestamp.
fn is_late(config: &crate::LogConfig, first: Option<i64>, header: &BatchHeader) -> bool {
    first.is_some_and(|first| header.max_timestamp.saturating_sub(first) > config.segment_ms)
}
