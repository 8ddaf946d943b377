//! Clients: idempotent producers that try again, and consumers that follow leader epochs.

use std::collections::VecDeque;

use ottla_protocol::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex};
use ottla_replication::{Admission, Input, NotAdmitted, NotReadable, SequenceError};

use crate::disk::Entry;
use crate::event::{Answer, Event, Waiting};
use crate::sabotage::Sabotage;
use crate::world::World;

/// What a client has in flight (`max.in.flight.requests.per.connection`).
const IN_FLIGHT: usize = 5;
const PRODUCE_US: u64 = 12_000;
const BACKOFF_US: u64 = 20_000;
const REQUEST_TIMEOUT_US: u64 = 600_000;
const POLL_US: u64 = 25_000;
const DELETE_US: u64 = 150_000;
/// Between two compactions of a log.
const COMPACT_US: u64 = 60_000;

/// An idempotent producer of one partition.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) number: usize,
    pub(crate) partition: PartitionIndex,
    pub(crate) acks_all: bool,
    epoch: i16,
    next_sequence: i32,
    /// Sequences without an answer, in order.
    pub(crate) pending: VecDeque<i32>,
    /// How many of them have been sent on this connection.
    sent: usize,
    /// Counts its connections; answers on an earlier one are not heard.
    connection: u64,
    /// When the last request of this connection arrives, and its last answer.
    request_at_us: u64,
    answer_at_us: u64,
    backing_off_until_us: u64,
    timeout_set: bool,
    /// Whom it takes for the leader.
    leader: Option<BrokerId>,
    leader_epoch: LeaderEpoch,
    /// Acknowledged appends.
    pub(crate) done: u64,
}

impl Producer {
    pub(crate) fn new(number: usize, partition: PartitionIndex, acks_all: bool) -> Self {
        Self {
            number,
            partition,
            acks_all,
            epoch: 0,
            next_sequence: 0,
            pending: VecDeque::new(),
            sent: 0,
            connection: 0,
            request_at_us: 0,
            answer_at_us: 0,
            backing_off_until_us: 0,
            timeout_set: false,
            leader: None,
            leader_epoch: -1,
            done: 0,
        }
    }

    fn entry(&self, sequence: i32) -> Entry {
        let (producer, producer_epoch) = (self.number as i64, self.epoch);
        Entry { epoch: -1, producer, producer_epoch, sequence, bare: false }
    }
}

/// A consumer of one partition.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) partition: PartitionIndex,
    pub(crate) offset: Offset,
    last_epoch: Option<LeaderEpoch>,
    leader: Option<BrokerId>,
    leader_epoch: LeaderEpoch,
    /// The latest offset that it was told of (ListOffsets).
    latest: Offset,
}

impl Consumer {
    pub(crate) fn new(partition: PartitionIndex) -> Self {
        Self { partition, offset: 0, last_epoch: None, leader: None, leader_epoch: -1, latest: 0 }
    }
}

impl World {
    /// The leader as some broker knows it; never one of an earlier epoch than known before.
    fn find_leader(
        &mut self,
        partition: PartitionIndex,
        known: (Option<BrokerId>, LeaderEpoch),
    ) -> (Option<BrokerId>, LeaderEpoch) {
        let ids = self.ids();
        let asked = self.dice.pick(&ids).unwrap_or(1);
        let id = self.partition_id(partition);
        let Some(process) = &self.broker(asked).process else { return known };
        match process.applied.partition(id) {
            Some(state) if state.leader_epoch >= known.1 => (state.leader, state.leader_epoch),
            _ => known,
        }
    }

    // ---- Producing

    pub(crate) fn wake_producer(&mut self, number: usize) {
        let next = self.dice.between(PRODUCE_US / 4, PRODUCE_US);
        self.after(next, Event::Producer(number));
        let (now_us, quiet) = (self.now_us, self.quiet);
        let producer = &mut self.producers[number];
        if !quiet && producer.pending.len() < IN_FLIGHT {
            producer.pending.push_back(producer.next_sequence);
            producer.next_sequence += 1;
        }
        if now_us < producer.backing_off_until_us || producer.sent == producer.pending.len() {
            return;
        }
        if producer.sent == 0 {
            let (partition, known) = (producer.partition, (producer.leader, producer.leader_epoch));
            let (leader, leader_epoch) = self.find_leader(partition, known);
            let producer = &mut self.producers[number];
            (producer.leader, producer.leader_epoch) = (leader, leader_epoch);
        }
        let Some(broker) = self.producers[number].leader else { return };
        loop {
            let delay = self.delay();
            let producer = &mut self.producers[number];
            let Some(sequence) = producer.pending.get(producer.sent).copied() else { break };
            producer.sent += 1;
            producer.request_at_us = producer.request_at_us.max(now_us + delay);
            let (at_us, connection) = (producer.request_at_us, producer.connection);
            let entry = producer.entry(sequence);
            let set = std::mem::replace(&mut producer.timeout_set, true);
            self.at(at_us, Event::ProduceArrives { producer: number, connection, broker, entry });
            if !set {
                let timed_out = Event::ProduceTimedOut { producer: number, connection };
                self.after(REQUEST_TIMEOUT_US, timed_out);
            }
        }
    }

    /// An outcome is not known, or was a refusal: everything unanswered is sent again, in order.
    pub(crate) fn lose_connection(&mut self, number: usize, connection: u64) {
        let now_us = self.now_us;
        let producer = &mut self.producers[number];
        if producer.connection != connection {
            return;
        }
        producer.connection += 1;
        producer.sent = 0;
        producer.timeout_set = false;
        producer.request_at_us = 0;
        producer.answer_at_us = 0;
        producer.backing_off_until_us = now_us + BACKOFF_US;
    }

    pub(crate) fn on_produce(
        &mut self,
        number: usize,
        connection: u64,
        id: BrokerId,
        batch: Entry,
    ) {
        let producer = &self.producers[number];
        let (partition, acks_all) = (producer.partition, producer.acks_all);
        let sequence = batch.sequence;
        let Some(life) = self.life_of(id) else {
            return self.answer(number, connection, sequence, Answer::Failed);
        };
        let Some(held) = self.held_mut(id, partition) else {
            return self.answer(number, connection, sequence, Answer::Failed);
        };
        let admission = held.replica.admit(Some(&batch.sequenced()), acks_all, 0);
        let admission = match admission {
            Ok(admission) => admission,
            Err(error) => {
                let answer = match error {
                    NotAdmitted::Sequence(SequenceError::OutOfOrder { .. }) => Answer::OutOfOrder,
                    NotAdmitted::Sequence(SequenceError::Fenced { .. }) => Answer::Fenced,
                    _ => Answer::Failed,
                };
                self.note(|| format!("  producer {number} {sequence}: {error}"));
                return self.answer(number, connection, sequence, answer);
            }
        };
        held.next_token += 1;
        let token = held.next_token;
        match admission {
            Admission::Duplicate(original) => {
                let offset = original.base_offset();
                if acks_all {
                    let waiting = Waiting { producer: number, connection, sequence, offset };
                    held.waiting.insert(token, waiting);
                    let offset = original.last_offset + 1;
                    self.check_duplicate(id, partition, original.base_offset(), batch);
                    self.step(life, partition, Input::Await { offset, waiter: token });
                } else {
                    self.answer(number, connection, sequence, Answer::Done);
                }
            }
            Admission::Append { base_offset, leader_epoch } => {
                held.replica.producers_mut().record(&batch.sequenced(), base_offset, 0);
                if acks_all {
                    let offset = base_offset;
                    let waiting = Waiting { producer: number, connection, sequence, offset };
                    held.waiting.insert(token, waiting);
                }
                self.disk_mut(id, partition).append(Entry { epoch: leader_epoch, ..batch });
                self.check_append(life, partition, leader_epoch, base_offset);
                let waiter = acks_all.then_some(token);
                let log_end = base_offset + 1;
                self.step(life, partition, Input::Appended { log_end, waiter });
                self.pump_soon(id, partition);
                if !acks_all {
                    self.answer(number, connection, sequence, Answer::Done);
                }
            }
        }
    }

    /// An answer on its way to the client; one that is lost takes the connection with it.
    pub(crate) fn answer(&mut self, number: usize, connection: u64, sequence: i32, answer: Answer) {
        if self.swarm.bad_clients && !self.healing && self.dice.one_in(40) {
            self.after(1000, Event::ProduceTimedOut { producer: number, connection });
            return;
        }
        let delay = self.delay();
        let now_us = self.now_us;
        let producer = &mut self.producers[number];
        let mut at_us = now_us + delay;
        if producer.connection == connection {
            producer.answer_at_us = producer.answer_at_us.max(at_us);
            at_us = producer.answer_at_us;
        }
        self.at(at_us, Event::ProduceAnswered { producer: number, connection, sequence, answer });
    }

    pub(crate) fn on_produce_answer(
        &mut self,
        number: usize,
        connection: u64,
        sequence: i32,
        answer: Answer,
    ) {
        let producer = &mut self.producers[number];
        if producer.connection != connection {
            return;
        }
        let first = producer.pending.front() == Some(&sequence);
        match answer {
            Answer::Done if first => {
                producer.pending.pop_front();
                producer.sent -= 1;
                producer.done += 1;
                if producer.sent == 0 {
                    producer.timeout_set = false;
                }
            }
            // With acks=1 what was acknowledged may be gone: the client begins a new epoch.
            Answer::OutOfOrder if first && !producer.acks_all => {
                producer.epoch += 1;
                let pending = producer.pending.len() as i32;
                producer.pending = (0..pending).collect();
                producer.next_sequence = pending;
                self.lose_connection(number, connection);
            }
            _ => self.lose_connection(number, connection),
        }
    }

    // ---- Deleting

    /// The last record of each producer that its client has heard of stays: a replica that begins anew
    /// behind it would not know the producer, and take what it sends again for new, as in Kafka.
    fn deletable(&self, id: BrokerId, partition: PartitionIndex) -> Offset {
        let disk = self.disk(id, partition);
        let high_watermark = disk.offsets().high_watermark;
        let heard_of = |producer: &Producer| {
            let next = producer.pending.front().copied().unwrap_or(producer.next_sequence);
            let last = producer.entry(next - 1).record();
            let mut behind = (disk.log_start()..high_watermark).rev();
            behind.find(|offset| disk.get(*offset).is_some_and(|entry| entry.record() == last))
        };
        let ours = self.producers.iter().filter(|producer| producer.partition == partition);
        ours.map(|producer| heard_of(producer).unwrap_or(0)).min().unwrap_or(0)
    }

    /// DeleteRecords, by whoever leads.
    pub(crate) fn delete_records(&mut self, partition: PartitionIndex) {
        self.after(DELETE_US, Event::Delete(partition));
        if self.quiet {
            return;
        }
        for id in self.ids() {
            let leads = self.held(id, partition).filter(|held| held.replica.as_leader().is_some());
            let Some(offsets) = leads.map(|held| held.replica.offsets()) else { continue };
            let offset = self.deletable(id, partition);
            if let Some(life) = self.life_of(id).filter(|_| offset > offsets.log_start) {
                self.disk_mut(id, partition).raise_log_start(offset);
                let seen = self.ledger.of(partition);
                seen.deleted = seen.deleted.max(offset);
                self.step(life, partition, Input::LogStart(offset));
                self.pump_soon(id, partition);
            }
        }
    }

    // ---- Compacting

    /// Each replica compacts for itself, up to anywhere below its high watermark, never its last batch.
    pub(crate) fn compact(&mut self, partition: PartitionIndex) {
        self.after(COMPACT_US, Event::Compact(partition));
        for id in self.ids() {
            let Some(held) = self.held(id, partition) else { continue };
            let offsets = held.replica.offsets();
            let producers = held.replica.producers().producers();
            let batches = producers.flat_map(|(_, producer)| &producer.batches);
            let remembered: Vec<Offset> = batches.map(|batch| batch.last_offset).collect();
            let above = self.sabotage == Some(Sabotage::CompactAboveHighWatermark);
            let bound = if above { offsets.log_end } else { offsets.high_watermark };
            let bound = bound.min(offsets.log_end - 1).max(0);
            let upto =
                if above { bound } else { self.dice.between(0, bound.unsigned_abs()) as Offset };
            let keeps_epochs = self.sabotage != Some(Sabotage::ForgetEpochHeads);
            self.disk_mut(id, partition).compact(upto, &remembered, keeps_epochs);
        }
    }

    // ---- Consuming

    pub(crate) fn poll(&mut self, number: usize) {
        let next = self.dice.between(POLL_US / 4, POLL_US);
        self.after(next, Event::Poll(number));
        let consumer = &self.consumers[number];
        let (partition, known) = (consumer.partition, (consumer.leader, consumer.leader_epoch));
        let found = if consumer.leader.is_none() || self.dice.one_in(8) {
            self.find_leader(partition, known)
        } else {
            known
        };
        let consumer = &mut self.consumers[number];
        (consumer.leader, consumer.leader_epoch) = found;
        let (offset, last_epoch, latest) = (consumer.offset, consumer.last_epoch, consumer.latest);
        let (Some(id), epoch) = found else { return };
        let read = self.held(id, partition).map(|held| {
            let disk = &self.broker(id).disks[&partition];
            let bounds =
                held.replica.check_read(Some(epoch), last_epoch, offset, disk.history())?;
            let high_watermark = bounds.offsets.high_watermark;
            let entries = disk.range(offset, high_watermark).take(20);
            let entries: Vec<_> = entries.map(|(at, entry)| (at, *entry)).collect();
            let latest = held.replica.knows_latest().then_some(high_watermark);
            Ok((bounds.diverging, entries, latest))
        });
        let (diverging, entries, told) = match read {
            Some(Ok(read)) => read,
            Some(Err(NotReadable::OutOfRange)) => {
                let log_start = self.disk(id, partition).log_start();
                if offset < log_start {
                    // Deleted before it was read: it goes on where the log begins.
                    self.consumers[number].offset = log_start;
                    self.consumers[number].last_epoch = None;
                    return;
                }
                let what = format!(
                    "the consumer of partition {partition} is out of range at {offset} on broker \
                     {id}, epoch {epoch}"
                );
                return self.judge("I11", Err(what));
            }
            Some(Err(_)) | None => {
                self.consumers[number].leader = None;
                return;
            }
        };
        if let Some(end) = diverging {
            let what = format!(
                "the consumer of partition {partition} at {offset} (epoch {last_epoch:?}) is told \
                 by broker {id} in epoch {epoch} that it has left the log at {end:?}"
            );
            return self.judge("I11", Err(what));
        }
        if let Some(told) = told {
            if told < latest {
                let what = format!(
                    "the latest offset of partition {partition} went from {latest} back to {told} \
                     on broker {id} in epoch {epoch}"
                );
                return self.judge("I11", Err(what));
            }
            self.consumers[number].latest = told;
        }
        for (at, entry) in entries {
            let next = self.consumers[number].offset;
            self.check_skipped(id, partition, next, if entry.bare { at + 1 } else { at });
            if !entry.bare {
                self.check_read(id, partition, at, &entry);
            }
            self.consumers[number].offset = at + 1;
            self.consumers[number].last_epoch = Some(entry.epoch);
        }
    }
}
