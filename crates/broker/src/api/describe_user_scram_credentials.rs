//! DescribeUserScramCredentials: from the image; mechanisms and iterations only.

use std::collections::BTreeMap;

use ottla_metadata::Image;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use ottla_protocol::messages::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};
use ottla_protocol::scram::ScramMechanism;

use super::{AdminContext, text};

pub(super) fn handle(
    context: &AdminContext,
    request: &DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let image = context.node.metadata.image();
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    for user in request.users.iter().flatten() {
        *users.entry(user.name.as_str()).or_default() += 1;
    }
    if users.is_empty() {
        users.extend(image.scram_credentials().keys().map(|(user, _)| (&**user, 1)));
    }
    let results = users.into_iter().map(|(user, times)| result(&image, user, times));
    DescribeUserScramCredentialsResponse::default()
        .with_error_message(None)
        .with_results(results.collect())
}

fn result(image: &Image, user: &str, times: usize) -> DescribeUserScramCredentialsResult {
    let result = DescribeUserScramCredentialsResult::default().with_user(text(user));
    let failed = |code: ErrorCode, message: String| {
        result.clone().with_error_code(code.code()).with_error_message(Some(text(&message)))
    };
    if times > 1 {
        let message = format!(
            "Cannot describe SCRAM credentials for the same user twice in a single request: {user}"
        );
        return failed(ErrorCode::DuplicateResource, message);
    }
    let infos: Vec<_> = ScramMechanism::ALL
        .into_iter()
        .filter_map(|mechanism| Some((mechanism, image.scram_credential(user, mechanism)?)))
        .map(|(mechanism, credential)| {
            CredentialInfo::default()
                .with_mechanism(mechanism.number())
                .with_iterations(credential.iterations)
        })
        .collect();
    if infos.is_empty() {
        let message = format!("Attempt to describe a user credential that does not exist: {user}");
        return failed(ErrorCode::ResourceNotFound, message);
    }
    result.with_error_message(None).with_credential_infos(infos)
}
