//! ElectLeaders: passed on to the active controller.

use std::sync::Arc;

use ottla_metadata::proposal::{ElectLeaders, ElectionType};
use ottla_metadata::{Proposal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{PartitionIndex, TopicName};
use ottla_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use ottla_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::error::no_outcome;
use super::{AdminContext, admin_deadline, text};

/// From this version on there is a choice of elections, and an error for the whole request.
const WITH_TYPE: i16 = 1;

pub(super) async fn handle(
    context: AdminContext,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let election_type = match request.election_type {
        _ if context.version < WITH_TYPE => ElectionType::Preferred,
        0 => ElectionType::Preferred,
        1 => ElectionType::Unclean,
        _ => {
            return ElectLeadersResponse::default()
                .with_error_code(ErrorCode::InvalidRequest.code());
        }
    };
    let all = request.topic_partitions.is_none();
    let partitions = match request.topic_partitions {
        Some(topics) => {
            let topics = topics.into_iter().flat_map(|topic| {
                let name: TopicName = Arc::from(topic.topic.as_str());
                let partitions = topic.partitions.into_iter();
                partitions.map(move |partition| (Arc::clone(&name), partition))
            });
            topics.collect()
        }
        None => every_partition(&context),
    };
    if partitions.is_empty() {
        return ElectLeadersResponse::default();
    }
    let wish = ElectLeaders { election_type, partitions: partitions.clone() };
    let deadline = admin_deadline(request.timeout_ms);
    let proposal = Proposal::ElectLeaders(wish);
    let outcomes = match context.node.controllers.propose_and_see(&proposal, deadline).await {
        Ok(Reply::ElectLeaders(outcomes)) => outcomes,
        other => vec![Err(no_outcome(other)); partitions.len()],
    };
    let mut topics: Vec<ReplicaElectionResult> = Vec::new();
    for ((topic, partition), outcome) in partitions.into_iter().zip(outcomes) {
        let result = PartitionResult::default().with_partition_id(partition);
        let result = match outcome {
            Ok(()) => result,
            // Whoever asked for all partitions only wants to hear of those that changed.
            Err(refusal) if all && refusal.code == ErrorCode::ElectionNotNeeded => continue,
            Err(refusal) => result
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(&refusal.message))),
        };
        match topics.last_mut().filter(|last| **last.topic == *topic) {
            Some(last) => last.partition_result.push(result),
            None => topics.push(
                ReplicaElectionResult::default()
                    .with_topic(text(&topic).into())
                    .with_partition_result(vec![result]),
            ),
        }
    }
    ElectLeadersResponse::default().with_replica_election_results(topics)
}

fn every_partition(context: &AdminContext) -> Vec<(TopicName, PartitionIndex)> {
    let image = context.node.metadata.image();
    let topics = image.topics().flat_map(|topic| {
        topic.partitions.keys().map(|partition| (Arc::clone(&topic.name), *partition))
    });
    topics.collect()
}
