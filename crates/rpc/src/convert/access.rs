//! Wishes about quotas and credentials.

use ottla_metadata::proposal::{AlterClientQuota, AlterClientQuotas, AlterScramCredential};
use ottla_metadata::quota::QuotaValue;

use super::InvalidField;
use crate::controller as proto;

pub(super) fn quotas_to_proto(request: &AlterClientQuotas) -> proto::AlterClientQuotas {
    let part = |(entity_type, name): &(String, Option<String>)| proto::QuotaEntityPart {
        entity_type: entity_type.clone(),
        name: name.clone(),
    };
    let op = |(key, value): &(String, Option<QuotaValue>)| proto::QuotaOp {
        key: key.clone(),
        value: value.map(QuotaValue::get),
    };
    let entry = |entry: &AlterClientQuota| proto::AlterClientQuota {
        entity: entry.entity.iter().map(part).collect(),
        ops: entry.ops.iter().map(op).collect(),
    };
    proto::AlterClientQuotas {
        entries: request.entries.iter().map(entry).collect(),
        validate_only: request.validate_only,
    }
}

pub(super) fn quotas_from_proto(request: proto::AlterClientQuotas) -> AlterClientQuotas {
    let entry = |entry: proto::AlterClientQuota| AlterClientQuota {
        entity: entry.entity.into_iter().map(|part| (part.entity_type, part.name)).collect(),
        ops: entry.ops.into_iter().map(|op| (op.key, op.value.map(QuotaValue::new))).collect(),
    };
    AlterClientQuotas {
        entries: request.entries.into_iter().map(entry).collect(),
        validate_only: request.validate_only,
    }
}

pub(super) fn scram_to_proto(alterations: &[AlterScramCredential]) -> proto::AlterScramCredentials {
    let alteration = |it: &AlterScramCredential| proto::AlterScramCredential {
        user: it.user.clone(),
        mechanism: it.mechanism.into(),
        credential: it.credential.as_ref().map(Into::into),
    };
    proto::AlterScramCredentials { alterations: alterations.iter().map(alteration).collect() }
}

pub(super) fn scram_from_proto(
    request: proto::AlterScramCredentials,
) -> Result<Vec<AlterScramCredential>, InvalidField> {
    let alteration = |it: proto::AlterScramCredential| {
        Ok(AlterScramCredential {
            user: it.user,
            mechanism: i8::try_from(it.mechanism).map_err(|_| {
                InvalidField::new("AlterScramCredential", "mechanism", it.mechanism)
            })?,
            credential: it.credential.map(Into::into),
        })
    };
    request.alterations.into_iter().map(alteration).collect()
}
