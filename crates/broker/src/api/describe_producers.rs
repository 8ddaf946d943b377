//! DescribeProducers: who writes to the partitions that this broker leads (KIP-664).

use ottla_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use ottla_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::error::Coded;
use super::{Context, lookup, text};
use crate::partition::ActiveProducer;

/// In place of a coordinator's epoch and an open transaction's first offset.
const NONE: i64 = -1;

pub(super) fn handle(
    context: &Context,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let response = PartitionResponse::default().with_partition_index(*index);
            match producers(context, &topic.name, *index) {
                Ok(active) => response.with_error_message(None).with_active_producers(active),
                Err(code) => response
                    .with_error_code(code.code())
                    .with_error_message(Some(text(code.message()))),
            }
        });
        let partitions = partitions.collect();
        TopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

fn producers(
    context: &Context,
    topic: &StrBytes,
    index: i32,
) -> Result<Vec<ProducerState>, ErrorCode> {
    let image = context.broker.metadata.image();
    let replica = lookup::replica_by_name(context, &image, topic, index)?;
    let active = replica.active_producers().map_err(|error| error.code())?;
    Ok(active.into_iter().map(state).collect())
}

fn state(producer: ActiveProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(producer.producer_id.into())
        .with_producer_epoch(i32::from(producer.producer_epoch))
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_timestamp_ms)
        .with_coordinator_epoch(NONE as i32)
        .with_current_txn_start_offset(NONE)
}
