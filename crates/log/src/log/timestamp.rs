//! Finding records by their timestamps.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ottla_protocol::ids::{LeaderEpoch, Offset, TimestampMs};
use ottla_protocol::record::{DecodeLimits, decode_batch};

use super::Log;
use super::scan::{Found, Scanner};
use crate::dir::SharedOffsets;
use crate::files;
use crate::index;
use crate::{LogError, handles::OpenFile};

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

/// A search for a timestamp, ready to be carried out without the partition's lock.
#[derive(Debug)]
pub struct TimestampSearch {
    /// Where to look, in this order.
    scanners: Vec<Scanner>,
    timestamp: TimestampMs,
    log_start: Offset,
    shared: Arc<SharedOffsets>,
    truncations: u64,
}

impl TimestampSearch {
    /// The first record at or after the timestamp, exact to the record also inside compressed batches;
    /// of a batch that does not decode, its first record counts. Blocking; takes no lock.
    /// [`LogError::Overtaken`] asks for a new plan.
    pub fn run(mut self) -> Result<Option<TimestampOffset>, LogError> {
        let mut found = Ok(None);
        for scanner in std::mem::take(&mut self.scanners) {
            found = self.search(scanner);
            if !matches!(found, Ok(None)) {
                break;
            }
        }
        if self.shared.truncations.load(Ordering::Acquire) != self.truncations {
            return Err(LogError::Overtaken);
        }
        found
    }

    fn search(&self, mut scanner: Scanner) -> Result<Option<TimestampOffset>, LogError> {
        loop {
            let next = scanner.next().map_err(|error| error.damage(&scanner.file))?;
            let Some(found) = next else { return Ok(None) };
            let header = &found.header;
            if header.max_timestamp >= self.timestamp && header.last_offset() >= self.log_start {
                scanner.check_crc(&found).map_err(|error| error.damage(&scanner.file))?;
                if let Some(record) = self.search_batch(&scanner.file, &found)? {
                    return Ok(Some(record));
                }
            }
        }
    }

    fn search_batch(
        &self,
        file: &OpenFile,
        found: &Found,
    ) -> Result<Option<TimestampOffset>, LogError> {
        let header = &found.header;
        let leader_epoch = header.partition_leader_epoch;
        let bytes = files::read_at(&file.file, found.position.into(), header.size_in_bytes())
            .map_err(|error| LogError::io("read", &file.path, error))?;
        let mut records = Vec::new();
        if decode_batch(&Bytes::from(bytes), DecodeLimits::default(), &mut records).is_err() {
            let offset = header.base_offset.max(self.log_start);
            return Ok(Some(TimestampOffset {
                timestamp: header.max_timestamp,
                offset,
                leader_epoch,
            }));
        }
        let mut records = records.into_iter();
        let record = records
            .find(|record| record.timestamp >= self.timestamp && record.offset >= self.log_start);
        Ok(record.map(|record| TimestampOffset {
            timestamp: record.timestamp,
            offset: record.offset,
            leader_epoch,
        }))
    }
}

impl Log {
    /// Plans the search for the first record whose timestamp is at least `timestamp`.
    pub fn plan_timestamp_search(
        &mut self,
        timestamp: TimestampMs,
    ) -> Result<TimestampSearch, LogError> {
        self.dir.usable()?;
        let log_start = self.log_start();
        let mut search = TimestampSearch {
            scanners: Vec::new(),
            timestamp,
            log_start,
            shared: Arc::clone(&self.shared),
            truncations: self.shared.truncations.load(Ordering::Acquire),
        };
        if log_start >= self.log_end {
            return Ok(search);
        }
        let first = self.segment_number(log_start);
        for number in first..=self.closed.len() {
            if self.segment_max_timestamp(number)? < timestamp {
                continue;
            }
            let offset = self.offset_before_time(number, timestamp)?;
            let position = self.position_before(number, offset)?;
            let file = self.log_file(number)?;
            let segment = self.closed.get(number).unwrap_or(&self.active);
            let base = segment.base_offset;
            search.scanners.push(Scanner::new(file, position, segment.size, base));
            // Only in the first segment can the record lie below the log start.
            if base >= log_start {
                break;
            }
        }
        Ok(search)
    }

    /// Plans the search for the (first) record with the largest timestamp of the log.
    pub fn plan_max_timestamp_search(&mut self) -> Result<TimestampSearch, LogError> {
        let mut max = -1;
        let first = self.segment_number(self.log_start());
        for number in first..=self.closed.len() {
            max = max.max(self.segment_max_timestamp(number)?);
        }
        let mut search = self.plan_timestamp_search(max)?;
        if max < 0 {
            search.scanners.clear();
        }
        Ok(search)
    }

    /// The greatest timestamp in a segment, -1 if it has none.
    pub(super) fn segment_max_timestamp(&mut self, number: usize) -> Result<TimestampMs, LogError> {
        if number >= self.closed.len() {
            return Ok(self.indexes()?.max_timestamp.map_or(-1, |max| max.0));
        }
        if let Some(known) = self.closed[number].max_timestamp {
            return Ok(known);
        }
        let base = self.closed[number].base_offset;
        let (_, times) = self.stored_indexes(number)?;
        let last = index::last_time(&times, base)
            .map_err(|error| LogError::io("search an index in", &self.path(), error))?;
        let max = last.map_or(-1, |last| last.0);
        self.closed[number].max_timestamp = Some(max);
        Ok(max)
    }

    fn offset_before_time(
        &mut self,
        number: usize,
        timestamp: TimestampMs,
    ) -> Result<Offset, LogError> {
        let found = if number < self.closed.len() {
            let base = self.closed[number].base_offset;
            let (_, times) = self.stored_indexes(number)?;
            index::offset_before_time(&times, base, timestamp)
        } else {
            let base = self.active.base_offset;
            index::offset_before_time(&self.indexes()?.times, base, timestamp)
        };
        found.map_err(|error| LogError::io("search an index in", &self.path(), error))
    }
}
