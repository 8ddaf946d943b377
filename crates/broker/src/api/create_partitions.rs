//! CreatePartitions: passed on to the active controller.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_metadata::proposal::{CreatePartitions, GrowTopic};
use ottla_metadata::{Proposal, Refusal, Reply};
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::error::Coded;
use super::{Context, admin_deadline, text};

pub(super) async fn handle(
    context: Context,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut seen: HashMap<StrBytes, usize> = HashMap::new();
    for topic in &request.topics {
        *seen.entry(topic.name.0.clone()).or_default() += 1;
    }
    let once = request.topics.iter().filter(|topic| seen.get(&topic.name.0) == Some(&1));
    let once: Vec<_> = once.collect();
    let proposal = Proposal::CreatePartitions(CreatePartitions {
        topics: once.iter().map(|topic| grow_topic(topic)).collect(),
        validate_only: request.validate_only,
    });
    let outcomes = if once.is_empty() {
        Vec::new()
    } else {
        let deadline = admin_deadline(request.timeout_ms);
        match context.broker.link.controllers().propose_and_see(&proposal, deadline).await {
            Ok(Reply::CreatePartitions(outcomes)) => outcomes,
            Ok(_) => vec![Err(Refusal::plain(ErrorCode::UnknownServerError)); once.len()],
            Err(error) => vec![Err(Refusal::new(error.code(), error.to_string())); once.len()],
        }
    };
    let answered = once.iter().zip(outcomes);
    let mut results: Vec<_> =
        answered.map(|(topic, outcome)| answer(topic.name.0.clone(), outcome)).collect();
    for (name, count) in seen {
        if count > 1 {
            let message = "Duplicate topic name.";
            results.push(answer(name, Err(Refusal::new(ErrorCode::InvalidRequest, message))));
        }
    }
    CreatePartitionsResponse::default().with_results(results)
}

fn grow_topic(topic: &CreatePartitionsTopic) -> GrowTopic {
    let assignments = topic.assignments.as_ref().map(|assignments| {
        let replicas = assignments
            .iter()
            .map(|assignment| assignment.broker_ids.iter().map(|id| id.0).collect());
        replicas.collect()
    });
    GrowTopic { name: Arc::from(topic.name.as_str()), partitions: topic.count, assignments }
}

fn answer(name: StrBytes, outcome: Result<(), Refusal>) -> CreatePartitionsTopicResult {
    let result = CreatePartitionsTopicResult::default().with_name(name.into());
    match outcome {
        Ok(()) => result,
        Err(refusal) => result
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(&refusal.message))),
    }
}
