//! The groups of one partition as their records add up. Offsets are beside them, in `offsets`.

use std::sync::Arc;

use imbl::OrdMap;

use crate::GroupName;
use crate::classic::ClassicGroup;
use crate::consumer::ConsumerGroup;
use crate::record::Record;

/// A group by its protocol.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Group {
    /// The classic protocol.
    Classic(ClassicGroup),
    /// KIP-848.
    Consumer(Arc<ConsumerGroup>),
}

/// What records add up to. A clone is cheap and shares everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) groups: OrdMap<GroupName, Group>,
}

impl State {
    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// A group, if it is of the classic type.
    pub(crate) fn classic(&self, name: &str) -> Option<&ClassicGroup> {
        match self.groups.get(name)? {
            Group::Classic(group) => Some(group),
            Group::Consumer(_) => None,
        }
    }

    /// A group, if it is of the consumer type.
    pub(crate) fn consumer(&self, name: &str) -> Option<&Arc<ConsumerGroup>> {
        match self.groups.get(name)? {
            Group::Consumer(group) => Some(group),
            Group::Classic(_) => None,
        }
    }

    /// Takes one record in: the only writer. Whatever a record names and is not there is made, or, of a
    /// tombstone, ignored: after compaction records come without those that once were before them.
    pub(crate) fn replay(&mut self, record: &Record) {
        match record {
            // A group may have nothing but offsets; they are beside.
            Record::Offset { .. } => {}
            Record::ClassicGroup { group, value: Some(value) } => {
                let value = ClassicGroup::from(value.clone());
                self.groups.insert(Arc::clone(group), Group::Classic(value));
            }
            Record::ClassicGroup { group, value: None } => {
                // A group that has become a consumer group has left its old record behind.
                if self.classic(group).is_some() {
                    self.groups.remove(group);
                }
            }
            Record::ConsumerGroup { group, value: None } => {
                if self.consumer(group).is_some() {
                    self.groups.remove(group);
                }
            }
            Record::ConsumerGroup { value: Some(_), .. }
            | Record::ConsumerPartitionMetadata { .. }
            | Record::ConsumerMember { .. }
            | Record::ConsumerTargetMetadata { .. }
            | Record::ConsumerTarget { .. }
            | Record::ConsumerCurrent { .. }
            | Record::ConsumerRegularExpression { .. } => self.replay_consumer(record),
        }
    }

    fn replay_consumer(&mut self, record: &Record) {
        let name = record.group();
        if self.consumer(name).is_none() {
            if record.is_tombstone() {
                return;
            }
            // Also instead of a classic group whose tombstone the cleaner has taken away.
            self.groups.insert(Arc::clone(name), Group::Consumer(Arc::default()));
        }
        if let Some(Group::Consumer(group)) = self.groups.get_mut(name) {
            Arc::make_mut(group).replay(record);
        }
    }
}
