//! The streams between followers and leaders: dialling, breaking, and the leader's pump.

use ottla_protocol::ids::{BrokerId, Offset, PartitionIndex};
use ottla_replication::{Input, Offsets, Position, Refused, Subscription};

use crate::event::{Event, Life};
use crate::sabotage::Sabotage;
use crate::stream::{Feed, Link, Sent, Stream, StreamId, ToFollower, ToLeader};
use crate::world::World;

const REDIAL_US: u64 = 10_000;
/// A message on a cut line is sent again after so long.
const RESEND_US: u64 = 25_000;
/// Batches in one message, at most.
const MESSAGE_BATCHES: u64 = 8;

impl World {
    // ---- The follower's end

    pub(crate) fn follow(&mut self, life: Life, partition: PartitionIndex, leader: BrokerId) {
        let Some(process) = self.process_mut(life) else { return };
        if let Some(held) = process.replicas.get_mut(&partition) {
            held.following = Some(leader);
        }
        let link = process.links.entry(leader).or_default();
        link.partitions.insert(partition);
        if link.stream.is_none() && !link.dialling {
            link.dialling = true;
            self.after(0, Event::Dial(life, leader));
        }
    }

    pub(crate) fn unfollow(&mut self, life: Life, partition: PartitionIndex, leader: BrokerId) {
        let Some(link) = self.process_mut(life).and_then(|it| it.links.get_mut(&leader)) else {
            return;
        };
        link.partitions.remove(&partition);
        self.send_up(life, leader, ToLeader::Drop(partition));
    }

    pub(crate) fn redial(&mut self, life: Life, leader: BrokerId) {
        let link = self.process_mut(life).and_then(|it| it.links.get_mut(&leader));
        if link.is_some_and(|link| link.dialling) {
            self.after(0, Event::Dial(life, leader));
        }
    }

    pub(crate) fn dial(&mut self, life: Life, leader: BrokerId) {
        let Some(process) = self.process(life) else { return };
        let forgets = self.sabotage == Some(Sabotage::ForgetBrokerEpochs);
        let broker_epoch = if forgets { 0 } else { process.broker_epoch };
        let Some(link) = process.links.get(&leader) else { return };
        if link.stream.is_some() || !link.dialling {
            return;
        }
        if link.partitions.is_empty() {
            if let Some(process) = self.process_mut(life) {
                process.links.remove(&leader);
            }
            return;
        }
        let reachable = !self.is_cut(life.broker, leader) && !self.is_cut(leader, life.broker);
        let Some(other) = self.life_of(leader).filter(|_| reachable) else {
            self.after(REDIAL_US, Event::Dial(life, leader));
            return;
        };
        self.next_stream += 1;
        let id = self.next_stream;
        let stream = Stream {
            follower: life,
            broker_epoch,
            leader: other,
            follower_on: true,
            leader_on: true,
            up: Default::default(),
            down: Default::default(),
            up_at_us: self.now_us,
            down_at_us: self.now_us,
            pumping: false,
        };
        self.streams.insert(id, stream);
        let mut partitions = Vec::new();
        if let Some(link) = self.process_mut(life).and_then(|it| it.links.get_mut(&leader)) {
            link.stream = Some(id);
            link.dialling = false;
            partitions.extend(link.partitions.iter().copied());
        }
        for partition in partitions {
            self.step(life, partition, Input::Ask);
        }
    }

    /// What is said while no stream is up is lost.
    pub(crate) fn send_up(&mut self, life: Life, leader: BrokerId, message: ToLeader) {
        let Some(id) = self
            .process(life)
            .and_then(|process| process.links.get(&leader))
            .and_then(|link: &Link| link.stream)
        else {
            return;
        };
        let delay = self.delay();
        let now_us = self.now_us;
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.up.push_back(message);
        stream.up_at_us = stream.up_at_us.max(now_us + delay);
        let at_us = stream.up_at_us;
        self.at(at_us, Event::Up(id));
    }

    /// A stream breaks: each end learns of it in its own time.
    pub(crate) fn break_stream(&mut self, id: StreamId) {
        for event in [Event::FollowerHangsUp(id), Event::LeaderHangsUp(id)] {
            let delay = if self.dice.one_in(2) { self.delay() } else { 0 };
            self.after(delay, event);
        }
    }

    pub(crate) fn follower_hangs_up(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.follower_on = false;
        stream.down.clear();
        let (life, leader) = (stream.follower, stream.leader.broker);
        let Some(link) = self.process_mut(life).and_then(|it| it.links.get_mut(&leader)) else {
            return;
        };
        if link.stream == Some(id) {
            link.stream = None;
            link.dialling = true;
            let delay = self.dice.between(0, REDIAL_US);
            self.after(delay, Event::Dial(life, leader));
        }
    }

    // ---- The leader's end

    pub(crate) fn leader_hangs_up(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.leader_on = false;
        stream.up.clear();
        let leader = stream.leader;
        if let Some(process) = self.process_mut(leader) {
            for held in process.replicas.values_mut() {
                held.feeds.retain(|feed| feed.stream != id);
            }
        }
        // A follower that has not noticed does so when its next message is turned away.
        self.after(RESEND_US, Event::FollowerHangsUp(id));
    }

    pub(crate) fn deliver_up(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else { return };
        let (follower, leader) = (stream.follower, stream.leader);
        if self.is_cut(follower.broker, leader.broker) {
            self.after(RESEND_US, Event::Up(id));
            return;
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(message) = stream.up.pop_front().filter(|_| stream.leader_on) else { return };
        let broker_epoch = stream.broker_epoch;
        self.note(|| format!("  stream {id} {}→{}: {message:?}", follower.broker, leader.broker));
        match message {
            ToLeader::Drop(partition) => {
                if self.process(leader).is_some()
                    && let Some(held) = self.held_mut(leader.broker, partition)
                {
                    held.feeds.retain(|feed| feed.stream != id);
                }
            }
            ToLeader::Position(partition, position) => {
                self.subscribe(id, leader, partition, Position { broker_epoch, ..position });
            }
            ToLeader::Progress { partition, leader_epoch, attempt, log_end, flushed } => {
                let follower = follower.broker;
                let input = Input::FollowerAt {
                    follower,
                    broker_epoch,
                    leader_epoch,
                    attempt,
                    log_end,
                    flushed,
                };
                self.step(leader, partition, input);
            }
        }
    }

    fn subscribe(
        &mut self,
        id: StreamId,
        leader: Life,
        partition: PartitionIndex,
        position: Position,
    ) {
        let now_ms = self.now_ms();
        let Position { leader_epoch, attempt, log_end, .. } = position;
        if self.process(leader).is_none() {
            return;
        }
        let broker = self.broker_mut(leader.broker);
        let held = broker.process.as_mut().and_then(|it| it.replicas.get_mut(&partition));
        let (Some(held), Some(disk)) = (held, broker.disks.get(&partition)) else {
            self.send_down(
                id,
                ToFollower {
                    partition,
                    leader_epoch,
                    attempt,
                    high_watermark: -1,
                    log_start: -1,
                    outcome: Sent::Refused,
                },
            );
            return;
        };
        let before = held.replica.offsets().high_watermark;
        let mut effects = Vec::new();
        let result = held.replica.subscribe(now_ms, &position, disk.history(), &mut effects);
        let Offsets { high_watermark, log_start, .. } = held.replica.offsets();
        // A late request of an older stream, refused for its epoch, ends nothing.
        if matches!(result, Ok(_) | Err(Refused::OutOfRange)) {
            held.feeds.retain(|feed| feed.follower != position.follower);
        }
        let outcome = match result {
            Ok(Subscription::Stream) => {
                held.feeds.push(Feed {
                    stream: id,
                    follower: position.follower,
                    leader_epoch,
                    attempt,
                    next: log_end,
                    told: (-1, -1),
                });
                None
            }
            Ok(Subscription::Diverging(end)) => Some(Sent::Diverging(end)),
            Err(Refused::OutOfRange) => Some(Sent::OutOfRange),
            Err(_) => Some(Sent::Refused),
        };
        match outcome {
            None => self.pump_stream_soon(id),
            Some(outcome) => {
                let reply = ToFollower {
                    partition,
                    leader_epoch,
                    attempt,
                    high_watermark,
                    log_start,
                    outcome,
                };
                self.send_down(id, reply);
            }
        }
        self.perform(leader, partition, effects);
        if high_watermark > before {
            self.check_high_watermark(leader.broker, partition, before);
        }
        self.check_leader_of(leader.broker, partition);
    }

    fn send_down(&mut self, id: StreamId, message: ToFollower) {
        let delay = self.delay();
        let now_us = self.now_us;
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.leader_on) else {
            return;
        };
        stream.down.push_back(message);
        stream.down_at_us = stream.down_at_us.max(now_us + delay);
        let at_us = stream.down_at_us;
        self.at(at_us, Event::Down(id));
    }

    /// The partition has something to send to whoever it feeds.
    pub(crate) fn pump_soon(&mut self, id: BrokerId, partition: PartitionIndex) {
        let streams: Vec<StreamId> = self
            .held(id, partition)
            .map(|held| held.feeds.iter().map(|feed| feed.stream).collect())
            .unwrap_or_default();
        streams.into_iter().for_each(|stream| self.pump_stream_soon(stream));
    }

    fn pump_stream_soon(&mut self, id: StreamId) {
        let delay = self.dice.between(0, 100);
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.pumping) else {
            return;
        };
        stream.pumping = true;
        self.after(delay, Event::Pump(id));
    }

    pub(crate) fn pump(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.pumping = false;
        let leader = stream.leader;
        if !stream.leader_on || self.process(leader).is_none() {
            return;
        }
        let mut more = false;
        for partition in 0..self.swarm.partitions {
            let count = self.dice.between(1, MESSAGE_BATCHES) as Offset;
            let broker = self.broker_mut(leader.broker);
            let held = broker.process.as_mut().and_then(|it| it.replicas.get_mut(&partition));
            let (Some(held), Some(disk)) = (held, broker.disks.get(&partition)) else { continue };
            let Offsets { high_watermark, log_start, .. } = held.replica.offsets();
            let Some(place) = held.feeds.iter().position(|feed| feed.stream == id) else {
                continue;
            };
            let feed = &mut held.feeds[place];
            let (leader_epoch, attempt) = (feed.leader_epoch, feed.attempt);
            if feed.next < log_start {
                // What it is to be sent next is deleted: it begins anew.
                held.feeds.remove(place);
                let outcome = Sent::OutOfRange;
                self.send_down(
                    id,
                    ToFollower {
                        partition,
                        leader_epoch,
                        attempt,
                        high_watermark,
                        log_start,
                        outcome,
                    },
                );
                continue;
            }
            let from = feed.next;
            let found = disk.range(from, disk.log_end()).take(usize::try_from(count).unwrap_or(1));
            let batches: Vec<_> = found.map(|(offset, entry)| (offset, *entry)).collect();
            if batches.is_empty() && feed.told == (high_watermark, log_start) {
                continue;
            }
            feed.next = batches.last().map_or(from, |(last, _)| last + 1);
            feed.told = (high_watermark, log_start);
            more |= feed.next < disk.log_end();
            let message = ToFollower {
                partition,
                leader_epoch,
                attempt,
                high_watermark,
                log_start,
                outcome: Sent::Batches(from, batches),
            };
            self.send_down(id, message);
        }
        if more {
            self.pump_stream_soon(id);
        }
    }
}
