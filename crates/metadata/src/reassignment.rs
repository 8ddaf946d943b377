//! Moving a partition to other replicas (KIP-455).
//!
//! A reassignment is part of the partition's state, so it survives whoever dies:
//!
//! - It begins with the new replicas joined to the old ones: first the target in its order, then those
//!   that will go. `adding_replicas` are the target's that were not there, `removing_replicas` the
//!   others' that the target does not name.
//! - It is complete as soon as the ISR has every replica that is added, and one that stays: in the same
//!   batch those that go leave the replicas and every set. Every member of an ISR has everything
//!   acknowledged, so nothing is lost with those that go.
//! - Until then it can be exchanged for another, or cancelled: the replicas are again those from before
//!   it. What was added meanwhile goes at once.

use ottla_protocol::ids::BrokerId;

use crate::image::Partition;

/// The replicas of a partition that moves, or has just been told not to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// Everybody: the target, then those that will go.
    pub replicas: Vec<BrokerId>,
    /// Those of the target that were not there.
    pub adding: Vec<BrokerId>,
    /// Those that will go.
    pub removing: Vec<BrokerId>,
}

impl Reassignment {
    /// From what the partition had before any reassignment to `target`.
    #[must_use]
    pub fn to(partition: &Partition, target: &[BrokerId]) -> Self {
        let original: Vec<_> = partition.original_replicas().collect();
        let removing: Vec<_> = original.iter().copied().filter(|id| !target.contains(id)).collect();
        let adding = target.iter().copied().filter(|id| !original.contains(id)).collect();
        let replicas = target.iter().chain(&removing).copied().collect();
        Self { replicas, adding, removing }
    }

    /// Back to what the partition had before.
    #[must_use]
    pub fn cancelled(partition: &Partition) -> Self {
        let replicas = partition.original_replicas().collect();
        Self { replicas, adding: Vec::new(), removing: Vec::new() }
    }

    /// Whether somebody stays who is known to have everything acknowledged, if anybody is: in sync or
    /// eligible, else the last known leader.
    #[must_use]
    pub fn keeps_the_data(&self, partition: &Partition) -> bool {
        let Partition { isr, elr, last_known_elr, .. } = partition;
        let mut whole: Vec<_> = isr.iter().chain(elr).collect();
        if whole.is_empty() {
            whole.extend(last_known_elr);
        }
        whole.is_empty() || whole.iter().any(|id| self.replicas.contains(id))
    }

    /// The partition has these replicas from here on; who is not among them is in no set.
    pub(crate) fn apply(self, partition: &mut Partition) {
        partition.replicas = self.replicas;
        partition.adding_replicas = self.adding;
        partition.removing_replicas = self.removing;
        forget_strangers(partition);
    }
}

/// Completes the partition's reassignment, if that is possible now.
pub(crate) fn complete(partition: &mut Partition) {
    if !is_complete(partition) {
        return;
    }
    let removing = std::mem::take(&mut partition.removing_replicas);
    partition.adding_replicas.clear();
    partition.replicas.retain(|id| !removing.contains(id));
    forget_strangers(partition);
}

fn is_complete(partition: &Partition) -> bool {
    let Partition { isr, adding_replicas, removing_replicas, .. } = partition;
    partition.is_reassigning()
        && adding_replicas.iter().all(|id| isr.contains(id))
        && isr.iter().any(|id| !removing_replicas.contains(id))
}

fn forget_strangers(partition: &mut Partition) {
    let Partition { replicas, isr, elr, last_known_elr, .. } = partition;
    for set in [isr, elr, last_known_elr] {
        set.retain(|id| replicas.contains(id));
    }
}
