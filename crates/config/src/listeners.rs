//! Which listeners a node has, and what it advertises.

use crate::address::{HostPort, Listener, SecurityProtocol, items, parse_endpoint};
use crate::node::{ConfigError, Notice, Roles};
use crate::properties::Properties;
use crate::resolve::{error, notice};

/// The name and port of a controller's listener that nobody named.
const CONTROLLER: &str = "CONTROLLER";
const CONTROLLER_PORT: u16 = 9093;

/// The listeners' part of a node's settings.
pub(crate) struct Listeners {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) advertised: Vec<Listener>,
    /// Where others reach the controller of this node, as far as `advertised.listeners` or `listeners`
    /// say it.
    pub(crate) controller: Option<HostPort>,
    pub(crate) controller_names: Vec<String>,
    pub(crate) inter_broker_name: String,
}

pub(crate) fn resolve(
    properties: &Properties,
    roles: Roles,
    own_voter: Option<&HostPort>,
    notices: &mut Vec<Notice>,
) -> Result<Listeners, ConfigError> {
    let map = ProtocolMap::parse(properties)?;
    let mut controller_names: Vec<String> =
        items(properties.get("controller.listener.names").unwrap_or(""))
            .map(str::to_ascii_uppercase)
            .collect();
    if controller_names.is_empty() {
        controller_names.push(CONTROLLER.to_owned());
    }

    let mut listeners = match given(properties, "listeners") {
        Some(text) => parse_list("listeners", text, &map, &controller_names)?,
        None if roles.broker => {
            parse_list("listeners", "PLAINTEXT://:9092", &map, &controller_names)?
        }
        None => Vec::new(),
    };
    let is_controllers = |listener: &Listener| controller_names.contains(&listener.name);
    if roles.controller && !listeners.iter().any(is_controllers) {
        if given(properties, "controller.listener.names").is_some()
            && given(properties, "listeners").is_some()
        {
            return Err(error(
                "listeners",
                format!(
                    "listeners has none of controller.listener.names ({}), which a controller \
                     needs; add {}://host:port to listeners",
                    controller_names.join(","),
                    controller_names[0]
                ),
            ));
        }
        listeners.push(controller_listener(&map, &controller_names, own_voter, notices)?);
    }
    check_distinct("listeners", &listeners)?;
    if !roles.controller && listeners.iter().any(is_controllers) {
        return Err(error(
            "listeners",
            format!(
                "listeners has a listener of controller.listener.names ({}), but this \
                 node is only a broker; remove it, or add controller to process.roles",
                controller_names.join(",")
            ),
        ));
    }
    check_protocols(&listeners)?;

    let broker_listeners: Vec<&Listener> =
        listeners.iter().filter(|listener| !is_controllers(listener)).collect();
    if roles.broker && broker_listeners.is_empty() {
        return Err(error(
            "listeners",
            "listeners has no listener for clients; add PLAINTEXT://:9092, or remove \
             broker from process.roles"
                .to_owned(),
        ));
    }
    if !roles.broker && !broker_listeners.is_empty() {
        return Err(error(
            "listeners",
            format!(
                "the listener {} is not one of controller.listener.names ({}), but this \
                 node is only a controller",
                broker_listeners[0].name,
                controller_names.join(",")
            ),
        ));
    }
    let inter_broker_name = inter_broker_name(properties, &broker_listeners)?;
    let (advertised, controllers) =
        advertised(properties, &map, &controller_names, &listeners, notices)?;
    let bound = listeners.iter().filter(|listener| is_controllers(listener));
    let controller = controllers.iter().chain(bound).next();
    let controller =
        controller.map(|listener| HostPort { host: listener.host.clone(), port: listener.port });
    if roles.broker && !advertised.iter().any(|listener| listener.name == inter_broker_name) {
        return Err(error(
            "advertised.listeners",
            format!(
                "advertised.listeners must name the brokers' own listener \
                 {inter_broker_name} (inter.broker.listener.name)"
            ),
        ));
    }
    Ok(Listeners { listeners, advertised, controller, controller_names, inter_broker_name })
}

fn given<'a>(properties: &'a Properties, key: &str) -> Option<&'a str> {
    properties.get(key).map(str::trim).filter(|text| !text.is_empty())
}

/// `listener.security.protocol.map`.
struct ProtocolMap {
    entries: Vec<(String, SecurityProtocol)>,
}

impl ProtocolMap {
    fn parse(properties: &Properties) -> Result<Self, ConfigError> {
        let key = "listener.security.protocol.map";
        let mut entries = Vec::new();
        for item in items(properties.get(key).unwrap_or("")) {
            let (name, protocol) = item.rsplit_once(':').ok_or_else(|| {
                error(key, format!("{key}: '{item}' must have the form NAME:PROTOCOL"))
            })?;
            let protocol = SecurityProtocol::from_name(protocol.trim()).ok_or_else(|| {
                error(
                    key,
                    format!(
                        "{key}: '{protocol}' is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"
                    ),
                )
            })?;
            entries.push((name.trim().to_ascii_uppercase(), protocol));
        }
        Ok(Self { entries })
    }

    fn protocol(&self, name: &str, controller_names: &[String]) -> Option<SecurityProtocol> {
        let mapped = self.entries.iter().find(|(entry, _)| entry == name).map(|(_, p)| *p);
        let controllers = || {
            let is_one = controller_names.iter().any(|controller| controller == name);
            is_one.then_some(SecurityProtocol::Plaintext)
        };
        mapped.or_else(|| SecurityProtocol::from_name(name)).or_else(controllers)
    }
}

fn parse_list(
    key: &'static str,
    text: &str,
    map: &ProtocolMap,
    controller_names: &[String],
) -> Result<Vec<Listener>, ConfigError> {
    let mut listeners = Vec::new();
    for item in items(text) {
        let (name, HostPort { host, port }) = parse_endpoint(item)
            .map_err(|reason| error(key, format!("{key}: '{item}': {reason}")))?;
        let security_protocol = map.protocol(&name, controller_names).ok_or_else(|| {
            error(
                "listener.security.protocol.map",
                format!(
                    "No security protocol defined for listener {name}; add {name}:PLAINTEXT \
                     to listener.security.protocol.map"
                ),
            )
        })?;
        listeners.push(Listener { name, host, port, security_protocol });
    }
    Ok(listeners)
}

/// A controller without a listener of its own listens where the quorum expects it.
fn controller_listener(
    map: &ProtocolMap,
    controller_names: &[String],
    own_voter: Option<&HostPort>,
    notices: &mut Vec<Notice>,
) -> Result<Listener, ConfigError> {
    let name = controller_names[0].clone();
    let security_protocol =
        map.protocol(&name, controller_names).unwrap_or(SecurityProtocol::Plaintext);
    let port = own_voter.map_or(CONTROLLER_PORT, |voter| voter.port);
    // Alone, nobody else has to reach it; beside others they have.
    let host = if own_voter.is_some() { String::new() } else { "localhost".to_owned() };
    notices.push(notice(
        "listeners",
        format!("listeners names no listener for the controller: using {name}://{host}:{port}"),
    ));
    Ok(Listener { name, host, port, security_protocol })
}

fn check_distinct(key: &'static str, listeners: &[Listener]) -> Result<(), ConfigError> {
    for (index, listener) in listeners.iter().enumerate() {
        for other in &listeners[..index] {
            if other.name == listener.name {
                return Err(error(
                    key,
                    format!("{key}: the listener {} stands there twice", other.name),
                ));
            }
            let everywhere = |host: &str| matches!(host, "" | "0.0.0.0" | "::");
            let same_place = other.host == listener.host
                || everywhere(&other.host)
                || everywhere(&listener.host);
            if key == "listeners" && listener.port != 0 && other.port == listener.port && same_place
            {
                return Err(error(
                    key,
                    format!(
                        "{key}: {} and {} have the same port {}; each listener needs its own",
                        other.name, listener.name, listener.port
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn check_protocols(listeners: &[Listener]) -> Result<(), ConfigError> {
    let secured = |l: &&Listener| l.security_protocol != SecurityProtocol::Plaintext;
    let Some(listener) = listeners.iter().find(secured) else {
        return Ok(());
    };
    let (name, protocol) = (&listener.name, listener.security_protocol.name());
    Err(error(
        "listener.security.protocol.map",
        format!("the listener {name} is to use {protocol}, but Ottla serves only PLAINTEXT yet"),
    ))
}

fn inter_broker_name(
    properties: &Properties,
    broker_listeners: &[&Listener],
) -> Result<String, ConfigError> {
    let (by_name, by_protocol) = ("inter.broker.listener.name", "security.inter.broker.protocol");
    let names = || broker_listeners.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(",");
    let Some(first) = broker_listeners.first() else {
        return Ok(String::new());
    };
    match (given(properties, by_name), given(properties, by_protocol)) {
        (Some(_), Some(_)) => {
            Err(error(by_name, format!("only one of {by_name} and {by_protocol} should be set")))
        }
        (Some(name), None) => {
            let name = name.to_ascii_uppercase();
            if broker_listeners.iter().any(|listener| listener.name == name) {
                return Ok(name);
            }
            Err(error(
                by_name,
                format!(
                    "{by_name} is {name}, which is not a brokers' listener; listeners has {}",
                    names()
                ),
            ))
        }
        (None, Some(protocol)) => {
            let protocol = SecurityProtocol::from_name(protocol);
            let found = broker_listeners.iter().find(|l| Some(l.security_protocol) == protocol);
            found.map(|listener| listener.name.clone()).ok_or_else(|| {
                error(
                    by_protocol,
                    format!("no listener uses {by_protocol}; listeners has {}", names()),
                )
            })
        }
        (None, None) => Ok(first.name.clone()),
    }
}

/// What is advertised to clients, and what to controllers.
fn advertised(
    properties: &Properties,
    map: &ProtocolMap,
    controller_names: &[String],
    listeners: &[Listener],
    notices: &mut Vec<Notice>,
) -> Result<(Vec<Listener>, Vec<Listener>), ConfigError> {
    let key = "advertised.listeners";
    let is_controllers = |listener: &Listener| controller_names.contains(&listener.name);
    let given_explicitly = given(properties, key).is_some();
    let advertised = match given(properties, key) {
        Some(text) => parse_list(key, text, map, controller_names)?,
        None => listeners.to_vec(),
    };
    check_distinct(key, &advertised)?;
    let (controllers, mut advertised): (Vec<_>, Vec<_>) =
        advertised.into_iter().partition(is_controllers);
    for listener in &mut advertised {
        let bound = listeners.iter().any(|bound| bound.name == listener.name);
        if !bound {
            return Err(error(
                key,
                format!("{key} names {}, which is not in listeners", listener.name),
            ));
        }
        if matches!(listener.host.as_str(), "0.0.0.0" | "::") {
            return Err(error(
                key,
                format!(
                    "{key} cannot use the nonroutable meta-address {}, which clients cannot \
                     connect to; set {key}={}://HOST:{} with a host name that clients can \
                     reach",
                    listener.host, listener.name, listener.port
                ),
            ));
        }
        if listener.host.is_empty() {
            "localhost".clone_into(&mut listener.host);
            if !given_explicitly {
                notices.push(notice(
                    key,
                    format!(
                        "{key} is not set: clients are told to connect to {}://localhost:{}; set \
                         it for clients on other machines",
                        listener.name, listener.port
                    ),
                ));
            }
        }
    }
    Ok((advertised, controllers))
}
