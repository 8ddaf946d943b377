//! One partition's batches: their order, their sequence, and what becomes of them when it breaks. Pure.

use std::collections::VecDeque;

use ottla_protocol::ids::{BrokerId, LeaderEpoch};
use ottla_protocol::record::{ProducerFields, RecordBatchBuilder};

use super::batches::{Fate, Identity, Millis, Token};
use super::{ProduceError, ProducerOptions};

/// Records that travel together.
pub(super) struct Batch {
    pub(super) builder: RecordBatchBuilder,
    pub(super) tokens: Vec<Token>,
    pub(super) created_ms: Millis,
    pub(super) attempts: u32,
    /// Given at the first sending, and kept.
    pub(super) fields: Option<ProducerFields>,
    pub(super) encoded: bytes::Bytes,
    /// Whether an attempt may have reached the log.
    pub(super) maybe_written: bool,
}

/// The batches of one partition.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) identity: Option<Identity>,
    /// Whether the broker has taken a batch of this identity. A broker without state of a producer takes
    /// any sequence as its first, so that until then only one batch may be in flight.
    pub(super) established: bool,
    pub(super) next_sequence: i32,
    /// The last may still grow while it has not been sent.
    pub(super) waiting: VecDeque<Batch>,
    pub(super) in_flight: VecDeque<Batch>,
    pub(super) retry_at: Millis,
    /// The leader that failed last; another one need not wait until `retry_at`.
    pub(super) failed_at: Option<(BrokerId, LeaderEpoch)>,
    /// The sequence is broken: nothing is sent until nothing is in flight, then a new id is taken.
    pub(super) broken: bool,
}

impl Queue {
    pub(super) fn may_send(
        &self,
        now: Millis,
        at: (BrokerId, LeaderEpoch),
        flush_upto: Token,
        options: &ProducerOptions,
    ) -> bool {
        let Some(batch) = self.waiting.front() else { return false };
        if self.broken || (batch.attempts > 0 && !self.in_flight.is_empty()) {
            return false;
        }
        let most = if options.idempotent && !self.established { 1 } else { options.max_in_flight };
        if self.in_flight.len() >= most {
            return false;
        }
        let backing_off = now < self.retry_at && self.failed_at == Some(at);
        let full = self.waiting.len() > 1 || batch.builder.size_in_bytes() >= options.batch_bytes;
        let flushed = batch.tokens.first().is_some_and(|token| *token <= flush_upto);
        let lingered = now >= batch.created_ms + options.linger_ms;
        !backing_off && (batch.attempts > 0 || full || flushed || lingered)
    }

    pub(super) fn take_identity(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.established = false;
        self.next_sequence = 0;
    }

    /// Moves the first waiting batch into flight and returns its bytes.
    pub(super) fn send_next(&mut self) -> Option<bytes::Bytes> {
        let mut batch = self.waiting.pop_front()?;
        batch.attempts += 1;
        if batch.encoded.is_empty() {
            let mut builder = std::mem::take(&mut batch.builder);
            if let Some(identity) = self.identity {
                let fields = ProducerFields {
                    producer_id: identity.producer_id,
                    producer_epoch: identity.producer_epoch,
                    base_sequence: self.next_sequence,
                };
                self.next_sequence = advance(self.next_sequence, builder.count());
                batch.fields = Some(fields);
                builder = builder.producer(fields);
            }
            // Its size was bounded far below what a batch can be when the records were taken in.
            batch.encoded = builder.build().unwrap_or_default();
            batch.builder = builder;
        }
        let bytes = batch.encoded.clone();
        self.in_flight.push_back(batch);
        Some(bytes)
    }

    /// A batch to be sent again goes before everything that follows it in the sequence.
    pub(super) fn put_back(&mut self, batch: Batch) {
        let after = |other: &Batch| other.tokens.first() > batch.tokens.first();
        let at = self.waiting.iter().position(after).unwrap_or(self.waiting.len());
        self.waiting.insert(at, batch);
    }

    /// Once nothing is in flight under a broken sequence: what may have been written fails as unknown,
    /// the rest is sent under a new producer id.
    pub(super) fn heal_if_broken(&mut self, current: &mut Option<Identity>, fates: &mut Vec<Fate>) {
        if !self.broken || !self.in_flight.is_empty() {
            return;
        }
        self.broken = false;
        if *current == self.identity {
            *current = None;
        }
        self.identity = None;
        for mut batch in std::mem::take(&mut self.waiting) {
            if batch.maybe_written {
                let reason =
                    "The sequence of the partition broke before the batch was acknowledged";
                let fail = ProduceError::Unknown { reason: reason.to_owned() };
                fates.extend(batch.tokens.into_iter().map(|token| (token, Err(fail.clone()))));
            } else {
                batch.fields = None;
                batch.encoded = bytes::Bytes::new();
                self.waiting.push_back(batch);
            }
        }
    }
}

/// Sequences wrap from the largest number to 0.
pub(super) fn advance(sequence: i32, by: usize) -> i32 {
    ((i64::from(sequence) + by as i64) % (i64::from(i32::MAX) + 1)) as i32
}
