//! The cluster: its brokers, its controller quorum, leader elections.

use ottla_protocol::ids::{BrokerId, KafkaUuid, TopicName, TopicPartition};
use ottla_protocol::messages::add_raft_voter_request::Listener;
use ottla_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use ottla_protocol::messages::describe_quorum_response::ReplicaState;
use ottla_protocol::messages::elect_leaders_request::TopicPartitions;
use ottla_protocol::messages::{
    AddRaftVoterRequest, DescribeClusterRequest, DescribeQuorumRequest, ElectLeadersRequest,
    RemoveRaftVoterRequest, UnregisterBrokerRequest,
};

use super::{Admin, Outcome, missing, outcome, text, topic_name, whole};
use crate::client::Target;
use crate::cluster::CONTROLLERS;
use crate::error::ClientError;
use crate::options::HostPort;

/// The topic that stands for the metadata log in DescribeQuorum.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// A node of the cluster, broker or controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// `node.id`.
    pub id: BrokerId,
    /// The advertised address.
    pub address: HostPort,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Whether it is fenced.
    pub fenced: bool,
}

/// The cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// `cluster.id`.
    pub id: String,
    /// The node that is named as the controller.
    pub controller: BrokerId,
    /// Its brokers.
    pub nodes: Vec<ClusterNode>,
}

/// Which leader is wanted; the numbers are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum ElectionType {
    /// The first replica, if it is in sync.
    Preferred = 0,
    /// Where there is no leader, any live replica: may lose records.
    Unclean = 1,
}

/// A controller's address, by listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumEndpoint {
    /// The listener's name.
    pub listener: String,
    /// Where it listens.
    pub address: HostPort,
}

/// A voter or observer of the quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumReplica {
    /// `node.id`.
    pub id: BrokerId,
    /// The directory that holds its copy of the log; zero where unknown.
    pub directory_id: KafkaUuid,
    /// How far its log reaches.
    pub log_end_offset: i64,
    /// When it last fetched (ms since the epoch), or -1.
    pub last_fetch_timestamp: i64,
    /// When it last had everything (ms since the epoch), or -1.
    pub last_caught_up_timestamp: i64,
    /// Where it listens, if the broker tells.
    pub endpoints: Vec<QuorumEndpoint>,
}

/// The controller quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// The active controller.
    pub leader: BrokerId,
    /// Counts the elections.
    pub leader_epoch: i32,
    /// How far the log is committed.
    pub high_watermark: i64,
    /// Those that vote.
    pub voters: Vec<QuorumReplica>,
    /// Those that follow.
    pub observers: Vec<QuorumReplica>,
}

impl Admin {
    /// The cluster's id, controller and brokers; of controllers, controllers. Fenced brokers only from
    /// brokers that can list them.
    pub async fn describe_cluster(&self, include_fenced: bool) -> Result<Cluster, ClientError> {
        let build = |version: i16| {
            let mut request = DescribeClusterRequest::default();
            if self.client.options().bootstrap_controllers {
                request.endpoint_type = CONTROLLERS;
            }
            if version >= 2 { request.with_include_fenced_brokers(include_fenced) } else { request }
        };
        let (_, response) = self.client.request_with(Target::Any, build).await?;
        whole(response.error_code, response.error_message.as_ref())?;
        let nodes = response.brokers.iter().map(|broker| ClusterNode {
            id: broker.broker_id.0,
            address: HostPort {
                host: broker.host.to_string(),
                port: u16::try_from(broker.port).unwrap_or(0),
            },
            rack: broker.rack.as_ref().map(|rack| rack.to_string()),
            fenced: broker.is_fenced,
        });
        Ok(Cluster {
            id: response.cluster_id.to_string(),
            controller: response.controller_id.0,
            nodes: nodes.collect(),
        })
    }

    /// The controller quorum's state.
    pub async fn describe_quorum(&self) -> Result<Quorum, ClientError> {
        let topic = TopicData::default()
            .with_topic_name(topic_name(METADATA_TOPIC))
            .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
        let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
        let response = self.client.request(Target::Any, &request).await?;
        whole(response.error_code, response.error_message.as_ref())?;
        let partition = response.topics.first().and_then(|topic| topic.partitions.first());
        let Some(partition) = partition else { return Err(missing().into()) };
        whole(partition.error_code, partition.error_message.as_ref())?;
        let endpoints = |id: BrokerId| {
            let node = response.nodes.iter().find(|node| node.node_id.0 == id);
            let listeners = node.map(|node| node.listeners.as_slice()).unwrap_or_default();
            let endpoint = listeners.iter().map(|listener| QuorumEndpoint {
                listener: listener.name.to_string(),
                address: HostPort { host: listener.host.to_string(), port: listener.port },
            });
            endpoint.collect()
        };
        let replica = |state: &ReplicaState| QuorumReplica {
            id: state.replica_id.0,
            directory_id: KafkaUuid(state.replica_directory_id),
            log_end_offset: state.log_end_offset,
            last_fetch_timestamp: state.last_fetch_timestamp,
            last_caught_up_timestamp: state.last_caught_up_timestamp,
            endpoints: endpoints(state.replica_id.0),
        };
        Ok(Quorum {
            leader: partition.leader_id.0,
            leader_epoch: partition.leader_epoch,
            high_watermark: partition.high_watermark,
            voters: partition.current_voters.iter().map(replica).collect(),
            observers: partition.observers.iter().map(replica).collect(),
        })
    }

    /// Makes a controller a voter of the quorum, once it has caught up (KIP-853).
    pub async fn add_raft_voter(
        &self,
        id: BrokerId,
        directory_id: KafkaUuid,
        endpoints: &[QuorumEndpoint],
    ) -> Result<(), ClientError> {
        let listeners = endpoints.iter().map(|endpoint| {
            Listener::default()
                .with_name(text(&endpoint.listener))
                .with_host(text(&endpoint.address.host))
                .with_port(endpoint.address.port)
        });
        let request = AddRaftVoterRequest::default()
            .with_cluster_id(None)
            .with_timeout_ms(self.timeout_ms())
            .with_voter_id(id)
            .with_voter_directory_id(directory_id.0)
            .with_listeners(listeners.collect());
        let (_, response) =
            self.client.request_within(Target::Any, self.limit(), |_| request.clone()).await?;
        whole(response.error_code, response.error_message.as_ref())
    }

    /// Takes the vote of a controller away (KIP-853).
    pub async fn remove_raft_voter(
        &self,
        id: BrokerId,
        directory_id: KafkaUuid,
    ) -> Result<(), ClientError> {
        let request = RemoveRaftVoterRequest::default()
            .with_cluster_id(None)
            .with_voter_id(id)
            .with_voter_directory_id(directory_id.0);
        let (_, response) =
            self.client.request_within(Target::Any, self.limit(), |_| request.clone()).await?;
        whole(response.error_code, response.error_message.as_ref())
    }

    /// Ends the registration of a broker.
    pub async fn unregister_broker(&self, id: BrokerId) -> Result<(), ClientError> {
        let request = UnregisterBrokerRequest::default().with_broker_id(id.into());
        let response = self.client.request(Target::Controller, &request).await?;
        whole(response.error_code, response.error_message.as_ref())
    }

    /// Elects leaders of some partitions, or of all; returns what was said of each partition that the
    /// cluster judged.
    pub async fn elect_leaders(
        &self,
        election_type: ElectionType,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, Outcome<()>)>, ClientError> {
        let topics = partitions.map(|partitions| {
            partitions
                .chunk_by(|a, b| a.topic == b.topic)
                .map(|run| {
                    TopicPartitions::default()
                        .with_topic(topic_name(&run[0].topic))
                        .with_partitions(run.iter().map(|p| p.partition).collect())
                })
                .collect()
        });
        let request = ElectLeadersRequest::default()
            .with_election_type(election_type as i8)
            .with_topic_partitions(topics)
            .with_timeout_ms(self.timeout_ms());
        let (_, response) = self
            .client
            .request_within(Target::Controller, self.limit(), |_| request.clone())
            .await?;
        whole(response.error_code, None)?;
        let mut outcomes = Vec::new();
        for topic in &response.replica_election_results {
            let name = TopicName::from(topic.topic.as_str());
            for result in &topic.partition_result {
                let partition = TopicPartition::new(name.clone(), result.partition_id);
                outcomes.push((
                    partition,
                    outcome(result.error_code, result.error_message.as_ref(), ()),
                ));
            }
        }
        Ok(outcomes)
    }
}
