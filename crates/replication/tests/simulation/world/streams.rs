//! The streams between followers and leaders, which delay, and lose what is cut off.

use std::collections::VecDeque;

use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};
use ottla_replication::{EpochEnd, Input, Position, Refused, Subscription, leader_epoch};

use super::World;
use crate::disk::{Entry, sequenced};

#[derive(Debug, Clone)]
pub(super) enum ToLeader {
    Position(Position),
    Progress { leader_epoch: LeaderEpoch, attempt: u32, log_end: Offset, flushed: Offset },
}

#[derive(Debug, Clone)]
pub(super) struct ToFollower {
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) attempt: u32,
    pub(super) high_watermark: Offset,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Batches(Vec<Entry>),
    Diverging(EpochEnd),
    Refused(Refused),
}

/// What a leader sends to one follower.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) attempt: u32,
    pub(super) next: Offset,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) follower: BrokerId,
    pub(super) follower_epoch: BrokerEpoch,
    pub(super) leader: BrokerId,
    /// The follower still uses it; what it sent before may yet arrive if not.
    pub(super) current: bool,
    pub(super) feed: Option<Feed>,
    pub(super) up: VecDeque<ToLeader>,
    pub(super) down: VecDeque<ToFollower>,
}

impl World {
    pub(super) fn deliver_up(&mut self) {
        let Some(place) = self.pick(|stream| !stream.up.is_empty()) else { return };
        let stream = &mut self.streams[place];
        let (follower, broker_epoch, leader) =
            (stream.follower, stream.follower_epoch, stream.leader);
        match stream.up.pop_front().expect("not empty") {
            ToLeader::Progress { leader_epoch, attempt, log_end, flushed } => {
                self.step(
                    leader,
                    Input::FollowerAt {
                        follower,
                        broker_epoch,
                        leader_epoch,
                        attempt,
                        log_end,
                        flushed,
                    },
                );
            }
            ToLeader::Position(position) => self.subscribe(place, leader, position),
        }
        if !self.streams[place].current && self.streams[place].up.is_empty() {
            self.streams.remove(place);
        }
    }

    fn subscribe(&mut self, place: usize, leader: BrokerId, position: Position) {
        let now_ms = self.now_ms;
        let node = self.node_mut(leader);
        let Some(replica) = &mut node.replica else { return };
        let mut effects = Vec::new();
        let result = replica.subscribe(now_ms, &position, node.disk.history(), &mut effects);
        let high_watermark = replica.offsets().high_watermark;
        let Position { leader_epoch, attempt, log_end, follower, .. } = position;
        if matches!(result, Ok(_) | Err(Refused::OutOfRange)) {
            for stream in self.streams.iter_mut() {
                if stream.leader == leader && stream.follower == follower {
                    stream.feed = None;
                }
            }
        }
        let reply = |outcome| ToFollower { leader_epoch, attempt, high_watermark, outcome };
        let stream = &mut self.streams[place];
        match result {
            Ok(Subscription::Stream) => {
                stream.feed = Some(Feed { leader_epoch, attempt, next: log_end });
            }
            Ok(Subscription::Diverging(end)) => {
                stream.down.push_back(reply(Outcome::Diverging(end)));
            }
            Err(refused) => stream.down.push_back(reply(Outcome::Refused(refused))),
        }
        self.perform(leader, effects);
    }

    /// A leader sends some of what a follower lacks.
    pub(super) fn send(&mut self) {
        let Some(place) = self.pick(|stream| stream.feed.is_some()) else { return };
        let take = self.rng.below(4);
        let (leader, feed) = (self.streams[place].leader, self.streams[place].feed.clone());
        let (Some(mut feed), Some(replica)) = (feed, &self.node(leader).replica) else { return };
        let is_leader = replica.as_leader().map(ottla_replication::Leader::leader_epoch);
        if is_leader != Some(feed.leader_epoch) {
            self.streams[place].feed = None;
            return;
        }
        let entries = &self.node(leader).disk.entries;
        let from = feed.next as usize;
        let batches: Vec<Entry> = entries.iter().skip(from).take(take).copied().collect();
        feed.next += batches.len() as Offset;
        let message = ToFollower {
            leader_epoch: feed.leader_epoch,
            attempt: feed.attempt,
            high_watermark: replica.offsets().high_watermark,
            outcome: Outcome::Batches(batches),
        };
        let stream = &mut self.streams[place];
        stream.feed = Some(feed);
        if stream.current {
            stream.down.push_back(message);
        }
    }

    pub(super) fn deliver_down(&mut self) {
        let Some(place) = self.pick(|stream| stream.current && !stream.down.is_empty()) else {
            return;
        };
        let stream = &mut self.streams[place];
        let id = stream.follower;
        let message = stream.down.pop_front().expect("not empty");
        let node = self.node_mut(id);
        let Some(replica) = &mut node.replica else { return };
        if !replica.expects(message.leader_epoch, message.attempt) {
            return;
        }
        let disk = &mut node.disk;
        let mut cut = false;
        let input = match message.outcome {
            Outcome::Batches(batches) => {
                for entry in batches {
                    let (offset, batch) = (disk.log_end(), sequenced(entry.sequence));
                    disk.append(entry);
                    if let Some(batch) = batch {
                        replica.producers_mut().record(&batch, offset, 0);
                    }
                }
                let leader_high_watermark = message.high_watermark;
                let log_end = disk.log_end();
                Input::Received { log_end, leader_high_watermark, leader_log_start: 0 }
            }
            Outcome::Diverging(end) => {
                let point = leader_epoch::truncation_point(disk.history(), disk.log_end(), end);
                cut = point < disk.log_end();
                disk.truncate(point);
                *replica.producers_mut() = disk.producers();
                Input::Truncated { log_end: disk.log_end(), flushed: disk.flushed }
            }
            Outcome::Refused(Refused::OutOfRange) => panic!("no log start has moved"),
            Outcome::Refused(_) => Input::Ask,
        };
        self.truncations += usize::from(cut);
        self.step(id, input);
    }

    fn pick(&mut self, wanted: impl Fn(&Stream) -> bool) -> Option<usize> {
        let places: Vec<usize> =
            (0..self.streams.len()).filter(|place| wanted(&self.streams[*place])).collect();
        let place = self.rng.below(places.len());
        places.get(place).copied()
    }
}
