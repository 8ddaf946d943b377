//! OffsetForLeaderEpoch (KIP-320): where a leader epoch ends, for consumers that check for truncation.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use ottla_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use ottla_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::error::Coded;
use super::{Context, lookup};

pub(super) fn handle(
    context: &Context,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let response = EpochEndOffset::default().with_partition(partition.partition);
            match end_offset(context, &topic.topic, partition) {
                Ok((epoch, end)) => response.with_leader_epoch(epoch).with_end_offset(end),
                Err(code) => {
                    response.with_error_code(code.code()).with_leader_epoch(-1).with_end_offset(-1)
                }
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn end_offset(
    context: &Context,
    topic: &str,
    partition: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ErrorCode> {
    let image = context.broker.metadata.image();
    let replica = lookup::replica_by_name(context, &image, topic, partition.partition)?;
    let current = (partition.current_leader_epoch >= 0).then_some(partition.current_leader_epoch);
    replica.offset_for_leader_epoch(partition.leader_epoch, current).map_err(|error| error.code())
}
