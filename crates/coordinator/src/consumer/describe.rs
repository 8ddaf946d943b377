//! A consumer group as ConsumerGroupDescribe shows it.

use std::collections::BTreeMap;

use ottla_metadata::Image;
use ottla_protocol::ids::{PartitionIndex, TopicId};
use ottla_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member as DescribedMember, TopicPartitions,
};
use ottla_protocol::messages::{GroupId, TopicName};

use super::config::Config;
use super::group::ConsumerGroup;
use super::member::Member;
use crate::request::wire;

/// The group with its members.
pub(super) fn describe(
    name: &str,
    group: &ConsumerGroup,
    image: &Image,
    config: &Config,
) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(GroupId(wire(name)))
        .with_group_state(wire(group.state_name()))
        .with_group_epoch(group.epoch())
        .with_assignment_epoch(group.target_epoch())
        .with_assignor_name(wire(group.preferred_assignor(&config.assignors).name()))
        .with_members(group.members().map(|member| describe_member(group, member, image)).collect())
}

fn describe_member(group: &ConsumerGroup, member: &Member, image: &Image) -> DescribedMember {
    let metadata = &member.metadata;
    let names = metadata.topic_names.iter().map(|name| TopicName(wire(name)));
    DescribedMember::default()
        .with_member_id(wire(&member.id))
        .with_instance_id(metadata.instance_id.as_deref().map(wire))
        .with_rack_id(metadata.rack_id.as_deref().map(wire))
        .with_member_epoch(member.current.epoch)
        .with_client_id(wire(&metadata.client_id))
        .with_client_host(wire(&metadata.client_host))
        .with_subscribed_topic_names(names.collect())
        .with_subscribed_topic_regex(Some(wire(&metadata.topic_regex)))
        .with_assignment(partitions(image, member.holds()))
        .with_target_assignment(partitions(image, group.target(&member.id).iter()))
        .with_member_type(i8::from(!member.is_classic()))
}

/// Topics that are no more are left out.
fn partitions(
    image: &Image,
    partitions: impl Iterator<Item = (TopicId, PartitionIndex)>,
) -> Assignment {
    let mut topics = BTreeMap::<TopicId, Vec<PartitionIndex>>::new();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics.into_iter().filter_map(|(id, mut partitions)| {
        partitions.sort_unstable();
        Some(
            TopicPartitions::default()
                .with_topic_id(id.0)
                .with_topic_name(TopicName(wire(&image.topic(id)?.name)))
                .with_partitions(partitions),
        )
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
