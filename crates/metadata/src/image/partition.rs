//! The state of one partition.

use ottla_protocol::ids::{BrokerId, LeaderEpoch, PartitionEpoch};

/// The state of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Who holds a copy; the first is the preferred leader.
    pub replicas: Vec<BrokerId>,
    /// The committed in-sync replicas: each has everything that is acknowledged.
    pub isr: Vec<BrokerId>,
    /// Eligible leader replicas (KIP-966): not in sync, but they have everything below the high
    /// watermark, since it has not moved since they left.
    pub elr: Vec<BrokerId>,
    /// Whom to ask first should an unclean election be wanted (KIP-966).
    pub last_known_elr: Vec<BrokerId>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment removes.
    pub removing_replicas: Vec<BrokerId>,
    /// Who leads; `None`: the partition is offline.
    pub leader: Option<BrokerId>,
    /// Counts the leaders.
    pub leader_epoch: LeaderEpoch,
    /// Counts the changes of this state.
    pub partition_epoch: PartitionEpoch,
    /// The leader was elected uncleanly and has not yet recovered (KIP-704).
    pub leader_recovering: bool,
}

impl Partition {
    /// The preferred leader: the first replica.
    #[must_use]
    pub fn preferred_leader(&self) -> Option<BrokerId> {
        self.replicas.first().copied()
    }

    /// Whether a reassignment is under way.
    #[must_use]
    pub fn is_reassigning(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }

    /// The replicas without those that a reassignment adds: what it had before one, and would have again
    /// were it cancelled.
    pub fn original_replicas(&self) -> impl Iterator<Item = BrokerId> + '_ {
        self.replicas.iter().copied().filter(|id| !self.adding_replicas.contains(id))
    }

    /// How many replicas it is meant to have; while it is reassigned, as many as before. The default of
    /// `min.insync.replicas` follows from it.
    #[must_use]
    pub fn replication_factor(&self) -> usize {
        self.original_replicas().count()
    }
}
