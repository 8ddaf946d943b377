//! JoinGroup: a classic member joins, and waits until the group's next generation is complete.

use ottla_coordinator::{GroupError, Request, Response};
use ottla_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::coordinated::{ask, code};
use super::{Context, text};
use crate::coordinator::CoordinatorError;

/// Where there is no generation.
const NO_GENERATION: i32 = -1;
/// Before this version there was always a protocol's name, if only an empty one.
const NULLABLE_NAME: i16 = 7;

pub(super) async fn handle(context: Context, request: JoinGroupRequest) -> JoinGroupResponse {
    let group_id = request.group_id.clone();
    let member_id = request.member_id.clone();
    let answer = ask(&context, &group_id, Request::JoinGroup(request)).await;
    let mut response = match answer {
        Ok(Response::JoinGroup(response)) => response,
        other => {
            let member_id = match &other {
                Err(CoordinatorError::Group(GroupError::MemberIdRequired { member_id })) => {
                    text(member_id)
                }
                _ => member_id,
            };
            JoinGroupResponse::default()
                .with_error_code(code(&other).code())
                .with_generation_id(NO_GENERATION)
                .with_protocol_name(None)
                .with_member_id(member_id)
        }
    };
    if context.version < NULLABLE_NAME {
        response.protocol_name.get_or_insert_default();
    }
    response
}
