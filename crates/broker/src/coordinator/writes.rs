//! What a shard's machine wants written: records gather while an append waits for its commit, and leave
//! together in one batch.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ottla_coordinator::WriteId;
use ottla_protocol::ids::TimestampMs;
use ottla_protocol::record::{Compression, RecordBatchBuilder};

use super::budget::{Budget, Charge};

/// More than a batch's header takes.
const BATCH_OVERHEAD: usize = 100;
/// More than a record takes beside its key and its value.
const RECORD_OVERHEAD: usize = 40;

/// A write that does not fit into a batch, alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Writes on their way into the log, in order.
pub(super) struct Writes {
    batch_bytes: usize,
    compression: Compression,
    budget: Arc<Budget>,
    gathered: VecDeque<Gathered>,
    /// The last write of each batch that is appended and not committed.
    in_flight: VecDeque<WriteId>,
    /// What is in flight may take long: nothing waits for it.
    stalled: bool,
}

/// Writes that leave in one batch.
pub(super) struct Gathered {
    pub(super) batch: RecordBatchBuilder,
    /// At least one.
    pub(super) writes: Vec<WriteId>,
    charge: Charge,
}

impl Writes {
    pub(super) fn new(batch_bytes: usize, compression: Compression, budget: Arc<Budget>) -> Self {
        Self {
            batch_bytes,
            compression,
            budget,
            gathered: VecDeque::new(),
            in_flight: VecDeque::new(),
            stalled: false,
        }
    }

    /// No batch may be larger.
    pub(super) fn set_batch_bytes(&mut self, batch_bytes: usize) {
        self.batch_bytes = batch_bytes;
    }

    /// Takes a write in. Its records stay together.
    pub(super) fn gather(
        &mut self,
        write: WriteId,
        records: &[(Bytes, Option<Bytes>)],
        now_ms: TimestampMs,
    ) -> Result<(), TooLarge> {
        let size = |(key, value): &(Bytes, Option<Bytes>)| {
            key.len() + value.as_ref().map_or(0, Bytes::len) + RECORD_OVERHEAD
        };
        let size: usize = records.iter().map(size).sum();
        if size + BATCH_OVERHEAD > self.batch_bytes {
            return Err(TooLarge);
        }
        let room = |last: &Gathered| last.batch.size_in_bytes() + size <= self.batch_bytes;
        if !self.gathered.back().is_some_and(room) {
            self.gathered.push_back(Gathered {
                batch: RecordBatchBuilder::new(self.compression),
                writes: Vec::new(),
                charge: self.budget.charge(0),
            });
        }
        if let Some(last) = self.gathered.back_mut() {
            for (key, value) in records {
                last.batch.append(now_ms, Some(key), value.as_deref(), &[]);
            }
            last.writes.push(write);
            last.charge.add(size);
        }
        Ok(())
    }

    /// The next batch to append, if it is time.
    pub(super) fn next(&mut self) -> Option<Gathered> {
        let may_append = self.in_flight.is_empty() || self.stalled;
        self.gathered.pop_front_if(|_| may_append)
    }

    /// Is there something to append, and nothing whose commit would bring it about?
    pub(super) fn is_left(&self) -> bool {
        !self.gathered.is_empty() && (self.in_flight.is_empty() || self.stalled)
    }

    /// A batch is in the log.
    pub(super) fn appended(&mut self, last: WriteId) {
        self.in_flight.push_back(last);
    }

    /// A batch, and so all before it, is committed; false if that was known.
    pub(super) fn committed(&mut self, last: WriteId) -> bool {
        let Some(place) = self.in_flight.iter().position(|write| *write == last) else {
            return false;
        };
        self.in_flight.drain(..=place);
        self.stalled &= !self.in_flight.is_empty();
        true
    }

    /// There are too few in-sync replicas for what is in flight: whether more can be appended is found
    /// out by trying.
    pub(super) fn stalled(&mut self) {
        self.stalled = !self.in_flight.is_empty();
    }

    /// Gives up everything that is not in the log, and names it, the newest first.
    pub(super) fn refuse_gathered(&mut self) -> Vec<WriteId> {
        let gathered = self.gathered.drain(..).rev();
        gathered.flat_map(|gathered| gathered.writes.into_iter().rev()).collect()
    }
}
