//! Which options there are, and which of them go together.

use std::net::ToSocketAddrs;

use super::entity::{Entities, EntityType, TYPES};
use crate::jopt::{Given, Opt, OptionError, flag, value};

pub(crate) const OPTIONS: &[Opt] = &[
    value("add-config", "String", "With --alter: key=value,…; [a,b] groups a value with commas."),
    value("add-config-file", "String", "With --alter: a properties file with configs to add."),
    flag("all", "With --describe: every config, not only those set on the entity itself."),
    flag("alter", "Change configs."),
    value("bootstrap-controller", "String: controller to connect to", "host:port, …"),
    value("bootstrap-server", "String: server to connect to", "host:port, …"),
    value("broker", "String", "A broker, by its id."),
    flag("broker-defaults", "The defaults of all brokers."),
    value("broker-logger", "String", "A broker's loggers, by its id."),
    value("client", "String", "A client, by its id."),
    flag("client-defaults", "The defaults of all clients."),
    value("client-metrics", "String", "A subscription to clients' metrics."),
    value("command-config", "String: command config property file", "Properties of the client."),
    value("delete-config", "String", "With --alter: keys to take away, between commas."),
    flag("describe", "List configs."),
    flag("entity-default", "The default of clients, users, brokers or ips."),
    value("entity-name", "String", "The name of a topic, client, user, broker, ip, …"),
    value(
        "entity-type",
        "String",
        "topics, clients, users, brokers, ips, client-metrics, groups or broker-loggers.",
    ),
    value("group", "String", "A group, by its id."),
    flag("help", "Print this."),
    value("ip", "String", "An address."),
    flag("ip-defaults", "The defaults of all addresses."),
    value("topic", "String", "A topic, by its name."),
    value("user", "String", "A user, by its principal's name."),
    flag("user-defaults", "The defaults of all users."),
    flag("version", "Print the version."),
];

/// A command line that makes no sense, or that only asks for something else.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misuse {
    /// To be said with the usage behind it.
    Usage(String),
    /// To be said.
    Said(String),
    Version,
}

impl From<OptionError> for Misuse {
    fn from(error: OptionError) -> Self {
        Self::Said(error.to_string())
    }
}

/// Options that name an entity of a kind.
const NAMED: [(&str, EntityType); 8] = [
    ("topic", EntityType::Topics),
    ("client", EntityType::Clients),
    ("user", EntityType::Users),
    ("broker", EntityType::Brokers),
    ("broker-logger", EntityType::BrokerLoggers),
    ("ip", EntityType::Ips),
    ("client-metrics", EntityType::ClientMetrics),
    ("group", EntityType::Groups),
];
/// Options that name the default of a kind.
const DEFAULTS: [(&str, EntityType); 4] = [
    ("client-defaults", EntityType::Clients),
    ("user-defaults", EntityType::Users),
    ("broker-defaults", EntityType::Brokers),
    ("ip-defaults", EntityType::Ips),
];
/// What has a default of all.
const WITH_DEFAULT: [EntityType; 4] =
    [EntityType::Users, EntityType::Clients, EntityType::Brokers, EntityType::Ips];

/// Finds what is meant, or what is wrong.
pub(super) fn check(given: &Given, empty: bool) -> Result<Entities, Misuse> {
    let usage = |message: &str| Err(Misuse::Usage(message.to_owned()));
    if empty || given.has("help") {
        return usage(
            "This tool helps to manipulate and describe entity config for a topic, client, user, \
             broker, ip, client-metrics or group",
        );
    }
    if given.has("version") {
        return Err(Misuse::Version);
    }
    if given.has("alter") == given.has("describe") {
        return usage("Command must include exactly one action: --describe, --alter");
    }
    for other in ["add-config", "delete-config"] {
        if given.has("describe") && given.has(other) {
            return usage(&format!(
                "Option \"[describe]\" can't be used with option \"[{other}]\""
            ));
        }
    }
    let types = types(given)?;
    let specific = NAMED.iter().chain(&DEFAULTS).any(|(option, _)| given.has(option));
    let general = ["entity-name", "entity-type", "entity-default"];
    if specific && general.iter().any(|option| given.has(option)) {
        return said(
            "--entity-{type,name,default} should not be used in conjunction with specific entity \
             flags",
        );
    }
    let entities = Entities { types, names: names(given)? };
    if given.has("bootstrap-server") && given.has("bootstrap-controller") {
        return said("Only one of --bootstrap-server or --bootstrap-controller can be specified");
    }
    check_names(given, &entities)?;
    if given.has("describe") {
        check_describe(given, &entities)?;
    } else {
        check_alter(given, &entities)?;
    }
    Ok(entities)
}

fn said<T>(message: &str) -> Result<T, Misuse> {
    Err(Misuse::Said(message.to_owned()))
}

/// The kinds by name; whether there are such kinds is checked in Kafka's order.
fn types(given: &Given) -> Result<Vec<EntityType>, Misuse> {
    let specific = NAMED.iter().chain(&DEFAULTS).filter(|(option, _)| given.has(option));
    let texts: Vec<&str> =
        given.all("entity-type").chain(specific.map(|(_, kind)| kind.name())).collect();
    let twice: Vec<&str> = texts
        .iter()
        .enumerate()
        .filter(|(at, text)| texts.iter().position(|other| other == *text) != Some(*at))
        .map(|(_, text)| *text)
        .collect();
    if !twice.is_empty() {
        return said(&format!("Duplicate entity type(s) specified: {}", twice.join(",")));
    }
    if !given.has("bootstrap-server") && !given.has("bootstrap-controller") {
        return said("Either --bootstrap-server or --bootstrap-controller must be specified.");
    }
    let mut types = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(kind) = TYPES.into_iter().find(|kind| kind.name() == text) else {
            let all: Vec<_> = TYPES.iter().map(|kind| kind.name()).collect();
            return said(&format!(
                "Invalid entity type {text}, the entity type must be one of {} with a \
                 --bootstrap-server or --bootstrap-controller argument",
                all.join(", ")
            ));
        };
        types.push(kind);
    }
    let together = [EntityType::Users, EntityType::Clients];
    match types.as_slice() {
        [] => said("At least one entity type must be specified"),
        [_] => Ok(types),
        several if several.iter().all(|kind| together.contains(kind)) => Ok(types),
        _ => said("Only 'users' and 'clients' entity types may be specified together"),
    }
}

/// The names in the order of their kinds; empty for a default.
fn names(given: &Given) -> Result<Vec<String>, OptionError> {
    let mut names: Vec<String> = given
        .in_order(&["entity-name", "entity-default"])
        .map(|value| value.unwrap_or_default().to_owned())
        .collect();
    for (option, _) in NAMED {
        names.extend(given.one(option)?.map(str::to_owned));
    }
    for (option, _) in DEFAULTS {
        if given.has(option) {
            names.push(String::new());
        }
    }
    Ok(names)
}

fn check_names(given: &Given, entities: &Entities) -> Result<(), Misuse> {
    if !has_name(entities) {
        return Ok(());
    }
    let of = |options: &[&'static str]| -> Result<Vec<&str>, OptionError> {
        options.iter().filter_map(|option| given.one(option).transpose()).collect()
    };
    let first = entities.first();
    if matches!(first, EntityType::Brokers | EntityType::BrokerLoggers) {
        for id in of(&["entity-name", "broker", "broker-logger"])? {
            if id.parse::<i32>().is_err() {
                return said(&format!(
                    "The entity name for {} must be a valid integer broker id, but it is: {id}",
                    first.name()
                ));
            }
        }
    }
    if first == EntityType::Ips {
        for ip in of(&["entity-name", "ip"])? {
            if (ip, 0).to_socket_addrs().is_err() {
                return said(&format!(
                    "The entity name for ips must be a valid IP or resolvable host, but it is: {ip}"
                ));
            }
        }
    }
    Ok(())
}

fn has_name(entities: &Entities) -> bool {
    entities.names.iter().any(|name| !name.is_empty())
}

fn listed(entities: &Entities) -> String {
    entities.types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",")
}

fn has_default(entities: &Entities) -> bool {
    entities.types.iter().any(|kind| WITH_DEFAULT.contains(kind))
}

fn check_describe(given: &Given, entities: &Entities) -> Result<(), Misuse> {
    if !has_default(entities) && given.has("entity-default") {
        return said(&format!(
            "--entity-default must not be specified with --describe of {}",
            listed(entities)
        ));
    }
    if entities.types.contains(&EntityType::BrokerLoggers) && !has_name(entities) {
        return said(&format!(
            "An entity name must be specified with --describe of {}",
            listed(entities)
        ));
    }
    Ok(())
}

fn check_alter(given: &Given, entities: &Entities) -> Result<(), Misuse> {
    if has_default(entities) {
        if entities.names.is_empty() {
            return said(
                "An entity-name or default entity must be specified with --alter of users, clients, \
                 brokers or ips",
            );
        }
    } else if !has_name(entities) {
        return said(&format!(
            "An entity name must be specified with --alter of {}",
            listed(entities)
        ));
    }
    let adds = given.has("add-config");
    if adds && given.has("add-config-file") {
        return said("Only one of --add-config or --add-config-file must be specified");
    }
    if !adds && !given.has("add-config-file") && !given.has("delete-config") {
        return said(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified \
             with --alter",
        );
    }
    Ok(())
}
