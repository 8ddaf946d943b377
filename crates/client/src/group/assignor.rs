//! How the leader of a classic group divides the partitions. Pure.

mod range;
mod sticky;

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ids::{TopicName, TopicPartition};

/// A way to divide the partitions among the members (`partition.assignment.strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// Runs of neighbouring partitions of each topic. Everything is given up before it is divided anew.
    Range,
    /// As even as can be with as few moves as can be. Only what moves is given up, and given to another
    /// in the rebalance after (KIP-429).
    CooperativeSticky,
}

impl Assignor {
    /// The name in JoinGroup.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The one of the name in JoinGroup.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Range, Self::CooperativeSticky].into_iter().find(|assignor| assignor.name() == name)
    }

    /// Whether its members may keep what they own while the group rebalances.
    pub(super) fn is_cooperative(self) -> bool {
        self == Self::CooperativeSticky
    }

    /// Who gets what. `partition_counts` holds the topics that exist.
    pub(super) fn divide(
        self,
        subscribers: &[Subscriber],
        partition_counts: &BTreeMap<TopicName, usize>,
    ) -> Division {
        match self {
            Self::Range => range::divide(subscribers, partition_counts),
            Self::CooperativeSticky => {
                let mut division = sticky::divide(subscribers, partition_counts);
                withhold_claimed(subscribers, &mut division);
                division
            }
        }
    }
}

/// What each member gets.
pub(super) type Division = BTreeMap<String, BTreeSet<TopicPartition>>;

/// A member, as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Subscriber {
    pub(super) member_id: String,
    pub(super) instance_id: Option<String>,
    pub(super) topics: BTreeSet<TopicName>,
    /// What it has not given up.
    pub(super) owned: BTreeSet<TopicPartition>,
    /// The generation that it was given that in; -1 if unknown.
    pub(super) generation: i32,
}

/// Nobody gets what another still owns: that one learns from its assignment to give it up, and joins
/// again.
fn withhold_claimed(subscribers: &[Subscriber], division: &mut Division) {
    let mut claims: BTreeMap<&TopicPartition, Vec<&str>> = BTreeMap::new();
    for subscriber in subscribers {
        for partition in &subscriber.owned {
            claims.entry(partition).or_default().push(&subscriber.member_id);
        }
    }
    for (member, partitions) in division {
        partitions.retain(|partition| {
            claims.get(partition).is_none_or(|claimants| claimants.iter().all(|id| id == member))
        });
    }
}

#[cfg(test)]
mod tests;
