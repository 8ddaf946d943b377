//! DescribeClientQuotas: from the image.

use std::sync::Arc;

use ottla_metadata::quota::{ClientQuotas, QuotaEntity, QuotaName};
use ottla_metadata::{Image, Refusal};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_client_quotas_request::ComponentData;
use ottla_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use ottla_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::{AdminContext, text};

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

pub(super) fn handle(
    context: &AdminContext,
    request: &DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    match entries(&context.node.metadata.image(), request) {
        Ok(entries) => DescribeClientQuotasResponse::default()
            .with_error_message(None)
            .with_entries(Some(entries)),
        Err(refusal) => DescribeClientQuotasResponse::default()
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(&refusal.message)))
            .with_entries(None),
    }
}

/// A kind of entity, and which names of it are meant; `None`: any.
type Wanted = (Kind, Option<QuotaName>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    ClientId,
    Ip,
}

impl Kind {
    const ALL: [Self; 3] = [Self::User, Self::ClientId, Self::Ip];

    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ClientId => "client-id",
            Self::Ip => "ip",
        }
    }

    fn of(self, entity: &QuotaEntity) -> Option<&QuotaName> {
        match self {
            Self::User => entity.user.as_ref(),
            Self::ClientId => entity.client_id.as_ref(),
            Self::Ip => entity.ip.as_ref(),
        }
    }
}

fn entries(
    image: &Image,
    request: &DescribeClientQuotasRequest,
) -> Result<Vec<EntryData>, Refusal> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for component in &request.components {
        let one = wish(component)?;
        if wanted.iter().any(|(kind, _)| *kind == one.0) {
            return Err(invalid(format!(
                "Entity type {} cannot appear more than once in the filter.",
                one.0.name()
            )));
        }
        wanted.push(one);
    }
    if wanted.len() > 1 && wanted.iter().any(|(kind, _)| *kind == Kind::Ip) {
        let message = "Invalid entity filter component combination. IP filter component should not \
                       be used with user or clientId filter component.";
        return Err(invalid(message.to_owned()));
    }
    let matches = |entity: &QuotaEntity| {
        let named = Kind::ALL.iter().filter(|kind| kind.of(entity).is_some()).count();
        (!request.strict || named == wanted.len())
            && wanted.iter().all(|(kind, name)| match (kind.of(entity), name) {
                (Some(has), Some(name)) => has == name,
                (has, None) => has.is_some(),
                (None, Some(_)) => false,
            })
    };
    let found = image.client_quotas().iter().filter(|(entity, _)| matches(entity));
    Ok(found.map(|(entity, quotas)| entry(entity, quotas)).collect())
}

fn wish(component: &ComponentData) -> Result<Wanted, Refusal> {
    let kind = match component.entity_type.as_str() {
        "" => return Err(invalid("Invalid empty entity type.".to_owned())),
        name => Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let message = format!("Unsupported entity type {name}");
            Refusal::new(ErrorCode::UnsupportedVersion, message)
        })?,
    };
    let with_name = |what: &str| {
        invalid(format!("Request specified {what}, but also specified a match string."))
    };
    match (component.match_type, &component._match) {
        (EXACT, Some(name)) => Ok((kind, Some(QuotaName::Named(name.as_str().into())))),
        (EXACT, None) => Err(invalid(
            "Request specified MATCH_TYPE_EXACT, but set match string to null.".to_owned(),
        )),
        (DEFAULT, None) => Ok((kind, Some(QuotaName::Default))),
        (DEFAULT, Some(_)) => Err(with_name("MATCH_TYPE_DEFAULT")),
        (SPECIFIED, None) => Ok((kind, None)),
        (SPECIFIED, Some(_)) => Err(with_name("MATCH_TYPE_SPECIFIED")),
        (other, _) => Err(invalid(format!("Unknown match type {other}"))),
    }
}

fn entry(entity: &QuotaEntity, quotas: &Arc<ClientQuotas>) -> EntryData {
    let parts = Kind::ALL.into_iter().filter_map(|kind| {
        let name = match kind.of(entity)? {
            QuotaName::Named(name) => Some(text(name)),
            QuotaName::Default => None,
        };
        Some(EntityData::default().with_entity_type(text(kind.name())).with_entity_name(name))
    });
    let values = quotas.iter().map(|(key, value)| {
        ValueData::default().with_key(text(key.name())).with_value(value.get())
    });
    EntryData::default().with_entity(parts.collect()).with_values(values.collect())
}

fn invalid(message: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}
