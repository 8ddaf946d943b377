//! The leader epochs of a log (KIP-101, KIP-279, KIP-320).

use std::fmt::Write;

use ottla_protocol::ids::{LeaderEpoch, Offset};

/// The file's name.
pub(crate) const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";

/// The end of an epoch in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch of this log that is at most the one asked for; -1 if there is none.
    pub epoch: LeaderEpoch,
    /// The offset behind its last record; -1 if there is none.
    pub end_offset: Offset,
}

impl EpochEnd {
    /// No such epoch.
    pub const NONE: Self = Self { epoch: -1, end_offset: -1 };
}

/// The leader epochs of a log and where each began (`leader-epoch-checkpoint`). Epochs and offsets
/// rise strictly along it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl LeaderEpochs {
    /// The entries, oldest first: (epoch, first offset).
    #[must_use]
    pub fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    /// The latest epoch.
    #[must_use]
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.0)
    }

    /// The largest epoch at most `epoch`, and its end: the start of the next epoch, or `log_end`.
    /// [`EpochEnd::NONE`] if every epoch of the log is larger (or there is none).
    #[must_use]
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end: Offset) -> EpochEnd {
        let next = self.entries.partition_point(|entry| entry.0 <= epoch);
        let Some(found) = next.checked_sub(1).and_then(|at| self.entries.get(at)) else {
            return EpochEnd::NONE;
        };
        let end_offset = self.entries.get(next).map_or(log_end, |entry| entry.1);
        EpochEnd { epoch: found.0, end_offset }
    }

    /// The epoch of the record at `offset`; `None` below the first entry.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let next = self.entries.partition_point(|entry| entry.1 <= offset);
        next.checked_sub(1).and_then(|at| self.entries.get(at)).map(|entry| entry.0)
    }

    /// Begins `epoch` at `start`; returns whether that is news. An epoch that is not above the latest
    /// is none. Epochs that have begun at or behind `start` hold no record and give way.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch < 0 || self.latest().is_some_and(|latest| epoch <= latest) {
            return false;
        }
        self.truncate_from_end(start);
        self.entries.push((epoch, start));
        true
    }

    /// Takes in a batch of `epoch` appended at `start`, which may lie above `log_end` where offsets are
    /// missing: epochs that began at the log end have no record and give way. Offsets that are missing
    /// before the first batch of all belong to its epoch, since the first epoch says where a log starts.
    /// Returns whether anything changed.
    pub(crate) fn on_append(&mut self, epoch: LeaderEpoch, start: Offset, log_end: Offset) -> bool {
        if self.latest() == Some(epoch) {
            return false;
        }
        let given_way = self.truncate_from_end(log_end);
        let start = if self.entries.is_empty() { log_end } else { start };
        self.assign(epoch, start) || given_way
    }

    /// Drops the epochs that begin at or behind `end`; returns whether there were any.
    pub(crate) fn truncate_from_end(&mut self, end: Offset) -> bool {
        let keep = self.entries.partition_point(|entry| entry.1 < end);
        let changed = keep < self.entries.len();
        self.entries.truncate(keep);
        changed
    }

    /// Drops the epochs that end at or before `start`; the one that holds `start` begins there now.
    /// Returns whether anything changed.
    pub(crate) fn truncate_from_start(&mut self, start: Offset) -> bool {
        let behind = self.entries.partition_point(|entry| entry.1 <= start);
        let Some(first) = behind.checked_sub(1) else { return false };
        let changed = first > 0 || self.entries.first().is_some_and(|entry| entry.1 < start);
        self.entries.drain(..first);
        if let Some(entry) = self.entries.first_mut() {
            entry.1 = start;
        }
        changed
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The text of the file: version, number of lines, then epoch and start offset.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("0\n{}\n", self.entries.len());
        for (epoch, start) in &self.entries {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{epoch} {start}");
        }
        text
    }

    /// The epochs in a file's text; `None` if it cannot be understood.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some("0") {
            return None;
        }
        let count: usize = lines.next()?.parse().ok()?;
        let entry = |line: &str| {
            let (epoch, start) = line.split_once(' ')?;
            Some((epoch.parse().ok()?, start.parse().ok()?))
        };
        let entries: Vec<(LeaderEpoch, Offset)> = lines.map(entry).collect::<Option<_>>()?;
        let rises = entries.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1);
        (entries.len() == count && rises).then_some(Self { entries })
    }
}
