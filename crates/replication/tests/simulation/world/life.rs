//! What happens to brokers: faults, restarts, images, flushes, time.

use std::collections::VecDeque;

use ottla_protocol::ids::{BrokerId, Offset};
use ottla_replication::{Input, Replica, Role};

use super::World;
use super::streams::Stream;
use crate::controller::BROKERS;

impl World {
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

    pub(super) fn boot(&mut self, id: BrokerId) {
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
}
