//! ListPartitionReassignments: the partitions that are moving.

use ottla_metadata::{Partition, Topic};
use ottla_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use ottla_protocol::messages::{
    BrokerId, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use super::{AdminContext, text};

pub(super) fn handle(
    context: &AdminContext,
    request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let image = context.node.metadata.image();
    let moving = match request.topics {
        None => image.topics().filter_map(|topic| moving(topic, |_| true)).collect(),
        Some(topics) => topics
            .iter()
            .filter_map(|wanted| {
                let topic = image.topic_by_name(&wanted.name)?;
                moving(topic, |partition| wanted.partition_indexes.contains(&partition))
            })
            .collect(),
    };
    ListPartitionReassignmentsResponse::default().with_error_message(None).with_topics(moving)
}

/// What moves of a topic; `None`: nothing.
fn moving(topic: &Topic, is_wanted: impl Fn(i32) -> bool) -> Option<OngoingTopicReassignment> {
    let moving = topic
        .partitions
        .iter()
        .filter(|(index, partition)| partition.is_reassigning() && is_wanted(**index));
    let partitions: Vec<_> = moving.map(|(index, partition)| ongoing(*index, partition)).collect();
    let name = text(&topic.name).into();
    (!partitions.is_empty())
        .then(|| OngoingTopicReassignment::default().with_name(name).with_partitions(partitions))
}

fn ongoing(index: i32, partition: &Partition) -> OngoingPartitionReassignment {
    let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    OngoingPartitionReassignment::default()
        .with_partition_index(index)
        .with_replicas(ids(&partition.replicas))
        .with_adding_replicas(ids(&partition.adding_replicas))
        .with_removing_replicas(ids(&partition.removing_replicas))
}
