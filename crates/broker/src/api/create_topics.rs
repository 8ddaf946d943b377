//! CreateTopics: passed on to the active controller; answered when this broker sees the topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_config::{Layers, describe};
use ottla_metadata::proposal::{Assignment, CreateTopics, CreatedTopic, NewTopic};
use ottla_metadata::{Proposal, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use ottla_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::error::no_outcome;
use super::payer::Charge;
use super::{Context, admin_deadline, text};

/// From this version on the answer holds the topic's size and settings (KIP-525).
const WITH_DETAILS: i16 = 5;
/// From this version on the client understands that it has used up its quota (KIP-599).
const STRICT_SINCE: i16 = 6;

pub(super) async fn handle(context: Context, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut seen: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for topic in &request.topics {
        *seen.entry(Arc::from(topic.name.as_str())).or_default() += 1;
    }
    let twice = |topic: &CreatableTopic| seen.get(topic.name.as_str()).is_some_and(|n| *n > 1);
    let mut charge = Charge::new(&context, STRICT_SINCE);
    let mut throttled = Vec::new();
    let mut once = Vec::new();
    for topic in request.topics.iter().filter(|topic| !twice(topic)) {
        match charge.take(partitions(&context, topic)) {
            Ok(()) => once.push(topic),
            Err(refusal) => throttled.push(refused(&topic.name, &refusal)),
        }
    }
    let proposal = Proposal::CreateTopics(CreateTopics {
        topics: once.iter().map(|topic| new_topic(topic)).collect(),
        validate_only: request.validate_only,
    });
    let results = if once.is_empty() {
        Vec::new()
    } else {
        let deadline = admin_deadline(request.timeout_ms);
        match context.broker.link.controllers().propose_and_see(&proposal, deadline).await {
            Ok(Reply::CreateTopics(results)) => results,
            other => vec![Err(no_outcome(other)); once.len()],
        }
    };
    let created = once.iter().zip(results).map(|(topic, result)| {
        if result.is_err() {
            charge.give_back(partitions(&context, topic));
        }
        answer(&context, topic, result)
    });
    let mut topics: Vec<_> = created.collect();
    topics.extend(throttled);
    let doubled = seen.iter().filter(|(_, count)| **count > 1);
    topics.extend(doubled.map(|(name, _)| {
        let message = "Duplicate topic name.";
        refused(name, &Refusal::new(ErrorCode::InvalidRequest, message))
    }));
    CreateTopicsResponse::default().with_throttle_time_ms(charge.settle()).with_topics(topics)
}

/// How many partitions a topic shall have.
fn partitions(context: &Context, topic: &CreatableTopic) -> usize {
    let number = usize::try_from(topic.num_partitions).unwrap_or(0).max(topic.assignments.len());
    let default = usize::try_from(context.broker.config.num_partitions).unwrap_or(1);
    if number == 0 { default } else { number }
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    let assignments = topic.assignments.iter().map(|assignment| Assignment {
        partition: assignment.partition_index,
        replicas: assignment.broker_ids.iter().map(|id| id.0).collect(),
    });
    let configs = topic
        .configs
        .iter()
        .map(|config| (config.name.to_string(), config.value.as_ref().map(ToString::to_string)));
    NewTopic {
        name: Arc::from(topic.name.as_str()),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor.into(),
        assignments: assignments.collect(),
        configs: configs.collect(),
    }
}

fn refused(name: &str, refusal: &Refusal) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(text(name).into())
        .with_error_code(refusal.code.code())
        .with_error_message(Some(text(&refusal.message)))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_configs(Some(Vec::new()))
}

fn answer(
    context: &Context,
    topic: &CreatableTopic,
    result: Result<CreatedTopic, Refusal>,
) -> CreatableTopicResult {
    let created = match result {
        Ok(created) => created,
        Err(refusal) => return refused(&topic.name, &refusal),
    };
    let answer = CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(created.topic_id.0);
    if context.version < WITH_DETAILS {
        return answer;
    }
    let replication_factor = i16::try_from(created.replication_factor).unwrap_or(-1);
    answer
        .with_num_partitions(created.partitions)
        .with_replication_factor(replication_factor)
        .with_configs(Some(configs(context, topic, created)))
}

/// The settings that are in force for the new topic.
fn configs(
    context: &Context,
    topic: &CreatableTopic,
    created: CreatedTopic,
) -> Vec<CreatableTopicConfigs> {
    let set = topic
        .configs
        .iter()
        .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())));
    let set = set.collect();
    let image = context.broker.metadata.image();
    let layers =
        Layers { own: Some(&set), ..image.cluster_layers(&context.broker.config.static_values) };
    let replication_factor = usize::try_from(created.replication_factor).unwrap_or(0);
    let described = describe::describe_topic(&layers, replication_factor).into_iter();
    described
        .map(|config| {
            CreatableTopicConfigs::default()
                .with_name(config.name.into())
                .with_value(config.value.map(Into::into))
                .with_read_only(config.read_only)
                .with_config_source(config.source.code())
                .with_is_sensitive(config.sensitive)
        })
        .collect()
}
