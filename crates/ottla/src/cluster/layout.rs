//! What a local cluster is made of: its folder, its ports, its nodes' properties.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// Controllers listen this far above the brokers: 9192… beside 9092….
const CONTROLLER_PORT_DISTANCE: u16 = 100;
/// More nodes than this would run into the controllers' ports.
pub(super) const MAX_NODES: i32 = CONTROLLER_PORT_DISTANCE as i32;
pub(super) const DEFAULT_NODES: i32 = 3;
pub(super) const DEFAULT_BASE_PORT: u16 = 9092;

/// What `up` was told; kept in the folder, so that the next `up` means the same cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spec {
    pub(super) nodes: i32,
    /// The first so many nodes are controllers too. Fixed when the cluster is made.
    pub(super) voters: i32,
    pub(super) base_port: u16,
    /// Properties beyond those that make the nodes a cluster.
    #[serde(default)]
    pub(super) settings: BTreeMap<String, String>,
}

impl Spec {
    /// A new cluster. Three controllers survive one loss; two survive none, so two nodes have one.
    pub(super) fn new(nodes: i32, base_port: u16) -> Self {
        let voters = if nodes >= 3 { 3 } else { 1 };
        Self { nodes, voters, base_port, settings: BTreeMap::new() }
    }

    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            (1..=MAX_NODES).contains(&self.nodes),
            "a local cluster has 1 to {MAX_NODES} nodes, not {}",
            self.nodes
        );
        ensure!(
            self.base_port.checked_add(CONTROLLER_PORT_DISTANCE + self.nodes as u16).is_some(),
            "--base-port {} leaves no room for the controllers' ports, which begin {} above it",
            self.base_port,
            CONTROLLER_PORT_DISTANCE
        );
        Ok(())
    }

    pub(super) fn ids(&self) -> RangeInclusive<i32> {
        1..=self.nodes
    }

    pub(super) fn is_voter(&self, id: i32) -> bool {
        id <= self.voters
    }

    pub(super) fn broker_port(&self, id: i32) -> u16 {
        self.base_port + (id - 1) as u16
    }

    pub(super) fn controller_port(&self, id: i32) -> u16 {
        self.broker_port(id) + CONTROLLER_PORT_DISTANCE
    }

    /// `localhost:9092,localhost:9093,…`
    pub(super) fn bootstrap_servers(&self) -> String {
        let servers: Vec<_> =
            self.ids().map(|id| format!("localhost:{}", self.broker_port(id))).collect();
        servers.join(",")
    }

    /// The ports node `id` listens on.
    pub(super) fn ports(&self, id: i32) -> Vec<u16> {
        let mut ports = vec![self.broker_port(id)];
        if self.is_voter(id) {
            ports.push(self.controller_port(id));
        }
        ports
    }

    /// The text of node `id`'s server.properties.
    pub(super) fn properties(&self, id: i32, data: &Path) -> String {
        let voters: Vec<_> = (1..=self.voters)
            .map(|voter| format!("{voter}@localhost:{}", self.controller_port(voter)))
            .collect();
        let broker = format!("PLAINTEXT://localhost:{}", self.broker_port(id));
        let (roles, listeners) = if self.is_voter(id) {
            let controller = format!("CONTROLLER://localhost:{}", self.controller_port(id));
            ("broker,controller", format!("{broker},{controller}"))
        } else {
            ("broker", broker)
        };
        let mut lines = vec![
            "# Written anew at each `cluster up`; settings of your own: `cluster up --set key=value`.".to_owned(),
            format!("process.roles={roles}"),
            format!("node.id={id}"),
            format!("listeners={listeners}"),
            "controller.listener.names=CONTROLLER".to_owned(),
            format!("controller.quorum.voters={}", voters.join(",")),
            format!("log.dirs={}", escape(&data.display().to_string())),
            // As in the file that Kafka ships to begin with: a first consumer need not wait for others.
            "group.initial.rebalance.delay.ms=0".to_owned(),
        ];
        lines.extend(self.settings.iter().map(|(key, value)| format!("{key}={}", escape(value))));
        lines.push(String::new());
        lines.join("\n")
    }
}

/// A backslash begins an escape in a properties file.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\")
}

/// The folder of a local cluster.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path)
            .with_context(|| format!("{} is no usable path", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn spec_file(&self) -> PathBuf {
        self.0.join("cluster.json")
    }

    pub(super) fn node(&self, id: i32) -> PathBuf {
        self.0.join(id.to_string())
    }

    pub(super) fn data(&self, id: i32) -> PathBuf {
        self.node(id).join("data")
    }

    pub(super) fn properties_file(&self, id: i32) -> PathBuf {
        self.node(id).join("server.properties")
    }

    pub(super) fn log_file(&self, id: i32) -> PathBuf {
        self.node(id).join("node.log")
    }

    pub(super) fn pid_file(&self, id: i32) -> PathBuf {
        self.node(id).join("pid")
    }

    /// The cluster that lives here, if one does.
    pub(super) fn load(&self) -> Result<Option<Spec>> {
        let file = self.spec_file();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
        };
        let spec: Spec = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged", file.display()))?;
        spec.check().with_context(|| format!("{} is damaged", file.display()))?;
        Ok(Some(spec))
    }

    /// The cluster that lives here; an error that says how to make one otherwise.
    pub(super) fn require(&self) -> Result<Spec> {
        match self.load()? {
            Some(spec) => Ok(spec),
            None => bail!("there is no cluster in {}: `cluster up` makes one", self.0.display()),
        }
    }

    /// Writes what `up` needs: the folders, each node's properties, and last the spec.
    pub(super) fn write(&self, spec: &Spec) -> Result<()> {
        for id in spec.ids() {
            let data = self.data(id);
            fs::create_dir_all(&data).with_context(|| format!("creating {}", data.display()))?;
            let file = self.properties_file(id);
            fs::write(&file, spec.properties(id, &data))
                .with_context(|| format!("writing {}", file.display()))?;
        }
        let text = serde_json::to_string_pretty(spec).context("a spec is plain data")?;
        let file = self.spec_file();
        fs::write(&file, text + "\n").with_context(|| format!("writing {}", file.display()))
    }

    /// Removes the folder and all that is in it; refuses one that no `up` has made.
    pub(super) fn remove(&self) -> Result<()> {
        ensure!(
            self.spec_file().exists(),
            "{} holds no cluster.json, so it is left alone",
            self.0.display()
        );
        fs::remove_dir_all(&self.0).with_context(|| format!("removing {}", self.0.display()))
    }
}

/// Whether nobody listens on `port` of either loopback address.
pub(super) fn port_is_free(port: u16) -> bool {
    let v4 = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let v6 = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    let taken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    // A host without IPv6 has no ::1, which is no other program's fault.
    !v4.as_ref().is_err_and(taken) && !v6.as_ref().is_err_and(taken)
}

/// A base port under which all of `spec`'s ports are free, tried upward in steps of 1000.
pub(super) fn free_base_port(spec: &Spec) -> Option<u16> {
    (1..=50).filter_map(|step| spec.base_port.checked_add(step * 1000)).find(|&base_port| {
        let other = Spec { base_port, ..spec.clone() };
        other.check().is_ok() && other.ids().flat_map(|id| other.ports(id)).all(port_is_free)
    })
}

#[cfg(test)]
mod tests;
