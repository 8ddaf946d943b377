//! DeleteTopics: by name or by id, passed on to the active controller.

use std::collections::HashSet;

use ottla_metadata::{Image, Proposal, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{KafkaUuid, TopicId};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use super::error::{deletion_disabled_code, no_outcome};
use super::payer::Charge;
use super::{Context, admin_deadline, lookup, text};

/// From this version on topics are named one by one, by name or by id.
const BY_ID: i16 = 6;
/// From this version on an error comes with a sentence.
const WITH_MESSAGES: i16 = 5;
/// From this version on the client understands that it has used up its quota (KIP-599).
const STRICT_SINCE: i16 = 5;

pub(super) async fn handle(context: Context, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let wanted = if context.version >= BY_ID {
        request.topics
    } else {
        let names = request.topic_names.into_iter();
        names.map(|name| DeleteTopicState::default().with_name(Some(name))).collect()
    };
    let mut answers: Vec<DeletableTopicResult> = Vec::with_capacity(wanted.len());
    let mut ids = Vec::new();
    let mut charge = Charge::new(&context, STRICT_SINCE);
    {
        let image = context.broker.metadata.image();
        let mut seen = HashSet::new();
        for topic in wanted {
            let found = find(&context, &image, &topic).and_then(|(id, name)| {
                if !seen.insert(id) {
                    let message = "Duplicate topic name.";
                    return Err(Refusal::new(ErrorCode::InvalidRequest, message));
                }
                let partitions = image.topic(id).map_or(0, |topic| topic.partitions.len());
                charge.take(partitions)?;
                Ok((id, name, partitions))
            });
            let mut answer =
                DeletableTopicResult::default().with_name(topic.name).with_topic_id(topic.topic_id);
            match found {
                Ok((id, name, partitions)) => {
                    answer.name = Some(text(&name).into());
                    answer.topic_id = id.0;
                    ids.push((answers.len(), id, partitions));
                }
                Err(refusal) => refuse(&context, &mut answer, &refusal),
            }
            answers.push(answer);
        }
    }
    if !ids.is_empty() {
        let proposal = Proposal::DeleteTopics(ids.iter().map(|(_, id, _)| *id).collect());
        let deadline = admin_deadline(request.timeout_ms);
        let outcomes =
            match context.broker.link.controllers().propose_and_see(&proposal, deadline).await {
                Ok(Reply::DeleteTopics(outcomes)) => outcomes,
                other => vec![Err(no_outcome(other)); ids.len()],
            };
        for ((at, _, partitions), outcome) in ids.into_iter().zip(outcomes) {
            if let Err(refusal) = outcome {
                charge.give_back(partitions);
                refuse(&context, &mut answers[at], &refusal);
            }
        }
    }
    DeleteTopicsResponse::default().with_throttle_time_ms(charge.settle()).with_responses(answers)
}

fn refuse(context: &Context, answer: &mut DeletableTopicResult, refusal: &Refusal) {
    answer.error_code = refusal.code.code();
    if context.version >= WITH_MESSAGES {
        answer.error_message = Some(text(&refusal.message));
    }
}

fn find(
    context: &Context,
    image: &Image,
    topic: &DeleteTopicState,
) -> Result<(TopicId, String), Refusal> {
    if !context.broker.config.delete_topic_enable {
        return Err(Refusal::plain(deletion_disabled_code(context.version)));
    }
    let by_id = !topic.topic_id.is_nil();
    let name = match (&topic.name, by_id) {
        (Some(_), true) => {
            let message = "You may not specify both topic name and topic id.";
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
        (None, false) => {
            let message = "Neither topic name nor id were specified.";
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
        (Some(name), false) => name.as_str(),
        (None, true) => "",
    };
    let found = lookup::topic(image, by_id, name, KafkaUuid(topic.topic_id));
    let found = found.map_err(Refusal::plain)?;
    Ok((found.id, found.name.to_string()))
}
