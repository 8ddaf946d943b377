//! The log start goes forward: DeleteRecords and retention.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use ottla_protocol::ids::{Offset, TimestampMs};

use super::Log;
use super::segment::Segment;
use crate::LogError;
use crate::files::{self, DELETED, INDEX, LOG, TIME_INDEX};

/// The files of a segment that retention or compaction removed: renamed to `….deleted`, still on disk.
#[derive(Debug)]
pub struct RetiredSegment {
    /// Its first offset.
    pub base_offset: Offset,
    /// Its size in bytes.
    pub size: u64,
    paths: Vec<PathBuf>,
}

impl RetiredSegment {
    /// Renames a segment's files; at a failure, which one and why.
    pub(super) fn retire(segment: &Segment, dir: &Path) -> Result<Self, (PathBuf, io::Error)> {
        segment.retire();
        let mut paths = Vec::with_capacity(3);
        for extension in [LOG, INDEX, TIME_INDEX] {
            let from = segment.path(dir, extension);
            let to = from.with_added_extension(DELETED);
            match fs::rename(&from, &to) {
                Ok(()) => paths.push(to),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err((from, error)),
            }
        }
        Ok(Self { base_offset: segment.base_offset, size: segment.size.into(), paths })
    }

    /// Removes the files (after `file.delete.delay.ms`). Blocking; takes no lock.
    pub fn remove(self) -> Result<(), LogError> {
        for path in &self.paths {
            files::remove_if_there(path).map_err(|error| LogError::io("remove", path, error))?;
        }
        Ok(())
    }
}

impl Log {
    /// Raises the log start (DeleteRecords, or the leader's log start on a follower); lower values have
    /// no effect. Beyond the log end: [`LogError::OffsetOutOfRange`]. Whole segments below it are
    /// removed by the next [`Log::apply_retention`].
    pub fn increment_log_start(&mut self, offset: Offset) -> Result<(), LogError> {
        self.dir.usable()?;
        let (log_start, log_end) = (self.log_start(), self.log_end);
        if offset > log_end {
            return Err(LogError::OffsetOutOfRange { requested: offset, log_start, log_end });
        }
        if offset > log_start {
            self.shared.log_start.store(offset, Ordering::Release);
            self.epochs.truncate_from_start(offset);
        }
        Ok(())
    }

    /// Removes whole segments that are below the log start, too old or too much, never one that
    /// reaches above `high_watermark`. `now_ms` is the wall clock. Cheap if nothing is due.
    pub fn apply_retention(
        &mut self,
        now_ms: TimestampMs,
        high_watermark: Offset,
    ) -> Result<Vec<RetiredSegment>, LogError> {
        self.dir.usable()?;
        let due = self.segments_due(now_ms, high_watermark)?;
        if due == 0 {
            return Ok(Vec::new());
        }
        if due > self.closed.len() {
            self.roll()?;
        }
        // What stays must be on disk under its name before the rest goes, or a crash would leave a
        // directory that knows nothing of its offsets.
        let path = self.path();
        self.abandon_swap()?;
        self.sync_names(&path)?;
        let log_start = self.segment_end(due - 1).max(self.log_start());
        self.shared.log_start.store(log_start, Ordering::Release);
        self.epochs.truncate_from_start(log_start);

        let mut retired = Vec::with_capacity(due);
        for segment in self.closed.drain(..due) {
            let gone = RetiredSegment::retire(&segment, &path);
            retired.push(gone.map_err(|(file, error)| self.dir.fail(&file, &error))?);
        }
        self.dir.files.sweep();
        self.names_changed.bump();
        self.drop_snapshots_below(log_start)?;
        Ok(retired)
    }

    /// How many of the oldest segments are to go; the active one counts once it is not empty.
    fn segments_due(
        &mut self,
        now_ms: TimestampMs,
        high_watermark: Offset,
    ) -> Result<usize, LogError> {
        let config = self.config;
        let log_start = self.log_start();
        let mut surplus = match u64::try_from(config.retention_bytes) {
            Ok(keep) => self.size().saturating_sub(keep),
            Err(_) => 0,
        };
        let mut due = 0;
        while due <= self.closed.len() {
            let is_active = due == self.closed.len();
            let segment = self.closed.get(due).unwrap_or(&self.active);
            let size = u64::from(segment.size);
            if size == 0 || self.segment_end(due) > high_watermark {
                break;
            }
            let is_below_start = !is_active && self.segment_end(due) <= log_start;
            let is_too_much = !is_active && surplus >= size;
            if !is_below_start && !is_too_much && !self.is_too_old(due, now_ms)? {
                break;
            }
            surplus = surplus.saturating_sub(size);
            due += 1;
        }
        Ok(due)
    }

    fn is_too_old(&mut self, number: usize, now_ms: TimestampMs) -> Result<bool, LogError> {
        if self.config.retention_ms < 0 {
            return Ok(false);
        }
        let mut youngest = self.segment_max_timestamp(number)?;
        if youngest < 0 {
            // Records without timestamps: the file's own age counts.
            let file = self.log_file(number)?;
            let modified = file.file.metadata().and_then(|metadata| metadata.modified());
            let modified = modified.map_err(|error| LogError::io("read", &file.path, error))?;
            let age = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            youngest = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        }
        Ok(now_ms.saturating_sub(youngest) > self.config.retention_ms)
    }
}
