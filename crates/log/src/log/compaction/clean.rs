//! A cleaning, carried out without the partition's lock: first the latest offset of each key of the dirty
//! part, then new segments in place of the old, one group at a time.

use std::collections::{HashSet, VecDeque};
use std::fs::{File, FileTimes};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use ottla_protocol::ids::{Offset, TimestampMs};
use ottla_protocol::record::{BatchHeader, DecodeLimits, check_crc, decode_batch};
use rustix::fs::{AtFlags, OFlags};

use super::filter::{Filter, Kept};
use super::map::OffsetMap;
use super::source::{Source, Sources};
use super::transactions::Transactions;
use super::{CLEANED, Compaction};
use crate::files::{INDEX, LOG, TIME_INDEX};
use crate::log::scan::Scanner;
use crate::log::segment::Indexes;
use crate::{LogConfig, LogError};

/// What a cleaning may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleaningLimits {
    /// Memory for the keys, in bytes; what it cannot hold is left to the next cleaning.
    pub dedupe_buffer_bytes: usize,
    /// How full that memory may get, 0 to 1.
    pub load_factor: f64,
    /// Bytes that are written at a time.
    pub io_buffer_bytes: usize,
}

/// Told of bytes read or written; may sleep, and says whether to go on.
pub type Pace<'a> = dyn FnMut(usize) -> bool + 'a;

/// A cleaning, planned under the lock by [`Log::plan_cleaning`](crate::Log::plan_cleaning).
#[derive(Debug)]
pub struct CleaningPlan {
    pub(super) files: Sources,
    pub(super) config: LogConfig,
    pub(super) compaction: Compaction,
    pub(super) now_ms: TimestampMs,
    /// All closed segments up to the end of what may be cleaned.
    pub(super) sources: Vec<Source>,
    pub(super) first_dirty: Offset,
    pub(super) remembered: HashSet<Offset>,
}

/// A cleaning that knows the latest offset of each key, and what it has come to so far.
#[derive(Debug)]
pub struct Cleaning {
    files: Sources,
    config: LogConfig,
    io_buffer_bytes: usize,
    filter: Filter,
    sources: Vec<Source>,
    groups: VecDeque<Vec<Source>>,
    read_bytes: u64,
    written_bytes: u64,
}

/// A segment that is to stand in place of some others; its files are on disk under names of their own.
#[derive(Debug)]
pub struct CleanedSegment {
    pub(super) files: Arc<File>,
    pub(super) truncations: u64,
    pub(super) sources: Vec<Source>,
    pub(super) size: u32,
    pub(super) max_timestamp: TimestampMs,
}

impl CleaningPlan {
    /// Reads the dirty part and notes the latest offset of each key, as far as memory goes. Blocking.
    /// [`LogError::Overtaken`]: the log has changed, or `pace` said stop.
    pub fn index(self, limits: &CleaningLimits, pace: &mut Pace<'_>) -> Result<Cleaning, LogError> {
        let Self { files, config, compaction, now_ms, sources, first_dirty, remembered } = self;
        let end = sources.last().map_or(first_dirty, |last| last.end);
        let map = OffsetMap::new(limits.dedupe_buffer_bytes, limits.load_factor);
        let retention_ms = compaction.delete_retention_ms;
        let mut filter = Filter::new(map, end, now_ms, retention_ms, remembered);
        for source in sources.iter().filter(|source| source.end > first_dirty) {
            let mut scanner = files.scan(source)?;
            while let Some((header, batch)) = next_batch(&mut scanner, pace)? {
                if header.is_transactional() && filter.transactions.is_none() {
                    let found = Transactions::read(&files, &sources)?;
                    filter.upto = found.open_from().unwrap_or(end).min(filter.upto);
                    filter.transactions = Some(found);
                }
                if header.base_offset >= filter.upto {
                    break;
                }
                if header.last_offset() >= first_dirty {
                    index_batch(&mut filter, &header, &batch, first_dirty);
                }
            }
            if source.end >= filter.upto {
                break;
            }
        }
        let upto = filter.upto;
        let groups = groups(&config, sources.iter().filter(|source| source.base < upto).copied());
        let io_buffer_bytes = limits.io_buffer_bytes.max(4096);
        let (read_bytes, written_bytes) = (0, 0);
        Ok(Cleaning {
            files,
            config,
            io_buffer_bytes,
            filter,
            sources,
            groups,
            read_bytes,
            written_bytes,
        })
    }
}

/// Notes the keys of a batch; when there is no room any more, the range ends at that record.
fn index_batch(filter: &mut Filter, header: &BatchHeader, batch: &Bytes, first_dirty: Offset) {
    let aborted = header.is_transactional()
        && filter.transactions.as_ref().is_some_and(|transactions| {
            transactions.is_aborted(header.producer_id, header.base_offset)
        });
    let mut records = Vec::new();
    if header.is_control()
        || aborted
        || decode_batch(batch, DecodeLimits::default(), &mut records).is_err()
    {
        return;
    }
    for record in records.iter().filter(|record| record.offset >= first_dirty) {
        if let Some(key) = &record.key
            && !filter.map.put(key, record.offset)
        {
            filter.upto = filter.upto.min(record.offset);
            return;
        }
    }
}

/// Segments that fit into one after cleaning even if nothing goes.
fn groups(config: &LogConfig, sources: impl Iterator<Item = Source>) -> VecDeque<Vec<Source>> {
    let mut groups: VecDeque<Vec<Source>> = VecDeque::new();
    let mut size = 0;
    for source in sources {
        let fits = |group: &Vec<Source>| {
            let first = group.first().map_or(source.base, |first| first.base);
            size + u64::from(source.size) <= u64::from(config.segment_bytes)
                && source.end - 1 - first <= i64::from(i32::MAX)
        };
        match groups.back_mut() {
            Some(group) if fits(group) => group.push(source),
            _ => {
                size = 0;
                groups.push_back(vec![source]);
            }
        }
        size += u64::from(source.size);
    }
    groups
}

fn next_batch(
    scanner: &mut Scanner,
    pace: &mut Pace<'_>,
) -> Result<Option<(BatchHeader, Bytes)>, LogError> {
    let damage =
        |scanner: &Scanner, error: crate::log::scan::ScanError| error.damage(&scanner.file);
    let Some(found) = scanner.next().map_err(|error| damage(scanner, error))? else {
        return Ok(None);
    };
    if !pace(found.header.size_in_bytes()) {
        return Err(LogError::Overtaken);
    }
    let batch = scanner.whole(&found).map_err(|error| damage(scanner, error))?;
    // What is damaged is not written anew as if it were sound.
    check_crc(&batch).map_err(|error| LogError::Damaged {
        path: scanner.file.path.clone(),
        position: found.position.into(),
        what: error.to_string(),
    })?;
    Ok(Some((found.header, batch)))
}

impl Cleaning {
    /// Where the log will be clean up to when all segments are swapped.
    #[must_use]
    pub fn upto(&self) -> Offset {
        self.filter.upto
    }

    /// Whether the log is still the one that the plan was made for.
    pub(super) fn is_current(&self) -> bool {
        self.files.check().is_ok()
    }

    /// How many keys the dirty part has.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.filter.map.len()
    }

    /// Bytes of the segments read so far, and of what stays of them.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.read_bytes, self.written_bytes)
    }

    /// Writes the next segment that changes, durably, under a name that recovery removes; `None` when all
    /// are done. To be swapped in before the next call: [`Log::begin_swap`](crate::Log::begin_swap).
    /// Blocking. [`LogError::Overtaken`]: the log has changed, or `pace` said stop.
    pub fn next_segment(
        &mut self,
        pace: &mut Pace<'_>,
    ) -> Result<Option<CleanedSegment>, LogError> {
        while let Some(group) = self.groups.pop_front() {
            let mut output = Output::new(&self.files, &self.config, &group)?;
            let written = self.write(&group, &mut output, pace);
            let changed = written.and_then(|changed| {
                if changed {
                    output.finish(&self.files, &group)?;
                }
                Ok(changed)
            });
            match changed {
                Ok(true) => return output.into_segment(&self.files, group).map(Some),
                Ok(false) => output.discard(&self.files),
                Err(error) => {
                    output.discard(&self.files);
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// Whether anything is different.
    fn write(
        &mut self,
        group: &[Source],
        output: &mut Output,
        pace: &mut Pace<'_>,
    ) -> Result<bool, LogError> {
        let mut changed = group.len() > 1;
        let end = group.last().map_or(0, |last| last.end);
        for source in group {
            let mut scanner = self.files.scan(source)?;
            while let Some((header, batch)) = next_batch(&mut scanner, pace)? {
                if header.is_transactional() && self.filter.transactions.is_none() {
                    // A mark stands behind what it marks: what is swapped already need not be read.
                    let rest =
                        self.sources.partition_point(|source| source.end <= header.base_offset);
                    let rest = self.sources.get(rest..).unwrap_or_default();
                    self.filter.transactions = Some(Transactions::read(&self.files, rest)?);
                }
                let ends_segment = header.next_offset() >= end;
                let kept = match self.filter.filter(&header, &batch, ends_segment) {
                    Kept::Whole => batch,
                    Kept::Part(part) => {
                        changed = true;
                        part
                    }
                    Kept::Nothing => {
                        changed = true;
                        continue;
                    }
                };
                if !pace(kept.len()) {
                    return Err(LogError::Overtaken);
                }
                output.append(&kept, self.io_buffer_bytes)?;
            }
            self.read_bytes += u64::from(source.size);
        }
        self.written_bytes += u64::from(output.size);
        Ok(changed && output.size > 0)
    }
}

/// The files of a segment in the making.
struct Output {
    base: Offset,
    interval: u32,
    log: Arc<crate::handles::OpenFile>,
    buffer: Vec<u8>,
    /// Bytes in the file and the buffer.
    size: u32,
    indexes: Indexes,
}

fn cleaned(base: Offset, extension: &str) -> String {
    format!("{}.{CLEANED}", Sources::name(base, extension))
}

const CREATE: OFlags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::TRUNC);

impl Output {
    fn new(files: &Sources, config: &LogConfig, group: &[Source]) -> Result<Self, LogError> {
        let base = group.first().map_or(0, |first| first.base);
        let log = files.open(&cleaned(base, LOG), CREATE)?;
        let (buffer, indexes) = (Vec::new(), Indexes::new(base));
        Ok(Self { base, interval: config.index_interval_bytes, log, buffer, size: 0, indexes })
    }

    fn append(&mut self, batch: &Bytes, buffer_bytes: usize) -> Result<(), LogError> {
        let size = u32::try_from(batch.len()).ok().and_then(|len| self.size.checked_add(len));
        let too_large =
            || LogError::io("write", &self.log.path, std::io::ErrorKind::FileTooLarge.into());
        self.size = size.filter(|size| *size <= i32::MAX as u32).ok_or_else(too_large)?;
        if let Ok(header) = BatchHeader::parse(batch) {
            self.indexes.add(self.base, &header, self.interval);
        }
        self.buffer.extend_from_slice(batch);
        if self.buffer.len() >= buffer_bytes { self.flush_buffer() } else { Ok(()) }
    }

    fn flush_buffer(&mut self) -> Result<(), LogError> {
        let at = u64::from(self.size) - self.buffer.len() as u64;
        let written = self.log.file.write_all_at(&self.buffer, at);
        self.buffer.clear();
        written.map_err(|error| LogError::io("write", &self.log.path, error))
    }

    /// The rest of the batches and the indexes, durably, as old as the youngest source.
    fn finish(&mut self, files: &Sources, group: &[Source]) -> Result<(), LogError> {
        self.flush_buffer()?;
        self.indexes.push_time(self.base);
        let modified = group.last().and_then(|last| files.modified(last));
        let modified = modified.unwrap_or_else(SystemTime::now);
        let dated = self.log.file.set_times(FileTimes::new().set_modified(modified));
        let synced = dated.and_then(|()| self.log.file.sync_all());
        synced.map_err(|error| LogError::io("write", &self.log.path, error))?;
        for (extension, bytes) in
            [(INDEX, &self.indexes.offsets.bytes), (TIME_INDEX, &self.indexes.times.bytes)]
        {
            let index = files.open(&cleaned(self.base, extension), CREATE)?;
            let written = index.file.write_all_at(bytes, 0).and_then(|()| index.file.sync_all());
            written.map_err(|error| LogError::io("write", &index.path, error))?;
        }
        Ok(())
    }

    fn into_segment(
        self,
        files: &Sources,
        sources: Vec<Source>,
    ) -> Result<CleanedSegment, LogError> {
        let dir = files.dir.try_clone();
        Ok(CleanedSegment {
            files: Arc::new(dir.map_err(|error| LogError::io("open", &files.path, error))?),
            truncations: files.truncations,
            sources,
            size: self.size,
            max_timestamp: self.indexes.max_timestamp.map_or(-1, |max| max.0),
        })
    }

    fn discard(&self, files: &Sources) {
        for extension in [LOG, INDEX, TIME_INDEX] {
            // Recovery removes what cannot be removed now.
            let _ =
                rustix::fs::unlinkat(&files.dir, cleaned(self.base, extension), AtFlags::empty());
        }
    }
}
