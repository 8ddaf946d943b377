//! AlterClientQuotas: passed on to the active controller.

use std::net::IpAddr;

use ottla_metadata::proposal::{AlterClientQuota, AlterClientQuotas};
use ottla_metadata::quota::QuotaValue;
use ottla_metadata::{Proposal, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::alter_client_quotas_request::EntryData as Wish;
use ottla_protocol::messages::alter_client_quotas_response::{EntityData, EntryData};
use ottla_protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};

use super::error::no_outcome;
use super::{AdminContext, UNTIMED_ADMIN_MS, admin_deadline, text};

pub(super) async fn handle(
    context: AdminContext,
    request: AlterClientQuotasRequest,
) -> AlterClientQuotasResponse {
    let mut outcomes = Vec::with_capacity(request.entries.len());
    let mut proposed = Vec::new();
    for wish in &request.entries {
        outcomes.push(check_address(wish).await);
        if outcomes.last().is_some_and(Result::is_ok) {
            proposed.push(outcomes.len() - 1);
        }
    }
    if !proposed.is_empty() {
        let proposal = Proposal::AlterClientQuotas(AlterClientQuotas {
            entries: proposed.iter().map(|at| entry(&request.entries[*at])).collect(),
            validate_only: request.validate_only,
        });
        let deadline = admin_deadline(UNTIMED_ADMIN_MS);
        let answers = match context.node.controllers.propose_and_see(&proposal, deadline).await {
            Ok(Reply::AlterClientQuotas(answers)) => answers,
            other => vec![Err(no_outcome(other)); proposed.len()],
        };
        for (at, answer) in proposed.into_iter().zip(answers) {
            outcomes[at] = answer;
        }
    }
    let answered = request.entries.iter().zip(outcomes);
    let entries = answered.map(|(wish, outcome)| answer(wish, outcome)).collect();
    AlterClientQuotasResponse::default().with_entries(entries)
}

/// An address is one, or a host's name that leads to one.
async fn check_address(wish: &Wish) -> Result<(), Refusal> {
    let ip = wish.entity.iter().find(|part| part.entity_type.as_str() == "ip");
    let Some(host) = ip.and_then(|part| part.entity_name.as_ref()) else { return Ok(()) };
    // What is empty is refused by the plan, in other words.
    if host.is_empty() || host.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let found = tokio::net::lookup_host((host.as_str(), 0)).await;
    if found.is_ok_and(|mut found| found.next().is_some()) {
        return Ok(());
    }
    let message = format!("{} is not a valid IP or resolvable host.", host.as_str());
    Err(Refusal::new(ErrorCode::InvalidRequest, message))
}

fn entry(wish: &Wish) -> AlterClientQuota {
    let parts = wish.entity.iter().map(|part| {
        (part.entity_type.to_string(), part.entity_name.as_ref().map(ToString::to_string))
    });
    let ops = wish
        .ops
        .iter()
        .map(|op| (op.key.to_string(), (!op.remove).then(|| QuotaValue::new(op.value))));
    AlterClientQuota { entity: parts.collect(), ops: ops.collect() }
}

fn answer(wish: &Wish, outcome: Result<(), Refusal>) -> EntryData {
    let parts = wish.entity.iter().map(|part| {
        EntityData::default()
            .with_entity_type(part.entity_type.clone())
            .with_entity_name(part.entity_name.clone())
    });
    let entry = EntryData::default().with_entity(parts.collect());
    match outcome {
        Ok(()) => entry.with_error_message(None),
        Err(refusal) => entry
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(&refusal.message))),
    }
}
