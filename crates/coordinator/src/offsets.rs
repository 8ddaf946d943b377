//! Committed offsets: what is stored, and who may store, read and delete it.

mod store;

use ottla_metadata::Image;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::{OffsetCommitRequest, OffsetDeleteRequest};
use std::sync::Arc;

pub use store::CommittedOffset;
pub(crate) use store::Offsets;

use crate::error::GroupError;
use crate::groups::Groups;
use crate::request::{Caller, Token};

impl Groups {
    pub(crate) fn begin_offset_expiry(&mut self) {}
    pub(crate) fn expire_offsets(&mut self) {}
    pub(crate) fn forget_deleted_topics(&mut self, _old: &Arc<Image>) {}
    pub(crate) fn offset_commit(
        &mut self,
        token: Token,
        _caller: &Caller,
        _request: &OffsetCommitRequest,
    ) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
    pub(crate) fn offset_fetch(
        &mut self,
        token: Token,
        _caller: &Caller,
        _group: &OffsetFetchRequestGroup,
        _stable: bool,
    ) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
    pub(crate) fn offset_delete(&mut self, token: Token, _request: &OffsetDeleteRequest) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
}
