//! How a broker starts, registers, stays in session, and stops.

use ottla_metadata::plan::brokers::{self, NEW_DATA_DIRECTORY, Registration};
use ottla_metadata::{Endpoint, FenceCause, plan};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, MetadataOffset};

use crate::broker::Process;
use crate::event::{Event, Life};
use crate::sabotage::Sabotage;
use crate::world::{BEAT_US, CONTROLLER, SESSION_TIMEOUT_US, World};

const REGISTER_AGAIN_US: u64 = 60_000;
const CHECKPOINT_US: u64 = 200_000;
/// Without a session a broker that is to stop waits no longer than this.
const HANDOVER_US: u64 = 800_000;
/// Between a process's end and the refused dial.
const DIAL_US: u64 = 3_000;
const DIAL_AGAIN_US: u64 = 20_000;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The page cache stays.
    Kill,
    /// What was not flushed may be gone.
    PowerCut,
}

impl World {
    pub(crate) fn boot(&mut self, id: BrokerId) {
        if self.broker(id).process.is_some() {
            return;
        }
        let incarnation = KafkaUuid::from_bytes(self.dice.wide().to_be_bytes());
        let lies = self.sabotage == Some(Sabotage::UncleanAsClean);
        let old_image = self.sabotage == Some(Sabotage::TrustOldImage);
        let broker = self.broker_mut(id);
        broker.lives += 1;
        let life = Life { broker: id, number: broker.lives };
        let marker = broker.marker.take().unwrap_or(-1);
        let previous = match (broker.is_new, lies) {
            (true, _) => NEW_DATA_DIRECTORY,
            (false, true) => broker.last_epoch,
            (false, false) => marker,
        };
        broker.is_new = false;
        broker.disks.values_mut().for_each(crate::disk::Disk::recover);
        let mut process = Process::new(life, incarnation, previous);
        if old_image {
            process.image = broker.last_image.clone();
            process.applied = broker.last_image.clone();
            process.begun = process.image.offset() > 0;
        }
        let image = process.image.clone();
        broker.process = Some(process);
        if old_image {
            self.bring_up_all(life, &image);
        }
        self.after(1000, Event::Register(life));
        self.after(500, Event::Feed(life));
        self.after(BEAT_US, Event::Beat(life));
        self.after(CHECKPOINT_US, Event::Checkpoint(life));
    }

    pub(crate) fn checkpoint(&mut self, life: Life) {
        if self.process(life).is_some() {
            for disk in self.broker_mut(life.broker).disks.values_mut() {
                disk.checkpoint();
            }
            self.after(CHECKPOINT_US, Event::Checkpoint(life));
        }
    }

    // ---- Registration

    pub(crate) fn register(&mut self, life: Life) {
        if self.process(life).is_some_and(|process| process.session_epoch.is_none()) {
            self.call(life.broker, CONTROLLER, Event::RegisterArrives(life));
            self.after(REGISTER_AGAIN_US, Event::Register(life));
        }
    }

    pub(crate) fn on_register(&mut self, life: Life) {
        // A request that is on its way when its sender dies still arrives.
        let Some((incarnation_id, previous_broker_epoch)) =
            self.process(life).map(|process| (process.incarnation, process.previous_epoch))
        else {
            return;
        };
        if self.is_leaderless() {
            return;
        }
        let registration = Registration {
            broker_id: life.broker,
            incarnation_id,
            endpoints: vec![Endpoint {
                listener: "PLAINTEXT".into(),
                host: "sim".into(),
                port: 9092,
                security_protocol: "PLAINTEXT".into(),
            }],
            rack: None,
            inter_broker_listener: "PLAINTEXT".into(),
            previous_broker_epoch,
        };
        let planned = brokers::register(self.quorum.image(), self.quorum.limits(), &registration);
        // A duplicate of a registration that has not been fenced yet asks again later.
        let Ok(planned) = planned else { return };
        let epoch = planned.reply;
        let offset = self.commit(planned.records);
        if offset > 0 {
            self.quorum.registered_at.insert(life.broker, (epoch, offset));
            self.broker_mut(life.broker).last_epoch = epoch;
        }
        self.quorum.contacts.insert(life.broker, self.now_us);
        if !(self.swarm.bad_calls && !self.healing && self.dice.one_in(4)) {
            self.call(CONTROLLER, life.broker, Event::Registered(life, epoch));
        }
    }

    pub(crate) fn on_registered(&mut self, life: Life, epoch: BrokerEpoch) {
        if let Some(process) = self.process_mut(life) {
            process.session_epoch = Some(epoch);
        }
    }

    // ---- The session

    pub(crate) fn beat(&mut self, life: Life) {
        let Some(process) = self.process(life) else { return };
        if let Some(epoch) = process.session_epoch {
            let metadata_offset = process.applied_offset;
            let want_shutdown = process.want_shutdown;
            let event = Event::BeatArrives { life, epoch, metadata_offset, want_shutdown };
            self.call(life.broker, CONTROLLER, event);
        }
        self.after(BEAT_US, Event::Beat(life));
    }

    pub(crate) fn on_beat(
        &mut self,
        life: Life,
        epoch: BrokerEpoch,
        metadata_offset: MetadataOffset,
        want_shutdown: bool,
    ) {
        if self.is_leaderless() {
            return;
        }
        let id = life.broker;
        let Some(registered) =
            self.quorum.image().broker(id).filter(|broker| broker.epoch == epoch).cloned()
        else {
            let event = Event::BeatAnswered { life, epoch, stale: true, should_shut_down: false };
            self.call(CONTROLLER, id, event);
            return;
        };
        self.quorum.contacts.insert(id, self.now_us);
        let covers = self
            .quorum
            .registered_at
            .get(&id)
            .is_none_or(|(of, offset)| *of != epoch || metadata_offset >= *offset);
        let (image, limits) = (self.quorum.image(), self.quorum.limits());
        let plan = if want_shutdown {
            (!registered.fenced && !registered.in_controlled_shutdown)
                .then(|| brokers::controlled_shutdown(image, limits, id, epoch))
        } else {
            (registered.fenced && covers).then(|| brokers::unfence(image, limits, id, epoch))
        };
        if let Some(Ok(plan)) = plan {
            self.commit(plan.records);
        }
        let leads = self
            .quorum
            .image()
            .topics()
            .any(|topic| topic.partitions.values().any(|it| it.leader == Some(id)));
        let should_shut_down =
            want_shutdown && !leads && (registered.fenced || registered.in_controlled_shutdown);
        let event = Event::BeatAnswered { life, epoch, stale: false, should_shut_down };
        self.call(CONTROLLER, id, event);
    }

    pub(crate) fn on_beat_answered(
        &mut self,
        life: Life,
        epoch: BrokerEpoch,
        stale: bool,
        should_shut_down: bool,
    ) {
        let Some(process) = self.process_mut(life) else { return };
        if stale && process.session_epoch == Some(epoch) {
            process.session_epoch = None;
            self.after(0, Event::Register(life));
        } else if should_shut_down {
            self.stop_cleanly(life);
        }
    }

    /// Nobody is active.
    pub(crate) fn is_leaderless(&self) -> bool {
        self.now_us < self.quorum.down_until_us
    }

    pub(crate) fn judge_sessions(&mut self) {
        if self.is_leaderless() {
            return;
        }
        for id in self.ids() {
            let contact_us = self.quorum.contacts.get(&id).copied().unwrap_or(0);
            let silent = self.now_us >= contact_us + SESSION_TIMEOUT_US;
            let registered = self.quorum.image().broker(id).filter(|broker| !broker.fenced);
            if let Some(epoch) = registered.map(|broker| broker.epoch).filter(|_| silent) {
                self.fence(id, epoch, FenceCause::SessionExpired);
            }
        }
    }

    fn fence(&mut self, id: BrokerId, epoch: BrokerEpoch, cause: FenceCause) {
        let (image, limits) = (self.quorum.image(), self.quorum.limits());
        if let Ok(plan) = brokers::fence(image, limits, id, epoch, cause, self.now_ms()) {
            self.commit(plan.records);
        }
    }

    pub(crate) fn balance(&mut self) {
        if !self.is_leaderless() {
            // The protocol must hold without the time that brokers get to settle.
            let (image, limits) = (self.quorum.image(), self.quorum.limits());
            let plan = plan::balance::preferred(image, limits, |_| true);
            self.commit(plan.records);
        }
    }

    /// A process's connections have closed: a dial is refused, or another incarnation answers it.
    pub(crate) fn on_gone(&mut self, broker: BrokerId, epoch: BrokerEpoch, cleanly: bool) {
        if self.is_cut(broker, CONTROLLER)
            || self.is_cut(CONTROLLER, broker)
            || self.is_leaderless()
        {
            // Nothing is refused on a dead line; the session's time runs.
            self.after(DIAL_AGAIN_US, Event::Gone { broker, epoch, cleanly });
            return;
        }
        let cause =
            if cleanly { FenceCause::ControlledShutdown } else { FenceCause::ConnectionRefused };
        self.fence(broker, epoch, cause);
    }

    // ---- The end

    /// Begins a controlled shutdown.
    pub(crate) fn want_stop(&mut self, life: Life) {
        let Some(process) = self.process_mut(life) else { return };
        process.want_shutdown = true;
        self.after(0, Event::Beat(life));
        self.after(HANDOVER_US, Event::GiveUpHandover(life));
    }

    /// Flushes everything and leaves a marker.
    pub(crate) fn stop_cleanly(&mut self, life: Life) {
        if self.process(life).is_none() {
            return;
        }
        self.audit_producers(life.broker);
        let Some(process) = self.end(life, true) else { return };
        let broker = self.broker_mut(life.broker);
        broker.disks.values_mut().for_each(crate::disk::Disk::close);
        broker.marker = (process.broker_epoch >= 0).then_some(process.broker_epoch);
    }

    pub(crate) fn crash(&mut self, life: Life, crash: Crash) {
        self.end(life, false);
        if crash == Crash::PowerCut {
            self.lose_power(life.broker);
        }
    }

    /// A node, up or down, loses a part of what it had not flushed.
    pub(crate) fn lose_power(&mut self, id: BrokerId) {
        let broker = self.brokers.get_mut(&id).expect("one of those there are");
        for disk in broker.disks.values_mut() {
            let kept = self.dice.between(0, disk.log_end().unsigned_abs());
            disk.lose_power(kept as i64);
        }
    }

    /// The process is gone: its streams break, its clients hear nothing any more.
    fn end(&mut self, life: Life, cleanly: bool) -> Option<Process> {
        self.process(life)?;
        let process = self.broker_mut(life.broker).process.take()?;
        self.broker_mut(life.broker).last_image = process.applied.clone();
        let of_ours: Vec<_> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.follower == life || stream.leader == life)
            .map(|(id, stream)| (*id, stream.follower == life))
            .collect();
        for (id, follows) in of_ours {
            let delay = self.delay();
            if follows {
                self.streams.entry(id).and_modify(|stream| stream.follower_on = false);
                self.after(delay, Event::LeaderHangsUp(id));
            } else {
                self.streams.entry(id).and_modify(|stream| stream.leader_on = false);
                self.after(delay, Event::FollowerHangsUp(id));
            }
        }
        let epoch = self.quorum.image().broker(life.broker).map(|broker| broker.epoch);
        if let Some(epoch) = epoch {
            let delay = self.dice.between(500, DIAL_US);
            self.after(delay, Event::Gone { broker: life.broker, epoch, cleanly });
        }
        Some(process)
    }
}
