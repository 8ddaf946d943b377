//! Partitions by topic.

use std::collections::BTreeMap;
use std::fmt;

use ottla_protocol::ids::{PartitionIndex, TopicId};

/// A set of partitions, by topic. No topic is without partitions; partitions are in order.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Assignment(BTreeMap<TopicId, Vec<PartitionIndex>>);

impl Assignment {
    /// Adds a partition; one that is there already stays.
    pub(crate) fn insert(&mut self, topic: TopicId, partition: PartitionIndex) {
        let partitions = self.0.entry(topic).or_default();
        match partitions.last() {
            Some(last) if *last >= partition => {
                if let Err(at) = partitions.binary_search(&partition) {
                    partitions.insert(at, partition);
                }
            }
            _ => partitions.push(partition),
        }
    }

    /// Adds partitions of one topic, in any order.
    pub(crate) fn insert_all(
        &mut self,
        topic: TopicId,
        partitions: impl IntoIterator<Item = PartitionIndex>,
    ) {
        let mut all = self.0.remove(&topic).unwrap_or_default();
        all.extend(partitions);
        all.sort_unstable();
        all.dedup();
        if !all.is_empty() {
            self.0.insert(topic, all);
        }
    }

    /// Whether the partition is in it.
    pub(crate) fn contains(&self, topic: TopicId, partition: PartitionIndex) -> bool {
        self.partitions(topic).binary_search(&partition).is_ok()
    }

    /// The partitions of a topic, in order.
    pub(crate) fn partitions(&self, topic: TopicId) -> &[PartitionIndex] {
        self.0.get(&topic).map_or(&[], Vec::as_slice)
    }

    /// Topics and their partitions, by id and number.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (TopicId, &[PartitionIndex])> {
        self.0.iter().map(|(topic, partitions)| (*topic, partitions.as_slice()))
    }

    /// Every partition, by topic id and number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TopicId, PartitionIndex)> {
        self.topics().flat_map(|(topic, partitions)| partitions.iter().map(move |p| (topic, *p)))
    }

    /// How many partitions.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether it has no partition.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(TopicId, PartitionIndex)> for Assignment {
    fn from_iter<I: IntoIterator<Item = (TopicId, PartitionIndex)>>(partitions: I) -> Self {
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for (topic, partition) in partitions {
            all.entry(topic).or_default().push(partition);
        }
        for partitions in all.values_mut() {
            partitions.sort_unstable();
            partitions.dedup();
        }
        Self(all)
    }
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}
