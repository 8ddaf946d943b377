//! The client: one idempotent producer, and somebody who appends with acks=1.

use ottla_protocol::ids::BrokerId;
use ottla_replication::{Admission, Input};

use super::World;
use crate::disk::{Entry, sequenced};

impl World {
    pub(super) fn client(&mut self, broker: BrokerId) {
        self.begin_request();
        self.deliver_request(broker);
    }

    /// One batch in flight at a time.
    pub(super) fn begin_request(&mut self) {
        if self.pending.is_none() {
            self.pending = Some(self.next_sequence);
            self.next_sequence += 1;
            self.retry();
        }
    }

    pub(super) fn deliver_request(&mut self, broker: BrokerId) {
        let Some(place) = self.requests.iter().position(|(to, _)| *to == broker) else { return };
        let (_, sequence) = self.requests.remove(place);
        self.produce(broker, sequence);
    }

    /// Somebody appends with acks=1: written on this leader, promised to nobody.
    pub(super) fn append_alone(&mut self, id: BrokerId) {
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
    pub(super) fn retry(&mut self) {
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
}
