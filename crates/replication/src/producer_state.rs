//! Idempotent producers: who has written what last (KIP-98, KIP-360).
//!
//! The last five batches of each producer are remembered, so that one that is sent again is answered with
//! its first offset and not appended twice. A batch must continue its producer's sequence; a new epoch
//! begins again at 0; an older epoch is fenced. A producer that is not known because it has never written
//! here begins at 0: of its first batches in flight none overtakes the others. Where it may have written
//! and been forgotten (expired, or its records are gone) any sequence is taken, as Kafka does since 2.5.

use std::collections::{HashMap, VecDeque};

use ottla_protocol::ids::{Offset, TimestampMs};
use ottla_protocol::record::BatchHeader;

/// Batches remembered of each producer: what a client may have in flight (`max.in.flight` ≤ 5).
pub const CACHED_BATCHES: usize = 5;

/// What a batch says of its producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequenced {
    /// The producer.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The first record's sequence number.
    pub base_sequence: i32,
    /// The last record's offset less the first's.
    pub last_offset_delta: i32,
    /// The greatest timestamp of the batch.
    pub max_timestamp: TimestampMs,
}

impl Sequenced {
    /// Of a batch; `None` if it has no producer id or no sequence (a control batch).
    #[must_use]
    pub fn of(header: &BatchHeader) -> Option<Self> {
        (header.has_producer_id() && header.base_sequence >= 0).then_some(Self {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            last_offset_delta: header.last_offset_delta,
            max_timestamp: header.max_timestamp,
        })
    }

    fn last_sequence(&self) -> i32 {
        add_to_sequence(self.base_sequence, self.last_offset_delta)
    }
}

/// Sequences run from 0 to `i32::MAX` and around again.
fn add_to_sequence(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) % (i64::from(i32::MAX) + 1)) as i32
}

fn subtract_from_sequence(sequence: i32, by: i32) -> i32 {
    (i64::from(sequence) - i64::from(by)).rem_euclid(i64::from(i32::MAX) + 1) as i32
}

/// A batch that is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedBatch {
    /// The last record's sequence number.
    pub last_sequence: i32,
    /// The last record's offset.
    pub last_offset: Offset,
    /// The last record's offset less the first's.
    pub offset_delta: i32,
    /// The batch's greatest timestamp.
    pub timestamp_ms: TimestampMs,
}

impl CachedBatch {
    /// The first record's sequence number.
    #[must_use]
    pub fn base_sequence(&self) -> i32 {
        subtract_from_sequence(self.last_sequence, self.offset_delta)
    }

    /// The first record's offset.
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// One producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producer {
    /// Its epoch.
    pub epoch: i16,
    /// Its last batches, oldest first; at most [`CACHED_BATCHES`].
    pub batches: VecDeque<CachedBatch>,
    /// When it was last heard of: a producer that writes old timestamps is no old producer.
    touched_ms: TimestampMs,
}

impl Producer {
    fn new(epoch: i16, touched_ms: TimestampMs) -> Self {
        Self { epoch, batches: VecDeque::new(), touched_ms }
    }

    fn remember(&mut self, batch: CachedBatch) {
        if self.batches.len() == CACHED_BATCHES {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
    }

    /// The last batch.
    #[must_use]
    pub fn last(&self) -> Option<&CachedBatch> {
        self.batches.back()
    }

    fn is_expired(&self, now_ms: TimestampMs, expiration_ms: i64) -> bool {
        let last_ms =
            self.last().map_or(self.touched_ms, |it| it.timestamp_ms.max(self.touched_ms));
        now_ms.saturating_sub(last_ms) >= expiration_ms
    }
}

/// Why a sequenced batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// A batch before it is missing, or it is an old one that is not remembered any more.
    #[error(
        "out of order sequence number for producer {producer_id}: {got} came, {expected} was expected"
    )]
    OutOfOrder {
        /// The producer.
        producer_id: i64,
        /// The first sequence that came.
        got: i32,
        /// The one that was due.
        expected: i32,
    },
    /// A newer instance of the producer has taken over.
    #[error("producer {producer_id} has epoch {current}, {got} came")]
    Fenced {
        /// The producer.
        producer_id: i64,
        /// The epoch that came.
        got: i16,
        /// The epoch in force.
        current: i16,
    },
}

/// All producers of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerState {
    producers: HashMap<i64, Producer>,
    /// Producers that wrote here may be missing: some have expired, or may have before a snapshot.
    forgotten: bool,
}

impl ProducerState {
    /// Nobody is known, and somebody may be missing.
    pub(crate) fn incomplete() -> Self {
        Self { producers: HashMap::new(), forgotten: true }
    }

    /// How many producers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// The producers by id, in no order.
    pub fn producers(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.producers.iter().map(|(id, producer)| (*id, producer))
    }

    /// Takes in a producer's next batch out of a snapshot.
    pub(crate) fn restore(
        &mut self,
        id: i64,
        epoch: i16,
        batch: Option<CachedBatch>,
        now_ms: TimestampMs,
    ) {
        let producer = self.producers.entry(id).or_insert_with(|| Producer::new(epoch, now_ms));
        if producer.epoch != epoch {
            *producer = Producer::new(epoch, now_ms);
        }
        if let Some(batch) = batch {
            producer.remember(batch);
        }
    }

    /// May this batch be appended? `Ok(Some)`: it has been, as that one. `now_ms` is the wall clock;
    /// `whole_log`: no record of the log has been deleted.
    ///
    /// # Errors
    /// See [`SequenceError`].
    pub fn check(
        &self,
        batch: &Sequenced,
        now_ms: TimestampMs,
        expiration_ms: i64,
        whole_log: bool,
    ) -> Result<Option<CachedBatch>, SequenceError> {
        let Sequenced { producer_id, base_sequence: got, .. } = *batch;
        let Some(producer) = self.producers.get(&producer_id) else {
            let is_new = whole_log && !self.forgotten;
            return if is_new && got != 0 {
                Err(SequenceError::OutOfOrder { producer_id, got, expected: 0 })
            } else {
                Ok(None)
            };
        };
        if producer.is_expired(now_ms, expiration_ms) {
            return Ok(None);
        }
        if batch.producer_epoch < producer.epoch {
            let (got, current) = (batch.producer_epoch, producer.epoch);
            return Err(SequenceError::Fenced { producer_id, got, current });
        }
        if batch.producer_epoch > producer.epoch {
            let expected = 0;
            return if got == expected {
                Ok(None)
            } else {
                Err(SequenceError::OutOfOrder { producer_id, got, expected })
            };
        }
        let duplicate = producer.batches.iter().find(|cached| {
            cached.base_sequence() == got && cached.last_sequence == batch.last_sequence()
        });
        if duplicate.is_some() {
            return Ok(duplicate.copied());
        }
        let expected = producer.last().map_or(0, |last| add_to_sequence(last.last_sequence, 1));
        if got == expected {
            Ok(None)
        } else {
            Err(SequenceError::OutOfOrder { producer_id, got, expected })
        }
    }

    /// The batch is in the log, its first record at `base_offset`. Unchecked: a follower takes what its
    /// leader has checked, and a log that is read again was checked once.
    pub fn record(&mut self, batch: &Sequenced, base_offset: Offset, now_ms: TimestampMs) {
        let producer = self
            .producers
            .entry(batch.producer_id)
            .or_insert_with(|| Producer::new(batch.producer_epoch, now_ms));
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.batches.clear();
        }
        producer.touched_ms = producer.touched_ms.max(now_ms);
        producer.remember(CachedBatch {
            last_sequence: batch.last_sequence(),
            last_offset: base_offset + i64::from(batch.last_offset_delta),
            offset_delta: batch.last_offset_delta,
            timestamp_ms: batch.max_timestamp,
        });
    }

    /// Forgets who has not been heard of for too long. Called now and then: an expired producer counts as
    /// unknown already before.
    pub fn expire(&mut self, now_ms: TimestampMs, expiration_ms: i64) {
        let before = self.producers.len();
        self.producers.retain(|_, producer| !producer.is_expired(now_ms, expiration_ms));
        self.forgotten |= self.producers.len() < before;
    }
}
