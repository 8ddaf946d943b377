//! Topics: list, create, delete, describe, add partitions.

use std::collections::BTreeMap;

use ottla_protocol::api::ApiKey;
use ottla_protocol::ids::{BrokerId, KafkaUuid, LeaderEpoch, NO_LEADER, PartitionIndex, TopicId};
use ottla_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use ottla_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::MetadataResponseTopic;
use ottla_protocol::messages::{
    self, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeTopicPartitionsRequest, MetadataRequest,
};

use super::{Admin, Outcome, missing, outcome, text, topic_name};
use crate::client::Target;
use crate::error::{ApiError, ClientError};

/// A topic in a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicListing {
    /// Its name.
    pub name: String,
    /// Its id; zero where the broker sends none.
    pub id: TopicId,
    /// Whether it is one of Kafka's own.
    pub internal: bool,
}

/// A topic to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; `None` leaves it to the cluster (KIP-464).
    pub partitions: Option<i32>,
    /// How many replicas each; `None` leaves it to the cluster.
    pub replication_factor: Option<i16>,
    /// The brokers of each partition, instead of the two counts.
    pub assignments: BTreeMap<PartitionIndex, Vec<BrokerId>>,
    /// Configs other than the cluster's.
    pub configs: BTreeMap<String, String>,
}

/// Partitions to be added to a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewPartitions {
    /// The topic's name.
    pub topic: String,
    /// How many it shall have.
    pub total: i32,
    /// The brokers of each new partition; `None` leaves it to the cluster.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// One partition of a described topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Its number.
    pub partition: PartitionIndex,
    /// The leader; `None` while there is none.
    pub leader: Option<BrokerId>,
    /// Counts the leaders.
    pub leader_epoch: LeaderEpoch,
    /// In order of preference.
    pub replicas: Vec<BrokerId>,
    /// In sync.
    pub isr: Vec<BrokerId>,
    /// Eligible leader replicas (KIP-966); `None` where the request used cannot tell.
    pub elr: Option<Vec<BrokerId>>,
    /// The last known ELR; `None` as above.
    pub last_known_elr: Option<Vec<BrokerId>>,
    /// On brokers that are not live.
    pub offline_replicas: Vec<BrokerId>,
}

/// A described topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: TopicId,
    /// Whether it is one of Kafka's own.
    pub internal: bool,
    /// By ascending number.
    pub partitions: Vec<PartitionDescription>,
}

impl Admin {
    /// Every topic, by name.
    pub async fn list_topics(&self) -> Result<Vec<TopicListing>, ClientError> {
        let request = MetadataRequest::default().with_topics(None);
        let response = self.client.request(Target::Any, &request).await?;
        let mut topics: Vec<TopicListing> = response
            .topics
            .iter()
            .filter(|topic| topic.error_code == 0)
            .filter_map(|topic| {
                let name = topic.name.as_ref()?.to_string();
                let id = KafkaUuid(topic.topic_id);
                Some(TopicListing { name, id, internal: topic.is_internal })
            })
            .collect();
        topics.sort();
        Ok(topics)
    }

    /// Creates topics; with `validate_only`, only says whether it would.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Vec<Outcome<TopicId>>, ClientError> {
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(creatable).collect())
            .with_timeout_ms(self.timeout_ms())
            .with_validate_only(validate_only);
        let (_, response) = self
            .client
            .request_within(Target::Controller, self.limit(), |_| request.clone())
            .await?;
        let by_name = |topic: &NewTopic| {
            let result = response.topics.iter().find(|r| r.name.as_str() == topic.name);
            result.map_or_else(
                || Err(missing()),
                |result| {
                    outcome(
                        result.error_code,
                        result.error_message.as_ref(),
                        KafkaUuid(result.topic_id),
                    )
                },
            )
        };
        Ok(topics.iter().map(by_name).collect())
    }

    /// Deletes topics by name.
    pub async fn delete_topics(&self, names: &[String]) -> Result<Vec<Outcome<()>>, ClientError> {
        let build = |version: i16| {
            let request = DeleteTopicsRequest::default().with_timeout_ms(self.timeout_ms());
            if version >= 6 {
                let state =
                    |name: &String| DeleteTopicState::default().with_name(Some(topic_name(name)));
                request.with_topics(names.iter().map(state).collect())
            } else {
                request.with_topic_names(names.iter().map(|name| topic_name(name)).collect())
            }
        };
        let (_, response) =
            self.client.request_within(Target::Controller, self.limit(), build).await?;
        let by_name = |name: &String| {
            let found = response
                .responses
                .iter()
                .find(|result| result.name.as_ref().is_some_and(|n| n.as_str() == name));
            found.map_or_else(
                || Err(missing()),
                |result| outcome(result.error_code, result.error_message.as_ref(), ()),
            )
        };
        Ok(names.iter().map(by_name).collect())
    }

    /// Adds partitions to topics.
    pub async fn create_partitions(
        &self,
        topics: &[NewPartitions],
    ) -> Result<Vec<Outcome<()>>, ClientError> {
        let assignment = |brokers: &Vec<BrokerId>| {
            CreatePartitionsAssignment::default().with_broker_ids(broker_ids(brokers))
        };
        let wire = |topic: &NewPartitions| {
            let assignments =
                topic.assignments.as_ref().map(|all| all.iter().map(assignment).collect());
            CreatePartitionsTopic::default()
                .with_name(topic_name(&topic.topic))
                .with_count(topic.total)
                .with_assignments(assignments)
        };
        let request = CreatePartitionsRequest::default()
            .with_topics(topics.iter().map(wire).collect())
            .with_timeout_ms(self.timeout_ms());
        let (_, response) = self
            .client
            .request_within(Target::Controller, self.limit(), |_| request.clone())
            .await?;
        let by_name = |topic: &NewPartitions| {
            let found = response.results.iter().find(|r| r.name.as_str() == topic.topic);
            found.map_or_else(
                || Err(missing()),
                |result| outcome(result.error_code, result.error_message.as_ref(), ()),
            )
        };
        Ok(topics.iter().map(by_name).collect())
    }

    /// Describes topics by name, in answers of at most `partition_limit` partitions.
    pub async fn describe_topics(
        &self,
        names: &[String],
        partition_limit: i32,
    ) -> Result<Vec<Outcome<TopicDescription>>, ClientError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        if !self.client.serves(Target::Any, ApiKey::DescribeTopicPartitions).await? {
            let topics = names
                .iter()
                .map(|n| MetadataRequestTopic::default().with_name(Some(topic_name(n))));
            let found = self.describe_by_metadata(topics.collect()).await?;
            let by_name = |name: &String| {
                let topic =
                    found.iter().find(|t| t.name.as_ref().is_some_and(|n| n.as_str() == name));
                topic.map_or_else(|| Err(missing()), from_metadata)
            };
            return Ok(names.iter().map(by_name).collect());
        }
        let mut found: BTreeMap<String, Outcome<TopicDescription>> = BTreeMap::new();
        let mut cursor = None;
        loop {
            let topics = names.iter().map(|n| TopicRequest::default().with_name(topic_name(n)));
            let request = DescribeTopicPartitionsRequest::default()
                .with_topics(topics.collect())
                .with_response_partition_limit(partition_limit)
                .with_cursor(cursor.take());
            let response = self.client.request(Target::Any, &request).await?;
            let before: usize = found.values().flatten().map(|t| t.partitions.len()).sum();
            for topic in &response.topics {
                add_described(&mut found, topic);
            }
            let after: usize = found.values().flatten().map(|t| t.partitions.len()).sum();
            match response.next_cursor {
                // A cursor that brings nothing new would lead in circles.
                Some(next) if after > before => {
                    cursor = Some(
                        Cursor::default()
                            .with_topic_name(next.topic_name)
                            .with_partition_index(next.partition_index),
                    );
                }
                _ => break,
            }
        }
        Ok(names.iter().map(|name| found.remove(name).unwrap_or_else(|| Err(missing()))).collect())
    }

    /// Describes topics by id. ELR is unknown in this way.
    pub async fn describe_topics_by_id(
        &self,
        ids: &[TopicId],
    ) -> Result<Vec<Outcome<TopicDescription>>, ClientError> {
        let topics = ids
            .iter()
            .map(|id| MetadataRequestTopic::default().with_name(None).with_topic_id(id.0));
        let found = self.describe_by_metadata(topics.collect()).await?;
        let by_id = |id: &TopicId| {
            let topic = found.iter().find(|topic| topic.topic_id == id.0);
            topic.map_or_else(|| Err(missing()), from_metadata)
        };
        Ok(ids.iter().map(by_id).collect())
    }

    async fn describe_by_metadata(
        &self,
        topics: Vec<MetadataRequestTopic>,
    ) -> Result<Vec<MetadataResponseTopic>, ClientError> {
        let request = MetadataRequest::default()
            .with_topics(Some(topics))
            .with_allow_auto_topic_creation(false);
        Ok(self.client.request(Target::Any, &request).await?.topics)
    }
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let assignment = |(partition, brokers): (&PartitionIndex, &Vec<BrokerId>)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*partition)
            .with_broker_ids(broker_ids(brokers))
    };
    let config = |(name, value): (&String, &String)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    CreatableTopic::default()
        .with_name(topic_name(&topic.name))
        .with_num_partitions(topic.partitions.unwrap_or(-1))
        .with_replication_factor(topic.replication_factor.unwrap_or(-1))
        .with_assignments(topic.assignments.iter().map(assignment).collect())
        .with_configs(topic.configs.iter().map(config).collect())
}

fn broker_ids(brokers: &[BrokerId]) -> Vec<messages::BrokerId> {
    brokers.iter().copied().map(messages::BrokerId).collect()
}

fn ids(brokers: &[messages::BrokerId]) -> Vec<BrokerId> {
    brokers.iter().map(|id| id.0).collect()
}

fn leader(id: messages::BrokerId) -> Option<BrokerId> {
    Some(id.0).filter(|id| *id != NO_LEADER)
}

fn add_described(
    found: &mut BTreeMap<String, Outcome<TopicDescription>>,
    topic: &DescribeTopicPartitionsResponseTopic,
) {
    let Some(name) = topic.name.as_ref().map(|name| name.to_string()) else { return };
    if let Some(error) = ApiError::from_wire(topic.error_code, None) {
        found.insert(name, Err(error));
        return;
    }
    let described = found.entry(name.clone()).or_insert_with(|| {
        Ok(TopicDescription {
            name,
            id: KafkaUuid(topic.topic_id),
            internal: topic.is_internal,
            partitions: Vec::new(),
        })
    });
    let Ok(described) = described else { return };
    for partition in &topic.partitions {
        described.partitions.push(PartitionDescription {
            partition: partition.partition_index,
            leader: leader(partition.leader_id),
            leader_epoch: partition.leader_epoch,
            replicas: ids(&partition.replica_nodes),
            isr: ids(&partition.isr_nodes),
            elr: Some(ids(partition.eligible_leader_replicas.as_deref().unwrap_or_default())),
            last_known_elr: Some(ids(partition.last_known_elr.as_deref().unwrap_or_default())),
            offline_replicas: ids(&partition.offline_replicas),
        });
    }
    described.partitions.sort_by_key(|partition| partition.partition);
    described.partitions.dedup_by_key(|partition| partition.partition);
}

fn from_metadata(topic: &MetadataResponseTopic) -> Outcome<TopicDescription> {
    let partition =
        |info: &messages::metadata_response::MetadataResponsePartition| PartitionDescription {
            partition: info.partition_index,
            leader: leader(info.leader_id),
            leader_epoch: info.leader_epoch,
            replicas: ids(&info.replica_nodes),
            isr: ids(&info.isr_nodes),
            elr: None,
            last_known_elr: None,
            offline_replicas: ids(&info.offline_replicas),
        };
    let mut partitions: Vec<_> = topic.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    let description = TopicDescription {
        name: topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default(),
        id: KafkaUuid(topic.topic_id),
        internal: topic.is_internal,
        partitions,
    };
    outcome(topic.error_code, None, description)
}
