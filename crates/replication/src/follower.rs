//! A replica that follows.

use ottla_protocol::ids::{BrokerId, LeaderEpoch, PartitionEpoch};

use crate::input::{Effect, PartitionState};
use crate::offsets::Offsets;

/// What a follower knows of its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    leader: BrokerId,
    leader_epoch: LeaderEpoch,
    partition_epoch: PartitionEpoch,
    /// Rises with each request to be sent to, so that answers to an earlier one are told apart.
    attempt: u32,
}

impl Follower {
    pub(crate) fn new(leader: BrokerId, state: &PartitionState) -> Self {
        let PartitionState { leader_epoch, partition_epoch, .. } = *state;
        Self { leader, leader_epoch, partition_epoch, attempt: 0 }
    }

    /// Whom it follows.
    #[must_use]
    pub fn leader(&self) -> BrokerId {
        self.leader
    }

    /// The leader epoch.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// The partition epoch.
    #[must_use]
    pub fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    /// The attempt whose answers count.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(crate) fn commit(&mut self, partition_epoch: PartitionEpoch) {
        self.partition_epoch = self.partition_epoch.max(partition_epoch);
    }

    pub(crate) fn ask(&mut self) -> Effect {
        self.attempt += 1;
        let Self { leader, leader_epoch, attempt, .. } = *self;
        Effect::Ask { leader, leader_epoch, attempt }
    }

    pub(crate) fn progress(&self, offsets: &Offsets) -> Effect {
        let Self { leader, leader_epoch, attempt, .. } = *self;
        let Offsets { log_end, flushed, .. } = *offsets;
        Effect::Progress { leader, leader_epoch, attempt, log_end, flushed }
    }
}
