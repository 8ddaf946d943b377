//! AddRaftVoter (KIP-853): passed on to the active controller.

use ottla_config::HostPort;
use ottla_metadata::Refusal;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::KafkaUuid;
use ottla_protocol::messages::{AddRaftVoterRequest, AddRaftVoterResponse};

use super::{AdminContext, admin_deadline, millis, text};

pub(super) async fn handle(
    context: AdminContext,
    request: AddRaftVoterRequest,
) -> AddRaftVoterResponse {
    let response = AddRaftVoterResponse::default();
    match add(&context, &request).await {
        Ok(()) => response.with_error_message(None),
        Err(refusal) => response
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(&refusal.message))),
    }
}

async fn add(context: &AdminContext, request: &AddRaftVoterRequest) -> Result<(), Refusal> {
    check_cluster(context, request.cluster_id.as_deref())?;
    let names = &context.node.config.controller_listener_names;
    let listener = request.listeners.iter().find(|listener| {
        names.iter().any(|name| listener.name.as_str().eq_ignore_ascii_case(name))
    });
    let Some(listener) = listener else {
        let message = format!(
            "Add voter request didn't include the endpoint for the default listener {}",
            names.first().map_or("CONTROLLER", String::as_str)
        );
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    };
    let address = HostPort { host: listener.host.to_string(), port: listener.port };
    let directory_id = KafkaUuid(request.voter_directory_id);
    let time = millis(request.timeout_ms);
    let deadline = admin_deadline(request.timeout_ms);
    let controllers = &context.node.controllers;
    let id = request.voter_id;
    Ok(controllers.add_voter(id, directory_id, &address, time, deadline).await?)
}

/// A request that names another cluster has come to the wrong one.
pub(super) fn check_cluster(context: &AdminContext, named: Option<&str>) -> Result<(), Refusal> {
    match (named, context.node.controllers.cluster_id()) {
        (Some(named), Some(ours)) if named != ours => {
            Err(Refusal::plain(ErrorCode::InconsistentClusterId))
        }
        _ => Ok(()),
    }
}
