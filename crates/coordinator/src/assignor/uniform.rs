//! The uniform assignor where all members subscribe to the same topics.
//!
//! Every member ends with the same number of partitions, give or take one. Balance comes first, then
//! stickiness: a member gives up only what exceeds its share, first what has no replica in its rack.
//! What is free is handed out by rack first.

use std::collections::BTreeMap;

use ottla_protocol::ids::{PartitionIndex, TopicId};

use super::{Assignment, GroupSpec, MemberSpec, RackIndex};

/// One assignment per member.
pub(super) fn assign(spec: &GroupSpec<'_>) -> Vec<Assignment> {
    let Some(first) = spec.members.first() else { return Vec::new() };
    let topics: Vec<TopicId> =
        first.topics.iter().copied().filter(|topic| spec.topics.contains_key(topic)).collect();
    let rack_aware = spec.is_rack_aware();
    let mut free = FreePartitions::all(spec, &topics);
    let mut kept: Vec<Vec<(TopicId, PartitionIndex)>> =
        spec.members.iter().map(|member| free.take_owned(member.assignment.iter())).collect();

    let share = free.total / spec.members.len();
    let mut extra = free.total % spec.members.len();
    // Who has more than the share already keeps one more, as long as there are extras.
    let mut quotas = vec![share; kept.len()];
    for ((member, kept), quota) in spec.members.iter().zip(&mut kept).zip(&mut quotas) {
        if kept.len() > share && extra > 0 {
            *quota += 1;
            extra -= 1;
        }
        if kept.len() > *quota {
            if let (true, Some(rack)) = (rack_aware, member.rack) {
                // Stable: what matches stays in front, what does not goes first.
                kept.sort_by_key(|(topic, partition)| !has_rack(spec, *topic, *partition, rack));
            }
            for (topic, partition) in kept.drain(*quota..) {
                free.give_back(topic, partition);
            }
        }
    }
    for (kept, quota) in kept.iter().zip(&mut quotas) {
        if extra > 0 && kept.len() <= share && *quota == share {
            *quota += 1;
            extra -= 1;
        }
    }
    fill(spec, free, &mut kept, &quotas, rack_aware);
    kept.into_iter().map(Assignment::from_iter).collect()
}

/// Hands out what is free until every member has its quota.
fn fill(
    spec: &GroupSpec<'_>,
    free: FreePartitions,
    kept: &mut [Vec<(TopicId, PartitionIndex)>],
    quotas: &[usize],
    rack_aware: bool,
) {
    let free = free.into_list();
    let mut taken = vec![false; free.len()];
    if rack_aware {
        let mut by_rack = BTreeMap::<RackIndex, Vec<usize>>::new();
        for (index, (topic, partition)) in free.iter().enumerate().rev() {
            let racks = spec.topics.get(topic).map_or(&[][..], |t| t.racks_of(*partition));
            for rack in racks {
                by_rack.entry(*rack).or_default().push(index);
            }
        }
        for ((member, kept), quota) in spec.members.iter().zip(&mut *kept).zip(quotas) {
            fill_from_rack(member, &free, &mut taken, &mut by_rack, kept, *quota);
        }
    }
    let mut rest = free.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(free, _)| *free);
    for (kept, quota) in kept.iter_mut().zip(quotas) {
        let lacks = quota.saturating_sub(kept.len());
        kept.extend(rest.by_ref().take(lacks));
    }
    debug_assert!(rest.next().is_none(), "the quotas add up to all partitions");
}

fn fill_from_rack(
    member: &MemberSpec<'_>,
    free: &[(TopicId, PartitionIndex)],
    taken: &mut [bool],
    by_rack: &mut BTreeMap<RackIndex, Vec<usize>>,
    kept: &mut Vec<(TopicId, PartitionIndex)>,
    quota: usize,
) {
    let Some(near) = member.rack.and_then(|rack| by_rack.get_mut(&rack)) else { return };
    while kept.len() < quota {
        let Some(index) = near.pop() else { return };
        let (Some(slot), Some(partition)) = (taken.get_mut(index), free.get(index)) else { return };
        if !std::mem::replace(slot, true) {
            kept.push(*partition);
        }
    }
}

fn has_rack(
    spec: &GroupSpec<'_>,
    topic: TopicId,
    partition: PartitionIndex,
    rack: RackIndex,
) -> bool {
    spec.topics.get(&topic).is_some_and(|topic| topic.has_rack(partition, rack))
}

/// The partitions that nobody has.
pub(super) struct FreePartitions {
    /// Per topic, whether each partition is free.
    free: BTreeMap<TopicId, Vec<bool>>,
    /// All partitions, free or not.
    pub(super) total: usize,
}

impl FreePartitions {
    /// All partitions of some topics.
    pub(super) fn all(spec: &GroupSpec<'_>, topics: &[TopicId]) -> Self {
        let free: BTreeMap<_, _> = topics
            .iter()
            .filter_map(|topic| Some((*topic, spec.topics.get(topic)?.partitions)))
            .map(|(topic, count)| (topic, vec![true; usize::try_from(count).unwrap_or(0)]))
            .collect();
        let total = free.values().map(Vec::len).sum();
        Self { free, total }
    }

    fn slot(&mut self, topic: TopicId, partition: PartitionIndex) -> Option<&mut bool> {
        let index = usize::try_from(partition).ok()?;
        self.free.get_mut(&topic)?.get_mut(index)
    }

    /// Takes what is free among these and returns it.
    pub(super) fn take_owned(
        &mut self,
        owned: impl Iterator<Item = (TopicId, PartitionIndex)>,
    ) -> Vec<(TopicId, PartitionIndex)> {
        owned
            .filter(|(topic, partition)| {
                self.slot(*topic, *partition).is_some_and(|free| std::mem::replace(free, false))
            })
            .collect()
    }

    fn give_back(&mut self, topic: TopicId, partition: PartitionIndex) {
        if let Some(free) = self.slot(topic, partition) {
            *free = true;
        }
    }

    /// What is free, by topic id and number.
    pub(super) fn into_list(self) -> Vec<(TopicId, PartitionIndex)> {
        let mut list = Vec::new();
        for (topic, partitions) in self.free {
            for (index, _) in partitions.iter().enumerate().filter(|(_, free)| **free) {
                list.push((topic, PartitionIndex::try_from(index).unwrap_or(PartitionIndex::MAX)));
            }
        }
        list
    }
}
