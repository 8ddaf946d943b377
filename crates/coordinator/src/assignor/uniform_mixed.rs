//! The uniform assignor where members subscribe to different topics.
//!
//! Members keep what they still subscribe to. What is free goes to the subscriber with the fewest
//! partitions, the scarcest topics first. Then partitions move from the fullest owner of a topic to
//! its emptiest subscriber, while that narrows the gap. A move never needs a second one elsewhere, so
//! chains of moves through overlapping subscriptions are not looked for; each pass is near-linear and
//! there are at most [`MAX_PASSES`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use ottla_protocol::ids::{PartitionIndex, TopicId};

use super::uniform::FreePartitions;
use super::{Assignment, GroupSpec, RackIndex, TopicSpec};

/// Each pass roughly halves what imbalance is left; most subscriptions need one.
const MAX_PASSES: usize = 16;

type MemberIndex = usize;

/// One assignment per member.
pub(super) fn assign(spec: &GroupSpec<'_>) -> Vec<Assignment> {
    let mut balance = Balance::new(spec);
    balance.keep_subscribed();
    balance.hand_out_free();
    balance.even_out();
    balance.finish()
}

struct Balance<'a> {
    spec: &'a GroupSpec<'a>,
    rack_aware: bool,
    /// The members that subscribe to each topic.
    subscribers: BTreeMap<TopicId, Vec<MemberIndex>>,
    free: FreePartitions,
    /// What each member has of each topic.
    owned: BTreeMap<TopicId, BTreeMap<MemberIndex, Vec<PartitionIndex>>>,
    /// How much each member has.
    sizes: Vec<usize>,
}

impl<'a> Balance<'a> {
    fn new(spec: &'a GroupSpec<'a>) -> Self {
        let mut subscribers = BTreeMap::<TopicId, Vec<MemberIndex>>::new();
        for (index, member) in spec.members.iter().enumerate() {
            for topic in member.topics.iter().filter(|topic| spec.topics.contains_key(topic)) {
                subscribers.entry(*topic).or_default().push(index);
            }
        }
        let topics: Vec<_> = subscribers.keys().copied().collect();
        Self {
            spec,
            rack_aware: spec.is_rack_aware(),
            free: FreePartitions::all(spec, &topics),
            owned: topics.into_iter().map(|topic| (topic, BTreeMap::new())).collect(),
            subscribers,
            sizes: vec![0; spec.members.len()],
        }
    }

    fn keep_subscribed(&mut self) {
        for (index, member) in self.spec.members.iter().enumerate() {
            let owned = member.assignment.iter().filter(|(topic, _)| member.topics.contains(topic));
            for (topic, partition) in self.free.take_owned(owned) {
                self.give(index, topic, partition);
            }
        }
    }

    fn give(&mut self, member: MemberIndex, topic: TopicId, partition: PartitionIndex) {
        self.owned.entry(topic).or_default().entry(member).or_default().push(partition);
        if let Some(size) = self.sizes.get_mut(member) {
            *size += 1;
        }
    }

    fn size(&self, member: MemberIndex) -> usize {
        self.sizes.get(member).copied().unwrap_or(0)
    }

    fn rack(&self, member: MemberIndex) -> Option<RackIndex> {
        self.spec.members.get(member)?.rack
    }

    /// Topics by partitions per subscriber, the most first; then by subscribers, the fewest first.
    fn topics_by_scarcity(&self, topics: impl Iterator<Item = TopicId>) -> Vec<TopicId> {
        let mut keyed: Vec<_> = topics
            .map(|topic| {
                let subscribers = self.subscribers.get(&topic).map_or(1, Vec::len);
                let partitions = self.spec.topics.get(&topic).map_or(0, |topic| topic.partitions);
                let per_subscriber = i64::from(partitions) * 1_000_000
                    / i64::try_from(subscribers).unwrap_or(i64::MAX).max(1);
                (Reverse(per_subscriber), subscribers, topic)
            })
            .collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, _, topic)| topic).collect()
    }

    fn hand_out_free(&mut self) {
        let nothing = FreePartitions::all(self.spec, &[]);
        let mut by_topic = BTreeMap::<TopicId, Vec<PartitionIndex>>::new();
        for (topic, partition) in std::mem::replace(&mut self.free, nothing).into_list() {
            by_topic.entry(topic).or_default().push(partition);
        }
        for topic in self.topics_by_scarcity(by_topic.keys().copied()) {
            let mut emptiest = Emptiest::of(self, topic);
            for partition in by_topic.remove(&topic).unwrap_or_default() {
                if let Some(member) = emptiest.next(self.spec.topics.get(&topic), partition) {
                    self.give(member, topic, partition);
                }
            }
        }
    }

    fn even_out(&mut self) {
        let shared = self.subscribers.iter().filter(|(_, members)| members.len() > 1);
        let topics = self.topics_by_scarcity(shared.map(|(topic, _)| *topic));
        for _ in 0..MAX_PASSES {
            let mut moved = false;
            for topic in &topics {
                moved |= self.even_out_topic(*topic);
            }
            if !moved {
                break;
            }
        }
    }

    /// Moves partitions of a topic while that narrows the gap; whether any moved.
    fn even_out_topic(&mut self, topic: TopicId) -> bool {
        let Some(subscribers) = self.subscribers.get(&topic) else { return false };
        let sizes = || subscribers.iter().map(|member| self.size(*member));
        if sizes().max().unwrap_or(0) <= sizes().min().unwrap_or(0) + 1 {
            return false;
        }
        let mut owned = self.owned.remove(&topic).unwrap_or_default();
        let mut all: BTreeSet<_> = subscribers.iter().map(|m| (self.size(*m), *m)).collect();
        let mut owners: BTreeSet<_> = owned
            .iter()
            .filter(|(_, partitions)| !partitions.is_empty())
            .map(|(member, _)| (self.size(*member), *member))
            .collect();
        let mut moved = false;
        while let (Some(&(most, from)), Some(&(least, to))) = (owners.last(), all.first()) {
            if most <= least + 1 {
                break;
            }
            let Some(partitions) = owned.get_mut(&from) else { break };
            let Some(partition) = self.give_up(topic, partitions, from, to) else { break };
            owners.remove(&(most, from));
            owners.remove(&(least, to));
            if !partitions.is_empty() {
                owners.insert((most - 1, from));
            }
            owners.insert((least + 1, to));
            owned.entry(to).or_default().push(partition);
            all.remove(&(most, from));
            all.remove(&(least, to));
            all.insert((most - 1, from));
            all.insert((least + 1, to));
            for (member, size) in [(from, most - 1), (to, least + 1)] {
                if let Some(slot) = self.sizes.get_mut(member) {
                    *slot = size;
                }
            }
            moved = true;
        }
        self.owned.insert(topic, owned);
        moved
    }

    /// The partition that the owner parts with: the one that gains most by rack, else the last.
    fn give_up(
        &self,
        topic: TopicId,
        partitions: &mut Vec<PartitionIndex>,
        from: MemberIndex,
        to: MemberIndex,
    ) -> Option<PartitionIndex> {
        if !self.rack_aware {
            return partitions.pop();
        }
        let topic = self.spec.topics.get(&topic)?;
        let near = |member: MemberIndex, partition: PartitionIndex| {
            self.rack(member).is_some_and(|rack| topic.has_rack(partition, rack))
        };
        let gain = |partition: PartitionIndex| {
            i32::from(near(to, partition)) - i32::from(near(from, partition))
        };
        let (at, _) = partitions.iter().enumerate().max_by_key(|(at, p)| (gain(**p), *at))?;
        Some(partitions.remove(at))
    }

    fn finish(self) -> Vec<Assignment> {
        let mut all = vec![Assignment::default(); self.sizes.len()];
        for (topic, owners) in self.owned {
            for (member, partitions) in owners {
                if let Some(assignment) = all.get_mut(member) {
                    assignment.insert_all(topic, partitions);
                }
            }
        }
        all
    }
}

/// The subscribers of one topic, the emptiest first, by rack.
struct Emptiest {
    by_rack: BTreeMap<Option<RackIndex>, BinaryHeap<Reverse<(usize, MemberIndex)>>>,
}

impl Emptiest {
    fn of(balance: &Balance<'_>, topic: TopicId) -> Self {
        let mut by_rack = BTreeMap::<_, Vec<_>>::new();
        for member in balance.subscribers.get(&topic).into_iter().flatten() {
            let rack = if balance.rack_aware { balance.rack(*member) } else { None };
            by_rack.entry(rack).or_default().push(Reverse((balance.size(*member), *member)));
        }
        Self {
            by_rack: by_rack.into_iter().map(|(rack, all)| (rack, BinaryHeap::from(all))).collect(),
        }
    }

    /// Who gets the partition: the emptiest, and among the equally empty one in its rack.
    fn next(
        &mut self,
        topic: Option<&TopicSpec>,
        partition: PartitionIndex,
    ) -> Option<MemberIndex> {
        let (_, rack) = self
            .by_rack
            .iter()
            .filter_map(|(rack, heap)| {
                let Reverse((size, member)) = *heap.peek()?;
                let near = rack
                    .is_some_and(|rack| topic.is_some_and(|topic| topic.has_rack(partition, rack)));
                Some(((size, !near, member), *rack))
            })
            .min()?;
        let mut heap = self.by_rack.get_mut(&rack)?.peek_mut()?;
        let Reverse((size, member)) = *heap;
        *heap = Reverse((size + 1, member));
        Some(member)
    }
}
