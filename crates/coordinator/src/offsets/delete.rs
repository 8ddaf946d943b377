//! OffsetDelete.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::{tombstone, topic_with};
use crate::GroupName;
use crate::classic::Live;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::request::{Response, Token};

impl Groups {
    pub(crate) fn offset_delete(&mut self, token: Token, request: &OffsetDeleteRequest) {
        let name = &**request.group_id;
        if name.is_empty() {
            return self.cx.refuse(token, GroupError::InvalidGroupId);
        }
        if !self.exists(name) {
            let error = GroupError::GroupIdNotFound(format!("Group {name} not found."));
            return self.cx.refuse(token, error);
        }
        if self.classic_live(name).is_some_and(Live::is_busy_with_something_else) {
            return self.cx.refuse(token, GroupError::NonEmptyGroup);
        }
        let group: GroupName = Arc::from(name);
        let mut left: BTreeSet<_> = self.cx.offsets.planned_of(name).into_keys().collect();
        let mut records = Vec::new();
        let mut response = OffsetDeleteResponse::default();
        for topic in &request.topics {
            let subscribed = self.is_subscribed_to(name, &topic.name);
            let mut answer = OffsetDeleteResponseTopic::default().with_name(topic.name.clone());
            for partition in &topic.partitions {
                let index = partition.partition_index;
                let code = if topic_with(&self.cx.image, &topic.name, index).is_none() {
                    ErrorCode::UnknownTopicOrPartition
                } else if subscribed {
                    ErrorCode::GroupSubscribedToTopic
                } else {
                    let key = (Arc::from(&**topic.name), index);
                    if left.remove(&key) {
                        records.push(tombstone(&group, &key.0, index));
                    }
                    ErrorCode::None
                };
                answer.partitions.push(
                    OffsetDeleteResponsePartition::default()
                        .with_partition_index(index)
                        .with_error_code(code.code()),
                );
            }
            response.topics.push(answer);
        }
        if left.is_empty()
            && self.classic_live(name).is_none()
            && self.cx.planned.group(name).is_none()
        {
            // A group that had nothing but offsets is there until it is deleted, or its time is over.
            records.push(self.empty_classic_group(&group));
        }
        let response = Response::OffsetDelete(response);
        if records.is_empty() {
            self.cx.respond(token, Ok(response));
        } else {
            self.cx.append_and_respond(records, token, response);
        }
    }

    /// Whether a member of the group subscribes to the topic, or may.
    pub(super) fn is_subscribed_to(&self, group: &str, topic: &str) -> bool {
        match self.classic_live(group) {
            Some(live) => live.is_subscribed_to(topic),
            None => {
                let consumer = self.cx.planned.consumer(group);
                consumer.is_some_and(|group| group.is_subscribed_to(topic))
            }
        }
    }
}
