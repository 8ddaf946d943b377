//! SyncGroup: a classic member asks for its assignment; the leader brings everybody's.

use ottla_coordinator::{Request, Response};
use ottla_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::Context;
use super::coordinated::{ask, code};

pub(super) async fn handle(context: Context, request: SyncGroupRequest) -> SyncGroupResponse {
    let group_id = request.group_id.clone();
    match ask(&context, &group_id, Request::SyncGroup(request)).await {
        Ok(Response::SyncGroup(response)) => response,
        other => SyncGroupResponse::default().with_error_code(code(&other).code()),
    }
}
