//! One replica's shell: what becomes of the machine's effects.

use ottla_protocol::ids::{BrokerId, PartitionIndex};
use ottla_replication::{AckOutcome, Effect, Input, Position};

use crate::disk::Flush;
use crate::event::{Answer, Event, Life};
use crate::sabotage::Sabotage;
use crate::stream::ToLeader;
use crate::world::World;

const FLUSH_US: u64 = 500;
const SLOW_FLUSH_US: u64 = 40_000;
/// Between two threads of one broker that send at the same time.
const RACE_US: u64 = 300;

impl World {
    pub(crate) fn step(&mut self, life: Life, partition: PartitionIndex, input: Input) {
        if self.process(life).is_none() || self.violation.is_some() {
            return;
        }
        self.note(|| format!("  {life:?} p{partition} {input:?}"));
        let now_ms = self.now_ms();
        let Some(held) = self.held_mut(life.broker, partition) else { return };
        let before = held.replica.offsets();
        let mut effects = Vec::new();
        held.replica.step(now_ms, input, &mut effects);
        let after = held.replica.offsets();
        self.note(|| format!("    {after:?}"));
        self.perform(life, partition, effects);
        if after.high_watermark > before.high_watermark {
            self.check_high_watermark(life.broker, partition, before.high_watermark);
        }
        self.check_leader_of(life.broker, partition);
    }

    pub(crate) fn perform(&mut self, life: Life, partition: PartitionIndex, effects: Vec<Effect>) {
        let id = life.broker;
        for effect in effects {
            self.note(|| format!("    {effect:?}"));
            match effect {
                Effect::Lead { leader_epoch } => {
                    self.disk_mut(id, partition).assign_epoch(leader_epoch);
                    self.change_role(life, partition, None);
                    self.check_new_leader(id, partition, leader_epoch);
                }
                Effect::Step { leader } => self.change_role(life, partition, leader),
                Effect::HighWatermark(offset) => {
                    self.disk_mut(id, partition).set_high_watermark(offset);
                    self.pump_soon(id, partition);
                }
                Effect::LogStart(offset) => self.disk_mut(id, partition).raise_log_start(offset),
                Effect::WakeAt(at_ms) => {
                    let at_us = u64::try_from(at_ms).unwrap_or(0).saturating_mul(1000);
                    self.at(at_us, Event::Tick(life, partition));
                }
                Effect::Ack(token, outcome) => self.ack(id, partition, token, outcome),
                Effect::ProposeIsr(wish) => {
                    if let Some(process) = self.process_mut(life) {
                        process.wishes.push_back((partition, wish));
                        self.after(100, Event::Propose(life));
                    }
                }
                Effect::Ask { leader, leader_epoch, attempt } => {
                    let cuts = self.sabotage == Some(Sabotage::TruncateToHighWatermark);
                    if cuts && attempt == 1 {
                        let point = self.disk_mut(id, partition).offsets().high_watermark;
                        self.cut_log(life, partition, point);
                        continue;
                    }
                    let hides = self.sabotage == Some(Sabotage::HideLastEpoch);
                    let disk = self.disk_mut(id, partition);
                    let position = Position {
                        follower: id,
                        // The stream says it.
                        broker_epoch: -1,
                        leader_epoch,
                        attempt,
                        log_end: disk.log_end(),
                        flushed: disk.flushed(),
                        last_epoch: if hides { -1 } else { disk.last_epoch() },
                    };
                    self.follow(life, partition, leader);
                    self.send(life, leader, ToLeader::Position(partition, position));
                }
                Effect::Progress { leader, leader_epoch, attempt, log_end, flushed } => {
                    let progress =
                        ToLeader::Progress { partition, leader_epoch, attempt, log_end, flushed };
                    self.send(life, leader, progress);
                }
            }
        }
        self.flush_if_due(life, partition);
    }

    pub(crate) fn disk_mut(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
    ) -> &mut crate::disk::Disk {
        self.broker_mut(id).disks.entry(partition).or_default()
    }

    fn change_role(&mut self, life: Life, partition: PartitionIndex, leader: Option<BrokerId>) {
        let Some(held) = self.held_mut(life.broker, partition) else { return };
        held.feeds.clear();
        held.refusals = 0;
        if held.following != leader
            && let Some(former) = held.following.take()
        {
            self.unfollow(life, partition, former);
        }
    }

    /// Sent once the replica's lock is released: another thread may be quicker.
    fn send(&mut self, life: Life, leader: BrokerId, message: ToLeader) {
        if self.swarm.racing_sends && self.dice.one_in(3) {
            let delay = self.dice.between(0, RACE_US);
            self.after(delay, Event::Send(life, leader, message));
        } else {
            self.send_up(life, leader, message);
        }
    }

    fn ack(&mut self, id: BrokerId, partition: PartitionIndex, token: u64, outcome: AckOutcome) {
        let Some(held) = self.held_mut(id, partition) else { return };
        let Some(waiting) = held.waiting.remove(&token) else { return };
        let answer = if outcome == AckOutcome::Committed {
            self.acknowledged(id, partition, waiting.offset, waiting.producer);
            Answer::Done
        } else {
            Answer::Failed
        };
        self.answer(waiting.producer, waiting.connection, waiting.sequence, answer);
    }

    // ---- The disk

    fn flush_if_due(&mut self, life: Life, partition: PartitionIndex) {
        let id = life.broker;
        let Some(held) = self.held_mut(id, partition) else { return };
        if held.flushing || !held.replica.wants_flush() {
            return;
        }
        held.flushing = true;
        let flush = self.disk_mut(id, partition).begin_flush();
        let slow = self.broker(id).slow_disk && !self.healing;
        let delay = self.dice.between(50, if slow { SLOW_FLUSH_US } else { FLUSH_US });
        self.after(delay, Event::Flushed { life, partition, flush });
        if self.sabotage == Some(Sabotage::LieAboutFlushes) {
            let log_end = self.disk_mut(id, partition).log_end();
            self.step(life, partition, Input::Flushed(log_end));
        }
    }

    pub(crate) fn on_flushed(&mut self, life: Life, partition: PartitionIndex, flush: Flush) {
        if self.process(life).is_none() {
            return;
        }
        let Some(held) = self.held_mut(life.broker, partition) else { return };
        held.flushing = false;
        let disk = self.disk_mut(life.broker, partition);
        if disk.end_flush(flush) {
            let flushed = disk.flushed();
            self.step(life, partition, Input::Flushed(flushed));
        } else {
            self.flush_if_due(life, partition);
        }
    }

    pub(crate) fn tick(&mut self, life: Life, partition: PartitionIndex) {
        self.step(life, partition, Input::Tick);
    }
}
