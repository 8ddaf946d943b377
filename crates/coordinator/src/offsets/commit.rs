//! OffsetCommit.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TimestampMs;
use ottla_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::topic_with;
use crate::GroupName;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::record::{OffsetValue, Record};
use crate::request::{Caller, Response, Token};

/// From this version on a group that is not there is called that.
const GROUP_ID_NOT_FOUND_SINCE: i16 = 9;

impl Groups {
    pub(crate) fn offset_commit(
        &mut self,
        token: Token,
        caller: &Caller,
        request: &OffsetCommitRequest,
    ) {
        if let Err(error) = self.check_offset_commit(caller, request) {
            return self.cx.refuse(token, error);
        }
        let group: GroupName = Arc::from(&**request.group_id);
        let expire_ms = match request.retention_time_ms {
            -1 => -1,
            retention_ms => self.cx.now_ms.saturating_add(retention_ms),
        };
        let mut records = Vec::new();
        let mut response = OffsetCommitResponse::default();
        for topic in &request.topics {
            let mut answer = OffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_topic_id(topic.topic_id);
            for partition in &topic.partitions {
                let committed =
                    self.committed_record(&group, request, &topic.name, partition, expire_ms);
                let code = match committed {
                    Ok(Ok(record)) => {
                        records.push(record);
                        ErrorCode::None
                    }
                    Ok(Err(code)) => code,
                    // The member's own fault: nothing of the request counts.
                    Err(error) => return self.cx.refuse(token, error),
                };
                answer.partitions.push(
                    OffsetCommitResponsePartition::default()
                        .with_partition_index(partition.partition_index)
                        .with_error_code(code.code()),
                );
            }
            response.topics.push(answer);
        }
        if records.is_empty() {
            self.cx.respond(token, Ok(Response::OffsetCommit(response)));
        } else {
            self.cx.append_and_respond(records, token, Response::OffsetCommit(response));
        }
    }

    fn check_offset_commit(
        &mut self,
        caller: &Caller,
        request: &OffsetCommitRequest,
    ) -> Result<(), GroupError> {
        let name = &**request.group_id;
        let epoch = request.generation_id_or_member_epoch;
        if let Some(group) = self.cx.planned.consumer(name) {
            return group.check_offset_commit(caller.api_version, request);
        }
        if let Some(live) = self.classic.get(name) {
            return live.check_offset_commit(&mut self.cx, request);
        }
        if epoch < 0 {
            // An administrator, or a consumer that assigns to itself: the group may come into being by it.
            return Ok(());
        }
        if self.exists(name) {
            return Err(GroupError::UnknownMemberId("the group has no members".to_owned()));
        }
        Err(if caller.api_version >= GROUP_ID_NOT_FOUND_SINCE {
            GroupError::GroupIdNotFound(format!("Group {name} not found."))
        } else {
            GroupError::IllegalGeneration(format!("the group {name} has no generation"))
        })
    }

    /// The record of one partition, or why it has none; an error is the whole request's.
    fn committed_record(
        &self,
        group: &GroupName,
        request: &OffsetCommitRequest,
        topic: &str,
        partition: &OffsetCommitRequestPartition,
        expire_timestamp_ms: TimestampMs,
    ) -> Result<Result<Record, ErrorCode>, GroupError> {
        let index = partition.partition_index;
        let Some(topic) = topic_with(&self.cx.image, topic, index) else {
            return Ok(Err(ErrorCode::UnknownTopicOrPartition));
        };
        let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
        if is_too_long(metadata, self.cx.settings.offset_metadata_max_bytes) {
            return Ok(Err(ErrorCode::OffsetMetadataTooLarge));
        }
        if let Some(group) = self.cx.planned.consumer(group) {
            group.check_partition_commit(request, topic.id, index)?;
        }
        Ok(Ok(Record::Offset {
            group: Arc::clone(group),
            topic: Arc::clone(&topic.name),
            partition: index,
            value: Some(OffsetValue {
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: metadata.into(),
                commit_timestamp_ms: self.cx.now_ms,
                expire_timestamp_ms,
                topic_id: topic.id,
            }),
        }))
    }
}

/// Kafka counts the letters as Java does.
fn is_too_long(metadata: &str, limit: i32) -> bool {
    let limit = usize::try_from(limit).unwrap_or_default();
    metadata.len() > limit && metadata.encode_utf16().count() > limit
}
