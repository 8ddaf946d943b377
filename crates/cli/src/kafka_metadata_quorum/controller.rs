//! The controller to be added, out of its own configuration file and its metadata directory.

use std::fmt;
use std::path::Path;

use ottla_client::HostPort;
use ottla_client::admin::QuorumEndpoint;
use ottla_protocol::ids::{BrokerId, KafkaUuid};

use crate::properties::{Properties, read_file};

/// A controller as its file describes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Controller {
    pub(super) id: BrokerId,
    pub(super) directory_id: KafkaUuid,
    pub(super) endpoints: Vec<QuorumEndpoint>,
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "controller {} with directory id {}", self.id, self.directory_id)?;
        for (place, endpoint) in self.endpoints.iter().enumerate() {
            let before = if place == 0 { " and endpoints: " } else { ", " };
            write!(f, "{before}{}://{}", endpoint.listener, endpoint.address)?;
        }
        Ok(())
    }
}

impl Controller {
    /// Reads `meta.properties` too. What is missing is said in Kafka's words.
    pub(super) fn of(properties: &Properties) -> Result<Self, String> {
        let endpoints = |listeners: &[(String, HostPort)]| advertised(properties, listeners);
        Ok(Self {
            id: node_id(properties)?,
            directory_id: directory_id(&metadata_directory(properties)?)?,
            endpoints: endpoints(&listeners(properties)?)?,
        })
    }
}

fn node_id(properties: &Properties) -> Result<BrokerId, String> {
    let valid = "Is this a valid controller configuration file?";
    let id = properties
        .get("node.id")
        .ok_or_else(|| format!("node.id not found in configuration file. {valid}"))?;
    let id: BrokerId =
        id.trim().parse().map_err(|_| format!("For input string: \"{}\"", id.trim()))?;
    if id < 0 {
        return Err(format!("node.id was negative in configuration file. {valid}"));
    }
    if !properties.get("process.roles").is_some_and(|roles| roles.contains("controller")) {
        return Err(format!(
            "process.roles did not contain 'controller' in configuration file. {valid}"
        ));
    }
    Ok(id)
}

fn metadata_directory(properties: &Properties) -> Result<String, String> {
    let first = |dirs: &String| dirs.trim().split(',').next().map(|dir| dir.trim().to_owned());
    let own = properties.get("metadata.log.dir").map(|dir| dir.trim().to_owned());
    let dirs = || properties.get("log.dirs").or(properties.get("log.dir")).and_then(first);
    own.or_else(dirs).ok_or_else(|| {
        "Neither metadata.log.dir nor log.dirs were found. Is this a valid controller configuration \
         file?"
            .to_owned()
    })
}

fn directory_id(directory: &str) -> Result<KafkaUuid, String> {
    let path = Path::new(directory).join("meta.properties");
    let meta = read_file(&path.to_string_lossy())
        .map_err(|_| format!("Unable to read meta.properties from {directory}"))?;
    let id = meta.get("directory.id").and_then(|id| id.trim().parse().ok());
    id.ok_or_else(|| format!("No directory id found in {directory}"))
}

/// `listeners`, and over them `advertised.listeners`.
fn listeners(properties: &Properties) -> Result<Vec<(String, HostPort)>, String> {
    let mut listeners: Vec<(String, HostPort)> = Vec::new();
    let given = ["listeners", "advertised.listeners"].map(|key| properties.get(key));
    for item in given.into_iter().flatten().flat_map(|list| list.split(',')) {
        let item = item.trim();
        let Some((name, address)) = item.split_once("://") else {
            return Err(format!("Unable to parse {item} to a broker endpoint"));
        };
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let port =
            port.parse().map_err(|_| format!("Unable to parse {item} to a broker endpoint"))?;
        let host = host.trim_matches(['[', ']']);
        let host = if host.is_empty() { "localhost" } else { host };
        let name = name.to_ascii_uppercase();
        listeners.retain(|(other, _)| *other != name);
        listeners.push((name, HostPort { host: host.to_owned(), port }));
    }
    Ok(listeners)
}

fn advertised(
    properties: &Properties,
    listeners: &[(String, HostPort)],
) -> Result<Vec<QuorumEndpoint>, String> {
    let names = properties.get("controller.listener.names").ok_or_else(|| {
        "controller.listener.names was not found. Is this a valid controller configuration file?"
            .to_owned()
    })?;
    let endpoint = |name: &str| {
        let name = name.trim().to_ascii_uppercase();
        let found = listeners.iter().find(|(other, _)| *other == name);
        let (listener, address) = found.cloned().ok_or_else(|| {
            format!("Cannot find information about controller listener name: {name}")
        })?;
        Ok(QuorumEndpoint { listener, address })
    };
    names.split(',').map(endpoint).collect()
}
