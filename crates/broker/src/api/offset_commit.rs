//! OffsetCommit: where a group goes on after it has stopped.

use ottla_coordinator::{Request, Response};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::Context;
use super::coordinated::{ask_to_store, code};

pub(super) async fn handle(context: Context, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let group_id = request.group_id.clone();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
        (topic.name.clone(), partitions.collect::<Vec<_>>())
    });
    let topics: Vec<_> = topics.collect();
    match ask_to_store(&context, &group_id, Request::OffsetCommit(request)).await {
        Ok(Response::OffsetCommit(response)) => response,
        other => {
            let code = code(&other);
            let topics = topics.into_iter().map(|(name, partitions)| {
                OffsetCommitResponseTopic::default()
                    .with_name(name)
                    .with_partitions(partitions.into_iter().map(|it| refused(it, code)).collect())
            });
            OffsetCommitResponse::default().with_topics(topics.collect())
        }
    }
}

fn refused(partition: i32, code: ErrorCode) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition::default()
        .with_partition_index(partition)
        .with_error_code(code.code())
}
