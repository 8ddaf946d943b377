//! `cluster up` and `cluster start`.

use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ottla_cli::progress::Progress;
use rustix::process::Signal;
use serde_json::json;

use super::layout::{DEFAULT_BASE_PORT, DEFAULT_NODES, Folder, Spec, free_base_port, port_is_free};
use super::process::{Process, State};
use super::said::Said;
use super::{known, probe, shown, tail};

/// How long all nodes together may take to become ready; recovery after a crash is part of it.
const READY_PATIENCE: Duration = Duration::from_secs(120);
/// How often readiness is asked for.
const POLL: Duration = Duration::from_millis(5);
/// Lines of a node's log that are shown when it ends before it is ready.
const LAST_WORDS: usize = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many nodes; without it, as many as before (3 the first time).
    nodes: Option<i32>,
    /// Port of the first broker; the others follow, the controllers 100 above (9092 the first time).
    #[arg(long)]
    base_port: Option<u16>,
    /// A property for every node, such as flush.messages=9223372036854775807; kept for later.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Starts what does not run yet, waits until every broker is unfenced, says what to do next.
pub(super) fn run(folder: &Folder, args: Args) -> Result<Said> {
    let begun = Instant::now();
    let before = folder.load()?;
    let resumed = before.is_some();
    let spec = wanted(before, args)?;
    spec.check()?;
    let mut missing = Vec::new();
    for id in spec.ids() {
        match Process::from_pid_file(&folder.pid_file(id)) {
            Some(node) => {
                if node.state() == State::Paused {
                    node.signal(Signal::CONT)?;
                }
            }
            None => missing.push(id),
        }
    }
    check_ports(&spec, &missing)?;
    folder.write(&spec)?;
    let mut started = Vec::new();
    for &id in &missing {
        started.push((id, spawn(folder, id)?));
    }
    wait_until_ready(folder, &spec, &mut started)?;
    Ok(ready(folder, &spec, &missing, resumed, begun.elapsed()))
}

/// Starts node `id` again and waits until the cluster counts it among the living.
pub(super) fn start_one(folder: &Folder, id: i32) -> Result<Said> {
    let begun = Instant::now();
    let spec = known(folder, id)?;
    if Process::from_pid_file(&folder.pid_file(id)).is_some() {
        bail!("node {id} already runs");
    }
    check_ports(&spec, &[id])?;
    let mut started = vec![(id, spawn(folder, id)?)];
    let port = spec.broker_port(id);
    wait(folder, &mut started, |unready| {
        *unready = vec![id];
        probe::view(port).is_ok_and(|view| view.brokers.contains(&id))
    })?;
    let words = format!("node {id} is ready after {:.2} s", begun.elapsed().as_secs_f64());
    Ok(Said::of_node(id, "running", words))
}

fn wanted(before: Option<Spec>, args: Args) -> Result<Spec> {
    let mut spec = match before {
        None => Spec::new(
            args.nodes.unwrap_or(DEFAULT_NODES),
            args.base_port.unwrap_or(DEFAULT_BASE_PORT),
        ),
        Some(spec) => {
            let nodes = args.nodes.unwrap_or(spec.nodes);
            ensure!(
                nodes >= spec.nodes,
                "the cluster has {} nodes, which may hold the only copy of a record: \
                 `cluster wipe` first to make one of {nodes}",
                spec.nodes
            );
            Spec { nodes, base_port: args.base_port.unwrap_or(spec.base_port), ..spec }
        }
    };
    for setting in args.settings {
        let (key, value) = setting
            .split_once('=')
            .with_context(|| format!("--set {setting} is not of the form KEY=VALUE"))?;
        spec.settings.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(spec)
}

fn check_ports(spec: &Spec, nodes: &[i32]) -> Result<()> {
    let taken = nodes.iter().flat_map(|&id| spec.ports(id)).find(|&port| !port_is_free(port));
    let Some(port) = taken else { return Ok(()) };
    match free_base_port(spec) {
        Some(base) => bail!(
            "port {port} is taken by another program: stop it, or take other ports with \
             `cluster up --base-port {base}`"
        ),
        None => bail!("port {port} is taken by another program: stop it, or name a --base-port"),
    }
}

fn spawn(folder: &Folder, id: i32) -> Result<Child> {
    let binary = std::env::current_exe().context("finding this program's own file")?;
    let mut command = Command::new(binary);
    command
        .args(["server", "--detach", "--config"])
        .arg(folder.properties_file(id))
        .current_dir(folder.node(id));
    // A cluster made by one command has one source of settings.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("KAFKA_") || text == "CLUSTER_ID" {
            command.env_remove(&name);
        }
    }
    let (_, child) = Process::spawn(&mut command, &folder.log_file(id), &folder.pid_file(id))
        .with_context(|| format!("node {id}"))?;
    Ok(child)
}

/// Waits until every broker knows every broker as unfenced.
fn wait_until_ready(folder: &Folder, spec: &Spec, started: &mut [(i32, Child)]) -> Result<()> {
    let mut waiting: Vec<i32> = spec.ids().collect();
    wait(folder, started, |unready| {
        waiting.retain(|&id| {
            !probe::view(spec.broker_port(id))
                .is_ok_and(|view| spec.ids().all(|other| view.brokers.contains(&other)))
        });
        unready.clone_from(&waiting);
        waiting.is_empty()
    })
}

fn wait(
    folder: &Folder,
    started: &mut [(i32, Child)],
    mut is_ready: impl FnMut(&mut Vec<i32>) -> bool,
) -> Result<()> {
    let deadline = Instant::now() + READY_PATIENCE;
    let mut unready = Vec::new();
    let progress = Progress::spinner("starting");
    while !is_ready(&mut unready) {
        progress.say(format!("waiting for {}", nodes(&unready)));
        for (id, child) in started.iter_mut() {
            if let Some(status) = child.try_wait()? {
                bail!("node {id} ended with {status}:\n{}", last_words(&folder.log_file(*id)));
            }
        }
        if Instant::now() > deadline {
            bail!(
                "not ready after {} s: {}; what they say: `cluster logs ID`",
                READY_PATIENCE.as_secs(),
                nodes(&unready)
            );
        }
        thread::sleep(POLL);
    }
    progress.done();
    Ok(())
}

fn nodes(ids: &[i32]) -> String {
    let ids: Vec<_> = ids.iter().map(i32::to_string).collect();
    format!("node {}", ids.join(", "))
}

fn last_words(log: &Path) -> String {
    let lines = tail(log, LAST_WORDS).unwrap_or_default();
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn ready(folder: &Folder, spec: &Spec, started: &[i32], resumed: bool, took: Duration) -> Said {
    let port = spec.broker_port(1);
    let cluster = probe::view(port).map(|view| view.cluster_id).unwrap_or_default();
    let active = probe::active_controller(port).ok();
    let controller = active.map(|id| format!(", active controller {id}")).unwrap_or_default();
    let brokers =
        if spec.nodes == 1 { "1 broker".into() } else { format!("{} brokers", spec.nodes) };
    let how = match (started.len(), resumed) {
        (0, _) => "all were running".to_owned(),
        (_, true) => format!("ready in {:.2} s, on the data of before", took.as_secs_f64()),
        (_, false) => format!("ready in {:.2} s", took.as_secs_f64()),
    };
    let words = [
        format!("{brokers} {how} (cluster {cluster}{controller})"),
        String::new(),
        format!("  bootstrap servers  {}", spec.bootstrap_servers()),
        format!("  data and logs      {}", shown(folder.path())),
        String::new(),
        next_steps(spec),
    ];
    let json = json!({
        "cluster_id": cluster,
        "dir": folder.path(),
        "bootstrap_servers": spec.bootstrap_servers(),
        "active_controller": active,
        "nodes": spec.nodes,
        "started": started,
        "seconds": took.as_secs_f64(),
    });
    Said { words: words.join("\n"), json }
}

/// Lines to copy. The checkout's script says how it was called and that it made `bin/`.
fn next_steps(spec: &Spec) -> String {
    let script = std::env::var("OTTLA_CALLED_AS").ok();
    let ottla = script.as_deref().unwrap_or("ottla cluster");
    let tool = |name: &str| match &script {
        Some(_) => format!("bin/{name}.sh"),
        None => format!("ottla {name}"),
    };
    let server = format!("--bootstrap-server localhost:{}", spec.broker_port(1));
    let factor = spec.nodes.min(3);
    let last = spec.nodes;
    [
        "Next:".to_owned(),
        format!(
            "  {} {server} --create --topic first --partitions 3 --replication-factor {factor}",
            tool("kafka-topics")
        ),
        format!("  {} {server} --describe --topic first", tool("kafka-topics")),
        format!("  {} {server} --topic first", tool("kafka-console-producer")),
        format!("  {} {server} --topic first --from-beginning", tool("kafka-console-consumer")),
        format!("  {ottla} kill {last}; {ottla} status; {ottla} start {last}"),
        format!("  {ottla} down"),
    ]
    .join("\n")
}
