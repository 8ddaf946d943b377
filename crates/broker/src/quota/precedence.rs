//! Which of the quotas that are set holds for a client, and with whom the client shares it. Pure.

use std::net::IpAddr;
use std::sync::Arc;

use ottla_metadata::Image;
use ottla_metadata::quota::{QuotaEntity, QuotaKey, QuotaName};

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The authenticated user.
    pub(crate) user: Arc<str>,
    /// What the client calls itself; `None` or empty: nothing.
    pub(crate) id: Option<Arc<str>>,
}

/// Whose use is added up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Bearer {
    User(Arc<str>),
    UserClient(Arc<str>, Arc<str>),
    Client(Arc<str>),
    Ip(IpAddr),
}

/// A quota that holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Limit {
    pub(super) bearer: Bearer,
    /// A second.
    pub(super) bound: f64,
}

/// The most specific quota comes first, and the user before the client id, as in Kafka.
pub(super) fn of_client(image: &Image, key: QuotaKey, client: &Client) -> Option<Limit> {
    let user = &client.user;
    let id = client.id.as_ref().filter(|id| !id.is_empty());
    let name = |name: &Arc<str>| Some(QuotaName::Named(Arc::clone(name)));
    let default = || Some(QuotaName::Default);
    let set = |user: Option<QuotaName>, client_id: Option<QuotaName>| {
        let entity = QuotaEntity { user, client_id, ip: None };
        image.client_quotas_of(&entity).get(&key).map(|value| value.get())
    };
    let both = |user_name: &dyn Fn() -> Option<QuotaName>| {
        let id = id?;
        let bound = set(user_name(), name(id)).or_else(|| set(user_name(), default()))?;
        Some(Limit { bearer: Bearer::UserClient(Arc::clone(user), Arc::clone(id)), bound })
    };
    let alone = |user_name: Option<QuotaName>| {
        let bound = set(user_name, None)?;
        Some(Limit { bearer: Bearer::User(Arc::clone(user)), bound })
    };
    both(&|| name(user))
        .or_else(|| alone(name(user)))
        .or_else(|| both(&default))
        .or_else(|| alone(default()))
        .or_else(|| {
            let id = id?;
            let bound = set(None, name(id)).or_else(|| set(None, default()))?;
            Some(Limit { bearer: Bearer::Client(Arc::clone(id)), bound })
        })
}

/// An address's own quota, by the name that it has there, or the default of all.
pub(super) fn of_address(image: &Image, ip: IpAddr, name: Option<&Arc<str>>) -> Option<Limit> {
    let set = |name: QuotaName| {
        let entity = QuotaEntity { ip: Some(name), ..QuotaEntity::default() };
        let quotas = image.client_quotas_of(&entity);
        quotas.get(&QuotaKey::ConnectionCreationRate).map(|value| value.get())
    };
    let own = name.and_then(|name| set(QuotaName::Named(Arc::clone(name))));
    let bound = own.or_else(|| set(QuotaName::Default))?;
    Some(Limit { bearer: Bearer::Ip(ip), bound })
}

#[cfg(test)]
mod tests;
