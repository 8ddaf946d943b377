//! ListOffsets: where a partition begins, ends, or was at a time.

use ottla_protocol::messages::list_offsets_request::ListOffsetsPartition;
use ottla_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::error::list_offset_code;
use super::{Context, lookup};
use crate::partition::{Isolation, ListOffset, ListedOffset};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const READ_COMMITTED: i8 = 1;
/// Who asks so wants the replica's own end, whoever leads: what it has, not what is committed.
const DEBUGGING_REPLICA: i32 = -2;
/// In place of offsets, timestamps and epochs where there are none.
const NONE: i64 = -1;

pub(super) fn handle(context: &Context, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let isolation = match request.isolation_level {
        READ_COMMITTED => Isolation::ReadCommitted,
        _ => Isolation::ReadUncommitted,
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let listed =
                if request.replica_id.0 == DEBUGGING_REPLICA && partition.timestamp == LATEST {
                    own_end(context, &topic.name, partition.partition_index)
                } else {
                    list(context, isolation, &topic.name, partition)
                };
            match listed {
                Ok(listed) => found(context.version, partition.partition_index, listed),
                Err(code) => ListOffsetsPartitionResponse::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(code.code())
                    .with_timestamp(NONE)
                    .with_offset(NONE),
            }
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn own_end(context: &Context, topic: &StrBytes, index: i32) -> Result<ListedOffset, ErrorCode> {
    let image = context.broker.metadata.image();
    let (offset, leader_epoch) = lookup::replica_by_name(context, &image, topic, index)?.own_end();
    Ok(ListedOffset { offset, timestamp_ms: NONE, leader_epoch })
}

fn list(
    context: &Context,
    isolation: Isolation,
    topic: &StrBytes,
    partition: &ListOffsetsPartition,
) -> Result<ListedOffset, ErrorCode> {
    let what = what(partition.timestamp, isolation, context.version)?;
    let image = context.broker.metadata.image();
    let index = partition.partition_index;
    let replica = lookup::replica_by_name(context, &image, topic, index)?;
    let Some(what) = what else {
        return Ok(ListedOffset { offset: NONE, timestamp_ms: NONE, leader_epoch: -1 });
    };
    let epoch = (partition.current_leader_epoch >= 0).then_some(partition.current_leader_epoch);
    replica.list_offset(what, epoch).map_err(|error| list_offset_code(&error, context.version))
}

/// What a timestamp asks for; `Ok(None)` for what does not exist here: nothing is tiered.
fn what(
    timestamp: i64,
    isolation: Isolation,
    version: i16,
) -> Result<Option<ListOffset>, ErrorCode> {
    match timestamp {
        0.. => Ok(Some(ListOffset::Timestamp(timestamp))),
        LATEST => Ok(Some(ListOffset::Latest(isolation))),
        EARLIEST => Ok(Some(ListOffset::Earliest)),
        MAX_TIMESTAMP if version >= 7 => Ok(Some(ListOffset::MaxTimestamp)),
        EARLIEST_LOCAL if version >= 8 => Ok(Some(ListOffset::Earliest)),
        LATEST_TIERED if version >= 9 => Ok(None),
        _ => Err(ErrorCode::UnsupportedVersion),
    }
}

fn found(version: i16, index: i32, listed: ListedOffset) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(index)
        .with_timestamp(listed.timestamp_ms)
        .with_offset(listed.offset);
    if version >= 4 { response.with_leader_epoch(listed.leader_epoch) } else { response }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_timestamps_need_their_version() {
        let isolation = Isolation::ReadUncommitted;
        assert_eq!(what(-3, isolation, 6), Err(ErrorCode::UnsupportedVersion));
        assert_eq!(what(-3, isolation, 7), Ok(Some(ListOffset::MaxTimestamp)));
        assert_eq!(what(-5, isolation, 9), Ok(None));
        assert_eq!(what(-9, isolation, 10), Err(ErrorCode::UnsupportedVersion));
        assert_eq!(what(0, isolation, 1), Ok(Some(ListOffset::Timestamp(0))));
    }
}
