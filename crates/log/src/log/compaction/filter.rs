//! What stays of a batch.

use std::collections::HashSet;

use bytes::Bytes;
use ottla_protocol::ids::{LeaderEpoch, Offset, TimestampMs};
use ottla_protocol::record::{BatchHeader, DecodeLimits, Record, decode_batch, retain};

use super::map::OffsetMap;
use super::transactions::{self, Transactions};

/// What becomes of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// It stays as it is.
    Whole,
    /// This stays of it.
    Part(Bytes),
    /// Nothing stays of it.
    Nothing,
}

/// Decides batch by batch, in the order of the log, from its first one on.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) map: OffsetMap,
    /// From here on the map knows nothing, and all stays.
    pub(super) upto: Offset,
    pub(super) now_ms: TimestampMs,
    pub(super) delete_retention_ms: i64,
    /// `None` as long as no transaction was met.
    pub(super) transactions: Option<Transactions>,
    /// Batches that are remembered of producers, by their last offsets: their heads stay, for the sequence
    /// numbers.
    pub(super) remembered: HashSet<Offset>,
    last_epoch: Option<LeaderEpoch>,
    /// Producers of whose transaction a batch is still there.
    traversed: HashSet<i64>,
}

impl Filter {
    pub(super) fn new(
        map: OffsetMap,
        upto: Offset,
        now_ms: TimestampMs,
        delete_retention_ms: i64,
        remembered: HashSet<Offset>,
    ) -> Self {
        Self {
            map,
            upto,
            now_ms,
            delete_retention_ms,
            transactions: None,
            remembered,
            last_epoch: None,
            traversed: HashSet::new(),
        }
    }

    /// What stays of the next batch. At least its head does if it `ends_segment` (so that each segment
    /// ends where the next one begins), is the first of its leader epoch (so that histories of epochs
    /// that are copied from log to log stay whole), or is remembered of its producer.
    pub(super) fn filter(
        &mut self,
        header: &BatchHeader,
        batch: &Bytes,
        ends_segment: bool,
    ) -> Kept {
        let epoch = header.partition_leader_epoch;
        let begins_epoch = self.last_epoch.replace(epoch) != Some(epoch);
        let is_remembered =
            header.has_producer_id() && self.remembered.contains(&header.last_offset());
        let head_stays = ends_segment || begins_epoch || is_remembered;
        if header.base_offset >= self.upto {
            return Kept::Whole;
        }
        let horizon = header.has_delete_horizon().then_some(header.base_timestamp);
        let mut records = Vec::new();
        if let Err(error) = decode_batch(batch, DecodeLimits::default(), &mut records) {
            tracing::warn!(%error, "a batch that cannot be read is not compacted");
            return Kept::Whole;
        }
        let count = records.len();
        let horizon_then = if header.is_control() {
            self.filter_mark(header, batch, horizon, &mut records)
        } else {
            self.filter_records(header, horizon, &mut records)
        };
        let unchanged = records.len() == count && horizon_then == horizon;
        if records.is_empty() && !head_stays {
            return Kept::Nothing;
        }
        if unchanged {
            return Kept::Whole;
        }
        // What has become too large by less compression stays as it was.
        retain(header, &records, horizon_then).map_or(Kept::Whole, Kept::Part)
    }

    /// A mark stays as long as a batch of its transaction does, and `delete.retention.ms` after that.
    fn filter_mark(
        &mut self,
        header: &BatchHeader,
        batch: &Bytes,
        horizon: Option<TimestampMs>,
        records: &mut Vec<Record>,
    ) -> Option<TimestampMs> {
        let is_needed = self.traversed.remove(&header.producer_id);
        if is_needed || transactions::end_of(batch).is_none() {
            return horizon;
        }
        match horizon {
            Some(horizon) if horizon <= self.now_ms => records.clear(),
            Some(_) => {}
            None => return Some(self.now_ms.saturating_add(self.delete_retention_ms)),
        }
        horizon
    }

    /// The latest record of each key stays; a tombstone `delete.retention.ms` after it was first met.
    /// Records without a key go, since nothing says what they replace.
    fn filter_records(
        &mut self,
        header: &BatchHeader,
        horizon: Option<TimestampMs>,
        records: &mut Vec<Record>,
    ) -> Option<TimestampMs> {
        if header.is_transactional() {
            self.traversed.insert(header.producer_id);
            let aborted = self.transactions.as_ref().is_some_and(|transactions| {
                transactions.is_aborted(header.producer_id, header.base_offset)
            });
            if aborted {
                records.clear();
                return horizon;
            }
        }
        let expired = horizon.is_some_and(|horizon| horizon <= self.now_ms);
        records.retain(|record| {
            record.offset >= self.upto
                || record.key.as_ref().is_some_and(|key| {
                    let is_latest = self.map.get(key).is_none_or(|latest| record.offset >= latest);
                    is_latest && (record.value.is_some() || !expired)
                })
        });
        let has_tombstones = records.iter().any(|record| record.value.is_none());
        if has_tombstones && horizon.is_none() {
            return Some(self.now_ms.saturating_add(self.delete_retention_ms));
        }
        horizon
    }
}
