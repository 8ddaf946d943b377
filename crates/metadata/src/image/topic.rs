//! A topic and its partitions.

use std::sync::Arc;

use imbl::OrdMap;
use ottla_protocol::ids::{PartitionIndex, TopicId, TopicName};

use super::Partition;

/// A topic. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// The id of this life of the topic.
    pub id: TopicId,
    /// Its name.
    pub name: TopicName,
    /// Its partitions, by number from 0.
    pub partitions: OrdMap<PartitionIndex, Arc<Partition>>,
}

impl Topic {
    /// How many replicas its first partition has: what tools show as its replication factor.
    #[must_use]
    pub fn replication_factor(&self) -> usize {
        self.partitions.get(&0).map_or(0, |partition| partition.replication_factor())
    }
}
