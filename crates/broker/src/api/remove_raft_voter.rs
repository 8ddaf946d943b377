//! RemoveRaftVoter (KIP-853): passed on to the active controller.

use ottla_metadata::Refusal;
use ottla_protocol::ids::KafkaUuid;
use ottla_protocol::messages::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};

use super::add_raft_voter::check_cluster;
use super::{AdminContext, UNTIMED_ADMIN_MS, admin_deadline, text};

pub(super) async fn handle(
    context: AdminContext,
    request: RemoveRaftVoterRequest,
) -> RemoveRaftVoterResponse {
    let response = RemoveRaftVoterResponse::default();
    match remove(&context, &request).await {
        Ok(()) => response.with_error_message(None),
        Err(refusal) => response
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(&refusal.message))),
    }
}

async fn remove(context: &AdminContext, request: &RemoveRaftVoterRequest) -> Result<(), Refusal> {
    check_cluster(context, request.cluster_id.as_deref())?;
    let directory_id = KafkaUuid(request.voter_directory_id);
    let deadline = admin_deadline(UNTIMED_ADMIN_MS);
    let controllers = &context.node.controllers;
    Ok(controllers.remove_voter(request.voter_id, directory_id, deadline).await?)
}
