//! The world: nodes, streams, requests, time, and the dice.

mod client;
mod dice;
mod life;
mod proposals;
mod streams;

use std::collections::{BTreeMap, VecDeque};

use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};
use ottla_replication::{AckOutcome, Effect, Input, Position, Replica, Rules, Token};

use crate::controller::{BROKERS, Controller};
use crate::disk::{Disk, Flush};
use crate::invariants::{self, Seen};
pub(crate) use dice::Rng;
use proposals::Asked;
use streams::{Stream, ToLeader};

/// Events kept for the report of a failed run.
const HISTORY: usize = 300;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) disk: Disk,
    /// `None`: the process is down.
    pub(crate) replica: Option<Replica>,
    pub(crate) epoch: BrokerEpoch,
    /// The image it has applied, by number.
    pub(crate) image: usize,
    flush: Option<Flush>,
    wake_at: Option<i64>,
    /// Progress that a flusher thread has yet to hand to the stream.
    late: VecDeque<(BrokerId, ToLeader)>,
    waiting: BTreeMap<Token, (Offset, i32)>,
    next_token: Token,
}

pub(crate) struct World {
    pub(crate) controller: Controller,
    pub(crate) acknowledged: BTreeMap<Offset, i32>,
    /// (epoch, broker) of the appends since the last check.
    pub(crate) appended_under: Vec<(LeaderEpoch, BrokerId)>,
    nodes: Vec<Node>,
    streams: Vec<Stream>,
    asked: Vec<Asked>,
    /// Produce requests on their way: (broker, sequence).
    requests: Vec<(BrokerId, i32)>,
    pending: Option<i32>,
    next_sequence: i32,
    /// Appends with acks=1 so far.
    lone: i32,
    now_ms: i64,
    rules: Rules,
    rng: Rng,
    /// One step in so many is a fault.
    calm: usize,
    truncations: usize,
    abandoned_and_taken: usize,
    seen: Seen,
    history: VecDeque<String>,
    steps: usize,
}

impl World {
    pub(crate) fn new(seed: u64, flush_messages: i64) -> Self {
        let rules = Rules {
            flush_messages,
            min_insync_replicas: 2,
            replica_lag_time_max_ms: 500,
            producer_id_expiration_ms: i64::MAX,
        };
        let node = |id: &BrokerId| Node {
            disk: Disk::default(),
            replica: None,
            epoch: BrokerEpoch::from(*id),
            image: 0,
            flush: None,
            wake_at: None,
            late: VecDeque::new(),
            waiting: BTreeMap::new(),
            next_token: 0,
        };
        let mut world = Self {
            controller: Controller::new(),
            acknowledged: BTreeMap::new(),
            appended_under: Vec::new(),
            nodes: BROKERS.iter().map(node).collect(),
            streams: Vec::new(),
            asked: Vec::new(),
            requests: Vec::new(),
            pending: None,
            next_sequence: 0,
            lone: 0,
            now_ms: 0,
            rules,
            calm: 4 + Rng::new(!seed).below(60),
            truncations: 0,
            abandoned_and_taken: 0,
            rng: Rng::new(seed),
            seen: Seen::default(),
            history: VecDeque::new(),
            steps: 0,
        };
        BROKERS.iter().for_each(|id| world.boot(*id));
        world
    }

    pub(crate) fn node(&self, id: BrokerId) -> &Node {
        &self.nodes[(id - 1) as usize]
    }

    fn node_mut(&mut self, id: BrokerId) -> &mut Node {
        &mut self.nodes[(id - 1) as usize]
    }

    pub(crate) fn counts_flushed(&self) -> bool {
        self.rules.counts_flushed()
    }

    /// Now and then everything is compared, else only what is new.
    pub(crate) fn is_deep_check(&self) -> bool {
        self.steps.is_multiple_of(50)
    }

    pub(crate) fn history(&self) -> Vec<String> {
        self.history.iter().cloned().collect()
    }

    /// How much has happened: a run in which nothing does proves nothing.
    pub(crate) fn summary(&self) -> String {
        let image = self.controller.now();
        format!(
            "acknowledged {}, leader epochs {}, partition epochs {}, truncations {}, abandoned {}",
            self.acknowledged.len(),
            image.leader_epoch,
            image.partition_epoch,
            self.truncations,
            self.abandoned_and_taken,
        )
    }

    pub(crate) fn client_is_done(&self) -> bool {
        self.pending.is_none() && self.nodes.iter().all(|node| node.waiting.is_empty())
    }

    pub(crate) fn check(&mut self, step: usize) {
        self.steps = step;
        let mut seen = std::mem::take(&mut self.seen);
        invariants::check_all(self, &mut seen);
        self.seen = seen;
        self.appended_under.clear();
    }

    fn step(&mut self, id: BrokerId, input: Input) {
        let now_ms = self.now_ms;
        self.note(format!("{now_ms} {id} {input:?}"));
        let Some(replica) = &mut self.node_mut(id).replica else { return };
        let mut effects = Vec::new();
        replica.step(now_ms, input, &mut effects);
        self.perform(id, effects);
    }

    fn perform(&mut self, id: BrokerId, effects: Vec<Effect>) {
        for effect in effects {
            let node = self.node_mut(id);
            match effect {
                Effect::Lead { leader_epoch } => {
                    node.disk.assign_epoch(leader_epoch);
                    self.drop_feeds(id);
                }
                Effect::Step { .. } => self.drop_feeds(id),
                Effect::HighWatermark(offset) => node.disk.high_watermark = offset,
                Effect::LogStart(_) => {}
                Effect::WakeAt(at) => {
                    node.wake_at = Some(node.wake_at.map_or(at, |known| known.min(at)));
                }
                Effect::Ack(token, outcome) => {
                    let Some((offset, sequence)) = node.waiting.remove(&token) else { continue };
                    if outcome == AckOutcome::Committed {
                        self.acknowledged.insert(offset, sequence);
                        if self.pending == Some(sequence) {
                            self.pending = None;
                        }
                    }
                }
                Effect::ProposeIsr(wish) => {
                    let from_epoch = node.epoch;
                    self.asked.push(Asked { from: id, from_epoch, wish, abandoned: false });
                }
                Effect::Ask { leader, leader_epoch, attempt } => {
                    let position = Position {
                        follower: id,
                        broker_epoch: node.epoch,
                        leader_epoch,
                        attempt,
                        log_end: node.disk.log_end(),
                        flushed: node.disk.flushed,
                        last_epoch: node.disk.last_epoch(),
                    };
                    self.send_up(id, leader, ToLeader::Position(position));
                }
                Effect::Progress { leader, leader_epoch, attempt, log_end, flushed } => {
                    let progress = ToLeader::Progress { leader_epoch, attempt, log_end, flushed };
                    node.late.push_back((leader, progress));
                }
            }
        }
    }

    /// A thread gets round to telling the leader, perhaps after another one or after a truncation.
    fn report_late(&mut self, id: BrokerId) {
        let place = self.rng.below(self.node(id).late.len());
        if let Some((leader, progress)) = self.node_mut(id).late.remove(place) {
            self.send_up(id, leader, progress);
        }
    }

    fn drop_feeds(&mut self, leader: BrokerId) {
        for stream in self.streams.iter_mut().filter(|stream| stream.leader == leader) {
            stream.feed = None;
        }
    }

    fn send_up(&mut self, follower: BrokerId, leader: BrokerId, message: ToLeader) {
        let epoch = self.node(follower).epoch;
        for stream in &mut self.streams {
            if stream.current
                && (stream.follower, stream.follower_epoch, stream.leader)
                    == (follower, epoch, leader)
            {
                stream.up.push_back(message.clone());
            }
        }
    }

    fn note(&mut self, what: String) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(what);
    }
}

/// A failed run says how it came to that.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.history.iter().for_each(|line| println!("{line}"));
            println!("{:#?}", self.controller.images.iter().rev().take(8).collect::<Vec<_>>());
        }
    }
}
