//! The offsets of all groups, as their records add up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ottla_protocol::ids::{PartitionIndex, TopicId, TopicName};

use crate::GroupName;
use crate::record::{OffsetValue, Record};
use crate::request::WriteId;

/// Topics and partitions of one group.
pub(crate) type GroupOffsets = BTreeMap<TopicName, BTreeMap<PartitionIndex, OffsetValue>>;

/// One committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedOffset<'a> {
    /// The group.
    pub group: &'a GroupName,
    /// The topic.
    pub topic: &'a TopicName,
    /// The partition.
    pub partition: PartitionIndex,
    /// What was committed.
    pub value: &'a OffsetValue,
}

/// The offsets of all groups. What is on its way lies over what is committed, so that a commit copies
/// nothing else.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: BTreeMap<GroupName, GroupOffsets>,
    /// How many committed offsets there are of each life of a topic.
    topics: BTreeMap<(TopicName, TopicId), usize>,
    planned: HashMap<GroupName, BTreeMap<(TopicName, PartitionIndex), Planned>>,
}

/// The last change of an offset that is on its way; `None`: it is to go.
#[derive(Debug)]
struct Planned {
    write: WriteId,
    value: Option<OffsetValue>,
}

impl Offsets {
    /// The committed offsets of a group.
    pub(crate) fn of(&self, group: &str) -> Option<&GroupOffsets> {
        self.committed.get(group)
    }

    /// Whether the group has offsets, or is about to.
    pub(crate) fn has_planned(&self, group: &str) -> bool {
        self.committed.contains_key(group)
            || self
                .planned
                .get(group)
                .is_some_and(|changes| changes.values().any(|planned| planned.value.is_some()))
    }

    /// Groups that have committed offsets.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &GroupName> {
        self.committed.keys()
    }

    /// Every committed offset.
    pub(crate) fn iter(&self) -> impl Iterator<Item = CommittedOffset<'_>> {
        self.committed.iter().flat_map(|(group, topics)| {
            topics.iter().flat_map(move |(topic, partitions)| {
                partitions.iter().map(move |(&partition, value)| CommittedOffset {
                    group,
                    topic,
                    partition,
                    value,
                })
            })
        })
    }

    /// The lives of topics that have committed offsets.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (&TopicName, TopicId)> {
        self.topics.keys().map(|(topic, id)| (topic, *id))
    }

    /// A group's offsets with the changes that are on their way.
    pub(crate) fn planned_of(
        &self,
        group: &str,
    ) -> BTreeMap<(TopicName, PartitionIndex), &OffsetValue> {
        let mut all = BTreeMap::new();
        for (topic, partitions) in self.committed.get(group).into_iter().flatten() {
            for (&partition, value) in partitions {
                all.insert((Arc::clone(topic), partition), value);
            }
        }
        for (key, planned) in self.planned.get(group).into_iter().flatten() {
            match &planned.value {
                Some(value) => all.insert(key.clone(), value),
                None => all.remove(key),
            };
        }
        all
    }

    /// A record that is on its way.
    pub(crate) fn plan(&mut self, write: WriteId, record: &Record) {
        if let Record::Offset { group, topic, partition, value } = record {
            let planned = Planned { write, value: value.clone() };
            let changes = match self.planned.get_mut(group) {
                Some(changes) => changes,
                None => self.planned.entry(Arc::clone(group)).or_default(),
            };
            changes.insert((Arc::clone(topic), *partition), planned);
        }
    }

    /// A record that was on its way is committed.
    pub(crate) fn commit(&mut self, write: WriteId, record: &Record) {
        let Record::Offset { group, topic, partition, .. } = record else { return };
        self.load(record);
        let Some(changes) = self.planned.get_mut(group) else { return };
        let key = (Arc::clone(topic), *partition);
        if changes.get(&key).is_some_and(|planned| planned.write == write) {
            changes.remove(&key);
            if changes.is_empty() {
                self.planned.remove(group);
            }
        }
    }

    /// A committed record.
    pub(crate) fn load(&mut self, record: &Record) {
        let Record::Offset { group, topic, partition, value } = record else { return };
        let Some(value) = value else { return self.remove(group, topic, *partition) };
        let topics = match self.committed.get_mut(group) {
            Some(topics) => topics,
            None => self.committed.entry(Arc::clone(group)).or_default(),
        };
        let partitions = match topics.get_mut(topic) {
            Some(partitions) => partitions,
            None => topics.entry(Arc::clone(topic)).or_default(),
        };
        let former = partitions.insert(*partition, value.clone()).map(|former| former.topic_id);
        if former != Some(value.topic_id) {
            *self.topics.entry((Arc::clone(topic), value.topic_id)).or_default() += 1;
            if let Some(former) = former {
                self.forget_topic(topic, former);
            }
        }
    }

    fn forget_topic(&mut self, topic: &TopicName, id: TopicId) {
        let key = (Arc::clone(topic), id);
        if let Some(count) = self.topics.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.topics.remove(&key);
            }
        }
    }

    fn remove(&mut self, group: &str, topic: &TopicName, partition: PartitionIndex) {
        let Some(topics) = self.committed.get_mut(group) else { return };
        let Some(partitions) = topics.get_mut(topic) else { return };
        let removed = partitions.remove(&partition);
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.committed.remove(group);
        }
        if let Some(value) = removed {
            self.forget_topic(topic, value.topic_id);
        }
    }

    /// Nothing is on its way any more.
    pub(crate) fn forget_plans(&mut self) {
        self.planned.clear();
    }
}
