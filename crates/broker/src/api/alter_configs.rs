//! IncrementalAlterConfigs, and AlterConfigs of old: passed on to the active controller.

use ottla_metadata::proposal::{
    AlterConfig, AlterConfigOp, AlterConfigResource, AlterConfigs, ResourceType,
};
use ottla_metadata::{Proposal, Refusal, Reply};
use ottla_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as ReplacedResource;
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as AlteredResource;
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use ottla_protocol::{ErrorCode, StrBytes};

use super::error::Coded;
use super::{Context, admin_deadline, text};

/// These requests carry no timeout of their own.
const TIMEOUT_MS: i32 = 30_000;
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

pub(super) async fn handle_incremental(
    context: Context,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let wishes = request.resources.into_iter().map(|resource| Wish {
        kind: resource.resource_type,
        alters: resource
            .configs
            .iter()
            .map(|config| alter(config.config_operation, &config.name, config.value.as_ref()))
            .collect(),
        name: resource.resource_name,
    });
    let outcomes = propose(&context, wishes.collect(), false, request.validate_only).await;
    let responses = outcomes.into_iter().map(|(kind, name, outcome)| {
        let response = AlteredResource::default().with_resource_type(kind).with_resource_name(name);
        match outcome {
            Ok(()) => response,
            Err(refusal) => response
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(&refusal.message))),
        }
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

pub(super) async fn handle_replacing(
    context: Context,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let wishes = request.resources.into_iter().map(|resource| Wish {
        kind: resource.resource_type,
        alters: resource
            .configs
            .iter()
            .map(|config| alter(0, &config.name, config.value.as_ref()))
            .collect(),
        name: resource.resource_name,
    });
    let outcomes = propose(&context, wishes.collect(), true, request.validate_only).await;
    let responses = outcomes.into_iter().map(|(kind, name, outcome)| {
        let response =
            ReplacedResource::default().with_resource_type(kind).with_resource_name(name);
        match outcome {
            Ok(()) => response,
            Err(refusal) => response
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(&refusal.message))),
        }
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

/// One resource of a request, of either kind.
struct Wish {
    kind: i8,
    name: StrBytes,
    alters: Result<Vec<AlterConfig>, Refusal>,
}

fn alter(op: i8, key: &StrBytes, value: Option<&StrBytes>) -> Result<AlterConfig, Refusal> {
    let op = match op {
        0 => AlterConfigOp::Set,
        1 => AlterConfigOp::Delete,
        2 => AlterConfigOp::Append,
        3 => AlterConfigOp::Subtract,
        other => {
            let message = format!("Unknown config operation {other} for key {}", key.as_str());
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
    };
    Ok(AlterConfig { op, key: key.to_string(), value: value.map(ToString::to_string) })
}

/// Proposes what can be proposed; one outcome per wish, in order.
async fn propose(
    context: &Context,
    wishes: Vec<Wish>,
    replace_all: bool,
    validate_only: bool,
) -> Vec<(i8, StrBytes, Result<(), Refusal>)> {
    let mut resources = Vec::new();
    let mut outcomes = Vec::with_capacity(wishes.len());
    let mut proposed = Vec::new();
    for Wish { kind, name, alters } in wishes {
        let resource_type = match kind {
            TOPIC => Ok(ResourceType::Topic),
            BROKER => Ok(ResourceType::Broker),
            other => {
                let message = format!("Unexpected resource type {other}");
                Err(Refusal::new(ErrorCode::InvalidRequest, message))
            }
        };
        let outcome = match (resource_type, alters) {
            (Ok(resource_type), Ok(alters)) => {
                proposed.push(outcomes.len());
                let name = name.to_string();
                resources.push(AlterConfigResource { resource_type, name, alters, replace_all });
                Ok(())
            }
            (Err(refusal), _) | (_, Err(refusal)) => Err(refusal),
        };
        outcomes.push((kind, name, outcome));
    }
    if resources.is_empty() {
        return outcomes;
    }
    let proposal = Proposal::AlterConfigs(AlterConfigs { resources, validate_only });
    let deadline = admin_deadline(TIMEOUT_MS);
    let answers = match context.broker.link.propose_and_see(&proposal, deadline).await {
        Ok(Reply::AlterConfigs(answers)) => answers,
        Ok(_) => vec![Err(Refusal::plain(ErrorCode::UnknownServerError)); proposed.len()],
        Err(error) => vec![Err(Refusal::new(error.code(), error.to_string())); proposed.len()],
    };
    for (at, answer) in proposed.into_iter().zip(answers) {
        outcomes[at].2 = answer;
    }
    outcomes
}
