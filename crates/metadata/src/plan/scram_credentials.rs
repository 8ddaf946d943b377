//! Users' SCRAM credentials: set and taken away.

use std::collections::BTreeMap;

use ottla_protocol::ErrorCode;
use ottla_protocol::scram::ScramMechanism;

use super::draft::Draft;
use super::{Limits, Plan};
use crate::image::Image;
use crate::proposal::{AlterScramCredential, Outcome, Refusal};
use crate::record::Record;

/// The most iterations, as in Kafka: each login costs so many.
const MAX_ITERATIONS: i32 = 16_384;
/// The longest name and the longest salt.
const MAX_BYTES: usize = i16::MAX as usize;
/// How many credentials there are, at most.
const MAX_CREDENTIALS: usize = 100_000;

/// Changes credentials: one of each user in one request, or that user's changes all fail (KIP-554).
#[must_use]
pub fn alter(
    image: &Image,
    limits: &Limits,
    alterations: &[AlterScramCredential],
) -> Plan<Vec<Outcome>> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for alteration in alterations {
        *times.entry(&alteration.user).or_default() += 1;
    }
    let mut draft = Draft::new(image, limits);
    let outcomes = alterations
        .iter()
        .map(|alteration| {
            let record = checked(draft.image(), alteration)?;
            if times.get(alteration.user.as_str()).is_some_and(|times| *times > 1) {
                let message = "A user credential cannot be altered twice in the same request";
                return Err(Refusal::new(ErrorCode::DuplicateResource, message));
            }
            draft.push(record);
            Ok(())
        })
        .collect();
    draft.finish(outcomes)
}

fn checked(image: &Image, alteration: &AlterScramCredential) -> Result<Record, Refusal> {
    let AlterScramCredential { user, mechanism, credential } = alteration;
    let unacceptable = |why: &str| Refusal::new(ErrorCode::UnacceptableCredential, why);
    if user.is_empty() {
        return Err(unacceptable("Username must not be empty"));
    }
    let mechanism = ScramMechanism::from_number(*mechanism).ok_or_else(|| {
        Refusal::new(ErrorCode::UnsupportedSaslMechanism, "Unknown SCRAM mechanism")
    })?;
    let exists = image.scram_credential(user, mechanism).is_some();
    match credential {
        None if !exists => {
            let message = "Attempt to delete a user credential that does not exist";
            return Err(Refusal::new(ErrorCode::ResourceNotFound, message));
        }
        Some(credential) if credential.iterations < ScramMechanism::MIN_ITERATIONS => {
            return Err(unacceptable("Too few iterations"));
        }
        Some(credential) if credential.iterations > MAX_ITERATIONS => {
            return Err(unacceptable("Too many iterations"));
        }
        Some(credential) if user.len().max(credential.salt.len()) > MAX_BYTES => {
            return Err(unacceptable("The username or the salt is too long"));
        }
        Some(_) if !exists && image.scram_credentials().len() >= MAX_CREDENTIALS => {
            let message = format!("At most {MAX_CREDENTIALS} SCRAM credentials are kept.");
            return Err(Refusal::new(ErrorCode::PolicyViolation, message));
        }
        _ => {}
    }
    let credential = credential.clone();
    Ok(Record::ScramCredential { user: user.as_str().into(), mechanism, credential })
}
