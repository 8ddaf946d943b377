//! Moving partitions between brokers, and between the log directories of one.

use std::collections::BTreeMap;

use ottla_protocol::ids::{BrokerId, LeaderEpoch, Offset, TopicName, TopicPartition};
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::{
    self, AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, DescribeLogDirsRequest,
    ListOffsetsRequest, ListPartitionReassignmentsRequest,
};

use super::{Admin, Outcome, missing, outcome, text, topic_name, whole};
use crate::client::Target;
use crate::error::{ApiError, ClientError};

/// ListOffsets of a replica by itself, whether it leads or not.
const DEBUGGING_REPLICA: i32 = -2;
/// ListOffsets: the end.
const LATEST: i64 = -1;

/// Replicas on the move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// All of them: the target, then those that go.
    pub replicas: Vec<BrokerId>,
    /// Those that come.
    pub adding: Vec<BrokerId>,
    /// Those that go.
    pub removing: Vec<BrokerId>,
}

/// A log directory of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDir {
    /// Its path, on the broker.
    pub path: String,
    /// Why it is out of service.
    pub error: Option<ApiError>,
    /// The replicas in it, in the broker's order.
    pub replicas: Vec<LogDirReplica>,
    /// The volume that it lies on, from brokers that tell (KIP-827).
    pub volume: Option<Volume>,
}

/// The volume of a log directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Its size.
    pub total_bytes: i64,
    /// What the broker may still fill of it.
    pub usable_bytes: i64,
}

/// A replica in a log directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirReplica {
    /// Its partition.
    pub partition: TopicPartition,
    /// Bytes of its segments.
    pub size: i64,
    /// Records behind the high watermark; of a future replica, behind the present one.
    pub offset_lag: i64,
    /// It is to take the place of the present one in another directory.
    pub is_future: bool,
}

/// Where a replica's own log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaEnd {
    /// Where its next record would go.
    pub log_end: Offset,
    /// Epoch of its last record; -1: it has none.
    pub last_epoch: LeaderEpoch,
}

impl Admin {
    /// Moves partitions to other replicas; `None` cancels what is under way. Returns what was said of each.
    pub async fn alter_partition_reassignments(
        &self,
        moves: &BTreeMap<TopicPartition, Option<Vec<BrokerId>>>,
        allow_replication_factor_change: bool,
    ) -> Result<BTreeMap<TopicPartition, Outcome<()>>, ClientError> {
        let mut topics: Vec<ReassignableTopic> = Vec::new();
        for (partition, target) in moves {
            let wire = ReassignablePartition::default()
                .with_partition_index(partition.partition)
                .with_replicas(
                    target
                        .as_ref()
                        .map(|target| target.iter().copied().map(messages::BrokerId).collect()),
                );
            match topics.last_mut().filter(|last| **last.name == *partition.topic) {
                Some(last) => last.partitions.push(wire),
                None => topics.push(
                    ReassignableTopic::default()
                        .with_name(topic_name(&partition.topic))
                        .with_partitions(vec![wire]),
                ),
            }
        }
        let request = AlterPartitionReassignmentsRequest::default()
            .with_timeout_ms(self.timeout_ms())
            .with_allow_replication_factor_change(allow_replication_factor_change)
            .with_topics(topics);
        let (_, response) = self
            .client
            .request_within(Target::Controller, self.limit(), |_| request.clone())
            .await?;
        whole(response.error_code, response.error_message.as_ref())?;
        let mut outcomes = BTreeMap::new();
        for topic in &response.responses {
            let name = TopicName::from(topic.name.as_str());
            for result in &topic.partitions {
                let partition = TopicPartition::new(name.clone(), result.partition_index);
                let said = outcome(result.error_code, result.error_message.as_ref(), ());
                outcomes.insert(partition, said);
            }
        }
        let said = |partition: &TopicPartition| {
            let said = outcomes.get(partition).cloned().unwrap_or_else(|| Err(missing()));
            (partition.clone(), said)
        };
        Ok(moves.keys().map(said).collect())
    }

    /// Replicas on the move, all of them.
    pub async fn list_partition_reassignments(
        &self,
    ) -> Result<BTreeMap<TopicPartition, Reassignment>, ClientError> {
        let request = ListPartitionReassignmentsRequest::default()
            .with_timeout_ms(self.timeout_ms())
            .with_topics(None);
        let response = self.client.request(Target::Controller, &request).await?;
        whole(response.error_code, response.error_message.as_ref())?;
        let ids = |ids: &[messages::BrokerId]| ids.iter().map(|id| id.0).collect();
        let mut moves = BTreeMap::new();
        for topic in &response.topics {
            let name = TopicName::from(topic.name.as_str());
            for partition in &topic.partitions {
                let reassignment = Reassignment {
                    replicas: ids(&partition.replicas),
                    adding: ids(&partition.adding_replicas),
                    removing: ids(&partition.removing_replicas),
                };
                let partition = TopicPartition::new(name.clone(), partition.partition_index);
                moves.insert(partition, reassignment);
            }
        }
        Ok(moves)
    }

    /// The log directories of a broker with the replicas in them.
    pub async fn describe_log_dirs(&self, broker: BrokerId) -> Result<Vec<LogDir>, ClientError> {
        let request = DescribeLogDirsRequest::default().with_topics(None);
        let response = self.client.request(Target::Node(broker), &request).await?;
        whole(response.error_code, None)?;
        let dirs = response.results.iter().map(|result| LogDir {
            path: result.log_dir.to_string(),
            error: ApiError::from_wire(result.error_code, None),
            replicas: result
                .topics
                .iter()
                .flat_map(|topic| {
                    let name = TopicName::from(topic.name.as_str());
                    topic.partitions.iter().map(move |partition| LogDirReplica {
                        partition: TopicPartition::new(name.clone(), partition.partition_index),
                        size: partition.partition_size,
                        offset_lag: partition.offset_lag,
                        is_future: partition.is_future_key,
                    })
                })
                .collect(),
            volume: (result.total_bytes >= 0 && result.usable_bytes >= 0).then_some(Volume {
                total_bytes: result.total_bytes,
                usable_bytes: result.usable_bytes,
            }),
        });
        Ok(dirs.collect())
    }

    /// Moves a broker's replica into another of its log directories.
    pub async fn alter_replica_log_dir(
        &self,
        broker: BrokerId,
        partition: &TopicPartition,
        path: &str,
    ) -> Result<Outcome<()>, ClientError> {
        let topic = AlterReplicaLogDirTopic::default()
            .with_name(topic_name(&partition.topic))
            .with_partitions(vec![partition.partition]);
        let dir = AlterReplicaLogDir::default().with_path(text(path)).with_topics(vec![topic]);
        let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]);
        let response = self.client.request(Target::Node(broker), &request).await?;
        let result = response.results.first().and_then(|topic| topic.partitions.first());
        Ok(result.map_or_else(|| Err(missing()), |result| outcome(result.error_code, None, ())))
    }

    /// Where a broker's own replica of a partition ends, also while nobody leads it.
    pub async fn replica_end(
        &self,
        broker: BrokerId,
        partition: &TopicPartition,
    ) -> Result<Outcome<ReplicaEnd>, ClientError> {
        let wanted = ListOffsetsPartition::default()
            .with_partition_index(partition.partition)
            .with_timestamp(LATEST);
        let topic = ListOffsetsTopic::default()
            .with_name(topic_name(&partition.topic))
            .with_partitions(vec![wanted]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(messages::BrokerId(DEBUGGING_REPLICA))
            .with_topics(vec![topic]);
        let response = self.client.request(Target::Node(broker), &request).await?;
        let listed = response.topics.first().and_then(|topic| topic.partitions.first());
        let Some(listed) = listed else { return Ok(Err(missing())) };
        let end = ReplicaEnd { log_end: listed.offset, last_epoch: listed.leader_epoch };
        Ok(outcome(listed.error_code, None, end))
    }
}
