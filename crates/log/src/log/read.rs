//! Reading: planned under the lock, carried out outside.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ottla_protocol::ids::Offset;
use ottla_protocol::record::{BatchHeader, batches, check_crc};

use super::Log;
use super::scan::Scanner;
use crate::LogError;
use crate::dir::SharedOffsets;
use crate::files;
use crate::handles::OpenFile;
use crate::index;

/// Bytes read beyond what was asked for, since the index leads only near the batch.
const LEAD_IN: usize = 8 * 1024;

/// A read, ready to be carried out without the partition's lock.
#[derive(Debug)]
pub struct ReadPlan {
    /// None if there is nothing to read.
    file: Option<Arc<OpenFile>>,
    shared: Arc<SharedOffsets>,
    truncations: u64,
    /// Of a batch at or before the one that holds `offset`.
    position: u32,
    end: u32,
    offset: Offset,
    upto: Offset,
    max_bytes: usize,
    at_least_one: bool,
}

impl ReadPlan {
    /// Nothing is to be read: the offset is at the bound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.file.is_none()
    }

    /// An upper bound for the bytes that [`ReadPlan::read`] returns, but for a first batch that is
    /// larger than the bytes asked for.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.max_bytes.min((self.end - self.position) as usize)
    }

    /// Reads whole batches, whose CRCs have been checked. Blocking; takes no lock.
    /// [`LogError::Overtaken`] asks for a new plan.
    pub fn read(self) -> Result<Bytes, LogError> {
        let Some(file) = &self.file else { return Ok(Bytes::new()) };
        let result = self.read_from(file);
        // A truncation in the meantime may have replaced any of these bytes.
        if self.shared.truncations.load(Ordering::Acquire) != self.truncations {
            return Err(LogError::Overtaken);
        }
        result
    }

    fn read_from(&self, file: &OpenFile) -> Result<Bytes, LogError> {
        let mut position = self.position;
        while position < self.end {
            let want = self.max_bytes.saturating_add(LEAD_IN).min((self.end - position) as usize);
            let bytes = read(file, position, want)?;
            let mut at = 0;
            // Batches before the one that holds the offset are stepped over by their headers.
            while let Some(head) = bytes.get(at..).filter(|head| head.len() >= HEADER) {
                let header = BatchHeader::parse(head)
                    .map_err(|error| damaged(file, position + at as u32, error.to_string()))?;
                if header.next_offset() > self.offset {
                    return self.collect(file, position, bytes, at, &header);
                }
                at += header.size_in_bytes();
            }
            if at == 0 {
                return Err(damaged(file, position, "the file ends inside a batch".to_owned()));
            }
            position = position.saturating_add(at as u32);
        }
        Err(damaged(file, self.end, format!("offset {} is not there", self.offset)))
    }

    /// The batches from the one at `at` on, as many as fit.
    fn collect(
        &self,
        file: &OpenFile,
        position: u32,
        bytes: Vec<u8>,
        at: usize,
        first: &BatchHeader,
    ) -> Result<Bytes, LogError> {
        let size = first.size_in_bytes();
        let too_large = size > self.max_bytes && !self.at_least_one;
        if too_large || first.last_offset() >= self.upto {
            return Ok(Bytes::new());
        }
        let start = position + at as u32;
        if size > (self.end - start) as usize {
            return Err(damaged(file, start, format!("the file ends inside {first:?}")));
        }
        let (bytes, at) =
            if bytes.len() - at < size { (read(file, start, size)?, 0) } else { (bytes, at) };
        let rest = bytes.get(at..).unwrap_or_default();
        let mut len = 0;
        let mut next_offset = first.base_offset;
        for batch in batches(rest) {
            // The last one may be cut by the length that was read.
            let Ok(batch) = batch else { break };
            let end = len + batch.bytes.len();
            if len > 0 && (end > self.max_bytes || batch.header.last_offset() >= self.upto) {
                break;
            }
            check_crc(batch.bytes)
                .map_err(|error| damaged(file, start + len as u32, error.to_string()))?;
            if batch.header.base_offset < next_offset {
                let what = format!("offset {} behind {next_offset}", batch.header.base_offset);
                return Err(damaged(file, start + len as u32, what));
            }
            next_offset = batch.header.next_offset();
            len = end;
        }
        if len == 0 {
            return Err(damaged(file, start, "the file ends inside a batch".to_owned()));
        }
        Ok(Bytes::from(bytes).slice(at..at + len))
    }
}

const HEADER: usize = ottla_protocol::record::BATCH_HEADER_LEN;

fn read(file: &OpenFile, position: u32, len: usize) -> Result<Vec<u8>, LogError> {
    files::read_at(&file.file, position.into(), len)
        .map_err(|error| LogError::io("read", &file.path, error))
}

fn damaged(file: &OpenFile, position: u32, what: String) -> LogError {
    LogError::Damaged { path: file.path.clone(), position: position.into(), what }
}

/// A walk over the headers of a log, to rebuild what is derived from them. Takes no lock.
#[derive(Debug)]
pub struct HeaderScan {
    scanners: std::vec::IntoIter<Scanner>,
    current: Option<Scanner>,
    from: Offset,
}

impl Iterator for HeaderScan {
    type Item = Result<BatchHeader, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let scanner = match &mut self.current {
                Some(scanner) => scanner,
                None => self.current.insert(self.scanners.next()?),
            };
            match scanner.next() {
                Ok(Some(found)) if found.header.next_offset() <= self.from => {}
                Ok(Some(found)) => return Some(Ok(found.header)),
                Ok(None) => self.current = None,
                Err(error) => {
                    let error = error.damage(&scanner.file);
                    (self.current, self.scanners) = (None, Vec::new().into_iter());
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Log {
    /// Plans a read from the batch that holds `offset`, or the next one where compaction has left none, of at most `max_bytes` in whole batches (but of
    /// one batch, however large, if `at_least_one`: KIP-74), below `upto` and within one segment.
    /// [`LogError::OffsetOutOfRange`] outside log start and log end.
    pub fn plan_read(
        &mut self,
        offset: Offset,
        max_bytes: usize,
        upto: Offset,
        at_least_one: bool,
    ) -> Result<ReadPlan, LogError> {
        self.dir.usable()?;
        let (log_start, log_end) = (self.log_start(), self.log_end);
        if offset < log_start || offset > log_end {
            return Err(LogError::OffsetOutOfRange { requested: offset, log_start, log_end });
        }
        let upto = upto.min(log_end);
        let mut plan = ReadPlan {
            file: None,
            shared: Arc::clone(&self.shared),
            truncations: self.shared.truncations.load(Ordering::Acquire),
            position: 0,
            end: 0,
            offset,
            upto,
            max_bytes,
            at_least_one,
        };
        if offset >= upto || max_bytes == 0 && !at_least_one {
            return Ok(plan);
        }
        let number = self.segment_number(offset);
        plan.position = self.position_before(number, offset)?;
        plan.end = self.position_bound(number, upto)?.max(plan.position);
        plan.file = Some(self.log_file(number)?);
        Ok(plan)
    }

    /// The headers of the batches from the one that holds `offset` to the log end, without their
    /// records: to rebuild what is derived from them. Planned under the lock, walked outside.
    pub fn headers_from(&mut self, offset: Offset) -> Result<HeaderScan, LogError> {
        self.dir.usable()?;
        let from = offset.max(self.log_start());
        let mut scanners = Vec::new();
        if from < self.log_end {
            let first = self.segment_number(from);
            for number in first..=self.closed.len() {
                let position =
                    if number == first { self.position_before(number, from)? } else { 0 };
                let file = self.log_file(number)?;
                let segment = self.closed.get(number).unwrap_or(&self.active);
                scanners.push(Scanner::new(file, position, segment.size, segment.base_offset));
            }
        }
        Ok(HeaderScan { scanners: scanners.into_iter(), current: None, from })
    }

    /// The position of a batch of the segment at or before the one that holds `offset`.
    pub(super) fn position_before(
        &mut self,
        number: usize,
        offset: Offset,
    ) -> Result<u32, LogError> {
        let found = if number < self.closed.len() {
            let base = self.closed[number].base_offset;
            let (offsets, _) = self.stored_indexes(number)?;
            index::position_before(&offsets, base, offset)
        } else {
            let base = self.active.base_offset;
            index::position_before(&self.indexes()?.offsets, base, offset)
        };
        found.map_err(|error| LogError::io("search an index in", &self.path(), error))
    }

    /// A position in the segment at or behind all batches below `upto`.
    fn position_bound(&mut self, number: usize, upto: Offset) -> Result<u32, LogError> {
        let is_closed = number < self.closed.len();
        let size = self.closed.get(number).unwrap_or(&self.active).size;
        if upto >= self.segment_end(number) {
            return Ok(size);
        }
        let found = if is_closed {
            let base = self.closed[number].base_offset;
            let (offsets, _) = self.stored_indexes(number)?;
            index::position_bound(&offsets, base, upto)
        } else {
            let base = self.active.base_offset;
            index::position_bound(&self.indexes()?.offsets, base, upto)
        };
        let found =
            found.map_err(|error| LogError::io("search an index in", &self.path(), error))?;
        Ok(found.unwrap_or(size))
    }
}
