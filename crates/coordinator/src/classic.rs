//! Classic groups.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};

use crate::error::GroupError;
use crate::groups::Groups;
use crate::record::ClassicGroupValue;
use crate::request::{Caller, Token};
use crate::{GroupName, MemberId};

/// A classic group as its records add up; empty for a group that only has offsets.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ClassicGroup {
    pub(crate) value: Option<Arc<ClassicGroupValue>>,
}

impl From<ClassicGroupValue> for ClassicGroup {
    fn from(value: ClassicGroupValue) -> Self {
        Self { value: Some(Arc::new(value)) }
    }
}

/// What a classic group is doing.
#[derive(Debug)]
pub(crate) struct Live {}

/// What falls due in a classic group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A member has been silent for too long.
    Session(MemberId),
    /// The rebalance waits no longer.
    Join,
    /// Members that do not sync in time are gone.
    Sync,
}

impl Groups {
    pub(crate) fn begin_classic(&mut self) {}
    pub(crate) fn join_group(
        &mut self,
        token: Token,
        _caller: &Caller,
        _request: JoinGroupRequest,
    ) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
    pub(crate) fn sync_group(
        &mut self,
        token: Token,
        _caller: &Caller,
        _request: SyncGroupRequest,
    ) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
    pub(crate) fn heartbeat(
        &mut self,
        token: Token,
        _caller: &Caller,
        _request: &HeartbeatRequest,
    ) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
    pub(crate) fn leave_group(
        &mut self,
        token: Token,
        _caller: &Caller,
        _request: &LeaveGroupRequest,
    ) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
    pub(crate) fn classic_due(&mut self, _group: &GroupName, _timer: Timer) {}
    pub(crate) fn classic_stored(
        &mut self,
        _group: &GroupName,
        _generation: i32,
        _outcome: Result<(), ErrorCode>,
    ) {
    }
    pub(crate) fn classic_gone(&mut self, _token: Token) {}
}
