//! A log that may lose what was not flushed.

use ottla_protocol::ids::{LeaderEpoch, Offset};
use ottla_replication::{Offsets, ProducerState, Sequenced, leader_epoch};

/// One batch of one record. A negative sequence: not idempotent, and nobody waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) epoch: LeaderEpoch,
    pub(crate) sequence: i32,
}

pub(crate) const PRODUCER: i64 = 7;

pub(crate) fn sequenced(sequence: i32) -> Option<Sequenced> {
    (sequence >= 0).then_some(Sequenced {
        producer_id: PRODUCER,
        producer_epoch: 0,
        base_sequence: sequence,
        last_offset_delta: 0,
        max_timestamp: 0,
    })
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    pub(crate) entries: Vec<Entry>,
    pub(crate) flushed: Offset,
    pub(crate) high_watermark: Offset,
    history: Vec<(LeaderEpoch, Offset)>,
    truncations: u64,
}

/// A flush under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flush {
    upto: Offset,
    truncations: u64,
}

impl Disk {
    pub(crate) fn log_end(&self) -> Offset {
        self.entries.len() as Offset
    }

    pub(crate) fn history(&self) -> &[(LeaderEpoch, Offset)] {
        &self.history
    }

    pub(crate) fn last_epoch(&self) -> LeaderEpoch {
        leader_epoch::last_record_epoch(&self.history, self.log_end()).unwrap_or(-1)
    }

    pub(crate) fn offsets(&self) -> Offsets {
        let log_end = self.log_end();
        let high_watermark = self.high_watermark.min(log_end);
        Offsets { log_start: 0, high_watermark, log_end, flushed: self.flushed }
    }

    pub(crate) fn assign_epoch(&mut self, epoch: LeaderEpoch) {
        let log_end = self.log_end();
        if self.history.last().is_none_or(|(last, _)| *last < epoch) {
            self.history.retain(|(_, start)| *start < log_end);
            self.history.push((epoch, log_end));
        }
    }

    pub(crate) fn append(&mut self, entry: Entry) {
        // An epoch that was begun without a record gives way, also to an older one.
        let log_end = self.log_end();
        self.history.retain(|(_, start)| *start < log_end);
        self.assign_epoch(entry.epoch);
        self.entries.push(entry);
    }

    pub(crate) fn truncate(&mut self, offset: Offset) {
        self.entries.truncate(usize::try_from(offset).expect("not negative"));
        self.history.retain(|(_, start)| *start < offset);
        self.flushed = self.flushed.min(offset);
        self.truncations += 1;
    }

    pub(crate) fn begin_flush(&self) -> Flush {
        Flush { upto: self.log_end(), truncations: self.truncations }
    }

    pub(crate) fn end_flush(&mut self, flush: Flush) -> Offset {
        if flush.truncations == self.truncations {
            self.flushed = self.flushed.max(flush.upto);
        }
        self.flushed
    }

    /// The power went: what was not flushed may be gone, from any point on.
    pub(crate) fn lose_power(&mut self, kept: Offset) {
        let keep = kept.clamp(self.flushed, self.log_end());
        self.truncate(keep);
        self.flushed = keep;
    }

    pub(crate) fn producers(&self) -> ProducerState {
        let mut state = ProducerState::default();
        for (offset, entry) in self.entries.iter().enumerate() {
            if let Some(batch) = sequenced(entry.sequence) {
                state.record(&batch, offset as Offset, 0);
            }
        }
        state
    }
}
