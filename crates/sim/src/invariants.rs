//! What must hold, each under its name in the list of invariants that the project keeps to.
//!
//! | name | what | from |
//! | --- | --- | --- |
//! | I1 | acknowledged is kept | Jepsen's kafka workload; LeaderCompleteness in Vanlightly's `kafka-tlaplus` |
//! | I2 | one value per offset, for every reader, for ever | Jepsen; ConsistentRead (`kafka-tlaplus`) |
//! | I5 | no duplicate and no reorder of an idempotent producer's records | KIP-98, KIP-360 |
//! | I11 | the high watermark never goes back for who follows leader epochs | KIP-207, KIP-320 |
//! | I12 | compaction keeps the last record of each key, and a reader misses no other | KIP-58, KIP-534; Kafka's documentation of log compaction |
//! | I13 | replicas are identical below their high watermarks | LogMatching (`kafka-tlaplus`), WeakIsr (Gustafson's `kafka-specification`) |
//! | I14 | epochs rise along the log, and the history says so | KIP-101, KIP-279 |
//! | I15 | epochs rise in the metadata; one broker appends under one epoch | KIP-497, KIP-380 |
//! | I16 | ISR ⊆ replicas, leader ∈ ISR, ISR ∩ ELR = ∅, members registered and active | KIP-841, KIP-903, KIP-966; LeaderInIsr (`kafka-specification`) |
//! | I17 | a leader counts on every member of the true ISR | ReplicationQuorumSuperset (`kafka-tlaplus`) |
//! | I18 | images are equal at equal offsets; snapshot and tail make the whole; replicas know what the feed says | MetadataLogMatching (`kafka-tlaplus`) |
//! | I20 | producers read from the log are the producers in memory | KAFKA-9144 |
//! | I24 | after the last fault everything is in sync, led by whom it should be, and serves | reliability of any of these |
//!
//! Those over values are functions here; those over the running world are its methods. What is checked now
//! and then and at the end is in `audit`.

use ottla_metadata::proposal::AlterPartition;
use ottla_metadata::{Delta, Image};
use ottla_protocol::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex};
use ottla_replication::Role;

use crate::disk::{Disk, Entry, NOTHING};
use crate::event::Life;
use crate::world::World;

pub(crate) type Check = Result<(), String>;

pub(crate) fn require(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

/// The partition epoch rises with each change, the leader epoch with each change of leader.
pub(crate) fn i15_epochs_rise(delta: &Delta) -> Check {
    delta.partitions.iter().try_for_each(|(id, change)| {
        let Some(old) = &change.old else { return Ok(()) };
        let new = &change.new;
        let rises = new.partition_epoch > old.partition_epoch
            && if new.leader == old.leader {
                new.leader_epoch >= old.leader_epoch
            } else {
                new.leader_epoch > old.leader_epoch
            };
        require(rises, || format!("epochs of {id:?} do not rise from {old:?} to {new:?}"))
    })
}

pub(crate) fn i16_isr_is_sound(image: &Image) -> Check {
    let mut partitions =
        image.topics().flat_map(|topic| topic.partitions.iter().map(|(index, it)| (*index, it)));
    partitions.try_for_each(|(index, it)| {
        let replica = |id: &BrokerId| it.replicas.contains(id);
        let sound = it.isr.iter().all(replica)
            && it.elr.iter().all(replica)
            && it.isr.iter().all(|id| !it.elr.contains(id) && image.is_active(*id))
            && it.leader.is_none_or(|leader| it.isr.contains(&leader))
            && (it.leader.is_some() || it.isr.is_empty());
        require(sound, || format!("partition {index} is {it:?}"))
    })
}

/// A granted ISR names members in the registration that is in force.
pub(crate) fn i16_members_are_present(image: &Image, wish: &AlterPartition) -> Check {
    wish.new_isr.iter().try_for_each(|member| {
        let registered = image.broker(member.broker_id);
        let present =
            registered.is_some_and(|it| it.is_active() && it.epoch == member.broker_epoch);
        require(present, || format!("{wish:?} was granted while {member:?} is {registered:?}"))
    })
}

/// What a batch says that it changed is what has changed.
pub(crate) fn i18_delta_is_the_difference(old: &Image, new: &Image, delta: &Delta) -> Check {
    let between = Delta::between(old, new);
    let ignored = &delta.ignored;
    require(ignored.is_empty(), || format!("committed records make no sense: {ignored:?}"))?;
    let equal = between.partitions == delta.partitions
        && between.created_topics == delta.created_topics
        && between.brokers.keys().eq(delta.brokers.keys());
    require(equal, || format!("the batch says {delta:?}, the images {between:?}"))
}

pub(crate) fn i18_images_are_equal(committed: Option<&Image>, seen: &Image) -> Check {
    require(committed == Some(seen), || {
        format!("at offset {} a broker has {seen:?}, the controller {committed:?}", seen.offset())
    })
}

fn i14_epochs_rise(disk: &Disk, from: Offset) -> Check {
    let entries = disk.range(from.saturating_sub(1), disk.log_end());
    require(entries.is_sorted_by_key(|(_, entry)| entry.epoch), || {
        format!("epochs fall behind offset {from}")
    })?;
    let history = disk.history();
    require(history.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), || {
        format!("the history {history:?} does not rise")
    })?;
    history.iter().filter(|(_, start)| *start >= from).try_for_each(|(epoch, start)| {
        let first = disk.get(*start).map(|entry| entry.epoch);
        require(first.is_none_or(|first| first == *epoch), || {
            format!("epoch {epoch} begins at {start}, where the log has {first:?}")
        })
    })
}

impl World {
    // ---- As things happen

    /// I14: what was appended from `from` on continues the log.
    pub(crate) fn check_appended(&mut self, id: BrokerId, partition: PartitionIndex, from: Offset) {
        let result = i14_epochs_rise(self.disk(id, partition), from)
            .map_err(|what| format!("broker {id}, partition {partition}: {what}"));
        self.judge("I14", result);
    }

    /// I14 and I15: a leader has appended.
    pub(crate) fn check_append(
        &mut self,
        life: Life,
        partition: PartitionIndex,
        epoch: LeaderEpoch,
        offset: Offset,
    ) {
        self.check_appended(life.broker, partition, offset);
        let first = *self.ledger.of(partition).appenders.entry(epoch).or_insert(life);
        let result = require(first == life, || {
            format!("{first:?} and {life:?} append to partition {partition} in epoch {epoch}")
        });
        self.judge("I15", result);
    }

    /// I1: whoever begins to lead has everything that was acknowledged in earlier epochs.
    pub(crate) fn check_new_leader(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
        epoch: LeaderEpoch,
    ) {
        let seen = self.ledger.of(partition);
        let missing = {
            let disk = self.brokers[&id].disks.get(&partition).unwrap_or(&NOTHING);
            seen.acknowledged
                .iter()
                .filter(|(offset, (_, acked_in))| **offset >= seen.deleted && *acked_in < epoch)
                .find(|(offset, (entry, _))| !disk.has(**offset, entry))
                .map(|(offset, (entry, _))| (*offset, *entry, disk.get(*offset).copied()))
        };
        let result = require(missing.is_none(), || {
            format!(
                "broker {id} leads partition {partition} in epoch {epoch} without what was \
                 acknowledged: {missing:?}"
            )
        });
        self.judge("I1", result);
    }

    /// I1: what is acknowledged is on every member of the ISR, as `flush.messages` counts. A node that
    /// has lost its tail, and of which the controller has not heard yet, is let off.
    pub(crate) fn acknowledged(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
        offset: Offset,
        producer: usize,
    ) {
        let Some(entry) = self.what_was_at(id, partition, offset) else {
            return self.judge("I1", Err(format!("nothing at {offset} was acknowledged")));
        };
        let own = entry.producer == producer as i64;
        self.judge("I5", require(own, || format!("another's {entry:?} was acknowledged")));
        let epoch = self.held(id, partition).map_or(-1, |held| held.replica.leader_epoch());
        self.ledger.of(partition).acknowledged.insert(offset, (entry, epoch));
        let isr = self
            .quorum
            .image()
            .partition(self.partition_id(partition))
            .map(|state| state.isr.clone())
            .unwrap_or_default();
        let counts_flushed = self.swarm.counts_flushed();
        for member in isr {
            if self.lossy.is_some_and(|life| life.broker == member) {
                continue;
            }
            let disk = self.disk(member, partition);
            let has = disk.has(offset, &entry) && (!counts_flushed || disk.flushed() > offset);
            let flushed = disk.flushed();
            let result = require(has, || {
                format!(
                    "broker {member} is in the ISR of partition {partition} without the \
                     acknowledged record at {offset} (flushed to {flushed})"
                )
            });
            self.judge("I1", result);
        }
    }

    /// I1: nobody in the ISR cuts away what was acknowledged.
    pub(crate) fn check_cut(&mut self, id: BrokerId, partition: PartitionIndex, point: Offset) {
        let state = self.quorum.image().partition(self.partition_id(partition));
        if !state.is_some_and(|state| state.isr.contains(&id)) {
            return;
        }
        let seen = self.ledger.of(partition);
        let disk = self.brokers[&id].disks.get(&partition).unwrap_or(&NOTHING);
        let mut behind = seen.acknowledged.range(point.max(seen.deleted)..);
        let cut = behind.find(|(offset, (entry, _))| disk.get(**offset) == Some(entry));
        let result = require(cut.is_none(), || {
            format!("broker {id} in the ISR of partition {partition} cuts {cut:?} at {point}")
        });
        self.judge("I1", result);
    }

    /// What a broker has at an offset, or had before it was compacted.
    fn what_was_at(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
        offset: Offset,
    ) -> Option<Entry> {
        let whole = self.disk(id, partition).get(offset).filter(|entry| !entry.bare).copied();
        whole.or_else(|| self.ledger.of(partition).committed.get(offset as usize).copied())
    }

    /// I5: what passes for a duplicate is the same record.
    pub(crate) fn check_duplicate(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
        offset: Offset,
        batch: Entry,
    ) {
        let original = self.what_was_at(id, partition, offset);
        let same = original.is_some_and(|it| it.record() == batch.record());
        let what = || format!("{batch:?} passes for a duplicate of {original:?} at {offset}");
        self.judge("I5", require(same, what));
    }

    /// I2 and I5: what has come below a high watermark is what was there before, if anything was.
    pub(crate) fn check_committed(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
        from: Offset,
        to: Offset,
    ) {
        // Nobody reads what is deleted.
        let from = from.max(self.disk(id, partition).log_start());
        let entries = self.disk(id, partition).range(from, to);
        let entries: Vec<_> = entries.map(|(offset, entry)| (offset, *entry)).collect();
        for (offset, entry) in entries {
            let seen = self.ledger.of(partition);
            let known = seen.committed.get(offset as usize).copied();
            if let Some(known) = known {
                let what = || {
                    format!(
                        "broker {id} shows {entry:?} at {offset} of partition {partition}, where \
                         {known:?} was"
                    )
                };
                self.judge("I2", require(known.is_of(&entry), what));
                continue;
            }
            let next = seen.committed.len() as Offset;
            seen.committed.push(entry);
            let producer = (entry.producer, entry.producer_epoch);
            let before = seen.sequences.insert(producer, entry.sequence);
            // What is new was never compacted.
            let gapless = next == offset && !entry.bare;
            self.judge("I2", require(gapless, || format!("offset {next} was passed over")));
            let expected = before.map_or(0, |before| before + 1);
            let what = || format!("{entry:?} at {offset}, where sequence {expected} was due");
            self.judge("I5", require(entry.sequence == expected, what));
        }
    }

    /// I2, I11 and I17: a high watermark has moved up from `before`.
    pub(crate) fn check_high_watermark(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
        before: Offset,
    ) {
        let Some(held) = self.held(id, partition) else { return };
        let offset = held.replica.offsets().high_watermark;
        let leads = held.replica.as_leader().map(|leader| leader.leader_epoch());
        self.check_committed(id, partition, before, offset);
        let Some(epoch) = leads else { return };
        let seen = self.ledger.of(partition).high_watermarks.insert(epoch, offset);
        let result = require(seen.is_none_or(|seen| seen <= offset), || {
            format!("in epoch {epoch} of partition {partition}: from {seen:?} back to {offset}")
        });
        self.judge("I11", result);
        self.i17_true_isr_has(partition, epoch, offset);
    }

    /// I17: what a leader takes for committed is on every member of the controller's ISR.
    fn i17_true_isr_has(&mut self, partition: PartitionIndex, epoch: LeaderEpoch, offset: Offset) {
        let Some(state) = self.quorum.image().partition(self.partition_id(partition)).cloned()
        else {
            return;
        };
        if state.leader_epoch != epoch {
            return;
        }
        let counts_flushed = self.swarm.counts_flushed();
        for member in &state.isr {
            if self.lossy.is_some_and(|life| life.broker == *member) {
                continue;
            }
            let disk = self.disk(*member, partition);
            let has = if counts_flushed { disk.flushed() } else { disk.log_end() };
            let result = require(has >= offset, || {
                format!(
                    "the high watermark of partition {partition} passes {offset} in epoch {epoch} \
                     while broker {member} in the ISR {:?} has {has}",
                    state.isr
                )
            });
            self.judge("I17", result);
        }
    }

    pub(crate) fn check_leader(&mut self, partition: PartitionIndex) {
        let leader = self.quorum.image().partition(self.partition_id(partition));
        if let Some(id) = leader.and_then(|state| state.leader) {
            self.check_leader_of(id, partition);
        }
    }

    /// I17: the leader of the present epoch counts on every member of the controller's ISR. I18: what it
    /// takes for committed its broker's image says.
    pub(crate) fn check_leader_of(&mut self, id: BrokerId, partition: PartitionIndex) {
        let key = self.partition_id(partition);
        let Some(process) = &self.broker(id).process else { return };
        let Some(held) = process.replicas.get(&partition) else { return };
        let Role::Leader(leader) = held.replica.role() else { return };
        let Some(state) = self.quorum.image().partition(key) else { return };
        let counts = |member: &BrokerId| *member == id || leader.isr().in_maximal(*member);
        let mut i17 = Ok(());
        if leader.leader_epoch() == state.leader_epoch {
            i17 = require(state.isr.iter().all(counts), || {
                format!(
                    "leader {id} of partition {partition} does not count on all of {:?}: {:?}",
                    state.isr,
                    leader.isr()
                )
            });
        }
        let known = process.applied.partition(key);
        let i18 = require(
            known.is_none_or(|known| {
                known.leader_epoch != leader.leader_epoch()
                    || known.partition_epoch >= leader.isr().partition_epoch()
            }),
            || {
                format!(
                    "leader {id} of partition {partition} has {:?}, its image {known:?}",
                    leader.isr()
                )
            },
        );
        self.judge("I17", i17);
        self.judge("I18", i18);
    }

    /// I12: what a consumer passes over has a later record of its key.
    pub(crate) fn check_skipped(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
        from: Offset,
        to: Offset,
    ) {
        let committed = &self.ledger.of(partition).committed;
        let at = |offset: Offset| usize::try_from(offset).unwrap_or(0).min(committed.len());
        let lost: Vec<Offset> = (from..to)
            .zip(&committed[at(from)..at(to)])
            .filter(|(offset, entry)| {
                let behind = &committed[at(offset + 1)..];
                !behind.iter().any(|it| it.key() == entry.key())
            })
            .map(|(offset, _)| offset)
            .collect();
        let result = require(lost.is_empty(), || {
            format!("a consumer of partition {partition} is not given {lost:?} by broker {id}")
        });
        self.judge("I12", result);
    }

    /// I2: what a consumer reads at an offset is what was ever below a high watermark there.
    pub(crate) fn check_read(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
        offset: Offset,
        entry: &Entry,
    ) {
        let known = self.ledger.of(partition).committed.get(offset as usize).copied();
        let result = require(known.as_ref() == Some(entry), || {
            format!("a consumer reads {entry:?} at {offset} on broker {id}, not {known:?}")
        });
        self.judge("I2", result);
    }
}
