//! DescribeTopicPartitions (KIP-966): topics page by page, with their eligible leader replicas.

use ottla_metadata::{Image, Topic};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TopicIdPartition;
use ottla_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use ottla_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};

use super::lookup::{self, PartitionView};
use super::{Context, OPERATIONS_NOT_ASKED, text};

pub(super) fn handle(
    context: &Context,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = context.broker.metadata.snapshot();
    let (first_topic, first_partition) = request.cursor.map_or((String::new(), 0), |cursor| {
        (cursor.topic_name.to_string(), cursor.partition_index)
    });
    let mut names: Vec<String> = if request.topics.is_empty() {
        image.topics().map(|topic| topic.name.to_string()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    names.sort_unstable();
    names.dedup();
    let limit = context.broker.config.max_request_partition_size_limit;
    let mut room = request.response_partition_limit.min(limit).max(1) as usize;

    let mut topics = Vec::new();
    let mut next_cursor = None;
    for name in names.into_iter().filter(|name| *name >= first_topic) {
        let from = if name == first_topic { first_partition } else { 0 };
        if room == 0 {
            next_cursor = Some(cursor(&name, from));
            break;
        }
        let Some(topic) = image.topic_by_name(&name) else {
            topics.push(unknown(&name));
            continue;
        };
        let (described, next) = describe(context, &image, topic, from, room);
        room -= described.partitions.len();
        topics.push(described);
        if let Some(next) = next {
            next_cursor = Some(cursor(&name, next));
            break;
        }
    }
    DescribeTopicPartitionsResponse::default().with_topics(topics).with_next_cursor(next_cursor)
}

fn cursor(topic: &str, partition: i32) -> Cursor {
    Cursor::default().with_topic_name(text(topic).into()).with_partition_index(partition)
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(ErrorCode::UnknownTopicOrPartition.code())
        .with_name(Some(text(name).into()))
        .with_topic_authorized_operations(OPERATIONS_NOT_ASKED)
}

/// At most `room` partitions of a topic; with the next one if there are more.
fn describe(
    context: &Context,
    image: &Image,
    topic: &Topic,
    from: i32,
    room: usize,
) -> (DescribeTopicPartitionsResponseTopic, Option<i32>) {
    let ids = |ids: &[i32]| ids.iter().map(|id| (*id).into()).collect();
    let mut rest = topic.partitions.range(from..);
    let partitions = rest.by_ref().take(room).map(|(index, partition)| {
        let id = TopicIdPartition::new(topic.id, *index);
        let view = PartitionView::of(context, image, id, partition);
        DescribeTopicPartitionsResponsePartition::default()
            .with_error_code(view.code.code())
            .with_partition_index(*index)
            .with_leader_id(view.leader.into())
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(ids(&partition.replicas))
            .with_isr_nodes(ids(&partition.isr))
            // Never null: the Java client takes null for a list.
            .with_eligible_leader_replicas(Some(ids(&partition.elr)))
            .with_last_known_elr(Some(ids(&partition.last_known_elr)))
            .with_offline_replicas(ids(&view.offline_replicas))
    });
    let partitions = partitions.collect();
    let described = DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(text(&topic.name).into()))
        .with_topic_id(topic.id.0)
        .with_is_internal(lookup::is_internal(&topic.name))
        .with_partitions(partitions)
        .with_topic_authorized_operations(OPERATIONS_NOT_ASKED);
    (described, rest.next().map(|(index, _)| *index))
}
