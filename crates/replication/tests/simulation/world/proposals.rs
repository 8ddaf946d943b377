//! ISR proposals on their way to the controller.

use ottla_protocol::ids::{BrokerEpoch, BrokerId};
use ottla_replication::{Input, IsrAnswer, IsrProposal};

use super::World;

#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) from: BrokerId,
    pub(super) from_epoch: BrokerEpoch,
    pub(super) wish: IsrProposal,
    /// The asker has given up waiting.
    pub(super) abandoned: bool,
}

impl World {
    /// The controller looks at a proposal, in any order; its answer arrives or not.
    pub(super) fn answer(&mut self) {
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
    pub(super) fn abandon(&mut self) {
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
}
