//! Quotas of users, clients and addresses, and SCRAM credentials.

use ottla_client::Admin;
use ottla_client::admin::{QuotaEntity, QuotaMatch, ScramPassword};
use ottla_protocol::scram::ScramMechanism;

use super::added::Changes;
use super::entity::{Entities, EntityType};
use super::{Stop, failed, refused};
use crate::console::say;
use crate::exceptions::exception_name;

const QUOTAS: [&str; 4] =
    ["consumer_byte_rate", "controller_mutation_rate", "producer_byte_rate", "request_percentage"];
const IP_QUOTA: &str = "connection_creation_rate";
/// What Kafka hashes a password with where nobody says.
const DEFAULT_ITERATIONS: i32 = 4096;

fn is_scram(key: &str) -> bool {
    ScramMechanism::from_name(key).is_some()
}

fn said<T>(message: String) -> Result<T, Stop> {
    Err(Stop::Said(message))
}

/// Whether the changes fit the entities; `Ok` for what has no quotas.
pub(super) fn check(entities: &Entities, changes: &Changes) -> Result<(), Stop> {
    let add = || changes.add.keys().map(String::as_str);
    let delete = || changes.delete.iter().map(String::as_str);
    let is_quota = |key: &str| QUOTAS.contains(&key);
    let list = |keys: Vec<&str>| keys.join(", ");
    let only = |what: &str, op: &str, kind: &str, keys: String| {
        said(format!(
            "Only {what} configs can be {op} for '{kind}' using --bootstrap-server. Unexpected config \
             names: {keys}"
        ))
    };
    match entities.first() {
        EntityType::Ips => match add().chain(delete()).filter(|key| *key != IP_QUOTA).collect() {
            keys if Vec::is_empty(&keys) => Ok(()),
            keys => only("connection quota", "added", "ips", keys.join(",")),
        },
        EntityType::Clients | EntityType::Users
            if entities.first() == EntityType::Clients || entities.types.len() == 2 =>
        {
            let (add, delete): (Vec<_>, Vec<_>) = (
                add().filter(|k| !is_quota(k)).collect(),
                delete().filter(|k| !is_quota(k)).collect(),
            );
            match (add.is_empty(), delete.is_empty()) {
                (false, _) => only("quota", "added", "clients", format!("Set({})", list(add))),
                (_, false) => {
                    only("quota", "deleted", "clients", format!("List({})", list(delete)))
                }
                _ => Ok(()),
            }
        }
        EntityType::Users => {
            let unknown = |key: &&str| !is_quota(key) && !is_scram(key);
            let (unknown_add, unknown_delete): (Vec<_>, Vec<_>) =
                (add().filter(unknown).collect(), delete().filter(unknown).collect());
            let what = "quota and SCRAM credential";
            if !unknown_add.is_empty() {
                return only(what, "added", "users", format!("Set({})", list(unknown_add)));
            }
            if !unknown_delete.is_empty() {
                return only(what, "deleted", "users", format!("List({})", list(unknown_delete)));
            }
            if !add().chain(delete()).any(is_scram) {
                return Ok(());
            }
            if entities.names.iter().any(String::is_empty) {
                return said(
                    "The use of --entity-default or --user-defaults is not allowed with User SCRAM \
                     Credentials using --bootstrap-server."
                        .to_owned(),
                );
            }
            if add().chain(delete()).any(is_quota) {
                return said(
                    "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' \
                     using --bootstrap-server."
                        .to_owned(),
                );
            }
            passwords(changes).map(drop)
        }
        _ => Ok(()),
    }
}

/// The new passwords among the changes: `[iterations=N,]password=…`.
fn passwords(changes: &Changes) -> Result<Vec<ScramPassword>, Stop> {
    let scram = changes.add.iter().filter_map(|(name, text)| {
        ScramMechanism::from_name(name).map(|mechanism| (mechanism, text))
    });
    scram.map(|(mechanism, text)| password(mechanism, text)).collect()
}

fn password(mechanism: ScramMechanism, text: &str) -> Result<ScramPassword, Stop> {
    let name = mechanism.name();
    let invalid = || said(format!("Invalid credential property {name}={text}"));
    let (iterations, rest) = match text.strip_prefix("iterations=") {
        Some(behind) => match behind.split_once(',') {
            Some((number, rest)) => (number.parse().ok(), rest),
            None => return invalid(),
        },
        None => (Some(-1), text),
    };
    let (Some(iterations), Some(password)) = (iterations, rest.strip_prefix("password=")) else {
        return invalid();
    };
    let least = ScramMechanism::MIN_ITERATIONS;
    match iterations {
        -1 => Ok(DEFAULT_ITERATIONS),
        given if given < least => {
            said(format!("Iterations {given} is less than the minimum {least} required for {name}"))
        }
        given => Ok(given),
    }
    .map(|iterations| ScramPassword { mechanism, iterations, password: password.to_owned() })
}

/// The kind's name in requests about quotas.
fn quota_kind(kind: EntityType) -> &'static str {
    match kind {
        EntityType::Users => "user",
        EntityType::Ips => "ip",
        _ => "client-id",
    }
}

type Described = Vec<(QuotaEntity, Vec<(String, f64)>)>;

async fn described(admin: &Admin, entities: &Entities) -> Result<Described, Stop> {
    let wanted = |at: usize| match entities.names.get(at).map(String::as_str) {
        None => QuotaMatch::Any,
        Some("") => QuotaMatch::Default,
        Some(name) => QuotaMatch::Exact(name.to_owned()),
    };
    let components: Vec<_> = entities
        .types
        .iter()
        .enumerate()
        .map(|(at, kind)| (quota_kind(*kind), wanted(at)))
        .collect();
    let described = admin.describe_client_quotas(&components).await;
    let described = described.map_err(|error| failed(&error, "describeClientQuotas"))?;
    Ok(described
        .into_iter()
        .map(|(entity, quotas)| (entity, quotas.into_iter().collect()))
        .collect())
}

pub(super) async fn describe(admin: &Admin, entities: &Entities) -> Result<(), Stop> {
    for (entity, quotas) in described(admin, entities).await? {
        let part = |kind: &str, called: &str| {
            entity.get(kind).map(|name| match name {
                Some(name) => format!("{called} '{name}'"),
                None => format!("the default {called}"),
            })
        };
        let names = [("user", "user-principal"), ("client-id", "client-id"), ("ip", "ip")];
        let names: Vec<_> = names.iter().filter_map(|(kind, called)| part(kind, called)).collect();
        let quotas: Vec<_> = quotas.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
        say(&format!("Quota configs for {} are {}", names.join(", "), quotas.join(", ")));
    }
    let about_users = !entities.types.contains(&EntityType::Clients)
        && entities.first() == EntityType::Users
        && entities.names.iter().all(|name| !name.is_empty());
    if about_users { describe_scram(admin, entities).await } else { Ok(()) }
}

async fn describe_scram(admin: &Admin, entities: &Entities) -> Result<(), Stop> {
    let users = admin.describe_user_scram_credentials(&entities.names).await;
    let users = users.map_err(|error| failed(&error, "describeUserScramCredentials"))?;
    for (name, user) in users {
        let credential = |(number, iterations): &(i8, i32)| {
            let mechanism = ScramMechanism::from_number(*number);
            let mechanism = mechanism.map_or("UNKNOWN", ScramMechanism::name);
            format!("{mechanism}=iterations={iterations}")
        };
        match user {
            Ok(user) => {
                let credentials: Vec<_> = user.credentials.iter().map(credential).collect();
                let credentials = credentials.join(", ");
                say(&format!(
                    "SCRAM credential configs for user-principal '{name}' are {credentials}"
                ));
            }
            // Who was named and has none is no error.
            Err(error) if error.error_code() == ottla_protocol::ErrorCode::ResourceNotFound => {}
            Err(error) => {
                let class = exception_name(error.error_code());
                say(&format!(
                    "Error retrieving SCRAM credential configs for user-principal '{name}': {class}: \
                     {error}"
                ));
            }
        }
    }
    Ok(())
}

pub(super) async fn alter(
    admin: &Admin,
    entities: &Entities,
    changes: &Changes,
) -> Result<(), Stop> {
    if changes.add.keys().chain(&changes.delete).any(|key| is_scram(key)) {
        return alter_scram(admin, entities, changes).await;
    }
    let existing = described(admin, entities).await?;
    let known = existing.first().map_or(&[][..], |(_, quotas)| quotas);
    let unknown: Vec<_> = changes
        .delete
        .iter()
        .filter(|key| known.iter().all(|(quota, _)| quota != *key))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return said(format!("Invalid config(s): {}", unknown.join(",")));
    }
    let mut quotas = Vec::new();
    for (key, text) in &changes.add {
        let Ok(value) = text.trim().parse::<f64>() else {
            return said(format!("Cannot parse quota configuration value for {key}: {text}"));
        };
        quotas.push((key.clone(), Some(value)));
    }
    quotas.extend(changes.delete.iter().map(|key| (key.clone(), None)));
    let entity: QuotaEntity = entities
        .types
        .iter()
        .zip(&entities.names)
        .map(|(kind, name)| {
            (quota_kind(*kind).to_owned(), Some(name.clone()).filter(|name| !name.is_empty()))
        })
        .collect();
    let outcome = admin.alter_client_quotas(&entity, &quotas).await;
    let outcome = outcome.map_err(|error| failed(&error, "alterClientQuotas"))?;
    outcome.map_err(|error| refused(&error))
}

async fn alter_scram(admin: &Admin, entities: &Entities, changes: &Changes) -> Result<(), Stop> {
    let delete: Vec<_> =
        changes.delete.iter().filter_map(|name| ScramMechanism::from_name(name)).collect();
    let set = passwords(changes)?;
    let user = entities.name().unwrap_or_default();
    let outcome = admin.alter_user_scram_credentials(user, &delete, &set).await;
    let outcome = outcome.map_err(|error| failed(&error, "alterUserScramCredentials"))?;
    outcome.map_err(|error| refused(&error))
}
