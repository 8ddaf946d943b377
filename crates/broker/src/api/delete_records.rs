//! DeleteRecords: raises the start of a partition's log, on all its replicas.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use ottla_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::error::Coded;
use super::{Context, lookup};

/// In place of an offset where there is none.
const NONE: i64 = -1;

pub(super) async fn handle(
    context: Context,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    // Raising a log's start is written down before it is answered.
    let answered = tokio::task::spawn_blocking(move || delete_all(&context, request)).await;
    // A panic in there is one here.
    answered.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}

fn delete_all(context: &Context, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let result = DeleteRecordsPartitionResult::default().with_partition_index(index);
            match delete(context, &topic.name, index, partition.offset) {
                Ok(log_start) => result.with_low_watermark(log_start),
                Err(code) => result.with_low_watermark(NONE).with_error_code(code.code()),
            }
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

fn delete(context: &Context, topic: &str, index: i32, before: i64) -> Result<i64, ErrorCode> {
    let image = context.broker.metadata.image();
    let replica = lookup::replica_by_name(context, &image, topic, index)?;
    replica.delete_records(before).map_err(|error| error.code())
}
