//! What a gRPC status of the controller says beyond its code.

use ottla_metadata::Refusal;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::BrokerId;
use tonic::{Code, Status};

use crate::{ERROR_CODE_METADATA, LEADER_ID_METADATA};

/// "Ask the active controller": FAILED_PRECONDITION with the leader's id, if one is known.
#[must_use]
pub fn not_active(leader: Option<BrokerId>) -> Status {
    let message = match leader {
        Some(leader) => format!("controller {leader} is the active one"),
        None => "there is no active controller at the moment".to_owned(),
    };
    let mut status = Status::failed_precondition(message);
    if let Some(leader) = leader {
        status.metadata_mut().insert(LEADER_ID_METADATA, leader.into());
    }
    status
}

/// Whom a status of [`not_active`] names.
#[must_use]
pub fn leader_hint(status: &Status) -> Option<BrokerId> {
    status.metadata().get(LEADER_ID_METADATA)?.to_str().ok()?.parse().ok()
}

/// A refusal, where the answer has no place for one: ABORTED with Kafka's number; ALREADY_EXISTS while
/// another process is registered under the broker's id.
#[must_use]
pub fn refused(refusal: &Refusal) -> Status {
    let code = match refusal.code {
        ErrorCode::DuplicateBrokerRegistration => Code::AlreadyExists,
        _ => Code::Aborted,
    };
    let mut status = Status::new(code, &refusal.message);
    status.metadata_mut().insert(ERROR_CODE_METADATA, refusal.code.code().into());
    status
}

/// The refusal of a status of [`refused`].
#[must_use]
pub fn refusal(status: &Status) -> Option<Refusal> {
    let code = status.metadata().get(ERROR_CODE_METADATA)?.to_str().ok()?.parse().ok()?;
    Some(Refusal::new(ErrorCode::from_code(code)?, status.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_and_refusals_survive_the_status() {
        assert_eq!(leader_hint(&not_active(Some(3))), Some(3));
        assert_eq!(leader_hint(&not_active(None)), None);
        let stale = Refusal::new(ErrorCode::StaleBrokerEpoch, "too old");
        assert_eq!(refusal(&refused(&stale)), Some(stale));
        assert_eq!(refusal(&Status::unavailable("x")), None);
    }
}
