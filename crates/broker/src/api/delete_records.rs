//! DeleteRecords: raises the start of a partition's log, and answers when its live replicas have followed.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::delete_records_request::DeleteRecordsPartition;
use ottla_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use ottla_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::error::{Coded, ack_code};
use super::{Context, lookup, millis};
use crate::partition::{AckGroup, AckToken, Partition};

/// In place of an offset where there is none.
const NONE: i64 = -1;

/// A replica whose log begins where it was asked to, here; or why not.
type Begun = Result<Arc<Partition>, ErrorCode>;

pub(super) async fn handle(
    context: Context,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let timeout = millis(request.timeout_ms);
    let count = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let (mut group, tokens) = AckGroup::new(count);
    // Raising a log's start is written down before it is answered.
    let begun = tokio::task::spawn_blocking(move || {
        let begun = begin_all(&context, &request, tokens);
        (request, begun)
    });
    // A panic in there is one here.
    let (request, begun) =
        begun.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
    // What is not done by then is told below.
    let _ = tokio::time::timeout(timeout, group.completed()).await;
    let mut results = begun.into_iter().zip(group.outcomes());
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(&mut results);
        let partitions = partitions.map(|(partition, (begun, outcome))| {
            let result = DeleteRecordsPartitionResult::default()
                .with_partition_index(partition.partition_index);
            let (low_watermark, code) = match (begun, ack_code(outcome)) {
                (Ok(replica), None) => (replica.low_watermark(), ErrorCode::None),
                (Ok(replica), Some(ErrorCode::RequestTimedOut)) => {
                    (replica.low_watermark(), ErrorCode::RequestTimedOut)
                }
                (Ok(_), Some(code)) | (Err(code), _) => (NONE, code),
            };
            result.with_low_watermark(low_watermark).with_error_code(code.code())
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

fn begin_all(
    context: &Context,
    request: &DeleteRecordsRequest,
    tokens: Vec<AckToken>,
) -> Vec<Begun> {
    let partitions = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (&*topic.name.0, partition)));
    let begin = |((topic, partition), token)| -> Begun {
        let (topic, partition): (&str, &DeleteRecordsPartition) = (topic, partition);
        let image = context.broker.metadata.image();
        let replica = lookup::replica_by_name(context, &image, topic, partition.partition_index)?;
        let begun = replica.delete_records(partition.offset, Some(token));
        begun.map(|()| replica).map_err(|error| error.code())
    };
    partitions.zip(tokens).map(begin).collect()
}
