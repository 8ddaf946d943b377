//! Quotas and credentials.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::scram::{ScramKeys, ScramMechanism};

use super::{CodecError, invalid};
use crate::proto;
use crate::quota::{QuotaEntity, QuotaKey, QuotaName, QuotaValue};
use crate::record::{Record, ScramCredential};

pub(super) fn quota_to_proto(
    entity: &QuotaEntity,
    key: QuotaKey,
    value: Option<QuotaValue>,
) -> proto::ClientQuotaRecord {
    let name = |name: &Option<QuotaName>| {
        name.as_ref().map(|name| proto::QuotaName {
            name: match name {
                QuotaName::Default => None,
                QuotaName::Named(name) => Some(name.to_string()),
            },
        })
    };
    proto::ClientQuotaRecord {
        user: name(&entity.user),
        client_id: name(&entity.client_id),
        ip: name(&entity.ip),
        key: key.name().to_owned(),
        value: value.map(QuotaValue::get),
    }
}

pub(super) fn quota_from_proto(message: proto::ClientQuotaRecord) -> Result<Record, CodecError> {
    let name = |name: Option<proto::QuotaName>| {
        name.map(|name| name.name.map_or(QuotaName::Default, |name| QuotaName::Named(name.into())))
    };
    let key = QuotaKey::from_name(&message.key)
        .ok_or_else(|| invalid("ClientQuota", "key", message.key))?;
    Ok(Record::ClientQuota {
        entity: QuotaEntity {
            user: name(message.user),
            client_id: name(message.client_id),
            ip: name(message.ip),
        },
        key,
        value: message.value.map(QuotaValue::new),
    })
}

pub(super) fn scram_to_proto(
    user: &str,
    mechanism: ScramMechanism,
    credential: Option<&ScramCredential>,
) -> proto::ScramCredentialRecord {
    proto::ScramCredentialRecord {
        user: user.to_owned(),
        mechanism: mechanism.number().into(),
        credential: credential.map(Into::into),
    }
}

pub(super) fn scram_from_proto(
    message: proto::ScramCredentialRecord,
) -> Result<Record, CodecError> {
    let mechanism = i8::try_from(message.mechanism).ok().and_then(ScramMechanism::from_number);
    Ok(Record::ScramCredential {
        user: Arc::from(message.user),
        mechanism: mechanism
            .ok_or_else(|| invalid("ScramCredential", "mechanism", message.mechanism))?,
        credential: message.credential.map(Into::into),
    })
}

impl From<&ScramCredential> for proto::ScramCredential {
    fn from(credential: &ScramCredential) -> Self {
        Self {
            salt: Bytes::copy_from_slice(&credential.salt),
            stored_key: Bytes::copy_from_slice(&credential.keys.stored_key),
            server_key: Bytes::copy_from_slice(&credential.keys.server_key),
            iterations: credential.iterations,
        }
    }
}

impl From<proto::ScramCredential> for ScramCredential {
    fn from(message: proto::ScramCredential) -> Self {
        Self {
            salt: message.salt.into(),
            keys: ScramKeys {
                stored_key: message.stored_key.into(),
                server_key: message.server_key.into(),
            },
            iterations: message.iterations,
        }
    }
}
