//! FindCoordinator. There are no groups and no transactions yet: no coordinator is available, which
//! clients take for a state that passes.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::find_coordinator_response::Coordinator;
use ottla_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use super::{Context, text};

/// From this version on a request names several coordinators, and only then (KIP-699).
const BATCHED: i16 = 4;

pub(super) fn handle(
    context: &Context,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let code = ErrorCode::CoordinatorNotAvailable;
    if context.version < BATCHED {
        return FindCoordinatorResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(text(code.message())))
            .with_node_id((-1).into())
            .with_port(-1);
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(code.code())
            .with_error_message(Some(text(code.message())))
            .with_node_id((-1).into())
            .with_port(-1)
    });
    FindCoordinatorResponse::default().with_coordinators(coordinators.collect())
}
