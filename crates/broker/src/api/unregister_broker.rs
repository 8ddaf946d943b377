//! UnregisterBroker: passed on to the active controller.

use ottla_metadata::{Proposal, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use super::error::Coded;
use super::{AdminContext, admin_deadline, text};

/// The request has no time limit of its own.
const TIMEOUT_MS: i32 = 30_000;

pub(super) async fn handle(
    context: AdminContext,
    request: UnregisterBrokerRequest,
) -> UnregisterBrokerResponse {
    let proposal = Proposal::UnregisterBroker(request.broker_id.0);
    let deadline = admin_deadline(TIMEOUT_MS);
    let outcome = match context.node.controllers.propose_and_see(&proposal, deadline).await {
        Ok(Reply::UnregisterBroker(outcome)) => outcome,
        Ok(_) => Err(Refusal::plain(ErrorCode::UnknownServerError)),
        Err(error) => Err(Refusal::new(error.code(), error.to_string())),
    };
    let response = UnregisterBrokerResponse::default();
    match outcome {
        Ok(()) => response.with_error_message(None),
        Err(refusal) => response
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(&refusal.message))),
    }
}
