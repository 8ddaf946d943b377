//! Users' SCRAM credentials (KIP-554).

use bytes::Bytes;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use ottla_protocol::messages::describe_user_scram_credentials_request::UserName;
use ottla_protocol::messages::{
    AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest,
};
use ottla_protocol::scram::ScramMechanism;

use super::{Admin, Outcome, missing, outcome, text, whole};
use crate::client::Target;
use crate::error::{ApiError, ClientError};

/// The length of a drawn salt, in bytes.
const SALT_BYTES: usize = 20;

/// A user's SCRAM credentials: mechanism numbers of the wire (1: SCRAM-SHA-256, 2: SCRAM-SHA-512) with
/// their iterations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramUser {
    /// The user.
    pub name: String,
    /// Its credentials.
    pub credentials: Vec<(i8, i32)>,
}

/// A new password of a user, under one mechanism.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramPassword {
    /// The mechanism.
    pub mechanism: ScramMechanism,
    /// How often to hash it.
    pub iterations: i32,
    /// The password itself: it does not leave this process.
    pub password: String,
}

impl Admin {
    /// Who has SCRAM credentials; all users if none are named.
    pub async fn describe_user_scram_credentials(
        &self,
        users: &[String],
    ) -> Result<Vec<(String, Outcome<ScramUser>)>, ClientError> {
        let named = users.iter().map(|user| UserName::default().with_name(text(user))).collect();
        let request = DescribeUserScramCredentialsRequest::default()
            .with_users((!users.is_empty()).then_some(named));
        let response = self.client.request(Target::Any, &request).await?;
        whole(response.error_code, response.error_message.as_ref())?;
        let described = response.results.into_iter().map(|result| {
            let credentials =
                result.credential_infos.iter().map(|it| (it.mechanism, it.iterations)).collect();
            let user = ScramUser { name: result.user.to_string(), credentials };
            (user.name.clone(), outcome(result.error_code, result.error_message.as_ref(), user))
        });
        Ok(described.collect())
    }

    /// Takes credentials of one user away, and sets others.
    pub async fn alter_user_scram_credentials(
        &self,
        user: &str,
        delete: &[ScramMechanism],
        set: &[ScramPassword],
    ) -> Result<Outcome<()>, ClientError> {
        if set.iter().any(|new| new.password.is_empty()) {
            return Ok(Err(ApiError {
                code: ErrorCode::UnacceptableCredential.code(),
                message: Some("Password must not be empty".to_owned()),
            }));
        }
        let deletions = delete.iter().map(|mechanism| {
            ScramCredentialDeletion::default()
                .with_name(text(user))
                .with_mechanism(mechanism.number())
        });
        let upsertions = set.iter().map(|new| upsertion(user, new));
        let request = AlterUserScramCredentialsRequest::default()
            .with_deletions(deletions.collect())
            .with_upsertions(upsertions.collect());
        let response = self.client.request(Target::Controller, &request).await?;
        let Some(result) = response.results.first() else { return Ok(Err(missing())) };
        Ok(outcome(result.error_code, result.error_message.as_ref(), ()))
    }
}

fn upsertion(user: &str, new: &ScramPassword) -> ScramCredentialUpsertion {
    let salt: [u8; SALT_BYTES] = rand::random();
    // Fewer than none are refused by the cluster.
    let rounds = u32::try_from(new.iterations).unwrap_or(0);
    let salted = new.mechanism.salted_password(new.password.as_bytes(), &salt, rounds);
    ScramCredentialUpsertion::default()
        .with_name(text(user))
        .with_mechanism(new.mechanism.number())
        .with_iterations(new.iterations)
        .with_salt(Bytes::copy_from_slice(&salt))
        .with_salted_password(Bytes::from(salted))
}
