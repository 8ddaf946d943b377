//! What a client knows about the cluster: nodes, topics, leaders. Pure.
//!
//! Answers of different brokers may arrive out of order and from brokers that lag behind. A partition's
//! leader is therefore never replaced by one of an older leader epoch (KIP-320), as long as the topic is
//! still the same topic by id.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::ids::{
    BrokerId, KafkaUuid, LeaderEpoch, NO_LEADER, PartitionIndex, TopicId, TopicName,
};
use ottla_protocol::messages::MetadataResponse;

use crate::error::ApiError;
use crate::options::HostPort;

/// A broker, as clients reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `node.id`.
    pub id: BrokerId,
    /// The advertised address.
    pub address: HostPort,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Its number.
    pub partition: PartitionIndex,
    /// The leader; `None` while there is none.
    pub leader: Option<BrokerId>,
    /// Counts the leaders; -1 where the broker's answer has none.
    pub leader_epoch: LeaderEpoch,
    /// In order of preference.
    pub replicas: Vec<BrokerId>,
    /// In sync.
    pub isr: Vec<BrokerId>,
    /// On brokers that are not live.
    pub offline_replicas: Vec<BrokerId>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: TopicName,
    /// Its id; zero where the broker's answer has none.
    pub id: TopicId,
    /// Whether it is one of Kafka's own.
    pub internal: bool,
    /// By ascending number.
    pub partitions: Vec<PartitionInfo>,
}

impl TopicInfo {
    /// A partition by its number.
    #[must_use]
    pub fn partition(&self, partition: PartitionIndex) -> Option<&PartitionInfo> {
        let at = self.partitions.binary_search_by_key(&partition, |info| info.partition).ok()?;
        self.partitions.get(at)
    }
}

/// The cluster as last seen.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// `cluster.id`.
    pub cluster_id: Option<String>,
    /// The node that the cluster names as its controller.
    pub controller: Option<BrokerId>,
    /// By id.
    pub nodes: BTreeMap<BrokerId, Node>,
    topics: BTreeMap<TopicName, Result<Arc<TopicInfo>, ApiError>>,
    names: BTreeMap<TopicId, TopicName>,
}

impl Metadata {
    /// A topic, or what the cluster said instead of describing it; `None` if it was never asked for.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Result<Arc<TopicInfo>, ApiError>> {
        self.topics.get(name)
    }

    /// A topic's name by its id.
    #[must_use]
    pub fn topic_name(&self, id: TopicId) -> Option<&TopicName> {
        self.names.get(&id)
    }

    /// All topics that were described.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicInfo>> {
        self.topics.values().filter_map(|topic| topic.as_ref().ok())
    }

    /// The leader of a partition and its epoch.
    #[must_use]
    pub fn leader(
        &self,
        topic: &str,
        partition: PartitionIndex,
    ) -> Option<(BrokerId, LeaderEpoch)> {
        let info = self.topic(topic)?.as_ref().ok()?.partition(partition)?;
        info.leader.map(|leader| (leader, info.leader_epoch))
    }

    /// Takes in an answer. `all_topics` says that it lists every topic, so that others are gone.
    pub(crate) fn update(&mut self, response: &MetadataResponse, all_topics: bool) {
        if !response.brokers.is_empty() {
            self.nodes = response.brokers.iter().filter_map(node).map(|n| (n.id, n)).collect();
        }
        self.cluster_id = response.cluster_id.as_ref().map(|id| id.to_string());
        self.controller = Some(response.controller_id.0).filter(|id| *id >= 0);
        if all_topics {
            self.topics.clear();
            self.names.clear();
        }
        for topic in &response.topics {
            let id = KafkaUuid(topic.topic_id);
            let Some(name) = topic.name.as_ref().map(|name| TopicName::from(name.as_str())) else {
                continue;
            };
            if let Some(error) = ApiError::from_wire(topic.error_code, None) {
                self.topics.insert(name, Err(error));
                continue;
            }
            let mut partitions: Vec<PartitionInfo> = topic
                .partitions
                .iter()
                .map(|partition| PartitionInfo {
                    partition: partition.partition_index,
                    leader: Some(partition.leader_id.0).filter(|id| *id != NO_LEADER),
                    leader_epoch: partition.leader_epoch,
                    replicas: partition.replica_nodes.iter().map(|id| id.0).collect(),
                    isr: partition.isr_nodes.iter().map(|id| id.0).collect(),
                    offline_replicas: partition.offline_replicas.iter().map(|id| id.0).collect(),
                })
                .collect();
            partitions.sort_by_key(|partition| partition.partition);
            if let Some(Ok(known)) = self.topics.get(&name).filter(|_| !all_topics)
                && known.id == id
            {
                keep_newer_leaders(known, &mut partitions);
            }
            if id != KafkaUuid::ZERO {
                self.names.insert(id, Arc::clone(&name));
            }
            let info =
                TopicInfo { name: Arc::clone(&name), id, internal: topic.is_internal, partitions };
            self.topics.insert(name, Ok(Arc::new(info)));
        }
    }

    /// Takes in a leader that a broker named beside an error (KIP-951). Returns whether it is news.
    pub(crate) fn hint_leader(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
        leader: BrokerId,
        leader_epoch: LeaderEpoch,
    ) -> bool {
        let Some(Ok(topic)) = self.topics.get_mut(topic) else { return false };
        let news =
            topic.partition(partition).is_some_and(|known| known.leader_epoch < leader_epoch);
        if news && self.nodes.contains_key(&leader) {
            let topic = Arc::make_mut(topic);
            for info in topic.partitions.iter_mut().filter(|info| info.partition == partition) {
                info.leader = Some(leader);
                info.leader_epoch = leader_epoch;
            }
        }
        news && self.nodes.contains_key(&leader)
    }

    /// Takes in the address of a node that a broker named beside an error (KIP-951).
    pub(crate) fn hint_node(&mut self, node: Node) {
        self.nodes.insert(node.id, node);
    }
}

fn node(
    broker: &ottla_protocol::messages::metadata_response::MetadataResponseBroker,
) -> Option<Node> {
    Some(Node {
        id: broker.node_id.0,
        address: HostPort { host: broker.host.to_string(), port: u16::try_from(broker.port).ok()? },
        rack: broker.rack.as_ref().map(|rack| rack.to_string()),
    })
}

fn keep_newer_leaders(known: &TopicInfo, partitions: &mut [PartitionInfo]) {
    for partition in partitions {
        if let Some(before) = known.partition(partition.partition)
            && partition.leader_epoch >= 0
            && before.leader_epoch > partition.leader_epoch
        {
            *partition = before.clone();
        }
    }
}

#[cfg(test)]
mod tests;
