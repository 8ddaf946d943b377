//! DescribeQuorum (KIP-595): the controller quorum in the terms of Kafka's metadata partition.

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::KafkaUuid;
use ottla_protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use ottla_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use ottla_rpc::controller::{DescribeQuorumReply, QuorumReplica};

use super::error::Coded;
use super::{AdminContext, admin_deadline, text};

/// The only partition that a quorum can be asked about.
const METADATA_TOPIC: &str = "__cluster_metadata";
const METADATA_PARTITION: i32 = 0;
/// From this version on there are times of contact.
const WITH_TIMES: i16 = 1;
/// From this version on there are addresses and error messages (KIP-853).
const WITH_NODES: i16 = 2;
const TIMEOUT_MS: i32 = 5_000;
/// In place of a time or an offset where there is none.
const NONE: i64 = -1;

pub(super) async fn handle(
    context: AdminContext,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    let known =
        |topic: &str, partition: i32| topic == METADATA_TOPIC && partition == METADATA_PARTITION;
    let reply = match context.node.controllers.describe_quorum(admin_deadline(TIMEOUT_MS)).await {
        Ok(reply) => reply,
        Err(error) => {
            let response = DescribeQuorumResponse::default().with_error_code(error.code().code());
            return if context.version >= WITH_NODES {
                response.with_error_message(Some(text(&error.to_string())))
            } else {
                response
            };
        }
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            if known(&topic.topic_name, index) {
                describe(context.version, &reply)
            } else {
                PartitionData::default()
                    .with_partition_index(index)
                    .with_error_code(ErrorCode::UnknownTopicOrPartition.code())
                    .with_leader_id((-1).into())
                    .with_leader_epoch(-1)
                    .with_high_watermark(NONE)
            }
        });
        let partitions = partitions.collect();
        TopicData::default().with_topic_name(topic.topic_name).with_partitions(partitions)
    });
    let response = DescribeQuorumResponse::default().with_topics(topics.collect());
    if context.version < WITH_NODES {
        return response;
    }
    let members = reply.voters.iter().chain(&reply.observers);
    let nodes = members.filter(|member| !member.host.is_empty()).map(|voter| {
        let listener = Listener::default()
            .with_name(text("CONTROLLER"))
            .with_host(text(&voter.host))
            .with_port(u16::try_from(voter.port).unwrap_or(0));
        Node::default().with_node_id(voter.node_id.into()).with_listeners(vec![listener])
    });
    response.with_nodes(nodes.collect())
}

fn describe(version: i16, reply: &DescribeQuorumReply) -> PartitionData {
    let states = |replicas: &[QuorumReplica]| {
        replicas.iter().map(|replica| state(version, replica)).collect()
    };
    PartitionData::default()
        .with_partition_index(METADATA_PARTITION)
        .with_leader_id(reply.leader_id.into())
        .with_leader_epoch(i32::try_from(reply.leader_epoch).unwrap_or(i32::MAX))
        .with_high_watermark(offset(reply.high_watermark))
        .with_current_voters(states(&reply.voters))
        .with_observers(states(&reply.observers))
}

fn state(version: i16, replica: &QuorumReplica) -> ReplicaState {
    let mut state = ReplicaState::default()
        .with_replica_id(replica.node_id.into())
        .with_log_end_offset(offset(replica.log_end_offset));
    if version < WITH_TIMES {
        return state;
    }
    if version >= WITH_NODES {
        let directory_id = KafkaUuid::from_slice(&replica.directory_id).unwrap_or(KafkaUuid::ZERO);
        state = state.with_replica_directory_id(directory_id.0);
    }
    state
        .with_last_fetch_timestamp(replica.last_fetch_timestamp_ms)
        .with_last_caught_up_timestamp(replica.last_caught_up_timestamp_ms)
}

fn offset(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}
