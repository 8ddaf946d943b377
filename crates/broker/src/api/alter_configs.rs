//! IncrementalAlterConfigs, and AlterConfigs of old: levels of this broker's loggers are set here, all
//! else is passed on to the active controller.

use std::collections::BTreeMap;

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

use super::config_resource::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::error::{Coded, no_outcome};
use super::{AdminContext, UNTIMED_ADMIN_MS, admin_deadline, text};

pub(super) async fn handle_incremental(
    context: AdminContext,
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
    let outcomes = carry_out(&context, wishes.collect(), false, request.validate_only).await;
    let responses = outcomes.into_iter().map(|(kind, name, outcome)| {
        let response = AlteredResource::default().with_resource_type(kind).with_resource_name(name);
        match outcome {
            Ok(()) => response.with_error_message(None),
            Err(refusal) => response
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(&refusal.message))),
        }
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

pub(super) async fn handle_replacing(
    context: AdminContext,
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
    let outcomes = carry_out(&context, wishes.collect(), true, request.validate_only).await;
    let responses = outcomes.into_iter().map(|(kind, name, outcome)| {
        let response =
            ReplacedResource::default().with_resource_type(kind).with_resource_name(name);
        match outcome {
            Ok(()) => response.with_error_message(None),
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
            return Err(invalid_request(message));
        }
    };
    Ok(AlterConfig { op, key: key.to_string(), value: value.map(ToString::to_string) })
}

/// Sets levels, and proposes what can be proposed; one outcome per wish, in order.
async fn carry_out(
    context: &AdminContext,
    wishes: Vec<Wish>,
    replace_all: bool,
    validate_only: bool,
) -> Vec<(i8, StrBytes, Result<(), Refusal>)> {
    let mut named: BTreeMap<(i8, StrBytes), usize> = BTreeMap::new();
    for wish in &wishes {
        *named.entry((wish.kind, wish.name.clone())).or_default() += 1;
    }
    let mut resources = Vec::new();
    let mut outcomes = Vec::with_capacity(wishes.len());
    let mut proposed = Vec::new();
    for Wish { kind, name, alters } in wishes {
        let alters = match named.get(&(kind, name.clone())) {
            Some(2..) => Err(invalid_request("Each resource must appear at most once.")),
            _ => alters,
        };
        let outcome = match alters {
            Ok(alters) if kind == BROKER_LOGGER && !replace_all => {
                set_levels(context, &name, &alters, validate_only)
            }
            Ok(alters) => resource_type(context, kind, &name).map(|resource_type| {
                proposed.push(outcomes.len());
                let name = name.to_string();
                resources.push(AlterConfigResource { resource_type, name, alters, replace_all });
            }),
            Err(refusal) => Err(refusal),
        };
        outcomes.push((kind, name, outcome));
    }
    if resources.is_empty() {
        return outcomes;
    }
    let proposal = Proposal::AlterConfigs(AlterConfigs { resources, validate_only });
    let deadline = admin_deadline(UNTIMED_ADMIN_MS);
    let answers = match context.node.controllers.propose_and_see(&proposal, deadline).await {
        Ok(Reply::AlterConfigs(answers)) => answers,
        other => vec![Err(no_outcome(other)); proposed.len()],
    };
    for (at, answer) in proposed.into_iter().zip(answers) {
        outcomes[at].2 = answer;
    }
    outcomes
}

/// What the controller is to change. Kafka's brokers refuse to change any other broker's settings; here
/// a registered one's can be changed anywhere, or nobody could undo a `max.connections` that shuts
/// everybody out.
fn resource_type(context: &AdminContext, kind: i8, name: &str) -> Result<ResourceType, Refusal> {
    match kind {
        TOPIC => Ok(ResourceType::Topic),
        GROUP => Ok(ResourceType::Group),
        CLIENT_METRICS => Ok(ResourceType::ClientMetrics),
        BROKER if name.is_empty() => Ok(ResourceType::Broker),
        BROKER => {
            let id = node_id(name)?;
            if id != context.node.id && context.node.metadata.image().broker(id).is_none() {
                return Err(invalid_request(format!(
                    "Unexpected broker id, expected {}, but received {name}",
                    context.node.id
                )));
            }
            Ok(ResourceType::Broker)
        }
        other => Err(invalid_request(format!("Unknown resource type {other}"))),
    }
}

fn set_levels(
    context: &AdminContext,
    name: &str,
    alters: &[AlterConfig],
    validate_only: bool,
) -> Result<(), Refusal> {
    let mut keys: Vec<&str> = alters.iter().map(|alter| alter.key.as_str()).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(invalid_request("Error due to duplicate config keys"));
    }
    if node_id(name)? != context.node.id {
        return Err(invalid_request(format!(
            "Unexpected node id. Expected {}, but received {name}",
            context.node.id
        )));
    }
    let mut levels = Vec::with_capacity(alters.len());
    for AlterConfig { op, key, value } in alters {
        let op = match (op, value) {
            (AlterConfigOp::Set, Some(value)) => {
                levels.push((key.as_str(), Some(value.as_str())));
                continue;
            }
            (AlterConfigOp::Delete, _) => {
                levels.push((key.as_str(), None));
                continue;
            }
            (AlterConfigOp::Set, None) => {
                return Err(invalid_request(format!("Null value not supported for : {key}")));
            }
            (AlterConfigOp::Append, _) => "APPEND",
            (AlterConfigOp::Subtract, _) => "SUBTRACT",
        };
        let message = format!("{op} operation is not allowed for the BROKER_LOGGER resource");
        return Err(invalid_request(message));
    }
    let altered = context.node.log_levels.alter(levels.into_iter(), validate_only);
    altered.map_err(|error| Refusal::new(error.code(), error.to_string()))
}

fn node_id(name: &str) -> Result<i32, Refusal> {
    name.parse()
        .map_err(|_| invalid_request(format!("Node id must be an integer, but it is: {name}")))
}

fn invalid_request(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}
