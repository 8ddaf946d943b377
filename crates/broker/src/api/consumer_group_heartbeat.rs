//! ConsumerGroupHeartbeat: a member says what it wants and has, and is told what it shall have (KIP-848).

use ottla_coordinator::{Request, Response};
use ottla_metadata::feature::GROUP_VERSION;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::coordinated::{ask_to_store, code, message};
use super::{Context, text};

pub(super) async fn handle(
    context: Context,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    if context.broker.metadata.image().feature_level(GROUP_VERSION) == 0 {
        return ConsumerGroupHeartbeatResponse::default()
            .with_error_code(ErrorCode::UnsupportedVersion.code());
    }
    let group_id = request.group_id.clone();
    let request = Request::ConsumerGroupHeartbeat(request);
    match ask_to_store(&context, &group_id, request).await {
        Ok(Response::ConsumerGroupHeartbeat(response)) => response,
        other => ConsumerGroupHeartbeatResponse::default()
            .with_error_code(code(&other).code())
            .with_error_message(Some(text(&message(&other)))),
    }
}
