//! The controller as a model: one partition, three brokers, every committed state in a list.

use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch};
use ottla_replication::{IsrAnswer, IsrProposal, Member, PartitionState};

pub(crate) const BROKERS: [BrokerId; 3] = [1, 2, 3];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) id: BrokerId,
    pub(crate) epoch: BrokerEpoch,
    pub(crate) fenced: bool,
}

/// What is committed after one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) leader: Option<BrokerId>,
    pub(crate) leader_epoch: LeaderEpoch,
    pub(crate) partition_epoch: PartitionEpoch,
    pub(crate) isr: Vec<BrokerId>,
    pub(crate) brokers: Vec<Broker>,
}

impl Image {
    pub(crate) fn broker(&self, id: BrokerId) -> &Broker {
        self.brokers.iter().find(|broker| broker.id == id).expect("one of three")
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        let member = |broker: &Broker| Member {
            broker_id: broker.id,
            broker_epoch: broker.epoch,
            eligible: !broker.fenced,
        };
        self.brokers.iter().map(member).collect()
    }

    pub(crate) fn state(&self) -> PartitionState {
        PartitionState {
            leader: self.leader,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            isr: self.isr.clone(),
            replicas: self.members(),
        }
    }

    fn elect(&mut self) {
        let alive = |id: &BrokerId| !self.broker(*id).fenced;
        if self.leader.is_some_and(|leader| self.isr.contains(&leader) && alive(&leader)) {
            return;
        }
        let leader = self.isr.iter().copied().find(alive);
        if leader != self.leader {
            self.leader = leader;
            self.leader_epoch += 1;
        }
    }

    fn leave(&mut self, id: BrokerId) {
        if self.isr.len() > 1 {
            self.isr.retain(|member| *member != id);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Controller {
    pub(crate) images: Vec<Image>,
    next_broker_epoch: BrokerEpoch,
}

impl Controller {
    pub(crate) fn new() -> Self {
        let broker =
            |id: &BrokerId| Broker { id: *id, epoch: BrokerEpoch::from(*id), fenced: false };
        let first = Image {
            leader: Some(1),
            leader_epoch: 0,
            partition_epoch: 0,
            isr: BROKERS.to_vec(),
            brokers: BROKERS.iter().map(broker).collect(),
        };
        Self { images: vec![first], next_broker_epoch: 10 }
    }

    pub(crate) fn now(&self) -> &Image {
        self.images.last().expect("there is always one")
    }

    fn commit(&mut self, change: impl FnOnce(&mut Image)) {
        let mut next = self.now().clone();
        change(&mut next);
        next.elect();
        let old = self.now();
        if next == *old {
            return;
        }
        if (&next.isr, next.leader, next.leader_epoch) != (&old.isr, old.leader, old.leader_epoch) {
            next.partition_epoch += 1;
        }
        self.images.push(next);
    }

    pub(crate) fn fence(&mut self, id: BrokerId) {
        self.commit(|image| {
            image.brokers.iter_mut().filter(|it| it.id == id).for_each(|it| it.fenced = true);
            image.leave(id);
        });
    }

    pub(crate) fn unfence(&mut self, id: BrokerId) {
        self.commit(|image| {
            image.brokers.iter_mut().filter(|it| it.id == id).for_each(|it| it.fenced = false);
        });
    }

    /// A broker is back: a new epoch, fenced, out of the ISR unless nobody else is in it.
    pub(crate) fn register(&mut self, id: BrokerId) -> BrokerEpoch {
        self.next_broker_epoch += 1;
        let epoch = self.next_broker_epoch;
        self.commit(|image| {
            for broker in image.brokers.iter_mut().filter(|it| it.id == id) {
                broker.epoch = epoch;
                broker.fenced = true;
            }
            image.leave(id);
        });
        epoch
    }

    /// AlterPartition: a compare-and-set on the epochs; no ineligible or outdated member gets in.
    pub(crate) fn alter_partition(&mut self, from: BrokerId, wish: &IsrProposal) -> IsrAnswer {
        let image = self.now();
        if image.leader != Some(from)
            || (image.leader_epoch, image.partition_epoch)
                != (wish.leader_epoch, wish.partition_epoch)
        {
            return IsrAnswer::Superseded;
        }
        let ineligible = |(id, epoch): &(BrokerId, BrokerEpoch)| {
            let broker = image.broker(*id);
            broker.fenced || broker.epoch != *epoch
        };
        if wish.isr.iter().any(ineligible) {
            return IsrAnswer::Refused;
        }
        let isr = wish.isr.iter().map(|(id, _)| *id).collect();
        self.commit(|image| image.isr = isr);
        IsrAnswer::Taken
    }
}
