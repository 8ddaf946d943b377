//! ConsumerGroupHeartbeat: a member says what it wants and has, and is told what it shall have (KIP-848).

use ottla_coordinator::{Request, Response};
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::coordinated::{ask_to_store, code, message};
use super::{Context, text};

pub(super) async fn handle(
    context: Context,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    let group_id = request.group_id.clone();
    let request = Request::ConsumerGroupHeartbeat(request);
    match ask_to_store(&context, &group_id, request).await {
        Ok(Response::ConsumerGroupHeartbeat(response)) => response,
        other => ConsumerGroupHeartbeatResponse::default()
            .with_error_code(code(&other).code())
            .with_error_message(Some(text(&message(&other)))),
    }
}
