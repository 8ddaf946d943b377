//! `kafka-server-start` and `kafka-server-stop`, with the arguments of Kafka's scripts.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::server;

/// Where `-daemon` sends the output, under `LOG_DIR` or here.
const DAEMON_LOG_DIR: &str = "data";
const DAEMON_LOG: &str = "kafkaServer.out";
/// What the scripts of Kafka's own tree are pointed at; not there, it means the defaults.
const STOCK_CONFIGS: [&str; 2] = ["config/server.properties", "config/kraft/server.properties"];

/// `kafka-server-start [-daemon] server.properties [--override key=value]*`
pub(crate) fn start(args: Vec<OsString>) -> Result<()> {
    let Start { daemon, config, overrides } = parse(&args)?;
    let stock = STOCK_CONFIGS.iter().any(|stock| config.ends_with(stock));
    let config = if stock && !config.exists() {
        say!(
            "{} is not there: starting one node with the defaults (data under ./data)",
            config.display()
        );
        None
    } else {
        Some(config)
    };
    if daemon {
        start_detached(config.as_deref(), &overrides)
    } else {
        server::run(server::Args::new(config, overrides))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Start {
    daemon: bool,
    config: PathBuf,
    overrides: Vec<String>,
}

fn parse(args: &[OsString]) -> Result<Start> {
    const USAGE: &str =
        "USAGE: kafka-server-start [-daemon] server.properties [--override property=value]*";
    let mut start = Start { daemon: false, config: PathBuf::new(), overrides: Vec::new() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("-daemon") => start.daemon = true,
            Some("--override") => {
                let value = args.next().and_then(|value| value.to_str()).context(USAGE)?;
                start.overrides.push(value.to_owned());
            }
            Some(option) if option.starts_with('-') => bail!(USAGE),
            _ if start.config.as_os_str().is_empty() => start.config = PathBuf::from(arg),
            _ => bail!(USAGE),
        }
    }
    if start.config.as_os_str().is_empty() {
        bail!(USAGE);
    }
    Ok(start)
}

fn start_detached(config: Option<&Path>, overrides: &[String]) -> Result<()> {
    let dir = std::env::var_os("LOG_DIR").map_or_else(|| DAEMON_LOG_DIR.into(), PathBuf::from);
    fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    let path = dir.join(DAEMON_LOG);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    let errors = log.try_clone().context("duplicating the log file's handle")?;
    let binary = std::env::current_exe().context("finding this program's own file")?;
    let mut command = Command::new(binary);
    command.args(["server", "--detach"]);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    for setting in overrides {
        command.args(["--set", setting]);
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .context("starting the node")?;
    say!("started process {}; what it says goes to {}", child.id(), path.display());
    Ok(())
}

/// `kafka-server-stop [--node-id=N]`: SIGTERM to the nodes of this machine that run from this
/// program's file.
pub(crate) fn stop(args: Vec<OsString>) -> Result<()> {
    let mut node_id = None;
    for arg in &args {
        match arg.to_str().and_then(|arg| arg.strip_prefix("--node-id=")) {
            Some(id) => node_id = Some(id.parse::<i32>().context("--node-id wants a number")?),
            None => bail!("USAGE: kafka-server-stop [--node-id=N]"),
        }
    }
    let nodes: Vec<_> = running_nodes()?
        .into_iter()
        .filter(|node| node_id.is_none() || node.id() == node_id)
        .collect();
    if nodes.is_empty() {
        bail!("No kafka server to stop");
    }
    for node in nodes {
        kill_process(node.pid, Signal::TERM)
            .with_context(|| format!("stopping process {}", node.pid.as_raw_nonzero()))?;
    }
    Ok(())
}

struct Node {
    pid: Pid,
    config: Option<PathBuf>,
}

impl Node {
    /// The id that its configuration file names.
    fn id(&self) -> Option<i32> {
        let text = fs::read_to_string(self.config.as_ref()?).ok()?;
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| ["node.id", "broker.id"].contains(&key.trim()))
            .and_then(|(_, value)| value.trim().parse().ok())
    }
}

fn running_nodes() -> Result<Vec<Node>> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    let mut nodes = Vec::new();
    for entry in fs::read_dir("/proc").context("reading /proc")? {
        let path = entry.context("reading /proc")?.path();
        let pid = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else { continue };
        // A process that ends meanwhile, or is another user's, is passed over.
        let Ok(binary) = fs::read_link(path.join("exe")) else { continue };
        let Ok(command_line) = fs::read(path.join("cmdline")) else { continue };
        if binary == own
            && let Some(config) = config_of_server(&command_line)
        {
            let config = config.map(|config| match fs::read_link(path.join("cwd")) {
                Ok(folder) => folder.join(config),
                Err(_) => config,
            });
            nodes.push(Node { pid, config });
        }
    }
    Ok(nodes)
}

/// Whether a command line (arguments that end in NUL) is a node's, and the file it names.
fn config_of_server(command_line: &[u8]) -> Option<Option<PathBuf>> {
    let mut args: Vec<OsString> =
        command_line.split(|byte| *byte == 0).map(|arg| OsString::from_vec(arg.to_vec())).collect();
    args.pop();
    let start = args.iter().take(2).position(|arg| {
        let name = Path::new(arg).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name == "server" || name.strip_suffix(".sh").unwrap_or(name) == "kafka-server-start"
    })?;
    let rest = &args[start + 1..];
    let config = match args[start].to_str() {
        Some("server") => {
            rest.iter().position(|arg| arg == "--config").and_then(|at| rest.get(at + 1))
        }
        _ => rest.iter().find(|arg| !arg.to_string_lossy().starts_with('-')),
    };
    Some(config.map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_those_of_the_script() {
        let args = ["-daemon", "a.properties", "--override", "node.id=2"].map(OsString::from);
        assert_eq!(
            parse(&args).expect("parses"),
            Start {
                daemon: true,
                config: "a.properties".into(),
                overrides: vec!["node.id=2".into()]
            }
        );
        for wrong in [&[][..], &["--override"], &["a", "b"], &["a", "--override"], &["--what"]] {
            let args: Vec<_> = wrong.iter().map(OsString::from).collect();
            assert!(parse(&args).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn nodes_are_told_from_tools_by_their_command_line() {
        let server = b"/x/ottla\0server\0--detach\0--config\0/d/server.properties\0";
        assert_eq!(config_of_server(server), Some(Some("/d/server.properties".into())));
        let script = b"bin/kafka-server-start.sh\0s.properties\0--override\0a=b\0";
        assert_eq!(config_of_server(script), Some(Some("s.properties".into())));
        assert_eq!(config_of_server(b"ottla\0server\0"), Some(None));
        assert_eq!(config_of_server(b"ottla\0cluster\0up\0"), None);
    }
}
