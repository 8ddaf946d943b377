//! Setting quotas, and taking them away.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ErrorCode;

use super::draft::Draft;
use super::{Limits, Plan};
use crate::image::Image;
use crate::proposal::{AlterClientQuota, AlterClientQuotas, Outcome, Refusal};
use crate::quota::{QuotaEntity, QuotaKey, QuotaName, QuotaValue};
use crate::record::Record;

/// The longest name of a user, a client or an address.
const MAX_NAME_BYTES: usize = i16::MAX as usize;
/// How many entities have quotas, at most.
const MAX_ENTITIES: usize = 100_000;
/// What is this near a whole number is one.
const FRACTION: f64 = 1e-6;

/// Changes the quotas of each entity; each succeeds or fails as a whole, in Kafka's words.
#[must_use]
pub fn alter(image: &Image, limits: &Limits, request: &AlterClientQuotas) -> Plan<Vec<Outcome>> {
    let mut draft = Draft::new(image, limits);
    let mut named = BTreeSet::new();
    let outcomes = request
        .entries
        .iter()
        .map(|wish| {
            let entity = entity(wish)?;
            if !named.insert(entity.clone()) {
                return Err(invalid(format!("Ignoring duplicate entity {}", shown(wish))));
            }
            alter_one(&mut draft, &entity, wish)
        })
        .collect();
    if request.validate_only {
        return Plan::nothing(outcomes);
    }
    draft.finish(outcomes)
}

fn alter_one(draft: &mut Draft<'_>, entity: &QuotaEntity, wish: &AlterClientQuota) -> Outcome {
    let mut changes: BTreeMap<&str, Option<QuotaValue>> = BTreeMap::new();
    for (key, value) in &wish.ops {
        if changes.insert(key, *value).is_some() {
            return Err(invalid(format!(
                "Duplicate quota key {key} not updating quota for this entity {}",
                shown(wish)
            )));
        }
    }
    let mut records = Vec::new();
    for (name, value) in changes {
        let key = QuotaKey::from_name(name).filter(|key| applies(*key, entity));
        if let Some(value) = value {
            check(name, key, value.get())?;
        }
        // A quota that there cannot be need not be taken away.
        let Some(key) = key else { continue };
        if draft.image().client_quotas_of(entity).get(&key) != value.as_ref() {
            records.push(Record::ClientQuota { entity: entity.clone(), key, value });
        }
    }
    let image = draft.image();
    if image.client_quotas_of(entity).is_empty()
        && !records.is_empty()
        && image.client_quotas().len() >= MAX_ENTITIES
    {
        let message = format!("At most {MAX_ENTITIES} entities have quotas.");
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    records.into_iter().for_each(|record| draft.push(record));
    Ok(())
}

fn entity(wish: &AlterClientQuota) -> Result<QuotaEntity, Refusal> {
    let mut entity = QuotaEntity::default();
    for (kind, name) in &wish.entity {
        let place = match kind.as_str() {
            "user" => &mut entity.user,
            "client-id" => &mut entity.client_id,
            "ip" => &mut entity.ip,
            _ => return Err(invalid(format!("Unhandled client quota entity type: {kind}"))),
        };
        match name.as_deref() {
            Some("") => return Err(invalid(format!("Empty {kind} not supported"))),
            Some(name) if name.len() > MAX_NAME_BYTES => {
                return Err(invalid(format!("A {kind} has at most {MAX_NAME_BYTES} bytes.")));
            }
            _ if place.is_some() => {
                return Err(invalid(format!(
                    "Invalid empty client quota entity, duplicate entity entry {kind}"
                )));
            }
            Some(name) => *place = Some(QuotaName::Named(name.into())),
            None => *place = Some(QuotaName::Default),
        }
    }
    let of_client = entity.user.is_some() || entity.client_id.is_some();
    if of_client == entity.ip.is_some() {
        return Err(invalid("Invalid empty client quota entity".to_owned()));
    }
    Ok(entity)
}

fn applies(key: QuotaKey, entity: &QuotaEntity) -> bool {
    (key == QuotaKey::ConnectionCreationRate) == entity.ip.is_some()
}

fn check(name: &str, key: Option<QuotaKey>, value: f64) -> Outcome {
    let Some(key) = key else {
        return Err(invalid(format!("Invalid configuration key {name}")));
    };
    if value.is_nan() || value <= 0.0 {
        return Err(invalid(format!("Quota {name} must be greater than 0")));
    }
    let (most, kind) = match key {
        QuotaKey::ControllerMutationRate | QuotaKey::RequestPercentage => return Ok(()),
        QuotaKey::ConnectionCreationRate => (f64::from(i32::MAX), "an INT"),
        QuotaKey::ConsumerByteRate | QuotaKey::ProducerByteRate => (i64::MAX as f64, "a LONG"),
    };
    if value > most {
        return Err(invalid(format!("Proposed value for {name} is too large for {kind}.")));
    }
    if value % 1.0 > FRACTION {
        return Err(invalid(format!("{name} cannot be a fractional value.")));
    }
    Ok(())
}

/// The entity as Kafka's messages show it.
fn shown(wish: &AlterClientQuota) -> String {
    let part = |(kind, name): &(String, Option<String>)| {
        format!("{kind}={}", name.as_deref().unwrap_or("null"))
    };
    let parts: Vec<_> = wish.entity.iter().map(part).collect();
    format!("ClientQuotaEntity(entries={{{}}})", parts.join(", "))
}

fn invalid(message: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}
