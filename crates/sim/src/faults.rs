//! The enemy, and the peace after it.

use ottla_protocol::ids::BrokerId;

use crate::event::{Event, Life};
use crate::life::Crash;
use crate::world::{CONTROLLER, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    PowerCut,
    CleanStop,
    Cut,
    OneWayCut,
    Reset,
    Failover,
    SlowDisk,
}

impl World {
    pub(crate) fn begin_faults(&mut self) {
        self.after(1000, Event::Fault);
    }

    pub(crate) fn fault(&mut self) {
        if self.healing {
            return;
        }
        let mean = self.swarm.fault_every_us;
        let next = self.dice.between(mean / 4, mean * 2);
        self.after(next, Event::Fault);
        let swarm = &self.swarm;
        let faults: Vec<Fault> = [
            (swarm.kills, Fault::Kill),
            (swarm.power_cuts, Fault::PowerCut),
            (swarm.clean_stops, Fault::CleanStop),
            (swarm.cuts, Fault::Cut),
            (swarm.one_way_cuts, Fault::OneWayCut),
            (swarm.resets, Fault::Reset),
            (swarm.failovers, Fault::Failover),
            (swarm.slow_disks, Fault::SlowDisk),
        ]
        .into_iter()
        .filter_map(|(on, fault)| on.then_some(fault))
        .collect();
        let ids = self.ids();
        let (Some(fault), Some(id)) = (self.dice.pick(&faults), self.dice.pick(&ids)) else {
            return;
        };
        self.note(|| format!("FAULT {fault:?} {id}"));
        self.forget_made_up();
        match fault {
            Fault::Kill => self.kill(id),
            Fault::PowerCut => self.cut_power(id),
            Fault::CleanStop => {
                if let Some(life) = self.life_of(id) {
                    self.want_stop(life);
                    self.boot_later(id, 900_000);
                }
            }
            Fault::Cut => self.cut_off(id, true),
            Fault::OneWayCut => self.cut_off(id, false),
            Fault::Reset => {
                let streams: Vec<_> = self
                    .streams
                    .iter()
                    .filter(|(_, stream)| stream.follower_on && stream.leader_on)
                    .map(|(id, _)| *id)
                    .collect();
                if let Some(stream) = self.dice.pick(&streams) {
                    self.break_stream(stream);
                }
            }
            Fault::Failover => {
                let length = self.dice.between(20_000, 500_000);
                self.quorum.down_until_us = self.now_us + length;
                // Whom the new one has not heard of yet, it gives the time of a session; or not.
                if self.dice.one_in(2) {
                    for contact in self.quorum.contacts.values_mut() {
                        *contact = (*contact).max(self.now_us + length);
                    }
                }
            }
            Fault::SlowDisk => {
                let broker = self.broker_mut(id);
                broker.slow_disk = !broker.slow_disk;
            }
        }
    }

    fn boot_later(&mut self, id: BrokerId, longest_us: u64) {
        let delay = self.dice.between(2_000, longest_us);
        self.after(delay, Event::Boot(id));
    }

    fn kill(&mut self, id: BrokerId) {
        // Two nodes that stopped uncleanly at a time may both have lost the tail, for all that anybody
        // can tell: without flushes that is more than is promised.
        if self.lossy.is_some() {
            return;
        }
        if let Some(life) = self.life_of(id) {
            self.crash(life, Crash::Kill);
            self.replace_disk_sometimes(id);
            self.boot_later(id, 600_000);
        }
    }

    fn cut_power(&mut self, id: BrokerId) {
        if self.swarm.counts_flushed() {
            let all = self.dice.one_in(3);
            for id in if all { self.ids() } else { vec![id] } {
                match self.life_of(id) {
                    Some(life) => self.crash(life, Crash::PowerCut),
                    None => self.lose_power(id),
                }
                self.boot_later(id, 600_000);
            }
        } else if let Some(life) = self.life_of(id)
            && self.lossy.is_none()
            && self.others_have_all(id)
        {
            self.lossy = Some(life);
            self.crash(life, Crash::PowerCut);
            self.boot_later(id, 600_000);
        }
    }

    /// Whether each partition that counts on a broker counts on another one, which is up.
    fn others_have_all(&self, id: BrokerId) -> bool {
        let image = self.quorum.image();
        image.topics().flat_map(|topic| topic.partitions.values()).all(|partition| {
            let counted = |member: &BrokerId| partition.isr.contains(member);
            let is_up = |member: &&BrokerId| {
                **member != id
                    && image.is_active(**member)
                    && self.broker(**member).process.as_ref().is_some_and(|process| {
                        image.broker(**member).is_some_and(|it| it.epoch == process.broker_epoch)
                    })
            };
            let concerned = counted(&id) || partition.elr.contains(&id);
            !concerned || partition.isr.iter().filter(is_up).count() >= 1
        })
    }

    /// The node that lost its tail is out of all that counts on it, and enough others are in sync.
    fn forget_made_up(&mut self) {
        let Some(Life { broker, .. }) = self.lossy else { return };
        let image = self.quorum.image();
        let registered_again = image.broker(broker).is_some_and(|registered| {
            self.broker(broker)
                .process
                .as_ref()
                .is_some_and(|process| process.incarnation == registered.incarnation_id)
        });
        let mut partitions = image.topics().flat_map(|topic| topic.partitions.values());
        if registered_again && partitions.all(|it| it.leader.is_some() && it.isr.len() >= 2) {
            self.lossy = None;
        }
    }

    /// While a broker is down and nothing counts on its disk, the disk may be replaced.
    fn replace_disk_sometimes(&mut self, id: BrokerId) {
        if !self.swarm.new_disks || !self.dice.one_in(3) {
            return;
        }
        let image = self.quorum.image().clone();
        let mut partitions = image.topics().flat_map(|topic| topic.partitions.values());
        let counts = partitions.any(|it| {
            it.isr.contains(&id) || it.elr.contains(&id) || it.last_known_elr.contains(&id)
        });
        if !counts {
            self.note(|| format!("FAULT new disk {id}"));
            let broker = self.broker_mut(id);
            broker.disks.clear();
            broker.marker = None;
            broker.is_new = true;
        }
    }

    /// Cuts a node off from all others, or from one; in both directions or in one.
    fn cut_off(&mut self, id: BrokerId, both: bool) {
        let until_us = self.now_us + self.dice.between(30_000, 800_000);
        let mut others = self.ids();
        others.push(CONTROLLER);
        others.retain(|other| *other != id);
        if self.dice.one_in(2) {
            others = self.dice.pick(&others).into_iter().collect();
        }
        let outwards = self.dice.one_in(2);
        for other in others {
            if both || outwards {
                self.cuts.insert((id, other), until_us);
            }
            if both || !outwards {
                self.cuts.insert((other, id), until_us);
            }
        }
    }

    // ---- Peace

    /// All faults stop, everybody comes back.
    pub(crate) fn heal(&mut self) {
        self.note(|| "HEAL".to_owned());
        self.healing = true;
        self.cuts.clear();
        self.quorum.down_until_us = self.now_us;
        for id in self.ids() {
            // Who has begun to stop does so, and comes back.
            let stopping = self.broker(id).process.as_ref().filter(|process| process.want_shutdown);
            let delay = if stopping.is_some() { 1_000_000 } else { 1_000 };
            self.after(delay, Event::Boot(id));
        }
    }
}
