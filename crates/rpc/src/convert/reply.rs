//! Answers.

use ottla_metadata::proposal::{CreatedTopic, Outcome, ProducerIdBlock, Reply};
use ottla_protocol::ids::KafkaUuid;

use super::{InvalidField, id_from_proto, id_to_proto, refusal_from_proto, refusal_to_proto};
use crate::controller as proto;
use crate::controller::propose_reply::Reply as Wire;

/// An answer, as it travels.
#[must_use]
pub fn reply_to_proto(reply: &Reply) -> Wire {
    match reply {
        Reply::CreateTopics(topics) => Wire::CreateTopics(proto::CreateTopicsReply {
            topics: topics
                .iter()
                .map(|topic| match topic {
                    Ok(created) => proto::CreatedTopic {
                        refusal: None,
                        topic_id: id_to_proto(&created.topic_id),
                        partitions: created.partitions,
                        replication_factor: created.replication_factor,
                    },
                    Err(refusal) => proto::CreatedTopic {
                        refusal: Some(refusal_to_proto(Some(refusal))),
                        topic_id: id_to_proto(&KafkaUuid::ZERO),
                        partitions: -1,
                        replication_factor: -1,
                    },
                })
                .collect(),
        }),
        Reply::DeleteTopics(outcomes) => Wire::DeleteTopics(results(outcomes)),
        Reply::CreatePartitions(outcomes) => Wire::CreatePartitions(results(outcomes)),
        Reply::AlterConfigs(outcomes) => Wire::AlterConfigs(results(outcomes)),
        Reply::AlterPartitions(outcomes) => Wire::AlterPartitions(proto::AlterPartitionsReply {
            results: results(outcomes).results,
        }),
        Reply::AllocateProducerIds(block) => Wire::AllocateProducerIds(match block {
            Ok(block) => proto::AllocateProducerIdsReply {
                first: block.first,
                count: block.count,
                refusal: None,
            },
            Err(refusal) => proto::AllocateProducerIdsReply {
                first: -1,
                count: 0,
                refusal: Some(refusal_to_proto(Some(refusal))),
            },
        }),
        Reply::ElectLeaders(outcomes) => Wire::ElectLeaders(results(outcomes)),
        Reply::ReassignPartitions(outcomes) => Wire::ReassignPartitions(results(outcomes)),
        Reply::UnregisterBroker(outcome) => {
            Wire::UnregisterBroker(results(std::slice::from_ref(outcome)))
        }
        Reply::ReportOffline(outcome) => {
            Wire::ReportOffline(results(std::slice::from_ref(outcome)))
        }
        Reply::UpdateFeatures(outcome) => {
            Wire::UpdateFeatures(results(std::slice::from_ref(outcome)))
        }
        Reply::AlterClientQuotas(outcomes) => Wire::AlterClientQuotas(results(outcomes)),
        Reply::AlterScramCredentials(outcomes) => Wire::AlterScramCredentials(results(outcomes)),
    }
}

/// An answer that came in.
///
/// # Errors
/// [`InvalidField`].
pub fn reply_from_proto(reply: Wire) -> Result<Reply, InvalidField> {
    Ok(match reply {
        Wire::CreateTopics(reply) => Reply::CreateTopics(
            reply
                .topics
                .into_iter()
                .map(|topic| match refusal_from_proto(topic.refusal) {
                    Some(refusal) => Ok(Err(refusal)),
                    None => Ok(Ok(CreatedTopic {
                        topic_id: id_from_proto("CreatedTopic", "topic_id", &topic.topic_id)?,
                        partitions: topic.partitions,
                        replication_factor: topic.replication_factor,
                    })),
                })
                .collect::<Result<_, InvalidField>>()?,
        ),
        Wire::DeleteTopics(reply) => Reply::DeleteTopics(outcomes(reply.results)),
        Wire::CreatePartitions(reply) => Reply::CreatePartitions(outcomes(reply.results)),
        Wire::AlterConfigs(reply) => Reply::AlterConfigs(outcomes(reply.results)),
        Wire::AlterPartitions(reply) => Reply::AlterPartitions(outcomes(reply.results)),
        Wire::AllocateProducerIds(reply) => {
            Reply::AllocateProducerIds(match refusal_from_proto(reply.refusal) {
                Some(refusal) => Err(refusal),
                None => Ok(ProducerIdBlock { first: reply.first, count: reply.count }),
            })
        }
        Wire::ElectLeaders(reply) => Reply::ElectLeaders(outcomes(reply.results)),
        Wire::ReassignPartitions(reply) => Reply::ReassignPartitions(outcomes(reply.results)),
        Wire::UnregisterBroker(reply) => {
            Reply::UnregisterBroker(only_outcome("UnregisterBroker", reply)?)
        }
        Wire::ReportOffline(reply) => Reply::ReportOffline(only_outcome("ReportOffline", reply)?),
        Wire::UpdateFeatures(reply) => {
            Reply::UpdateFeatures(only_outcome("UpdateFeatures", reply)?)
        }
        Wire::AlterClientQuotas(reply) => Reply::AlterClientQuotas(outcomes(reply.results)),
        Wire::AlterScramCredentials(reply) => Reply::AlterScramCredentials(outcomes(reply.results)),
    })
}

fn results(outcomes: &[Outcome]) -> proto::ResultsReply {
    proto::ResultsReply {
        results: outcomes.iter().map(|outcome| refusal_to_proto(outcome.as_ref().err())).collect(),
    }
}

fn only_outcome(
    message: &'static str,
    reply: proto::ResultsReply,
) -> Result<Outcome, InvalidField> {
    let [outcome] = <[Outcome; 1]>::try_from(outcomes(reply.results))
        .map_err(|all| InvalidField::new(message, "results", format!("{} of 1", all.len())))?;
    Ok(outcome)
}

fn outcomes(results: Vec<proto::Refusal>) -> Vec<Outcome> {
    results
        .into_iter()
        .map(|refusal| refusal_from_proto(Some(refusal)).map_or(Ok(()), Err))
        .collect()
}
