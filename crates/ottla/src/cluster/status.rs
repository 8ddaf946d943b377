//! `cluster status`.

use std::collections::BTreeSet;

use serde_json::json;

use super::layout::{Folder, Spec};
use super::process::{Process, State};
use super::said::Said;
use super::{probe, shown};

/// What nobody can tell at the moment.
const UNKNOWN: &str = "unknown";

/// A line per node. Brokers are asked in turn until one answers.
pub(super) fn look(folder: &Folder, spec: &Spec) -> Said {
    let answering = spec.ids().find_map(|id| {
        let running = Process::from_pid_file(&folder.pid_file(id))
            .is_some_and(|node| node.state() == State::Running);
        let port = spec.broker_port(id);
        running.then(|| probe::view(port).ok()).flatten().map(|view| (port, view))
    });
    let controller = answering.as_ref().and_then(|(port, _)| probe::active_controller(*port).ok());
    let unfenced = answering.as_ref().map(|(_, view)| &view.brokers);
    let cluster = answering.as_ref().map(|(_, view)| view.cluster_id.as_str());
    let mut lines = vec![
        format!("cluster {} in {}", cluster.unwrap_or(UNKNOWN), shown(folder.path())),
        format!("bootstrap servers {}", spec.bootstrap_servers()),
        row("NODE", "PROCESS", "PID", "ADDRESS", "BROKER", "CONTROLLER"),
    ];
    let mut nodes = Vec::new();
    for id in spec.ids() {
        let process = Process::from_pid_file(&folder.pid_file(id));
        let state = match process.map_or(State::Gone, |process| process.state()) {
            State::Running => "running",
            State::Paused => "paused",
            State::Gone => "down",
        };
        let pid = process.map(|process| process.id());
        let address = format!("localhost:{}", spec.broker_port(id));
        let broker = broker_word(unfenced, id);
        let controller = controller_word(spec, controller, id);
        let shown_pid = pid.map(|pid| pid.to_string()).unwrap_or_default();
        lines.push(row(&id.to_string(), state, &shown_pid, &address, broker, controller));
        nodes.push(json!({
            "node": id,
            "process": state,
            "pid": pid,
            "address": address,
            "broker": broker,
            "controller": if controller.is_empty() { None } else { Some(controller) },
        }));
    }
    let json = json!({
        "cluster_id": cluster,
        "dir": folder.path(),
        "bootstrap_servers": spec.bootstrap_servers(),
        "active_controller": controller,
        "nodes": nodes,
    });
    Said { words: lines.join("\n"), json }
}

fn broker_word(unfenced: Option<&BTreeSet<i32>>, id: i32) -> &'static str {
    match unfenced {
        None => UNKNOWN,
        Some(brokers) if brokers.contains(&id) => "unfenced",
        Some(_) => "fenced",
    }
}

fn controller_word(spec: &Spec, active: Option<i32>, id: i32) -> &'static str {
    match (spec.is_voter(id), active) {
        (false, _) => "",
        (true, Some(active)) if active == id => "active",
        (true, Some(_)) => "voter",
        (true, None) => UNKNOWN,
    }
}

fn row(
    node: &str,
    process: &str,
    pid: &str,
    address: &str,
    broker: &str,
    controller: &str,
) -> String {
    format!("{node:<5} {process:<8} {pid:<8} {address:<16} {broker:<9} {controller}")
        .trim_end()
        .to_owned()
}
