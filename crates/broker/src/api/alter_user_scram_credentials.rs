//! AlterUserScramCredentials: passed on to the active controller. A salted password goes no further than
//! here: what is kept is derived from it first.

use std::collections::HashSet;

use ottla_metadata::proposal::AlterScramCredential;
use ottla_metadata::record::ScramCredential;
use ottla_metadata::{Proposal, Reply};
use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use ottla_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use ottla_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
};
use ottla_protocol::scram::{ScramKeys, ScramMechanism};

use super::error::no_outcome;
use super::{AdminContext, UNTIMED_ADMIN_MS, admin_deadline, text};

pub(super) async fn handle(
    context: AdminContext,
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let deletions = request.deletions.iter().map(|deletion| AlterScramCredential {
        user: deletion.name.to_string(),
        mechanism: deletion.mechanism,
        credential: None,
    });
    let upsertions = request.upsertions.iter().map(|upsertion| AlterScramCredential {
        user: upsertion.name.to_string(),
        mechanism: upsertion.mechanism,
        credential: Some(credential(upsertion)),
    });
    let alterations: Vec<_> = deletions.chain(upsertions).collect();
    let users: Vec<_> = alterations.iter().map(|alteration| alteration.user.clone()).collect();
    let proposal = Proposal::AlterScramCredentials(alterations);
    let deadline = admin_deadline(UNTIMED_ADMIN_MS);
    let outcomes = match context.node.controllers.propose_and_see(&proposal, deadline).await {
        Ok(Reply::AlterScramCredentials(outcomes)) => outcomes,
        other => vec![Err(no_outcome(other)); users.len()],
    };
    // One result per user, that of the first change.
    let mut seen = HashSet::new();
    let answered = users.iter().zip(outcomes).filter(|(user, _)| seen.insert(*user));
    let results = answered.map(|(user, outcome)| {
        let result = AlterUserScramCredentialsResult::default().with_user(text(user));
        match outcome {
            Ok(()) => result.with_error_message(None),
            Err(refusal) => result
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(&refusal.message))),
        }
    });
    AlterUserScramCredentialsResponse::default().with_results(results.collect())
}

fn credential(upsertion: &ScramCredentialUpsertion) -> ScramCredential {
    // A mechanism that is not known is refused by the plan.
    let keys = ScramMechanism::from_number(upsertion.mechanism)
        .map_or(ScramKeys { stored_key: Vec::new(), server_key: Vec::new() }, |mechanism| {
            mechanism.keys(&upsertion.salted_password)
        });
    ScramCredential { salt: upsertion.salt.to_vec(), keys, iterations: upsertion.iterations }
}
