//! What is checked now and then over the whole world, and at its end.

use std::collections::BTreeMap;

use ottla_protocol::ids::{BrokerId, Offset, PartitionIndex};

use crate::disk::{Disk, Entry};
use crate::invariants::{Check, require};
use crate::world::World;

fn i13_identical(left: &Disk, right: &Disk, below: Offset) -> Check {
    let from = left.log_start().max(right.log_start());
    // Each compacts for itself: what both have is the same.
    let differs =
        |(at, entry): &(Offset, &Entry)| right.get(*at).is_some_and(|other| !other.is_of(entry));
    let found = left.range(from, below).find(differs);
    require(found.is_none(), || {
        let (at, entry) = found.unzip();
        format!("they differ at {at:?}: {entry:?} and {:?}", at.and_then(|at| right.get(at)))
    })
}

impl World {
    // ---- Now and then

    /// I13 over all pairs of replicas that run, and I14 over whole logs.
    pub(crate) fn audit(&mut self) {
        for partition in 0..self.swarm.partitions {
            let running: Vec<(BrokerId, Offset)> = self
                .ids()
                .into_iter()
                .filter_map(|id| {
                    self.held(id, partition).map(|it| (id, it.replica.offsets().high_watermark))
                })
                .collect();
            for pair in running.windows(2) {
                let [(left, left_at), (right, right_at)] = *pair else { continue };
                let below = left_at.min(right_at);
                let disk = |id| self.disk(id, partition);
                let result = i13_identical(disk(left), disk(right), below).map_err(|what| {
                    format!("partition {partition} of brokers {left} and {right}: {what}")
                });
                self.judge("I13", result);
            }
            for (id, _) in running {
                self.check_appended(id, partition, 0);
                self.audit_keys(id, partition);
            }
        }
    }

    /// I20, over the replicas of a broker.
    pub(crate) fn audit_producers(&mut self, id: BrokerId) {
        for partition in 0..self.swarm.partitions {
            let Some(held) = self.held(id, partition) else { continue };
            let read = self.disk(id, partition).producers();
            let result = require(*held.replica.producers() == read, || {
                format!(
                    "broker {id}, partition {partition}: {:?} in memory, {read:?} in the log",
                    held.replica.producers()
                )
            });
            self.judge("I20", result);
        }
    }

    /// I12: of each key the last committed record is on every replica in the ISR that has come so far. One
    /// that catches up may lack what was compacted before it has what came later.
    fn audit_keys(&mut self, id: BrokerId, partition: PartitionIndex) {
        let state = self.quorum.image().partition(self.partition_id(partition));
        let lost_its_tail = self.lossy.is_some_and(|life| life.broker == id);
        if lost_its_tail || state.is_none_or(|state| !state.isr.contains(&id)) {
            return;
        }
        let Some(held) = self.held(id, partition) else { return };
        let high_watermark = held.replica.offsets().high_watermark;
        let disk = self.disk(id, partition).clone();
        let mut last = BTreeMap::new();
        let committed = &self.ledger.of(partition).committed;
        for (offset, entry) in (0..high_watermark).zip(committed) {
            last.insert(entry.key(), (offset, *entry));
        }
        let gone = last.into_values().filter(|(offset, _)| *offset >= disk.log_start());
        for (offset, entry) in gone {
            let found = disk.get(offset).copied();
            let what = || {
                format!(
                    "broker {id} has {found:?} at {offset} of partition {partition}, where the last \
                     record of its key is: {entry:?}"
                )
            };
            self.judge("I12", require(found == Some(entry), what));
        }
    }

    // ---- At the end

    /// I24, as far as the cluster goes: full ISR, preferred leaders.
    pub(crate) fn i24_is_whole(&self) -> Check {
        let image = self.quorum.image();
        self.ids().into_iter().try_for_each(|id| {
            require(image.is_active(id), || format!("broker {id} is {:?}", image.broker(id)))
        })?;
        (0..self.swarm.partitions).try_for_each(|partition| {
            let state = image.partition(self.partition_id(partition));
            let whole = state.is_some_and(|state| {
                state.isr.len() == state.replicas.len() && state.leader == state.preferred_leader()
            });
            require(whole, || format!("partition {partition} is {state:?}"))
        })
    }

    /// I24, as far as clients go: everything sent is answered, everything committed is read.
    pub(crate) fn i24_is_served(&self) -> Check {
        self.producers.iter().try_for_each(|producer| {
            require(producer.pending.is_empty(), || format!("waits for an answer: {producer:?}"))
        })?;
        self.consumers.iter().try_for_each(|consumer| {
            let ends: Vec<Offset> = self
                .ids()
                .into_iter()
                .filter_map(|id| self.held(id, consumer.partition))
                .map(|held| held.replica.offsets().log_end)
                .collect();
            require(ends.iter().all(|end| *end == consumer.offset), || {
                format!("the logs end at {ends:?}, and {consumer:?}")
            })
        })
    }

    /// I1, at last: what was acknowledged has been read.
    pub(crate) fn i1_all_is_read(&mut self) {
        for partition in 0..self.swarm.partitions {
            let seen = self.ledger.of(partition);
            let lost: Vec<Offset> = seen
                .acknowledged
                .iter()
                .filter(|(offset, (entry, _))| seen.committed.get(**offset as usize) != Some(entry))
                .map(|(offset, _)| *offset)
                .collect();
            let what = || format!("of partition {partition} these are lost: {lost:?}");
            self.judge("I1", require(lost.is_empty(), what));
        }
    }
}
