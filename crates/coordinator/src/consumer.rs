//! Consumer groups (KIP-848).

use std::sync::Arc;

use ottla_metadata::Image;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{PartitionIndex, TopicId};
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, SyncGroupRequest,
};

use crate::error::GroupError;
use crate::groups::Groups;
use crate::record::Record;
use crate::request::{Caller, Token};
use crate::{GroupName, MemberId};

/// A consumer group as its records add up.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ConsumerGroup {}

impl ConsumerGroup {
    /// Takes one record in: the only writer. Tombstones of what is not there are ignored.
    pub(crate) fn replay(&mut self, _record: &Record) {}

    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    /// Kafka's name: `Empty`, `Assigning`, `Reconciling`, `Stable`.
    pub(crate) fn state_name(&self) -> &'static str {
        "Empty"
    }

    /// Whether a member subscribes to the topic: its offsets do not expire and cannot be deleted.
    pub(crate) fn is_subscribed_to(&self, _topic: &str) -> bool {
        false
    }

    /// The records that make an end of the group, offsets aside.
    pub(crate) fn tombstones(&self, _group: &GroupName) -> Vec<Record> {
        Vec::new()
    }

    /// Whether the request's member may commit.
    pub(crate) fn check_offset_commit(
        &self,
        _api_version: i16,
        _request: &OffsetCommitRequest,
    ) -> Result<(), GroupError> {
        Ok(())
    }

    /// Whether it may commit this partition (its epoch may be older than the group's if it has owned the
    /// partition since); asked only after [`ConsumerGroup::check_offset_commit`] has agreed.
    pub(crate) fn check_partition_commit(
        &self,
        _request: &OffsetCommitRequest,
        _topic_id: TopicId,
        _partition: PartitionIndex,
    ) -> Result<(), GroupError> {
        Ok(())
    }

    /// Whether the member may read offsets; an epoch of -1 without a member is an administrator's.
    pub(crate) fn check_offset_fetch(
        &self,
        _member_id: Option<&str>,
        _member_epoch: i32,
    ) -> Result<(), GroupError> {
        Ok(())
    }
}

/// JoinGroup to a consumer group.
pub(crate) fn join_classic(
    groups: &mut Groups,
    token: Token,
    _caller: &Caller,
    _request: JoinGroupRequest,
) {
    groups.cx.refuse(token, GroupError::UnsupportedVersion("not served yet".to_owned()));
}

/// SyncGroup to a consumer group.
pub(crate) fn sync_classic(groups: &mut Groups, token: Token, _request: &SyncGroupRequest) {
    groups.cx.refuse(token, GroupError::UnsupportedVersion("not served yet".to_owned()));
}

/// Heartbeat to a consumer group.
pub(crate) fn heartbeat_classic(groups: &mut Groups, token: Token, _request: &HeartbeatRequest) {
    groups.cx.refuse(token, GroupError::UnsupportedVersion("not served yet".to_owned()));
}

/// LeaveGroup to a consumer group; single leaves (below version 3) have been put into `members`.
pub(crate) fn leave_classic(
    groups: &mut Groups,
    token: Token,
    _caller: &Caller,
    _request: &LeaveGroupRequest,
) {
    groups.cx.refuse(token, GroupError::UnsupportedVersion("not served yet".to_owned()));
}

/// What consumer groups are doing that no record says.
#[derive(Debug, Default)]
pub(crate) struct Live {}

/// What falls due, beside sessions and rebalances.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {}

/// What becomes of a write, beside an answer.
#[derive(Debug)]
pub(crate) enum Then {}

pub(crate) fn begin(_groups: &mut Groups) {}

pub(crate) fn heartbeat(
    groups: &mut Groups,
    token: Token,
    _caller: &Caller,
    _request: ConsumerGroupHeartbeatRequest,
) {
    groups.cx.refuse(token, GroupError::UnsupportedVersion("not served yet".to_owned()));
}

pub(crate) fn describe(groups: &mut Groups, token: Token, _group: &str) {
    groups.cx.refuse(token, GroupError::UnsupportedVersion("not served yet".to_owned()));
}

pub(crate) fn committed(_groups: &mut Groups, then: Then) {
    match then {}
}

pub(crate) fn failed(_groups: &mut Groups, then: Then, _code: ErrorCode) {
    match then {}
}

pub(crate) fn session_over(_groups: &mut Groups, _group: &GroupName, _member: &MemberId) {}

pub(crate) fn rebalance_over(_groups: &mut Groups, _group: &GroupName, _member: &MemberId) {}

pub(crate) fn due(_groups: &mut Groups, _group: &GroupName, timer: Timer) {
    match timer {}
}

pub(crate) fn new_image(_groups: &mut Groups, _old: &Arc<Image>) {}

pub(crate) fn gone(_groups: &mut Groups, _token: Token) {}
