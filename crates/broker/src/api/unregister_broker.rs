//! UnregisterBroker: passed on to the active controller.

use ottla_metadata::{Proposal, Reply};
use ottla_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use super::error::no_outcome;
use super::{AdminContext, UNTIMED_ADMIN_MS, admin_deadline, text};

pub(super) async fn handle(
    context: AdminContext,
    request: UnregisterBrokerRequest,
) -> UnregisterBrokerResponse {
    let proposal = Proposal::UnregisterBroker(request.broker_id.0);
    let deadline = admin_deadline(UNTIMED_ADMIN_MS);
    let outcome = match context.node.controllers.propose_and_see(&proposal, deadline).await {
        Ok(Reply::UnregisterBroker(outcome)) => outcome,
        other => Err(no_outcome(other)),
    };
    let response = UnregisterBrokerResponse::default();
    match outcome {
        Ok(()) => response.with_error_message(None),
        Err(refusal) => response
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(&refusal.message))),
    }
}
