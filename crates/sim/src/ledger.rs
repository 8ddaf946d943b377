//! What has been seen, to compare all that comes later with.

use std::collections::{BTreeMap, HashMap};

use ottla_protocol::ids::{LeaderEpoch, Offset, PartitionIndex};

use crate::disk::Entry;
use crate::event::Life;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    partitions: BTreeMap<PartitionIndex, Seen>,
}

/// Of one partition.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What was below a high watermark anywhere, by offset.
    pub(crate) committed: Vec<Entry>,
    /// The last sequence of each producer's epoch below it.
    pub(crate) sequences: HashMap<(i64, i16), i32>,
    /// What was acknowledged to acks=all, and in which leader epoch.
    pub(crate) acknowledged: BTreeMap<Offset, (Entry, LeaderEpoch)>,
    /// Records below were deleted on command.
    pub(crate) deleted: Offset,
    /// Who appended under a leader epoch.
    pub(crate) appenders: HashMap<LeaderEpoch, Life>,
    /// The leaders' high watermarks by epoch.
    pub(crate) high_watermarks: HashMap<LeaderEpoch, Offset>,
}

impl Ledger {
    pub(crate) fn of(&mut self, partition: PartitionIndex) -> &mut Seen {
        self.partitions.entry(partition).or_default()
    }

    /// How many records were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.partitions.values().map(|seen| seen.acknowledged.len()).sum()
    }
}
