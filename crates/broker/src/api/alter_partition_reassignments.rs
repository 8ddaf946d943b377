//! AlterPartitionReassignments: passed on to the active controller.

use std::sync::Arc;

use ottla_metadata::proposal::{Outcome, Reassign, ReassignPartitions};
use ottla_metadata::{Proposal, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TopicName;
use ottla_protocol::messages::alter_partition_reassignments_request::ReassignableTopic;
use ottla_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};

use super::error::Coded;
use super::{AdminContext, admin_deadline, text};

/// From this version on a request can say that replication factors are to stay.
const WITH_FACTOR_CHANGE: i16 = 1;

pub(super) async fn handle(
    context: AdminContext,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let allow_replication_factor_change =
        context.version < WITH_FACTOR_CHANGE || request.allow_replication_factor_change;
    let response = AlterPartitionReassignmentsResponse::default()
        .with_allow_replication_factor_change(allow_replication_factor_change);
    let partitions: Vec<_> = request.topics.iter().flat_map(wishes).collect();
    if partitions.is_empty() {
        return response;
    }
    let count = partitions.len();
    let proposal = Proposal::ReassignPartitions(ReassignPartitions {
        allow_replication_factor_change,
        partitions,
    });
    let deadline = admin_deadline(request.timeout_ms);
    let outcomes = match context.node.controllers.propose_and_see(&proposal, deadline).await {
        Ok(Reply::ReassignPartitions(outcomes)) => outcomes,
        Ok(_) => vec![Err(Refusal::plain(ErrorCode::UnknownServerError)); count],
        Err(error) => {
            return response
                .with_error_code(error.code().code())
                .with_error_message(Some(text(&error.to_string())));
        }
    };
    let mut outcomes = outcomes.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(outcomes.by_ref());
        let answered =
            partitions.map(|(partition, outcome)| answer(partition.partition_index, outcome));
        let partitions = answered.collect();
        ReassignableTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    response.with_responses(topics.collect())
}

fn wishes(topic: &ReassignableTopic) -> impl Iterator<Item = Reassign> {
    let name: TopicName = Arc::from(topic.name.as_str());
    topic.partitions.iter().map(move |partition| Reassign {
        topic: Arc::clone(&name),
        partition: partition.partition_index,
        replicas: partition
            .replicas
            .as_ref()
            .map(|replicas| replicas.iter().map(|id| id.0).collect()),
    })
}

fn answer(partition: i32, outcome: Outcome) -> ReassignablePartitionResponse {
    let response = ReassignablePartitionResponse::default().with_partition_index(partition);
    match outcome {
        Ok(()) => response.with_error_message(None),
        Err(refusal) => response
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(&refusal.message))),
    }
}
