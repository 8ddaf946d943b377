//! OffsetFetch.

use ottla_protocol::messages::TopicName as WireTopicName;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};

use super::is_of_another_life;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::record::OffsetValue;
use crate::request::{Response, Token, wire};

/// Nothing is committed.
const NO_OFFSET: i64 = -1;

impl Groups {
    /// Answers from committed records. No transaction has pending offsets here, so that all are stable.
    pub(crate) fn offset_fetch(
        &mut self,
        token: Token,
        request: &OffsetFetchRequestGroup,
        _require_stable: bool,
    ) {
        let answer = self.fetched_offsets(request).map(Response::OffsetFetch);
        self.cx.respond(token, answer);
    }

    fn fetched_offsets(
        &self,
        request: &OffsetFetchRequestGroup,
    ) -> Result<OffsetFetchResponseGroup, GroupError> {
        if let Some(group) = self.cx.committed.consumer(&request.group_id) {
            group.check_offset_fetch(request.member_id.as_deref(), request.member_epoch)?;
        }
        let offsets = self.cx.offsets.of(&request.group_id);
        let image = &self.cx.image;
        let topics = match &request.topics {
            Some(topics) => topics
                .iter()
                .map(|topic| {
                    let committed = offsets.and_then(|offsets| offsets.get(&**topic.name));
                    let partition = |&index: &i32| {
                        let value = committed.and_then(|partitions| partitions.get(&index));
                        let value =
                            value.filter(|value| !is_of_another_life(image, &topic.name, value));
                        answer(index, value)
                    };
                    OffsetFetchResponseTopics::default()
                        .with_name(topic.name.clone())
                        .with_topic_id(topic.topic_id)
                        .with_partitions(topic.partition_indexes.iter().map(partition).collect())
                })
                .collect(),
            None => offsets
                .into_iter()
                .flatten()
                .map(|(topic, partitions)| {
                    let partitions = partitions
                        .iter()
                        .filter(|(_, value)| !is_of_another_life(image, topic, value))
                        .map(|(index, value)| answer(*index, Some(value)));
                    OffsetFetchResponseTopics::default()
                        .with_name(WireTopicName(wire(topic)))
                        .with_partitions(partitions.collect())
                })
                .filter(|topic| !topic.partitions.is_empty())
                .collect(),
        };
        Ok(OffsetFetchResponseGroup::default()
            .with_group_id(request.group_id.clone())
            .with_topics(topics))
    }
}

fn answer(index: i32, value: Option<&OffsetValue>) -> OffsetFetchResponsePartitions {
    let answer = OffsetFetchResponsePartitions::default().with_partition_index(index);
    match value {
        Some(value) => answer
            .with_committed_offset(value.offset)
            .with_committed_leader_epoch(value.leader_epoch)
            .with_metadata(Some(wire(&value.metadata))),
        None => answer
            .with_committed_offset(NO_OFFSET)
            .with_committed_leader_epoch(-1)
            .with_metadata(Some(wire(""))),
    }
}
