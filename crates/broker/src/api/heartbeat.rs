//! Heartbeat: a classic member says that it lives.

use ottla_coordinator::{Request, Response};
use ottla_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::Context;
use super::coordinated::{ask, code};

pub(super) async fn handle(context: Context, request: HeartbeatRequest) -> HeartbeatResponse {
    let group_id = request.group_id.clone();
    match ask(&context, &group_id, Request::Heartbeat(request)).await {
        Ok(Response::Heartbeat(response)) => response,
        other => HeartbeatResponse::default().with_error_code(code(&other).code()),
    }
}
