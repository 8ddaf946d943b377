//! What a follower does with what its leader sends.

use ottla_protocol::ids::{LeaderEpoch, Offset, PartitionIndex};
use ottla_replication::{Input, leader_epoch};

use crate::event::{Event, Life};
use crate::sabotage::Sabotage;
use crate::stream::{Sent, StreamId, ToFollower};
use crate::world::World;

const ASK_AGAIN_US: u64 = 5_000;
const ASK_AGAIN_MAX_US: u64 = 500_000;
const RESEND_US: u64 = 25_000;

impl World {
    pub(crate) fn deliver_down(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else { return };
        let (follower, leader) = (stream.follower, stream.leader.broker);
        if self.is_cut(leader, follower.broker) {
            self.after(RESEND_US, Event::Down(id));
            return;
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(message) = stream.down.pop_front() else { return };
        if !stream.follower_on || self.process(follower).is_none() {
            return;
        }
        self.note(|| format!("  stream {id} {leader}→{}: {message:?}", follower.broker));
        self.on_leader_data(follower, message);
    }

    fn on_leader_data(&mut self, life: Life, message: ToFollower) {
        let ToFollower { partition, leader_epoch, attempt, high_watermark, log_start, outcome } =
            message;
        let takes_anything =
            self.sabotage == Some(Sabotage::TakeStaleData) && matches!(outcome, Sent::Batches(..));
        let Some(held) = self.held(life.broker, partition) else { return };
        let follows = held.replica.leader().is_some_and(|leader| leader != life.broker);
        let expected = held.replica.expects(leader_epoch, attempt);
        if !(expected || (takes_anything && follows)) {
            return;
        }
        match outcome {
            Sent::Batches(base, batches) => {
                let disk = self.disk_mut(life.broker, partition);
                let from = disk.log_end();
                if from != base && !takes_anything {
                    let what = format!("from {base} on, where the log ends at {from}: {batches:?}");
                    return self.judge("I14", Err(what));
                }
                for (offset, entry) in &batches {
                    let log_end = disk.log_end();
                    disk.append_at((*offset).max(log_end), *entry);
                }
                let log_end = disk.log_end();
                if let Some(held) = self.held_mut(life.broker, partition) {
                    held.refusals = 0;
                    for (offset, entry) in &batches {
                        held.replica.producers_mut().record(&entry.sequenced(), *offset, 0);
                    }
                }
                self.check_appended(life.broker, partition, from);
                let leader_high_watermark = high_watermark;
                let leader_log_start = log_start;
                let input = Input::Received { log_end, leader_high_watermark, leader_log_start };
                self.step(life, partition, input);
            }
            Sent::Diverging(end) => {
                if self.sabotage == Some(Sabotage::IgnoreDiverging) {
                    return self.ask_later(life, partition, leader_epoch, attempt);
                }
                let disk = self.disk_mut(life.broker, partition);
                let history = disk.history();
                let point = leader_epoch::truncation_point(history, disk.log_end(), end);
                self.cut_log(life, partition, point);
            }
            Sent::OutOfRange => {
                self.check_cut(life.broker, partition, log_start);
                self.disk_mut(life.broker, partition).restart_at(log_start);
                self.read_producers(life, partition);
                self.step(life, partition, Input::Restarted(log_start));
            }
            Sent::Refused => self.ask_later(life, partition, leader_epoch, attempt),
        }
    }

    pub(crate) fn cut_log(&mut self, life: Life, partition: PartitionIndex, point: Offset) {
        self.check_cut(life.broker, partition, point);
        let disk = self.disk_mut(life.broker, partition);
        disk.truncate(point);
        let (log_end, flushed) = (disk.log_end(), disk.flushed());
        self.read_producers(life, partition);
        self.step(life, partition, Input::Truncated { log_end, flushed });
    }

    fn read_producers(&mut self, life: Life, partition: PartitionIndex) {
        if self.sabotage == Some(Sabotage::KeepCutProducers) {
            return;
        }
        let producers = self.disk_mut(life.broker, partition).producers();
        if let Some(held) = self.held_mut(life.broker, partition) {
            *held.replica.producers_mut() = producers;
        }
    }

    fn ask_later(
        &mut self,
        life: Life,
        partition: PartitionIndex,
        leader_epoch: LeaderEpoch,
        attempt: u32,
    ) {
        let Some(held) = self.held_mut(life.broker, partition) else { return };
        let delay = (ASK_AGAIN_US << held.refusals.min(16)).min(ASK_AGAIN_MAX_US);
        held.refusals = held.refusals.saturating_add(1);
        self.after(delay, Event::AskAgain { life, partition, leader_epoch, attempt });
    }

    pub(crate) fn ask_again(
        &mut self,
        life: Life,
        partition: PartitionIndex,
        leader_epoch: LeaderEpoch,
        attempt: u32,
    ) {
        if self.process(life).is_some()
            && self
                .held(life.broker, partition)
                .is_some_and(|held| held.replica.expects(leader_epoch, attempt))
        {
            self.step(life, partition, Input::Ask);
        }
    }
}
