//! The controller's requests and answers: protobuf to and from the typed forms of `ottla-metadata`.

mod access;
mod proposal;
mod registration;
mod reply;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use ottla_metadata::Refusal;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::KafkaUuid;

use crate::controller as proto;

pub use proposal::{proposal_from_proto, proposal_to_proto};
pub use registration::{registration_from_proto, registration_to_proto};
pub use reply::{reply_from_proto, reply_to_proto};

/// A message whose field holds what it cannot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}: field {field} holds {found}")]
pub struct InvalidField {
    /// The message.
    pub message: &'static str,
    /// The field.
    pub field: &'static str,
    /// What it holds.
    pub found: String,
}

impl InvalidField {
    pub(crate) fn new(message: &'static str, field: &'static str, found: impl ToString) -> Self {
        Self { message, field, found: found.to_string() }
    }
}

/// The 16 bytes of an id.
#[must_use]
pub fn id_to_proto(id: &KafkaUuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

/// An id of 16 bytes.
///
/// # Errors
/// [`InvalidField`] when there are not 16.
pub fn id_from_proto(
    message: &'static str,
    field: &'static str,
    bytes: &[u8],
) -> Result<KafkaUuid, InvalidField> {
    KafkaUuid::from_slice(bytes)
        .ok_or_else(|| InvalidField::new(message, field, format!("{} bytes", bytes.len())))
}

/// A refusal; `None` stands for success.
#[must_use]
pub fn refusal_to_proto(refusal: Option<&Refusal>) -> proto::Refusal {
    refusal.map_or_else(proto::Refusal::default, |refusal| proto::Refusal {
        code: i32::from(refusal.code.code()),
        message: refusal.message.clone(),
    })
}

/// A refusal; `None` stands for success. A number that is not known here becomes
/// UNKNOWN_SERVER_ERROR, with the sentence kept.
#[must_use]
pub fn refusal_from_proto(refusal: Option<proto::Refusal>) -> Option<Refusal> {
    let refusal = refusal.filter(|refusal| refusal.code != 0)?;
    let code = i16::try_from(refusal.code).ok().and_then(ErrorCode::from_code);
    Some(Refusal::new(code.unwrap_or(ErrorCode::UnknownServerError), refusal.message))
}
