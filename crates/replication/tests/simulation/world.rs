//! The world: nodes, streams, requests, time, and the dice.

use std::collections::{BTreeMap, VecDeque};

use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};
use ottla_replication::{
    AckOutcome, Admission, Effect, EpochEnd, Input, IsrAnswer, IsrProposal, Position, Refused,
    Replica, Role, Rules, Subscription, Token, leader_epoch,
};

use crate::controller::{BROKERS, Controller};
use crate::disk::{Disk, Entry, Flush, sequenced};
use crate::invariants::{self, Seen};

/// Events kept for the report of a failed run.
const HISTORY: usize = 300;

/// A small generator (SplitMix64): seeds replay exactly.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn broker(&mut self) -> BrokerId {
        BROKERS[self.below(3)]
    }
}

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

#[derive(Debug, Clone)]
enum ToLeader {
    Position(Position),
    Progress { leader_epoch: LeaderEpoch, attempt: u32, log_end: Offset, flushed: Offset },
}

#[derive(Debug, Clone)]
struct ToFollower {
    leader_epoch: LeaderEpoch,
    attempt: u32,
    high_watermark: Offset,
    outcome: Outcome,
}

#[derive(Debug, Clone)]
enum Outcome {
    Batches(Vec<Entry>),
    Diverging(EpochEnd),
    Refused(Refused),
}

/// What a leader sends to one follower.
#[derive(Debug, Clone)]
struct Feed {
    leader_epoch: LeaderEpoch,
    attempt: u32,
    next: Offset,
}

#[derive(Debug)]
struct Stream {
    follower: BrokerId,
    follower_epoch: BrokerEpoch,
    leader: BrokerId,
    /// The follower still uses it; what it sent before may yet arrive if not.
    current: bool,
    feed: Option<Feed>,
    up: VecDeque<ToLeader>,
    down: VecDeque<ToFollower>,
}

#[derive(Debug, Clone)]
struct Asked {
    from: BrokerId,
    from_epoch: BrokerEpoch,
    wish: IsrProposal,
    /// The asker has given up waiting.
    abandoned: bool,
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

    // ---- What happens

    /// Something happens, good or bad; how often bad is the seed's.
    pub(crate) fn fault_step(&mut self) {
        let broker = self.rng.broker();
        let calm = self.calm;
        if !self.rng.one_in(calm) {
            return self.good_step(broker);
        }
        match self.rng.below(20) {
            0 => self.crash(broker, false),
            1 if self.counts_flushed() => self.crash(broker, true),
            2..=4 => BROKERS.iter().for_each(|broker| self.restart(*broker)),
            5 => self.controller.fence(broker),
            6..=8 => BROKERS.iter().for_each(|broker| self.unfence(*broker)),
            9 => self.cut(broker),
            10..=12 => self.now_ms += self.rng.below(700) as i64,
            13 => self.retry(),
            14..=16 => self.abandon(),
            _ => self.fence_who_is_down(),
        }
    }

    fn good_step(&mut self, broker: BrokerId) {
        match self.rng.below(24) {
            0..=2 => self.client(broker),
            3 => self.append_alone(broker),
            4 | 5 => self.deliver_image(broker),
            6 => self.dial(broker),
            7..=10 => self.deliver_up(),
            11..=13 => self.deliver_down(),
            14..=16 => self.send(),
            17 | 18 => self.begin_flush(broker),
            19 | 20 => self.end_flush(broker),
            21 => self.answer(),
            22 => self.report_late(broker),
            _ => self.tick(broker),
        }
    }

    /// No more faults: everybody comes back, and things run until nothing is left to do.
    pub(crate) fn heal(&mut self) {
        for round in 0..600 {
            for broker in BROKERS {
                self.restart(broker);
                self.unfence(broker);
                self.dial(broker);
                self.deliver_image(broker);
                self.begin_flush(broker);
                self.end_flush(broker);
                self.report_late(broker);
                self.tick(broker);
            }
            self.now_ms += 5;
            if round < 400 {
                self.begin_request();
            }
            BROKERS.iter().for_each(|broker| self.deliver_request(*broker));
            if round % 20 == 0 {
                self.retry();
            }
            for _ in 0..8 {
                self.deliver_up();
                self.deliver_down();
                self.send();
                self.answer();
            }
            if round % 10 == 0 {
                self.check(round);
            }
        }
    }

    fn fence_who_is_down(&mut self) {
        for broker in BROKERS {
            if self.node(broker).replica.is_none() {
                self.controller.fence(broker);
            }
        }
    }

    fn crash(&mut self, id: BrokerId, power: bool) {
        if self.node(id).replica.is_none() {
            return;
        }
        self.note(format!("crash {id} power={power}"));
        let log_end = self.node(id).disk.log_end();
        let kept = self.rng.below(log_end as usize + 1) as Offset;
        let node = self.node_mut(id);
        node.replica = None;
        node.flush = None;
        node.late.clear();
        node.waiting.clear();
        if power {
            node.disk.lose_power(kept);
        }
        self.streams.retain(|stream| stream.leader != id);
        for stream in self.streams.iter_mut().filter(|stream| stream.follower == id) {
            stream.current = false;
        }
    }

    fn restart(&mut self, id: BrokerId) {
        if self.node(id).replica.is_some() {
            return;
        }
        let epoch = self.controller.register(id);
        self.note(format!("restart {id} epoch {epoch}"));
        self.node_mut(id).epoch = epoch;
        self.boot(id);
    }

    fn boot(&mut self, id: BrokerId) {
        let latest = self.controller.images.len() - 1;
        let rules = self.rules;
        let node = self.node_mut(id);
        node.image = latest;
        node.wake_at = None;
        node.replica = Some(Replica::new(id, node.disk.offsets(), node.disk.producers(), rules));
        self.apply_image(id);
    }

    fn unfence(&mut self, id: BrokerId) {
        let broker = self.controller.now().broker(id);
        if self.node(id).replica.is_some() && broker.fenced && broker.epoch == self.node(id).epoch {
            self.controller.unfence(id);
        }
    }

    fn deliver_image(&mut self, id: BrokerId) {
        let next = self.node(id).image + 1;
        if self.node(id).replica.is_some() && next < self.controller.images.len() {
            self.node_mut(id).image = next;
            self.apply_image(id);
        }
    }

    fn apply_image(&mut self, id: BrokerId) {
        let Some(image) = self.controller.images.get(self.node(id).image).cloned() else { return };
        self.step(id, Input::Metadata(image.state()));
        self.step(id, Input::Members(image.members()));
    }

    /// A follower dials its leader, if it has no stream to it.
    fn dial(&mut self, follower: BrokerId) {
        let Some(replica) = &self.node(follower).replica else { return };
        let Role::Follower(role) = replica.role() else { return };
        let leader = role.leader();
        let has = |stream: &Stream| {
            stream.current && stream.follower == follower && stream.leader == leader
        };
        if self.node(leader).replica.is_none() || self.streams.iter().any(has) {
            return;
        }
        self.streams.push(Stream {
            follower,
            follower_epoch: self.node(follower).epoch,
            leader,
            current: true,
            feed: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
        });
        self.step(follower, Input::Ask);
    }

    /// The follower loses its stream; what it sent may still arrive.
    fn cut(&mut self, follower: BrokerId) {
        for stream in self.streams.iter_mut().filter(|stream| stream.follower == follower) {
            stream.current = false;
        }
    }

    fn begin_flush(&mut self, id: BrokerId) {
        let node = self.node_mut(id);
        if node.replica.is_some() && node.flush.is_none() {
            node.flush = Some(node.disk.begin_flush());
        }
    }

    fn end_flush(&mut self, id: BrokerId) {
        let node = self.node_mut(id);
        if let Some(flush) = node.flush.take() {
            let flushed = node.disk.end_flush(flush);
            self.step(id, Input::Flushed(flushed));
        }
    }

    fn tick(&mut self, id: BrokerId) {
        let now_ms = self.now_ms;
        let node = self.node_mut(id);
        if node.wake_at.is_some_and(|at| at <= now_ms) {
            node.wake_at = None;
            self.step(id, Input::Tick);
        }
    }

    // ---- The client

    fn client(&mut self, broker: BrokerId) {
        self.begin_request();
        self.deliver_request(broker);
    }

    /// One batch in flight at a time.
    fn begin_request(&mut self) {
        if self.pending.is_none() {
            self.pending = Some(self.next_sequence);
            self.next_sequence += 1;
            self.retry();
        }
    }

    fn deliver_request(&mut self, broker: BrokerId) {
        let Some(place) = self.requests.iter().position(|(to, _)| *to == broker) else { return };
        let (_, sequence) = self.requests.remove(place);
        self.produce(broker, sequence);
    }

    /// Somebody appends with acks=1: written on this leader, promised to nobody.
    fn append_alone(&mut self, id: BrokerId) {
        let node = self.node_mut(id);
        let Some(replica) = &node.replica else { return };
        let Ok(Admission::Append { base_offset, leader_epoch }) = replica.admit(None, false, 0)
        else {
            return;
        };
        self.lone += 1;
        let entry = Entry { epoch: leader_epoch, sequence: -self.lone };
        self.node_mut(id).disk.append(entry);
        self.appended_under.push((leader_epoch, id));
        self.step(id, Input::Appended { log_end: base_offset + 1, waiter: None });
    }

    /// The client sends what is not acknowledged (again), to whom it takes for the leader.
    fn retry(&mut self) {
        let Some(sequence) = self.pending else { return };
        let guess = self.rng.broker();
        let leader = self.controller.now().leader.unwrap_or(guess);
        let to = if self.rng.one_in(4) { guess } else { leader };
        self.requests.push((to, sequence));
    }

    fn produce(&mut self, id: BrokerId, sequence: i32) {
        let node = self.node_mut(id);
        let Some(replica) = &mut node.replica else { return };
        let batch = sequenced(sequence);
        let Ok(admission) = replica.admit(batch.as_ref(), true, 0) else { return };
        node.next_token += 1;
        let token = node.next_token;
        match admission {
            Admission::Duplicate(original) => {
                node.waiting.insert(token, (original.base_offset(), sequence));
                let offset = original.last_offset + 1;
                self.step(id, Input::Await { offset, waiter: token });
            }
            Admission::Append { base_offset, leader_epoch } => {
                assert_eq!(base_offset, node.disk.log_end());
                node.disk.append(Entry { epoch: leader_epoch, sequence });
                node.waiting.insert(token, (base_offset, sequence));
                if let Some(batch) = batch {
                    replica.producers_mut().record(&batch, base_offset, 0);
                }
                self.appended_under.push((leader_epoch, id));
                let log_end = base_offset + 1;
                self.step(id, Input::Appended { log_end, waiter: Some(token) });
            }
        }
    }

    // ---- The streams

    fn deliver_up(&mut self) {
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
    fn send(&mut self) {
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

    fn deliver_down(&mut self) {
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

    // ---- ISR proposals

    /// The controller looks at a proposal, in any order; its answer arrives or not.
    fn answer(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let place = self.rng.below(self.asked.len());
        let Asked { from, from_epoch, wish, abandoned } = self.asked.remove(place);
        // Of one asker's calls the controller takes an earlier one first, or never.
        let earlier = self.asked.iter().position(|asked| asked.from == from && asked.abandoned);
        if let Some(earlier) = earlier.filter(|_| !abandoned) {
            let earlier = self.asked.remove(earlier);
            if self.rng.one_in(2) {
                self.abandoned_and_taken += usize::from(
                    self.controller.alter_partition(from, &earlier.wish) == IsrAnswer::Taken,
                );
            }
        }
        let answer = self.controller.alter_partition(from, &wish);
        self.note(format!("{from} {wish:?}: {answer:?}"));
        if abandoned {
            self.abandoned_and_taken += usize::from(answer == IsrAnswer::Taken);
        } else if self.node(from).epoch == from_epoch {
            let partition_epoch = wish.partition_epoch;
            self.step(from, Input::IsrAnswered { partition_epoch, answer });
        }
    }

    /// An asker waits no longer; the proposal may still be looked at, or is lost.
    fn abandon(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let place = self.rng.below(self.asked.len());
        let Asked { from, from_epoch, wish, abandoned } = self.asked[place].clone();
        if self.rng.one_in(2) {
            self.asked.remove(place);
        } else {
            self.asked[place].abandoned = true;
        }
        if !abandoned && self.node(from).epoch == from_epoch {
            let partition_epoch = wish.partition_epoch;
            self.step(from, Input::IsrAnswered { partition_epoch, answer: IsrAnswer::Unknown });
        }
    }

    // ---- The replicas

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
