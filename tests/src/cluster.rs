//! A cluster of nodes in a folder of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ottla_client::{Admin, Client, ClientOptions};
use tempfile::TempDir;

use crate::node::Node;
use crate::ports::free_ports;
use crate::wait;

/// Lines of each node's log that a failed test prints.
const LAST_WORDS: usize = 40;

/// What a cluster is to be like; by default three nodes with both roles.
#[derive(Debug, Clone)]
pub struct Builder {
    brokers: i32,
    controllers: i32,
    dedicated: bool,
    settings: BTreeMap<String, String>,
    data: Option<Vec<PathBuf>>,
}

impl Builder {
    /// How many brokers; the first three of them (or the only one) are controllers too.
    #[must_use]
    pub fn brokers(mut self, brokers: i32) -> Self {
        self.brokers = brokers;
        self.controllers = if brokers >= 3 { 3 } else { 1 };
        self
    }

    /// Three controllers of their own, with ids from 101.
    #[must_use]
    pub fn dedicated_controllers(mut self) -> Self {
        self.dedicated = true;
        self.controllers = 3;
        self
    }

    /// A property of every node.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Where the nodes keep their data, in the order of their ids.
    #[must_use]
    pub fn data(mut self, folders: Vec<PathBuf>) -> Self {
        self.data = Some(folders);
        self
    }

    /// The nodes, not started yet.
    #[must_use]
    pub fn build(self) -> Cluster {
        let dir = tempfile::Builder::new().prefix("ottla-test-").tempdir().expect("a folder");
        let dedicated = if self.dedicated { self.controllers } else { 0 };
        let count = u16::try_from(self.brokers + self.controllers).expect("a small cluster");
        let mut ports = free_ports(count).into_iter();
        let brokers: BTreeMap<i32, u16> = (1..=self.brokers).zip(&mut ports).collect();
        let first_voter = if dedicated > 0 { 101 } else { 1 };
        let voters: BTreeMap<i32, u16> =
            (first_voter..first_voter + self.controllers).zip(&mut ports).collect();
        let mut nodes = BTreeMap::new();
        for (place, id) in brokers.keys().chain(voters.keys().filter(|id| **id > 100)).enumerate() {
            let folder = dir.path().join(id.to_string());
            let data = match &self.data {
                Some(folders) => folders[place].clone(),
                None => folder.join("data"),
            };
            let text = self.properties(*id, &brokers, &voters, &data);
            let port = brokers.get(id).or(voters.get(id)).copied().expect("has a port");
            nodes.insert(*id, Node::new(*id, &folder, port, &text));
        }
        Cluster { nodes, brokers, voters, dir: Some(dir) }
    }

    /// Starts all nodes at once and waits until every broker knows every broker.
    pub async fn start(self) -> Cluster {
        let mut cluster = self.build();
        cluster.start_all();
        cluster.wait_until_ready().await;
        cluster
    }

    fn properties(
        &self,
        id: i32,
        brokers: &BTreeMap<i32, u16>,
        voters: &BTreeMap<i32, u16>,
        data: &Path,
    ) -> String {
        let mut roles = Vec::new();
        let mut listeners = Vec::new();
        if let Some(port) = brokers.get(&id) {
            roles.push("broker");
            listeners.push(format!("PLAINTEXT://localhost:{port}"));
        }
        if let Some(port) = voters.get(&id) {
            roles.push("controller");
            listeners.push(format!("CONTROLLER://localhost:{port}"));
        }
        let voters: Vec<_> =
            voters.iter().map(|(id, port)| format!("{id}@localhost:{port}")).collect();
        let mut text = format!(
            "process.roles={}\nnode.id={id}\nlisteners={}\ncontroller.listener.names=CONTROLLER\n\
             controller.quorum.voters={}\nlog.dirs={}\n\
             group.initial.rebalance.delay.ms=0\n",
            roles.join(","),
            listeners.join(","),
            voters.join(","),
            data.display()
        );
        for (key, value) in &self.settings {
            text += &format!("{key}={value}\n");
        }
        text
    }
}

/// A running cluster; dropped, all its processes are killed.
#[derive(Debug)]
pub struct Cluster {
    nodes: BTreeMap<i32, Node>,
    brokers: BTreeMap<i32, u16>,
    voters: BTreeMap<i32, u16>,
    dir: Option<TempDir>,
}

impl Cluster {
    /// Three nodes with both roles, unless told otherwise.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            brokers: 3,
            controllers: 3,
            dedicated: false,
            settings: BTreeMap::new(),
            data: None,
        }
    }

    /// Three nodes with both roles, ready.
    pub async fn three() -> Self {
        Self::builder().start().await
    }

    /// The folder of everything.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().expect("there until dropped").path()
    }

    /// All brokers' addresses.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let all: Vec<_> = self.brokers.values().map(|port| format!("localhost:{port}")).collect();
        all.join(",")
    }

    /// All controllers' addresses.
    #[must_use]
    pub fn controllers(&self) -> String {
        let all: Vec<_> = self.voters.values().map(|port| format!("localhost:{port}")).collect();
        all.join(",")
    }

    /// Where a controller listens.
    #[must_use]
    pub fn controller_port(&self, id: i32) -> u16 {
        self.voters[&id]
    }

    /// One broker's address.
    #[must_use]
    pub fn address(&self, id: i32) -> String {
        format!("localhost:{}", self.brokers[&id])
    }

    /// All brokers' ports.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.brokers.values().copied().collect()
    }

    /// A node.
    pub fn node(&mut self, id: i32) -> &mut Node {
        self.nodes.get_mut(&id).expect("there is such a node")
    }

    /// All nodes.
    pub fn nodes(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.values_mut()
    }

    /// Starts what does not run.
    pub fn start_all(&mut self) {
        for node in self.nodes.values_mut().filter(|node| !node.is_started()) {
            node.start();
        }
    }

    /// Waits until every started broker knows every started broker as live.
    pub async fn wait_until_ready(&mut self) {
        let started: Vec<i32> =
            self.brokers.keys().copied().filter(|id| self.nodes[id].is_started()).collect();
        for id in &started {
            let address = self.address(*id);
            let node = self.nodes.get_mut(id).expect("a broker is a node");
            wait::until(&format!("broker {id} sees brokers {started:?}"), async || {
                node.assert_alive();
                let client = Client::connect(&address, quick()).await.map_err(|e| e.to_string())?;
                let cluster = Admin::new(client)
                    .describe_cluster(false)
                    .await
                    .map_err(|error| error.to_string())?;
                let mut live: Vec<_> = cluster.nodes.iter().map(|node| node.id).collect();
                live.sort_unstable();
                wait::check(live == started, format!("{live:?}"))
            })
            .await;
        }
    }

    /// An administrator that starts from all brokers.
    pub async fn admin(&self) -> Admin {
        let client = Client::connect(&self.bootstrap(), ClientOptions::default())
            .await
            .expect("a broker answers");
        Admin::new(client)
    }

    /// Which controller is active.
    pub async fn active_controller(&self) -> i32 {
        let admin = self.admin().await;
        wait::until("an active controller", async || {
            let quorum = admin.describe_quorum().await.map_err(|error| error.to_string())?;
            if quorum.leader >= 0 { Ok(quorum.leader) } else { Err("none".to_owned()) }
        })
        .await
    }
}

/// Options of a client that gives up soon: for polling.
#[must_use]
pub fn quick() -> ClientOptions {
    ClientOptions {
        request_timeout_ms: 1_000,
        api_timeout_ms: 1_000,
        connection_setup_timeout_ms: 1_000,
        ..ClientOptions::default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed {
            for node in self.nodes.values() {
                let log = node.log();
                let lines: Vec<_> = log.lines().collect();
                let last = &lines[lines.len().saturating_sub(LAST_WORDS)..];
                eprintln!("---- node {}, the end of its log ----\n{}", node.id(), last.join("\n"));
            }
        }
        self.nodes.clear();
        if failed && let Some(dir) = self.dir.take() {
            eprintln!("---- everything is kept in {} ----", dir.keep().display());
        }
    }
}
