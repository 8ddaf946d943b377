//! One partition's log: segments, leader epochs, offsets.
//!
//! Invariants: `log start ≤ log end`; the segments' base offsets rise, and each closed segment ends
//! where the next begins (its last batch does, records or none: offsets may be missing between and inside
//! batches, where compaction has been, but not there); what lies below the recovery point is on disk, index files of closed segments
//! and their names included.

mod append;
mod compaction;
mod epochs;
mod flush;
mod future;
mod open;
mod producer_snapshot;
mod read;
mod retention;
mod scan;
mod segment;
#[cfg(test)]
mod tests;
mod timestamp;
mod truncate;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_protocol::ids::{LeaderEpoch, Offset, TopicId, TopicPartition};

pub use append::AppendInfo;
pub use compaction::{Cleanable, CleanedSegment, Cleaning, CleaningLimits, CleaningPlan, Pace};
pub use epochs::{EpochEnd, LeaderEpochs};
pub use flush::{FlushPlan, Flushed};
pub use read::{HeaderScan, ReadPlan};
pub use retention::RetiredSegment;
pub use timestamp::{TimestampOffset, TimestampSearch};

use self::segment::{Indexes, Segment};
use crate::dir::SharedOffsets;
use crate::handles::OpenFile;
use crate::index::{OFFSET_ENTRY, Stored, TIME_ENTRY};
use crate::{LogConfig, LogDir, LogError};

/// One partition's log. Files are opened when needed and closed when others need the room.
#[derive(Debug)]
pub struct Log {
    dir: Arc<LogDir>,
    partition: TopicPartition,
    topic_id: TopicId,
    /// Its directory's name while it is a copy that is to take another log's place.
    future_name: Option<Box<str>>,
    /// It has taken its place, and the name of its directory is not known to be on disk.
    renamed: bool,
    config: LogConfig,
    shared: Arc<SharedOffsets>,
    /// Below it everything is on disk: the recovery point.
    flushed: Offset,
    log_end: Offset,
    /// Closed segments, oldest first.
    closed: Vec<Segment>,
    active: Segment,
    /// Of the active segment; read when first needed.
    indexes: Option<Indexes>,
    epochs: LeaderEpochs,
    /// Changes to the leader epochs, and those of them that are on disk.
    epochs_changed: Version,
    /// Changes to the directory's names, and those of them that are on disk.
    names_changed: Version,
    /// Offsets of the producer snapshots, rising.
    snapshots: Vec<Offset>,
    /// Producer snapshots that are not known to be on disk.
    unsynced_snapshots: Vec<Arc<OpenFile>>,
    /// The base offset of a compacted segment that is on disk under the name by which recovery puts it in
    /// place.
    swapping: Option<Offset>,
}

type StoredIndexes = (Stored<OFFSET_ENTRY>, Stored<TIME_ENTRY>);

/// Counts changes of something that a flush makes durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Version {
    made: u32,
    synced: u32,
}

impl Version {
    fn bump(&mut self) {
        self.made = self.made.wrapping_add(1);
    }

    fn is_synced(self) -> bool {
        self.made == self.synced
    }
}

impl Log {
    /// The partition.
    #[must_use]
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// Its topic's id, from `partition.metadata`.
    #[must_use]
    pub fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    /// The directory that it lives in.
    #[must_use]
    pub fn dir(&self) -> &Arc<LogDir> {
        &self.dir
    }

    /// The first offset that may be read.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.shared.log_start.load(Ordering::Acquire)
    }

    /// The offset of the next record.
    #[must_use]
    pub fn log_end(&self) -> Offset {
        self.log_end
    }

    /// Everything below is on disk.
    #[must_use]
    pub fn flushed_offset(&self) -> Offset {
        self.flushed
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.segments().map(|segment| u64::from(segment.size)).sum()
    }

    /// How many segments there are, the active one included.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.closed.len() + 1
    }

    /// The high watermark of the last checkpoint, or what [`Log::set_high_watermark`] last said; at
    /// start within log start and log end.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.shared.high_watermark.load(Ordering::Acquire)
    }

    /// Notes the high watermark for the next checkpoint. One atomic store.
    pub fn set_high_watermark(&self, high_watermark: Offset) {
        self.shared.high_watermark.store(high_watermark, Ordering::Release);
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Replaces the settings.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// The leader epochs.
    #[must_use]
    pub fn epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// Begins `epoch` at the log end (on becoming leader); no effect unless it is above the latest.
    /// Written to disk with the first flush that has records.
    pub fn assign_epoch(&mut self, epoch: LeaderEpoch) {
        if self.epochs.assign(epoch, self.log_end) {
            self.epochs_changed.bump();
        }
    }

    /// Closes the log: flushes, and writes all that a clean start relies on. To be followed by
    /// [`LogDir::close_clean`].
    pub fn close(mut self) -> Result<(), LogError> {
        self.dir.usable()?;
        self.persist_indexes(false)?;
        self.flush_all()?;
        self.shared.closed.store(true, Ordering::Release);
        Ok(())
    }

    /// The partition's directory.
    pub(crate) fn path(&self) -> PathBuf {
        folder(&self.dir, &self.partition, self.future_name.as_deref())
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.closed.iter().chain([&self.active])
    }

    /// The offset behind a segment, by its number from the oldest.
    fn segment_end(&self, number: usize) -> Offset {
        match number + 1 {
            next if next < self.closed.len() => self.closed[next].base_offset,
            next if next == self.closed.len() => self.active.base_offset,
            _ => self.log_end,
        }
    }

    /// The number of the segment that holds `offset`, which is within the log or its end.
    fn segment_number(&self, offset: Offset) -> usize {
        if offset >= self.active.base_offset {
            return self.closed.len();
        }
        self.closed.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1)
    }

    /// The file with a segment's batches.
    fn log_file(&mut self, number: usize) -> Result<Arc<OpenFile>, LogError> {
        let (dir, partition, name) = (&self.dir, &self.partition, self.future_name.as_deref());
        let segment = match self.closed.get_mut(number) {
            Some(segment) => segment,
            None => &mut self.active,
        };
        let opened = segment.log_file(&dir.files, || folder(dir, partition, name));
        opened.map_err(|error| {
            let path = segment.path(&folder(dir, partition, name), crate::files::LOG);
            LogError::io("open", &path, error)
        })
    }

    /// Has the active segment's indexes in memory.
    fn indexes(&mut self) -> Result<&mut Indexes, LogError> {
        if self.indexes.is_none() {
            let file = self.log_file(self.closed.len())?;
            let interval = self.config.index_interval_bytes;
            let loaded = Indexes::load(&self.path(), &self.active, Arc::clone(&file), interval)
                .map_err(|error| error.damage(&file))?;
            if loaded.end != self.log_end {
                let what = format!("it ends at offset {}, not at {}", loaded.end, self.log_end);
                let position = self.active.size.into();
                return Err(LogError::Damaged { path: file.path.clone(), position, what });
            }
            self.indexes = Some(loaded);
        }
        Ok(self.indexes.get_or_insert_with(|| Indexes::new(self.log_end)))
    }

    /// Brings the index files up to date, if anything is missing in them.
    fn persist_indexes(&mut self, is_closed: bool) -> Result<(), LogError> {
        let path = self.path();
        let Some(indexes) = &mut self.indexes else { return Ok(()) };
        indexes
            .persist(&path, &self.active, is_closed)
            .map_err(|error| self.dir.fail(&path, &error))
    }

    /// The index files of a closed segment; written anew from its batches if they are missing.
    fn stored_indexes(&mut self, number: usize) -> Result<StoredIndexes, LogError> {
        let path = self.path();
        for attempt in 0..2 {
            let cache = &self.dir.files;
            let segment = &mut self.closed[number];
            let opened = segment
                .stored_offsets(cache, &path)
                .and_then(|offsets| Ok((offsets, segment.stored_times(cache, &path)?)));
            match opened {
                Err(error) if error.kind() == ErrorKind::NotFound && attempt == 0 => {}
                opened => return opened.map_err(|error| LogError::io("open", &path, error)),
            }
            let file = self.log_file(number)?;
            let (segment, interval) = (&mut self.closed[number], self.config.index_interval_bytes);
            let mut indexes = Indexes::load(&path, segment, Arc::clone(&file), interval)
                .map_err(|error| error.damage(&file))?;
            indexes.push_time(segment.base_offset);
            segment.dirty = true;
            let written = indexes.persist(&path, segment, true);
            written.map_err(|error| self.dir.fail(&path, &error))?;
        }
        Err(LogError::io("open", &path, ErrorKind::NotFound.into()))
    }

    /// Files that are deleted or renamed need not be kept open.
    pub(crate) fn retire_files(&self) {
        self.segments().for_each(Segment::retire);
    }

    pub(crate) fn shared(&self) -> &SharedOffsets {
        &self.shared
    }

    /// Makes the names in the partition's directory durable, here and now.
    fn sync_names(&mut self, path: &Path) -> Result<(), LogError> {
        crate::files::sync_dir(path).map_err(|error| self.dir.fail(path, &error))?;
        self.names_changed.synced = self.names_changed.made;
        Ok(())
    }
}

fn folder(dir: &LogDir, partition: &TopicPartition, future_name: Option<&str>) -> PathBuf {
    future_name.map_or_else(|| dir.partition_path(partition), |name| dir.path().join(name))
}
