//! Quotas of users, clients and addresses (KIP-546).

use std::collections::BTreeMap;

use ottla_protocol::messages::alter_client_quotas_request::{
    EntityData as AlteredEntity, EntryData as AlteredEntry, OpData,
};
use ottla_protocol::messages::describe_client_quotas_request::ComponentData;
use ottla_protocol::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest};

use super::{Admin, Outcome, missing, outcome, text, whole};
use crate::client::Target;
use crate::error::ClientError;

/// Which names of one kind of entity are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuotaMatch {
    /// This name.
    Exact(String),
    /// The default of all.
    Default,
    /// Any name, and the default.
    Any,
}

/// Whose quotas: names by kind (`user`, `client-id`, `ip`); `None` is the default of all.
pub type QuotaEntity = BTreeMap<String, Option<String>>;

impl Admin {
    /// The quotas of entities that have exactly these kinds.
    pub async fn describe_client_quotas(
        &self,
        components: &[(&str, QuotaMatch)],
    ) -> Result<Vec<(QuotaEntity, BTreeMap<String, f64>)>, ClientError> {
        let component = |(kind, wanted): &(&str, QuotaMatch)| {
            let (number, name) = match wanted {
                QuotaMatch::Exact(name) => (0, Some(text(name))),
                QuotaMatch::Default => (1, None),
                QuotaMatch::Any => (2, None),
            };
            let component = ComponentData::default().with_entity_type(text(kind));
            component.with_match_type(number).with_match(name)
        };
        let request = DescribeClientQuotasRequest::default()
            .with_components(components.iter().map(component).collect())
            .with_strict(true);
        let response = self.client.request(Target::Any, &request).await?;
        whole(response.error_code, response.error_message.as_ref())?;
        let entries = response.entries.unwrap_or_default().into_iter().map(|entry| {
            let names = entry.entity.into_iter().map(|part| {
                (part.entity_type.to_string(), part.entity_name.map(|name| name.to_string()))
            });
            let values = entry.values.into_iter().map(|value| (value.key.to_string(), value.value));
            (names.collect(), values.collect())
        });
        Ok(entries.collect())
    }

    /// Sets quotas of one entity, or takes them away (`None`).
    pub async fn alter_client_quotas(
        &self,
        entity: &QuotaEntity,
        quotas: &[(String, Option<f64>)],
    ) -> Result<Outcome<()>, ClientError> {
        let part = |(kind, name): (&String, &Option<String>)| {
            AlteredEntity::default()
                .with_entity_type(text(kind))
                .with_entity_name(name.as_deref().map(text))
        };
        let op = |(key, value): &(String, Option<f64>)| {
            OpData::default()
                .with_key(text(key))
                .with_value(value.unwrap_or_default())
                .with_remove(value.is_none())
        };
        let entry = AlteredEntry::default()
            .with_entity(entity.iter().map(part).collect())
            .with_ops(quotas.iter().map(op).collect());
        let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
        let response = self.client.request(Target::Controller, &request).await?;
        let Some(entry) = response.entries.first() else { return Ok(Err(missing())) };
        Ok(outcome(entry.error_code, entry.error_message.as_ref(), ()))
    }
}
