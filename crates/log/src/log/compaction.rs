//! Log compaction: of each key, the latest record stays.
//!
//! A cleaning reads closed segments only, below the high watermark, and writes new ones in their place.
//! Offsets never change: records that go leave gaps. What stays although it is superseded: the head of
//! the batch at which a segment ends, of the first batch of a leader epoch, and of those by which
//! producers are recognized; a tombstone until `delete.retention.ms` after it was first met (KIP-534). Planned under the
//! partition's lock, carried out outside; the swap is three short steps under the lock, in between which
//! the directory is synced outside of it ([`Log::begin_swap`], [`CleanedSegment::sync`],
//! [`Log::finish_swap`]).

mod clean;
mod filter;
mod map;
mod source;
mod swap;
mod transactions;

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_protocol::ids::{Offset, TimestampMs};
use ottla_protocol::record::{BATCH_HEADER_LEN, BatchHeader};

pub use clean::{CleanedSegment, Cleaning, CleaningLimits, CleaningPlan, Pace};
pub(super) use swap::complete_swaps;

use self::source::{Source, Sources};
use super::Log;
use crate::{Compaction, LogError, files};

/// Appended to the names of a new segment's files while it is written: recovery removes them.
const CLEANED: &str = "cleaned";
/// Appended once it is whole: recovery puts it in the place of the segments that it covers.
const SWAP: &str = "swap";

/// What a cleaning would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleanable {
    /// Bytes of the segments that are compacted already.
    pub clean_bytes: u64,
    /// Bytes of the segments that may be compacted and are not.
    pub dirty_bytes: u64,
    /// Some of them have waited for `max.compaction.lag.ms`.
    pub overdue: bool,
}

impl Cleanable {
    /// The share of dirty bytes, 0 to 1.
    #[must_use]
    pub fn dirty_ratio(&self) -> f64 {
        let total = self.clean_bytes + self.dirty_bytes;
        if total == 0 { 0.0 } else { self.dirty_bytes as f64 / total as f64 }
    }
}

/// The closed segments that may be cleaned.
struct Range {
    /// How many of the oldest ones.
    segments: usize,
    first_dirty: Offset,
    compaction: Compaction,
}

impl Log {
    /// Below it the log is compacted.
    #[must_use]
    pub fn cleaned_offset(&self) -> Offset {
        self.shared.cleaned.load(Ordering::Acquire)
    }

    /// Whether it is time for a cleaning, and what it would find; `None`: it is not, or there is nothing
    /// to clean. `stable` bounds it: the last stable offset. `now_ms` is the wall clock.
    pub fn cleanable(
        &mut self,
        now_ms: TimestampMs,
        stable: Offset,
    ) -> Result<Option<Cleanable>, LogError> {
        let Some(range) = self.cleanable_range(now_ms, stable)? else { return Ok(None) };
        let Range { segments, first_dirty, compaction } = range;
        let (mut clean_bytes, mut dirty_bytes) = (0, 0);
        for number in 0..segments {
            let size = u64::from(self.closed[number].size);
            if self.segment_end(number) > first_dirty {
                dirty_bytes += size
            } else {
                clean_bytes += size
            }
        }
        let overdue = self.is_overdue(&range, now_ms)?;
        let found = Cleanable { clean_bytes, dirty_bytes, overdue };
        let due = overdue || found.dirty_ratio() > compaction.min_cleanable_dirty_ratio;
        Ok((dirty_bytes > 0 && due).then_some(found))
    }

    /// Plans a cleaning of all that may be cleaned; `None` if nothing is dirty. `remembered` are the
    /// last offsets of the batches by which producers are recognized: their heads stay.
    pub fn plan_cleaning(
        &mut self,
        now_ms: TimestampMs,
        stable: Offset,
        remembered: HashSet<Offset>,
    ) -> Result<Option<CleaningPlan>, LogError> {
        self.dir.usable()?;
        let Some(range) = self.cleanable_range(now_ms, stable)? else { return Ok(None) };
        let Range { segments, first_dirty, compaction } = range;
        let source = |number: usize| {
            let segment = &self.closed[number];
            Source { base: segment.base_offset, size: segment.size, end: self.segment_end(number) }
        };
        let sources: Vec<Source> = (0..segments).map(source).collect();
        if sources.last().is_none_or(|last| last.end <= first_dirty) {
            return Ok(None);
        }
        let path = self.path();
        let dir = File::open(&path).map_err(|error| LogError::io("open", &path, error))?;
        Ok(Some(CleaningPlan {
            files: Sources {
                dir,
                path,
                shared: Arc::clone(&self.shared),
                truncations: self.shared.truncations.load(Ordering::Acquire),
            },
            config: self.config,
            compaction,
            now_ms,
            sources,
            first_dirty,
            remembered,
        }))
    }

    /// All segments of a cleaning are swapped: the log is clean up to there. To be followed by
    /// [`LogDir::checkpoint_cleaned`](crate::LogDir::checkpoint_cleaned).
    pub fn note_cleaned(&mut self, cleaning: &Cleaning) {
        if cleaning.is_current() {
            let upto = cleaning.upto().min(self.log_end);
            self.shared.cleaned.store(upto, Ordering::Release);
        }
    }

    fn cleanable_range(
        &mut self,
        now_ms: TimestampMs,
        stable: Offset,
    ) -> Result<Option<Range>, LogError> {
        let Some(compaction) = self.config.compaction else { return Ok(None) };
        let first_dirty = self.cleaned_offset().max(self.log_start());
        let mut segments = 0;
        while segments < self.closed.len() {
            let end = self.segment_end(segments);
            if end > stable {
                break;
            }
            if compaction.min_compaction_lag_ms > 0 && end > first_dirty {
                let youngest = self.segment_max_timestamp(segments)?;
                if youngest > now_ms.saturating_sub(compaction.min_compaction_lag_ms) {
                    break;
                }
            }
            segments += 1;
        }
        Ok((segments > 0).then_some(Range { segments, first_dirty, compaction }))
    }

    fn is_overdue(&mut self, range: &Range, now_ms: TimestampMs) -> Result<bool, LogError> {
        let before = now_ms.saturating_sub(range.compaction.max_compaction_lag_ms);
        if range.compaction.max_compaction_lag_ms == i64::MAX {
            return Ok(false);
        }
        for number in 0..range.segments {
            if self.segment_end(number) <= range.first_dirty {
                continue;
            }
            let file = self.log_file(number)?;
            let head = files::read_at(&file.file, 0, BATCH_HEADER_LEN)
                .map_err(|error| LogError::io("read", &file.path, error))?;
            let first = BatchHeader::parse(&head).map_or(-1, |header| header.max_timestamp);
            if first > 0 && first < before {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
