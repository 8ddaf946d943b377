//! Listing, describing and deleting groups.

use ottla_protocol::messages::ListGroupsRequest;

use crate::error::GroupError;
use crate::groups::Groups;
use crate::request::{Caller, Token};

impl Groups {
    pub(crate) fn describe_group(&mut self, token: Token, _caller: &Caller, _group: &str) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
    pub(crate) fn list_groups(&mut self, token: Token, _request: &ListGroupsRequest) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
    pub(crate) fn delete_group(&mut self, token: Token, _group: &str) {
        self.cx.refuse(token, GroupError::InvalidGroupId);
    }
}
