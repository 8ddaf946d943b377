//! LeaveGroup: classic members leave; an administrator may send several away at once.

use ottla_coordinator::{Request, Response};
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::Context;
use super::coordinated::{ask_to_store, code};

/// From this version on several members leave at once, each with its own answer.
const BATCHED: i16 = 3;

pub(super) async fn handle(context: Context, mut request: LeaveGroupRequest) -> LeaveGroupResponse {
    if context.version < BATCHED {
        let member_id = std::mem::take(&mut request.member_id);
        request.members = vec![MemberIdentity::default().with_member_id(member_id)];
    }
    let group_id = request.group_id.clone();
    let mut response = match ask_to_store(&context, &group_id, Request::LeaveGroup(request)).await {
        Ok(Response::LeaveGroup(response)) => response,
        other => return LeaveGroupResponse::default().with_error_code(code(&other).code()),
    };
    if context.version < BATCHED {
        let member = response.members.drain(..).next();
        if let (0, Some(member)) = (response.error_code, member) {
            response.error_code = member.error_code;
        }
    }
    response
}
