//! `cluster status`.

use std::collections::BTreeSet;

use anyhow::Result;

use super::layout::{Folder, Spec};
use super::process::{Process, State};
use super::{probe, shown};

/// Prints a line per node. Brokers are asked in turn until one answers.
pub(super) fn print(folder: &Folder, spec: &Spec) -> Result<()> {
    let answering = spec.ids().find_map(|id| {
        let running = Process::from_pid_file(&folder.pid_file(id))
            .is_some_and(|node| node.state() == State::Running);
        let port = spec.broker_port(id);
        running.then(|| probe::view(port).ok()).flatten().map(|view| (port, view))
    });
    let controller = answering.as_ref().and_then(|(port, _)| probe::active_controller(*port).ok());
    let unfenced = answering.as_ref().map(|(_, view)| &view.brokers);
    let cluster = answering.as_ref().map_or("unknown", |(_, view)| view.cluster_id.as_str());
    say!("cluster {cluster} in {}", shown(folder.path()));
    say!("bootstrap servers {}", spec.bootstrap_servers());
    say!("{}", row("NODE", "PROCESS", "PID", "ADDRESS", "BROKER", "CONTROLLER"));
    for id in spec.ids() {
        let node = Process::from_pid_file(&folder.pid_file(id));
        let state = match node.map_or(State::Gone, |node| node.state()) {
            State::Running => "running",
            State::Paused => "paused",
            State::Gone => "down",
        };
        say!(
            "{}",
            row(
                &id.to_string(),
                state,
                &node.map(|node| node.id().to_string()).unwrap_or_default(),
                &format!("localhost:{}", spec.broker_port(id)),
                broker_word(unfenced, id),
                controller_word(spec, controller, id),
            )
        );
    }
    Ok(())
}

fn broker_word(unfenced: Option<&BTreeSet<i32>>, id: i32) -> &'static str {
    match unfenced {
        None => "unknown",
        Some(brokers) if brokers.contains(&id) => "unfenced",
        Some(_) => "fenced",
    }
}

fn controller_word(spec: &Spec, active: Option<i32>, id: i32) -> &'static str {
    match (spec.is_voter(id), active) {
        (false, _) => "",
        (true, Some(active)) if active == id => "active",
        (true, Some(_)) => "voter",
        (true, None) => "unknown",
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
