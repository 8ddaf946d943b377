//! One segment: its files, and the indexes of the active one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::ids::{Offset, TimestampMs};
use ottla_protocol::record::BatchHeader;

use super::scan::{ScanError, Scanner};
use crate::files::{self, INDEX, LOG, TIME_INDEX};
use crate::handles::{FileCache, OpenFile, Slot};
use crate::index::{self, Memory, OFFSET_ENTRY, Stored, TIME_ENTRY};

/// Index bytes that wait in memory before they are appended to the file.
const INDEX_PENDING: usize = 4096;

/// A segment's place on disk. Which directory it is in, its log knows.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: Offset,
    /// Bytes of whole batches in the file.
    pub(crate) size: u32,
    /// Not all of it is known to be on disk. Only of use for closed segments: whether the active one
    /// is, the recovery point says.
    pub(crate) dirty: bool,
    /// The greatest timestamp of a closed segment, once it was asked for.
    pub(crate) max_timestamp: Option<TimestampMs>,
    log: Slot,
    offset_index: Slot,
    time_index: Slot,
}

impl Segment {
    pub(crate) fn new(base_offset: Offset, size: u32) -> Self {
        let (log, offset_index, time_index) = (Slot::new(), Slot::new(), Slot::new());
        Self { base_offset, size, dirty: false, max_timestamp: None, log, offset_index, time_index }
    }

    pub(crate) fn path(&self, dir: &Path, extension: &str) -> PathBuf {
        files::offset_file(dir, self.base_offset, extension)
    }

    /// The batches' file.
    pub(crate) fn log_file(
        &mut self,
        cache: &FileCache,
        dir: impl FnOnce() -> PathBuf,
    ) -> io::Result<Arc<OpenFile>> {
        let base = self.base_offset;
        cache.get(&mut self.log, false, || files::offset_file(&dir(), base, LOG))
    }

    /// The offset index of a closed segment, in its file.
    pub(crate) fn stored_offsets(
        &mut self,
        cache: &FileCache,
        dir: &Path,
    ) -> io::Result<Stored<OFFSET_ENTRY>> {
        let path = self.path(dir, INDEX);
        let file = cache.get(&mut self.offset_index, false, || path)?;
        Ok(Stored { count: stored_count::<OFFSET_ENTRY>(&file)?, file })
    }

    /// The time index of a closed segment, in its file.
    pub(crate) fn stored_times(
        &mut self,
        cache: &FileCache,
        dir: &Path,
    ) -> io::Result<Stored<TIME_ENTRY>> {
        let path = self.path(dir, TIME_INDEX);
        let file = cache.get(&mut self.time_index, false, || path)?;
        Ok(Stored { count: stored_count::<TIME_ENTRY>(&file)?, file })
    }

    /// Lets go of the open files.
    pub(crate) fn retire(&self) {
        for slot in [&self.log, &self.offset_index, &self.time_index] {
            FileCache::retire(slot);
        }
    }
}

fn stored_count<const N: usize>(file: &OpenFile) -> io::Result<usize> {
    Ok(file.file.metadata()?.len() as usize / N)
}

/// The indexes of the active segment, and what else is known about it from its batches.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    pub(crate) offsets: Memory<OFFSET_ENTRY>,
    pub(crate) times: Memory<TIME_ENTRY>,
    bytes_since_entry: u32,
    /// The greatest timestamp and its batch's last offset.
    pub(crate) max_timestamp: Option<(TimestampMs, Offset)>,
    /// The timestamp by which `segment.ms` is measured.
    pub(crate) first_timestamp: Option<TimestampMs>,
    /// The offset behind the last batch.
    pub(crate) end: Offset,
    /// Position behind the last batch.
    position: u32,
}

impl Indexes {
    /// Of an empty segment.
    pub(crate) fn new(base: Offset) -> Self {
        Self { end: base, ..Self::default() }
    }

    /// Reads the index files of a segment and walks the batches behind their last entry. Files that
    /// are missing or make no sense are replaced by a walk through the whole segment.
    pub(crate) fn load(
        dir: &Path,
        segment: &Segment,
        file: Arc<OpenFile>,
        interval: u32,
    ) -> Result<Self, ScanError> {
        let base = segment.base_offset;
        let mut indexes = Self::new(base);
        if segment.size == 0 {
            return Ok(indexes);
        }
        indexes.first_timestamp = Self::read_first_timestamp(&file)?;
        let stored = Self::read_sound(dir, segment, segment.size).map_err(ScanError::Io)?;
        if let Some((offsets, times)) = stored {
            (indexes.offsets, indexes.times) = (offsets, times);
            let last = index::last_offset(&indexes.offsets, base).map_err(ScanError::Io)?;
            let time = index::last_time(&indexes.times, base).map_err(ScanError::Io)?;
            if let Some((offset, position)) = last {
                // The entry must point at the batch that it names, or the index is not this log's.
                let mut probe = Scanner::new(Arc::clone(&file), position, segment.size, base);
                let matches =
                    matches!(probe.next(), Ok(Some(found)) if found.header.last_offset() == offset);
                if matches {
                    (indexes.position, indexes.max_timestamp) = (position, time);
                } else {
                    (indexes.offsets, indexes.times) = Default::default();
                }
            } else {
                indexes.times = Memory::default();
            }
        }
        let mut scanner = Scanner::new(file, indexes.position, segment.size, base);
        while let Some(found) = scanner.next()? {
            indexes.add(base, &found.header, interval);
        }
        Ok(indexes)
    }

    fn read_first_timestamp(file: &Arc<OpenFile>) -> Result<Option<TimestampMs>, ScanError> {
        let head = files::read_at(&file.file, 0, ottla_protocol::record::BATCH_HEADER_LEN);
        let header = BatchHeader::parse(&head.map_err(ScanError::Io)?);
        Ok(header.ok().map(|header| header.max_timestamp).filter(|timestamp| *timestamp >= 0))
    }

    /// The index files' entries, if both are there and make sense for a segment of `size` bytes.
    pub(crate) fn read_sound(
        dir: &Path,
        segment: &Segment,
        size: u32,
    ) -> io::Result<Option<(Memory<OFFSET_ENTRY>, Memory<TIME_ENTRY>)>> {
        let offsets = files::read_if_there(&segment.path(dir, INDEX))?;
        let times = files::read_if_there(&segment.path(dir, TIME_INDEX))?;
        let (Some(offsets), Some(times)) = (offsets, times) else { return Ok(None) };
        let offsets = Memory::<OFFSET_ENTRY> { persisted: offsets.len(), bytes: offsets };
        let times = Memory::<TIME_ENTRY> { persisted: times.len(), bytes: times };
        let sound = offsets.is_sound(size) && times.is_sound();
        Ok(sound.then_some((offsets, times)))
    }

    /// Takes in the next batch of the segment.
    pub(crate) fn add(&mut self, base: Offset, header: &BatchHeader, interval: u32) {
        let (timestamp, last_offset) = (header.max_timestamp, header.last_offset());
        if self.position == 0 && timestamp >= 0 {
            self.first_timestamp = Some(timestamp);
        }
        if self.max_timestamp.is_none_or(|max| timestamp > max.0) && timestamp >= 0 {
            self.max_timestamp = Some((timestamp, last_offset));
        }
        if self.bytes_since_entry > interval {
            self.offsets.push(base, last_offset, self.position);
            self.push_time(base);
            self.bytes_since_entry = 0;
        }
        let size = header.size_in_bytes() as u32;
        self.bytes_since_entry = self.bytes_since_entry.saturating_add(size);
        self.position += size;
        self.end = header.next_offset();
    }

    /// Enters the greatest timestamp so far into the time index.
    pub(crate) fn push_time(&mut self, base: Offset) {
        if let Some((timestamp, offset)) = self.max_timestamp {
            self.times.push(base, timestamp, offset);
        }
    }

    /// Whether either index has reached the size at which the segment is rolled.
    pub(crate) fn is_full(&self, max_bytes: u32) -> bool {
        let max_bytes = max_bytes as usize;
        self.offsets.bytes.len() + OFFSET_ENTRY > max_bytes
            || self.times.bytes.len() + TIME_ENTRY > max_bytes
    }

    /// Whether enough has gathered in memory to be appended to the files.
    pub(crate) fn is_due(&self) -> bool {
        self.offsets.pending() + self.times.pending() >= INDEX_PENDING
    }

    /// Appends to the files what they lack; afterwards they hold exactly what is in memory. Those of a
    /// closed segment are always there, those of an active one only once they have an entry.
    pub(crate) fn persist(
        &mut self,
        dir: &Path,
        segment: &Segment,
        is_closed: bool,
    ) -> io::Result<()> {
        persist(&mut self.offsets, &segment.path(dir, INDEX), is_closed)?;
        persist(&mut self.times, &segment.path(dir, TIME_INDEX), is_closed)
    }
}

fn persist<const N: usize>(
    entries: &mut Memory<N>,
    path: &Path,
    is_closed: bool,
) -> io::Result<()> {
    let create = is_closed || !entries.bytes.is_empty();
    let file = match File::options().write(true).create(create).truncate(false).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !create => return Ok(()),
        opened => opened?,
    };
    let from = entries.persisted;
    // First away with what does not belong there: a torn write, or entries of before a truncation.
    if file.metadata()?.len() != from as u64 {
        file.set_len(from as u64)?;
    }
    file.write_all_at(entries.bytes.get(from..).unwrap_or_default(), from as u64)?;
    entries.persisted = entries.bytes.len();
    Ok(())
}
