//! Who shall own which partition: the server-side assignors of KIP-848.
//!
//! Pure functions from a [`GroupSpec`] to one [`Assignment`] per member. The same input gives the same
//! output, so a plan that is made again comes out the same. Both assignors are near-linear in members
//! plus partitions, and both hand every partition of a subscribed topic to exactly one subscriber.
//!
//! - [`Assignor::Uniform`]: sizes differ by at most one where subscriptions allow; moves as little as
//!   that takes; among what must move, a member is given partitions with a replica in its rack.
//! - [`Assignor::Range`]: consecutive partitions of each topic, the same numbers of every topic with as
//!   many partitions, so that joins find their data together; not sticky. With racks, a member's share
//!   keeps its size but is picked by rack where that helps.

mod assignment;
mod range;
mod uniform;
mod uniform_mixed;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::ids::{PartitionIndex, TopicId};

pub(crate) use assignment::Assignment;

/// A server-side assignor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Assignor {
    /// Even shares, few moves.
    Uniform,
    /// Ranges of each topic, the same of all topics.
    Range,
}

impl Assignor {
    /// Every assignor; the first is the default.
    pub(crate) const ALL: &'static [Self] = &[Self::Uniform, Self::Range];

    /// Its name in requests and in `group.consumer.assignors`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// The assignor of a name, also of the class names that Kafka's configurations carry.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "uniform" | "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => {
                Some(Self::Uniform)
            }
            "range" | "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => {
                Some(Self::Range)
            }
            _ => None,
        }
    }

    /// The assignment of each member, in the order of [`GroupSpec::members`]. A member whose
    /// assignment does not change gets the very `Arc` it came with.
    pub(crate) fn assign(self, spec: &GroupSpec<'_>) -> Vec<Arc<Assignment>> {
        let new = match self {
            Self::Uniform if spec.is_homogeneous() => uniform::assign(spec),
            Self::Uniform => uniform_mixed::assign(spec),
            Self::Range => range::assign(spec),
        };
        new.into_iter()
            .zip(&spec.members)
            .map(|(new, member)| match new == **member.assignment {
                true => Arc::clone(member.assignment),
                false => Arc::new(new),
            })
            .collect()
    }
}

/// A rack, numbered for the time of one assignment.
pub(crate) type RackIndex = u32;

/// What an assignor sees of a group.
#[derive(Debug)]
pub(crate) struct GroupSpec<'a> {
    /// The members, by member id.
    pub(crate) members: Vec<MemberSpec<'a>>,
    /// Every topic that somebody subscribes to and that exists.
    pub(crate) topics: BTreeMap<TopicId, TopicSpec>,
}

/// What an assignor sees of a member.
#[derive(Debug)]
pub(crate) struct MemberSpec<'a> {
    /// Its id.
    pub(crate) member_id: &'a str,
    /// Its instance id (`group.instance.id`), for static members.
    pub(crate) instance_id: Option<&'a str>,
    /// Where it runs.
    pub(crate) rack: Option<RackIndex>,
    /// What it subscribes to; topics that do not exist are left out. Members with the same
    /// subscription share one set.
    pub(crate) topics: Arc<BTreeSet<TopicId>>,
    /// What it was assigned last.
    pub(crate) assignment: &'a Arc<Assignment>,
}

/// What an assignor sees of a topic.
#[derive(Debug, Default)]
pub(crate) struct TopicSpec {
    /// How many partitions it has, numbered from 0.
    pub(crate) partitions: PartitionIndex,
    /// The racks of each partition's replicas, sorted; empty if racks do not matter.
    pub(crate) racks: Vec<Vec<RackIndex>>,
}

impl TopicSpec {
    /// Whether the partition has a replica in the rack.
    fn has_rack(&self, partition: PartitionIndex, rack: RackIndex) -> bool {
        self.racks_of(partition).contains(&rack)
    }

    fn racks_of(&self, partition: PartitionIndex) -> &[RackIndex] {
        usize::try_from(partition)
            .ok()
            .and_then(|index| self.racks.get(index))
            .map_or(&[], Vec::as_slice)
    }
}

impl GroupSpec<'_> {
    /// Whether all members subscribe to the same topics.
    pub(crate) fn is_homogeneous(&self) -> bool {
        self.members.windows(2).all(|pair| match pair {
            [a, b] => Arc::ptr_eq(&a.topics, &b.topics) || a.topics == b.topics,
            _ => true,
        })
    }

    /// Whether the racks of members and of replicas can make a difference.
    fn is_rack_aware(&self) -> bool {
        self.topics.values().any(|topic| !topic.racks.is_empty())
            && self.members.iter().any(|member| member.rack.is_some())
    }
}
