//! `ottla cluster`: a cluster of processes on this machine, to try things with and to break.

mod layout;
mod probe;
mod process;
mod said;
mod status;
mod up;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ottla_cli::progress::Progress;
use rustix::process::Signal;
use serde_json::json;

use layout::{Folder, Spec};
use process::Process;
use said::Said;

/// How long a node may take to hand over its leaderships and stop.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// How long the kernel may take to end a killed process.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// Lines of a log that `logs` shows first.
const TAIL_LINES: usize = 50;
/// How often `logs --follow` looks for more.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// Starts, breaks and stops a cluster of processes on this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder that holds the nodes' data, logs and settings.
    #[arg(long, global = true, overrides_with = "dir", default_value = "data/cluster")]
    dir: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start the nodes that do not run (3 the first time) and wait until all are ready.
    Up(up::Args),
    /// Show what runs, which brokers are unfenced and which controller is active.
    Status,
    /// Kill a node at once (SIGKILL).
    Kill { id: i32 },
    /// Stop a node in order (SIGTERM): it hands over its leaderships first.
    Stop { id: i32 },
    /// Freeze a node (SIGSTOP): it goes silent with its connections open.
    Pause { id: i32 },
    /// Let a frozen node run on (SIGCONT).
    Resume { id: i32 },
    /// Start a node that was killed or stopped.
    Start { id: i32 },
    /// Show the end of a node's log.
    Logs {
        id: i32,
        /// Go on with what is added, until interrupted.
        #[arg(short, long)]
        follow: bool,
    },
    /// Stop all nodes in order; the data stays for the next `up`.
    Down,
    /// Kill all nodes and remove their data.
    Wipe,
}

/// Runs one command.
pub(crate) fn run(args: Args) -> Result<()> {
    let folder = Folder::new(&args.dir)?;
    let said = match args.command {
        Command::Up(options) => up::run(&folder, options)?,
        Command::Status => status::look(&folder, &folder.require()?),
        Command::Kill { id } => {
            let node = running(&folder, id)?;
            end(&node, Signal::KILL, KILL_PATIENCE)?;
            Said::of_node(id, "killed", format!("node {id} killed (process {})", node.id()))
        }
        Command::Stop { id } => {
            let node = running(&folder, id)?;
            node.signal(Signal::CONT)?;
            let progress = Progress::spinner(&format!("stopping node {id}")).beating();
            end(&node, Signal::TERM, STOP_PATIENCE)
                .with_context(|| format!("node {id} does not stop; see `cluster logs {id}`"))?;
            progress.done();
            Said::of_node(id, "stopped", format!("node {id} stopped"))
        }
        Command::Pause { id } => signal(&folder, id, Signal::STOP, "paused")?,
        Command::Resume { id } => signal(&folder, id, Signal::CONT, "runs on")?,
        Command::Start { id } => up::start_one(&folder, id)?,
        Command::Logs { .. } if args.json => bail!("a log is lines of text: leave --json out"),
        Command::Logs { id, follow } => return logs(&folder, id, follow),
        Command::Down => down(&folder)?,
        Command::Wipe => wipe(&folder)?,
    };
    said.print(args.json);
    Ok(())
}

fn running(folder: &Folder, id: i32) -> Result<Process> {
    known(folder, id)?;
    Process::from_pid_file(&folder.pid_file(id))
        .with_context(|| format!("node {id} does not run: `cluster start {id}` starts it"))
}

fn known(folder: &Folder, id: i32) -> Result<Spec> {
    let spec = folder.require()?;
    ensure!(spec.ids().contains(&id), "there is no node {id}: the nodes are 1 to {}", spec.nodes);
    Ok(spec)
}

fn signal(folder: &Folder, id: i32, signal: Signal, done: &str) -> Result<Said> {
    running(folder, id)?.signal(signal)?;
    let state = if signal == Signal::STOP { "paused" } else { "running" };
    Ok(Said::of_node(id, state, format!("node {id} {done}")))
}

fn end(node: &Process, signal: Signal, patience: Duration) -> Result<()> {
    node.signal(signal)?;
    ensure!(
        node.wait_until_gone(patience),
        "process {} still runs after {} s",
        node.id(),
        patience.as_secs()
    );
    Ok(())
}

fn live_nodes(folder: &Folder, spec: &Spec) -> BTreeMap<i32, Process> {
    spec.ids().filter_map(|id| Some((id, Process::from_pid_file(&folder.pid_file(id))?))).collect()
}

fn down(folder: &Folder) -> Result<Said> {
    let spec = folder.require()?;
    let nodes = live_nodes(folder, &spec);
    for node in nodes.values() {
        node.signal(Signal::CONT)?;
        node.signal(Signal::TERM)?;
    }
    let progress = Progress::spinner(&format!("stopping {}", count(nodes.len()))).beating();
    let mut killed = Vec::new();
    for (id, node) in &nodes {
        if !node.wait_until_gone(STOP_PATIENCE) {
            end(node, Signal::KILL, KILL_PATIENCE)?;
            killed.push(*id);
        }
    }
    progress.done();
    let mut words = String::new();
    for id in &killed {
        words += &format!("node {id} did not stop in {} s: killed\n", STOP_PATIENCE.as_secs());
    }
    words += &format!("{} stopped; the data stays in {}", count(nodes.len()), shown(folder.path()));
    let stopped: Vec<_> = nodes.keys().filter(|id| !killed.contains(id)).collect();
    Ok(Said { words, json: json!({ "stopped": stopped, "killed": killed, "dir": folder.path() }) })
}

fn wipe(folder: &Folder) -> Result<Said> {
    let Some(spec) = folder.load()? else {
        let words = format!("nothing to wipe: there is no cluster in {}", shown(folder.path()));
        return Ok(Said { words, json: json!({ "killed": [], "dir": folder.path() }) });
    };
    let nodes = live_nodes(folder, &spec);
    for node in nodes.values() {
        end(node, Signal::KILL, KILL_PATIENCE)?;
    }
    folder.remove()?;
    let words = format!("{} killed; {} is gone", count(nodes.len()), shown(folder.path()));
    let killed: Vec<_> = nodes.keys().collect();
    Ok(Said { words, json: json!({ "killed": killed, "dir": folder.path() }) })
}

fn count(nodes: usize) -> String {
    if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") }
}

/// A path as short as it can be said from here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

fn logs(folder: &Folder, id: i32, follow: bool) -> Result<()> {
    known(folder, id)?;
    let path = folder.log_file(id);
    let mut out = io::stdout().lock();
    for line in tail(&path, TAIL_LINES)? {
        writeln!(out, "{line}")?;
    }
    if !follow {
        return Ok(());
    }
    let mut file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
    file.seek(SeekFrom::End(0))?;
    loop {
        io::copy(&mut file, &mut out)?;
        out.flush()?;
        thread::sleep(FOLLOW_EVERY);
    }
}

/// The last `lines` lines of a log; of a long one, only its end is read.
fn tail(path: &Path, lines: usize) -> Result<Vec<String>> {
    const WINDOW: u64 = 64 << 10;
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("no log yet: the node was never started")
        }
        Err(error) => return Err(error).with_context(|| format!("opening {}", path.display())),
    };
    let start = file.metadata()?.len().saturating_sub(WINDOW);
    file.seek(SeekFrom::Start(start))?;
    let mut all = Vec::new();
    BufReader::new(file.take(WINDOW)).read_to_end(&mut all)?;
    let text = String::from_utf8_lossy(&all);
    let kept: Vec<_> = text.lines().skip(usize::from(start > 0)).map(str::to_owned).collect();
    Ok(kept[kept.len().saturating_sub(lines)..].to_vec())
}
