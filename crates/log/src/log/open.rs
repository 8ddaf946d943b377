//! Opening a log at start, and its recovery after an unclean stop.
//!
//! What lies below the recovery point was on disk and is trusted; if it is not there, that is damage,
//! which is reported and never repaired by deleting. What lies above may be torn: each batch is checked,
//! and the log is cut at the first that is not whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_protocol::ids::{LeaderEpoch, Offset, TopicId, TopicPartition};

use super::epochs::LEADER_EPOCH_CHECKPOINT;
use super::scan::{ScanError, Scanner};
use super::segment::{Indexes, Segment};
use super::{LeaderEpochs, Log, Version, compaction};
use crate::dir::{Kind, SharedOffsets};
use crate::files::{self, DELETED, INDEX, LOG, SNAPSHOT, TEMP, TIME_INDEX};
use crate::{LogConfig, LogDir, LogError, NewLog};

/// The files of a partition's directory.
#[derive(Debug, Default)]
struct Listing {
    /// Base offset and size of each segment, rising.
    segments: Vec<(Offset, u64)>,
    snapshots: Vec<Offset>,
}

/// What the checkpoint files say of a log.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    recovery_point: Offset,
    high_watermark: Offset,
    log_start: Offset,
    cleaned: Offset,
}

impl Log {
    /// A log that was just created, whose empty first segment is there.
    pub(crate) fn new_empty(dir: Arc<LogDir>, new: NewLog) -> Self {
        let mut log = Self::bare(dir, new.topic_partition, new.topic_id, new.config);
        log.indexes = Some(Indexes::new(0));
        log.register();
        log
    }

    fn bare(
        dir: Arc<LogDir>,
        partition: TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
    ) -> Self {
        Self {
            dir,
            partition,
            topic_id,
            future_name: None,
            renamed: false,
            config,
            shared: Arc::new(SharedOffsets::default()),
            flushed: 0,
            log_end: 0,
            closed: Vec::new(),
            active: Segment::new(0, 0),
            indexes: None,
            epochs: LeaderEpochs::default(),
            epochs_changed: Version::default(),
            names_changed: Version::default(),
            snapshots: Vec::new(),
            unsynced_snapshots: Vec::new(),
            swapping: None,
        }
    }

    /// A copy that was just created under `name`, and whose empty first segment is there.
    pub(crate) fn new_future(dir: Arc<LogDir>, new: NewLog, name: String) -> Self {
        let mut log = Self::bare(dir, new.topic_partition, new.topic_id, new.config);
        log.future_name = Some(name.into());
        log.indexes = Some(Indexes::new(0));
        log
    }

    pub(super) fn register(&self) {
        self.dir.checkpoints.register(self.partition.clone(), Arc::clone(&self.shared));
    }

    /// Opens the log of a directory that has its `partition.metadata`. After an unclean stop, what lay
    /// above the recovery point is still to be flushed.
    pub(crate) fn open(
        dir: Arc<LogDir>,
        partition: TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
        clean: bool,
    ) -> Result<Self, LogError> {
        let stored = |kind| dir.checkpoints.stored(&partition, kind);
        let known = Known {
            recovery_point: stored(Kind::RecoveryPoint).unwrap_or(0),
            high_watermark: stored(Kind::HighWatermark).unwrap_or(0),
            log_start: stored(Kind::LogStart).unwrap_or(0),
            cleaned: stored(Kind::Cleaned).unwrap_or(0),
        };
        let mut log = Self::bare(dir, partition, topic_id, config);
        log.load(known, clean)?;
        log.register();
        Ok(log)
    }

    /// Opens a copy that an interrupted move has left behind under `name`: everything in it is checked.
    pub(crate) fn open_future(
        dir: Arc<LogDir>,
        partition: TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
        name: String,
    ) -> Result<Self, LogError> {
        let mut log = Self::bare(dir, partition, topic_id, config);
        log.future_name = Some(name.into());
        log.load(Known::default(), false)?;
        Ok(log)
    }

    fn load(&mut self, known: Known, clean: bool) -> Result<(), LogError> {
        let Known { recovery_point, high_watermark, log_start: stored_start, cleaned } = known;
        let log = self;
        let path = log.path();
        compaction::complete_swaps(&path)?;
        let listing = list(&path)?;
        log.snapshots = listing.snapshots;
        log.take_segments(&path, &listing.segments, recovery_point)?;
        log.shared.recovery_point.store(recovery_point, Ordering::Release);

        let stored_epochs = log.read_epochs(&path)?;
        let epochs_lost = stored_epochs.is_none();
        log.epochs = stored_epochs.clone().unwrap_or_default();
        // After a clean stop all is on disk and only the end is to be found.
        let found_end =
            if clean && !epochs_lost { log.find_end(recovery_point).ok() } else { None };
        if found_end.is_none() {
            let epochs_from = if epochs_lost { Offset::MIN } else { recovery_point };
            log.recover(&path, recovery_point, epochs_from)?;
        }

        let first = log.segments().next().map_or(0, |segment| segment.base_offset);
        // Only a raised log start lets the epochs on disk begin above the first segment. They may have
        // been written when its checkpoint was not; with the old log start they would tell a follower
        // that records of the dropped epochs belong to this history. (Epochs that recovery has found
        // in the batches say nothing of the kind: it looks above the recovery point only.)
        let stored_first = stored_epochs.as_ref().and_then(|stored| stored.entries().first());
        let first_known = stored_first.filter(|first| log.epochs.entries().first() == Some(*first));
        let first_known = first_known.map_or(0, |(_, start)| *start);
        let log_start = stored_start.max(first).max(first_known);
        log.shared.log_start.store(log_start.min(log.log_end), Ordering::Release);
        if log_start > log.log_end {
            // Records were deleted up to an offset that the log has lost since.
            log.truncate_fully_and_start_at(log_start)?;
        }
        log.drop_snapshots_above(log.log_end)?;
        log.epochs.truncate_from_start(log_start);
        if stored_epochs.is_none_or(|stored| stored != log.epochs) {
            log.epochs_changed.bump();
        }
        let high_watermark = high_watermark.clamp(log.log_start(), log.log_end);
        log.shared.high_watermark.store(high_watermark, Ordering::Release);
        let cleaned = cleaned.min(log.log_end);
        log.shared.cleaned.store(cleaned, Ordering::Release);
        log.shared.recovery_point.store(log.flushed, Ordering::Release);
        // Loaded logs hold no more than they need: most of them are idle.
        log.retire_files();
        log.indexes = (log.active.size == 0).then(|| Indexes::new(log.log_end));
        Ok(())
    }

    fn take_segments(
        &mut self,
        path: &Path,
        found: &[(Offset, u64)],
        recovery_point: Offset,
    ) -> Result<(), LogError> {
        for (base, size) in found {
            let size = u32::try_from(*size).map_err(|_| LogError::Damaged {
                path: files::offset_file(path, *base, LOG),
                position: *size,
                what: "the file is larger than a segment can be".to_owned(),
            })?;
            self.closed.push(Segment::new(*base, size));
        }
        match self.closed.pop() {
            Some(last) => self.active = last,
            // The directory of an interrupted creation.
            None if recovery_point == 0 => self.create_segment_file(0)?,
            None => {
                return Err(LogError::Damaged {
                    path: path.to_owned(),
                    position: 0,
                    what: format!("no segment, although offset {recovery_point} was reached"),
                });
            }
        }
        self.log_end = self.active.base_offset;
        Ok(())
    }

    /// The leader epochs on disk; empty if there is no file, `None` if it makes no sense.
    fn read_epochs(&self, path: &Path) -> Result<Option<LeaderEpochs>, LogError> {
        let path = path.join(LEADER_EPOCH_CHECKPOINT);
        let bytes =
            files::read_if_there(&path).map_err(|error| LogError::io("read", &path, error))?;
        match bytes {
            Some(bytes) => Ok(LeaderEpochs::parse(&String::from_utf8_lossy(&bytes))),
            None => Ok(Some(LeaderEpochs::default())),
        }
    }

    /// Finds the log end by the active segment's indexes. It must be where the clean stop left it.
    fn find_end(&mut self, recovery_point: Offset) -> Result<(), LogError> {
        let file = self.log_file(self.closed.len())?;
        let interval = self.config.index_interval_bytes;
        let indexes = Indexes::load(&self.path(), &self.active, Arc::clone(&file), interval)
            .map_err(|error| error.damage(&file))?;
        if indexes.end != recovery_point {
            return Err(self.lost(&file.path, indexes.end, recovery_point));
        }
        (self.log_end, self.flushed) = (indexes.end, indexes.end);
        Ok(())
    }

    fn lost(&self, path: &Path, end: Offset, recovery_point: Offset) -> LogError {
        LogError::Damaged {
            path: path.to_owned(),
            position: self.active.size.into(),
            what: format!("the log ends at offset {end}, although {recovery_point} was on disk"),
        }
    }

    /// Checks what lies above the recovery point and cuts the log at the first batch that is not
    /// whole; rebuilds the indexes of the segments concerned; learns the leader epochs of all batches
    /// from `epochs_from` on.
    fn recover(
        &mut self,
        path: &Path,
        recovery_point: Offset,
        epochs_from: Offset,
    ) -> Result<(), LogError> {
        self.epochs.truncate_from_end(epochs_from.max(0));
        let mut epochs: Vec<(LeaderEpoch, Offset)> = Vec::new();
        let mut number = 0;
        while number <= self.closed.len() {
            let is_last = number == self.closed.len();
            // A segment that ends at the recovery point itself may lack its index on disk.
            let next_base = self.segment_end(number);
            if !is_last && next_base < recovery_point && next_base < epochs_from {
                number += 1;
                continue;
            }
            let outcome =
                self.scan_segment(path, number, recovery_point, epochs_from, &mut epochs)?;
            let is_short = !is_last && outcome.end != next_base;
            if outcome.cut.is_some() || is_short {
                if outcome.end < recovery_point {
                    let file = self.log_file(number)?;
                    let (position, what) = outcome.cut.unwrap_or_else(|| {
                        (0, format!("it ends at offset {}, not at {next_base}", outcome.end))
                    });
                    let path = file.path.clone();
                    return Err(LogError::Damaged { path, position: position.into(), what });
                }
                self.cut(path, number, outcome.cut)?;
            }
            self.log_end = outcome.end;
            number += 1;
        }
        if self.log_end < recovery_point {
            let file = self.log_file(self.closed.len())?;
            return Err(self.lost(&file.path, self.log_end, recovery_point));
        }
        for (epoch, start) in epochs {
            self.epochs.assign(epoch, start);
        }
        // What was checked, and the names of its files, may be in the page cache only.
        self.flushed = recovery_point.min(self.log_end);
        if self.flushed < self.log_end || self.closed.iter().any(|segment| segment.dirty) {
            self.names_changed.bump();
        }
        Ok(())
    }

    /// Walks one segment: checksums from the recovery point on, epochs, new index files.
    fn scan_segment(
        &mut self,
        path: &Path,
        number: usize,
        recovery_point: Offset,
        epochs_from: Offset,
        epochs: &mut Vec<(LeaderEpoch, Offset)>,
    ) -> Result<Outcome, LogError> {
        let file = self.log_file(number)?;
        let is_last = number == self.closed.len();
        let interval = self.config.index_interval_bytes;
        let segment = self.closed.get_mut(number).unwrap_or(&mut self.active);
        let base = segment.base_offset;
        let mut indexes = Indexes::new(base);
        let mut scanner = Scanner::new(Arc::clone(&file), 0, segment.size, base);
        let cut = loop {
            let next = scanner.next().and_then(|found| {
                if let Some(found) =
                    found.filter(|found| found.header.next_offset() > recovery_point)
                {
                    scanner.check_crc(&found)?;
                }
                Ok(found)
            });
            match next {
                Ok(Some(found)) if found.header.base_offset < indexes.end => {
                    let what =
                        format!("offset {} follows {}", found.header.base_offset, indexes.end);
                    break Some((found.position, what));
                }
                Ok(Some(found)) => {
                    let epoch = found.header.partition_leader_epoch;
                    let is_new = epochs.last().is_none_or(|last| last.0 < epoch);
                    if is_new && found.header.next_offset() > epochs_from {
                        let is_first = number == 0 && indexes.end == base;
                        epochs
                            .push((epoch, if is_first { base } else { found.header.base_offset }));
                    }
                    indexes.add(base, &found.header, interval);
                }
                Ok(None) => break None,
                Err(ScanError::Broken { position, what }) => break Some((position, what)),
                Err(error @ ScanError::Io(_)) => return Err(error.damage(&file)),
            }
        };
        let end = indexes.end;
        if !is_last {
            indexes.push_time(base);
            segment.dirty = true;
            segment.max_timestamp = Some(indexes.max_timestamp.map_or(-1, |max| max.0));
        }
        if end >= recovery_point {
            // The few entries of a young active segment are sooner found again than written; what the
            // files say now is not to be trusted.
            let written = if is_last && !indexes.is_due() {
                [INDEX, TIME_INDEX].into_iter().try_for_each(|extension| {
                    files::remove_if_there(&segment.path(path, extension))
                })
            } else {
                indexes.persist(path, segment, !is_last)
            };
            written.map_err(|error| self.dir.fail(path, &error))?;
        }
        Ok(Outcome { end, cut })
    }

    /// Cuts the log inside a segment, which becomes the active one; those behind it go.
    fn cut(
        &mut self,
        path: &Path,
        number: usize,
        at: Option<(u32, String)>,
    ) -> Result<(), LogError> {
        let size = match &at {
            Some((position, _)) => *position,
            None => self.closed.get(number).unwrap_or(&self.active).size,
        };
        let what = at.map_or_else(|| "the next segment does not continue it".to_owned(), |at| at.1);
        tracing::warn!(
            partition = %self.partition, segment = number, size, segments = self.closed.len() + 1,
            "cutting the log above its recovery point: {what}"
        );
        self.remove_segments_behind(path, number)?;
        self.shorten_active(size)
    }
}

/// How a segment was found.
struct Outcome {
    /// The offset behind its last whole batch.
    end: Offset,
    /// The first position that holds no whole batch, and why.
    cut: Option<(u32, String)>,
}

/// Lists a partition's directory; removes what unfinished work left behind.
fn list(path: &Path) -> Result<Listing, LogError> {
    let unlisted = |error| LogError::io("list", path, error);
    let mut listing = Listing::default();
    let mut others: Vec<(Offset, PathBuf)> = Vec::new();
    for entry in fs::read_dir(path).map_err(unlisted)? {
        let entry = entry.map_err(unlisted)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if extension.is_some_and(|extension| extension == DELETED || extension == TEMP) {
            files::remove_if_there(&entry.path())
                .map_err(|error| LogError::io("remove", &entry.path(), error))?;
            continue;
        }
        match files::parse_offset_file(name) {
            Some((base, LOG)) => {
                let size = entry.metadata().map_err(unlisted)?.len();
                listing.segments.push((base, size));
            }
            Some((offset, SNAPSHOT)) => listing.snapshots.push(offset),
            Some((base, INDEX | TIME_INDEX)) => others.push((base, entry.path())),
            _ => {}
        }
    }
    listing.segments.sort_unstable();
    listing.snapshots.sort_unstable();
    let bases: BTreeSet<Offset> = listing.segments.iter().map(|segment| segment.0).collect();
    for (_, orphan) in others.into_iter().filter(|(base, _)| !bases.contains(base)) {
        files::remove_if_there(&orphan).map_err(|error| LogError::io("remove", &orphan, error))?;
    }
    Ok(listing)
}
