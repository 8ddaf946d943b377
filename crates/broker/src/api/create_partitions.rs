//! CreatePartitions: passed on to the active controller.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_metadata::proposal::{CreatePartitions, GrowTopic};
use ottla_metadata::{Proposal, Refusal, Reply};
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::error::no_outcome;
use super::payer::Charge;
use super::{Context, admin_deadline, text};

/// From this version on the client understands that it has used up its quota (KIP-599).
const STRICT_SINCE: i16 = 3;

pub(super) async fn handle(
    context: Context,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut seen: HashMap<StrBytes, usize> = HashMap::new();
    for topic in &request.topics {
        *seen.entry(topic.name.0.clone()).or_default() += 1;
    }
    let once = request.topics.iter().filter(|topic| seen.get(&topic.name.0) == Some(&1));
    let mut charge = Charge::new(&context, STRICT_SINCE);
    let image = context.broker.metadata.snapshot();
    // How many partitions are to come; what is wrong is refused elsewhere.
    let more = |topic: &CreatePartitionsTopic| {
        let has = image.topic_by_name(&topic.name).map_or(0, |topic| topic.partitions.len());
        usize::try_from(topic.count).unwrap_or(0).saturating_sub(has)
    };
    let (mut admitted, mut throttled) = (Vec::new(), Vec::new());
    for topic in once {
        match charge.take(more(topic)) {
            Ok(()) => admitted.push(topic),
            Err(refusal) => throttled.push(answer(topic.name.0.clone(), Err(refusal))),
        }
    }
    let once = admitted;
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
            other => vec![Err(no_outcome(other)); once.len()],
        }
    };
    let answered = once.iter().zip(outcomes);
    let answered = answered.map(|(topic, outcome)| {
        if outcome.is_err() {
            charge.give_back(more(topic));
        }
        answer(topic.name.0.clone(), outcome)
    });
    let mut results: Vec<_> = answered.collect();
    results.extend(throttled);
    for (name, count) in seen {
        if count > 1 {
            let message = "Duplicate topic name.";
            results.push(answer(name, Err(Refusal::new(ErrorCode::InvalidRequest, message))));
        }
    }
    CreatePartitionsResponse::default().with_throttle_time_ms(charge.settle()).with_results(results)
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
