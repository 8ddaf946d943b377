//! A log in memory that keeps what it flushed, and what it did not as long as the power stays.

use ottla_protocol::ids::{LeaderEpoch, Offset};
use ottla_replication::{Offsets, ProducerState, Sequenced, leader_epoch};

/// One batch, of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) epoch: LeaderEpoch,
    pub(crate) producer: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) sequence: i32,
    /// Compaction has taken the record and left the batch's head.
    pub(crate) bare: bool,
}

impl Entry {
    /// What compaction keeps the last record of.
    pub(crate) fn key(&self) -> i32 {
        self.sequence.rem_euclid(KEYS)
    }

    /// The same batch, whether its record is there or not.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        Self { bare: other.bare, ..*self } == *other
    }

    pub(crate) fn sequenced(&self) -> Sequenced {
        Sequenced {
            producer_id: self.producer,
            producer_epoch: self.producer_epoch,
            base_sequence: self.sequence,
            last_offset_delta: 0,
            max_timestamp: 0,
        }
    }

    /// The same record, whoever leads.
    pub(crate) fn record(&self) -> (i64, i16, i32) {
        (self.producer, self.producer_epoch, self.sequence)
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    entries: Vec<Entry>,
    flushed: Offset,
    high_watermark: Offset,
    /// What a crash leaves of the high watermark.
    checkpoint: Offset,
    history: Vec<(LeaderEpoch, Offset)>,
    truncations: u64,
    /// Below it there are no records, only stand-ins.
    base: Offset,
    /// Below it records are deleted, though they may still be there.
    log_start: Offset,
    /// What a crash leaves of the log start.
    start_checkpoint: Offset,
}

/// Stands where a log that began anew, or was compacted, has no batch.
const HOLE: Entry = Entry { epoch: -1, producer: -1, producer_epoch: -1, sequence: -1, bare: true };

/// Keys of records.
const KEYS: i32 = 5;

/// The disk of a partition that a broker has nothing of.
pub(crate) static NOTHING: Disk = Disk {
    entries: Vec::new(),
    flushed: 0,
    high_watermark: 0,
    checkpoint: 0,
    history: Vec::new(),
    truncations: 0,
    base: 0,
    log_start: 0,
    start_checkpoint: 0,
};

/// A flush under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flush {
    upto: Offset,
    truncations: u64,
}

impl Disk {
    pub(crate) fn get(&self, offset: Offset) -> Option<&Entry> {
        self.entries.get(usize::try_from(offset).ok()?).filter(|entry| **entry != HOLE)
    }

    /// The batches between two offsets, as far as they are there.
    pub(crate) fn range(
        &self,
        from: Offset,
        to: Offset,
    ) -> impl DoubleEndedIterator<Item = (Offset, &Entry)> + Clone {
        let to = usize::try_from(to).unwrap_or(0).min(self.entries.len());
        let start = usize::try_from(from.max(self.base)).unwrap_or(0).min(to);
        let found = self.entries[start..to].iter().enumerate();
        found
            .map(move |(place, entry)| ((start + place) as Offset, entry))
            .filter(|(_, entry)| **entry != HOLE)
    }

    /// Whether a record that was once here still is, or a later one of its key is.
    pub(crate) fn has(&self, offset: Offset, entry: &Entry) -> bool {
        match self.get(offset) {
            Some(found) if !found.is_of(entry) => false,
            Some(found) if !found.bare => true,
            _ => {
                let mut behind = self.range(offset + 1, self.log_end());
                behind.any(|(_, it)| !it.bare && it.key() == entry.key())
            }
        }
    }

    /// Of each key below `upto` only the last record stays, where it was. Heads stay of the first batch of
    /// each epoch, those by which producers are recognized, and the last of all.
    pub(crate) fn compact(&mut self, upto: Offset, remembered: &[Offset], keeps_epochs: bool) {
        let all: Vec<(Offset, Entry)> = self.range(0, upto).map(|(at, it)| (at, *it)).collect();
        let mut epoch = None;
        for (place, (offset, entry)) in all.iter().enumerate() {
            let begins_epoch = epoch.replace(entry.epoch) != Some(entry.epoch) && keeps_epochs;
            let later = all.iter().skip(place + 1);
            let superseded =
                entry.bare || later.clone().any(|(_, it)| !it.bare && it.key() == entry.key());
            let head_stays = begins_epoch || remembered.contains(offset) || later.len() == 0;
            if let Some(slot) = self.entries.get_mut(usize::try_from(*offset).unwrap_or(0))
                && superseded
            {
                *slot = if head_stays { Entry { bare: true, ..*entry } } else { HOLE };
            }
        }
    }

    pub(crate) fn log_end(&self) -> Offset {
        self.entries.len() as Offset
    }

    pub(crate) fn flushed(&self) -> Offset {
        self.flushed
    }

    pub(crate) fn history(&self) -> &[(LeaderEpoch, Offset)] {
        &self.history
    }

    pub(crate) fn last_epoch(&self) -> LeaderEpoch {
        leader_epoch::last_record_epoch(&self.history, self.log_end()).unwrap_or(-1)
    }

    /// Where a replica begins that is opened on this log.
    pub(crate) fn offsets(&self) -> Offsets {
        Offsets {
            log_start: self.log_start,
            high_watermark: self.high_watermark,
            log_end: self.log_end(),
            flushed: self.flushed,
        }
    }

    pub(crate) fn set_high_watermark(&mut self, offset: Offset) {
        self.high_watermark = offset;
    }

    pub(crate) fn checkpoint(&mut self) {
        self.checkpoint = self.high_watermark;
        self.start_checkpoint = self.log_start;
    }

    pub(crate) fn log_start(&self) -> Offset {
        self.log_start
    }

    /// Records below are deleted; the epoch that holds `offset` begins there now.
    pub(crate) fn raise_log_start(&mut self, offset: Offset) {
        self.log_start = self.log_start.max(offset);
        let behind = self.history.partition_point(|(_, start)| *start <= self.log_start);
        if let Some(first) = behind.checked_sub(1) {
            self.history.drain(..first);
            if let Some((_, start)) = self.history.first_mut() {
                *start = self.log_start;
            }
        }
    }

    /// The log is emptied, and begins again here.
    pub(crate) fn restart_at(&mut self, offset: Offset) {
        self.entries = vec![HOLE; usize::try_from(offset).unwrap_or(0)];
        self.history.clear();
        (self.base, self.log_start, self.start_checkpoint) = (offset, offset, offset);
        (self.flushed, self.high_watermark, self.checkpoint) = (offset, offset, offset);
        self.truncations += 1;
    }

    /// An epoch begins at the end; epochs that began there without a record give way.
    pub(crate) fn assign_epoch(&mut self, epoch: LeaderEpoch) {
        if self.history.last().is_some_and(|(latest, _)| epoch <= *latest) {
            return;
        }
        let log_end = self.log_end();
        self.forget_epochs_from(log_end);
        self.history.push((epoch, log_end));
    }

    fn forget_epochs_from(&mut self, offset: Offset) {
        self.history.retain(|(_, start)| *start < offset);
    }

    pub(crate) fn append(&mut self, entry: Entry) {
        self.append_at(self.log_end(), entry);
    }

    /// Appends a copy of what stands at `offset` of another log; what is missing there is missing here.
    pub(crate) fn append_at(&mut self, offset: Offset, entry: Entry) {
        let log_end = self.log_end();
        assert!(offset >= log_end, "{offset} is below {log_end}");
        if self.history.last().is_none_or(|(latest, _)| entry.epoch != *latest) {
            self.forget_epochs_from(log_end);
            if self.history.last().is_none_or(|(latest, _)| entry.epoch > *latest) {
                // Where the log starts, the first epoch says.
                let start = if self.history.is_empty() { log_end } else { offset };
                self.history.push((entry.epoch, start));
            }
        }
        self.entries.resize(usize::try_from(offset).unwrap_or(0), HOLE);
        self.entries.push(entry);
    }

    pub(crate) fn truncate(&mut self, offset: Offset) {
        if offset < self.base {
            return self.restart_at(offset);
        }
        let keep = usize::try_from(offset).unwrap_or(0);
        self.entries.truncate(keep);
        // The log ends behind a batch.
        while self.log_end() > self.base && self.entries.last() == Some(&HOLE) {
            self.entries.pop();
        }
        let offset = self.log_end().min(offset);
        self.forget_epochs_from(offset);
        self.flushed = self.flushed.min(offset);
        self.high_watermark = self.high_watermark.min(offset);
        self.checkpoint = self.checkpoint.min(offset);
        self.log_start = self.log_start.min(offset);
        self.start_checkpoint = self.start_checkpoint.min(offset);
        self.truncations += 1;
    }

    pub(crate) fn begin_flush(&self) -> Flush {
        Flush { upto: self.log_end(), truncations: self.truncations }
    }

    /// False: a truncation came in between, and the flush says nothing.
    pub(crate) fn end_flush(&mut self, flush: Flush) -> bool {
        let valid = flush.truncations == self.truncations;
        if valid {
            self.flushed = self.flushed.max(flush.upto);
        }
        valid
    }

    /// Everything is on disk, as after a clean stop.
    pub(crate) fn close(&mut self) {
        self.flushed = self.log_end();
        self.checkpoint();
    }

    /// The process was killed: a log that is opened again is flushed then.
    pub(crate) fn recover(&mut self) {
        self.high_watermark = self.checkpoint;
        // Epochs that begin later than the log were cut with it: what lies before them stays deleted.
        let known = self.history.first().map_or(0, |(_, start)| *start);
        self.log_start = self.start_checkpoint.max(self.base).max(known.min(self.log_end()));
        self.flushed = self.log_end();
    }

    /// The power went: of what was not flushed only a part remains, and epochs are read from the records.
    pub(crate) fn lose_power(&mut self, kept: Offset) {
        let keep = kept.clamp(self.flushed, self.log_end());
        self.truncate(keep);
        let entries = self.entries.split_off(usize::try_from(self.base).unwrap_or(0));
        self.history.clear();
        for (offset, entry) in (self.base..).zip(entries).filter(|(_, entry)| *entry != HOLE) {
            self.append_at(offset, entry);
        }
        self.raise_log_start(self.log_start);
    }

    pub(crate) fn producers(&self) -> ProducerState {
        let mut state = ProducerState::default();
        for (offset, entry) in self.range(self.base, self.log_end()) {
            state.record(&entry.sequenced(), offset, 0);
        }
        state
    }
}
