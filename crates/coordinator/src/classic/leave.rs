//! LeaveGroup: by the members themselves, or by an administrator for static ones.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::leave_group_response::MemberResponse;
use ottla_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::live::unknown;
use super::{Live, Phase, Timer, timer};
use crate::consumer;
use crate::context::Context;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::request::{Caller, Response, Token};

impl Groups {
    /// Every member of `members` is answered by itself; the shell has put the one of an old request there.
    pub(crate) fn leave_group(
        &mut self,
        token: Token,
        caller: &Caller,
        request: &LeaveGroupRequest,
    ) {
        if request.group_id.is_empty() {
            return self.cx.refuse(token, GroupError::InvalidGroupId);
        }
        if self.cx.planned.consumer(&request.group_id).is_some() {
            return consumer::leave_classic(self, token, caller, request);
        }
        let left =
            self.with_classic(&request.group_id, |live, cx| live.leave(cx, &request.members));
        let left = left.unwrap_or_else(|| vec![ErrorCode::UnknownMemberId; request.members.len()]);
        let member = |(member, code): (&MemberIdentity, &ErrorCode)| {
            MemberResponse::default()
                .with_member_id(member.member_id.clone())
                .with_group_instance_id(member.group_instance_id.clone())
                .with_error_code(code.code())
        };
        let members = request.members.iter().zip(&left).map(member).collect();
        let response = LeaveGroupResponse::default().with_members(members);
        self.cx.respond_after_group(&request.group_id, token, Ok(Response::LeaveGroup(response)));
    }
}

impl Live {
    fn leave(&mut self, cx: &mut Context, members: &[MemberIdentity]) -> Vec<ErrorCode> {
        let left: Vec<_> = members.iter().map(|member| self.leave_one(cx, member)).collect();
        if left.contains(&ErrorCode::None) && self.phase != Phase::Empty {
            self.rebalance_or_complete(cx);
        }
        left
    }

    fn leave_one(&mut self, cx: &mut Context, member: &MemberIdentity) -> ErrorCode {
        let instance_id = member.group_instance_id.as_deref();
        let id = &*member.member_id;
        if self.pending.remove(id) {
            cx.timers.cancel(&timer(&self.name, Timer::Session(id.into())));
            return ErrorCode::None;
        }
        let found = if id.is_empty() {
            // An administrator names a static member by what it is configured with.
            let named = instance_id.and_then(|instance| self.static_members.get(instance).cloned());
            named.ok_or_else(|| unknown(id))
        } else {
            self.check_member(id, instance_id).map(|()| id.into())
        };
        match found {
            Ok(id) => {
                self.let_go(cx, &id);
                ErrorCode::None
            }
            Err(GroupError::FencedInstanceId(_)) => ErrorCode::FencedInstanceId,
            Err(_) => ErrorCode::UnknownMemberId,
        }
    }
}
