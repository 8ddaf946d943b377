//! The one binary: nodes, a local cluster, and the tools, answering by the name it is called.
//!
//! - `server`: wires a node's configuration to its controller and its broker, and stops them in order.
//! - `cluster`: nodes as processes of this machine.
//! - `watch`: what the controllers commit, as it happens.
//! - `completion`, `man`: what a shell and a reader need, from the tables of options.
//! - `kafka-*`: the tools of `ottla-cli`, also by the names of Kafka's scripts.

/// Prints a line; a reader that has gone, as in `| head`, is no reason to fail.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod cluster;
mod command_line;
mod completion;
mod manual;
mod name;
mod server;
mod server_scripts;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use name::Called;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A Kafka-compatible streaming log.
#[derive(Debug, Parser)]
#[command(name = "ottla", version, after_help = name::tools_help())]
struct Ottla {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Server(server::Args),
    Cluster(cluster::Args),
    Watch(watch::Args),
    Completion(completion::Args),
    Man(manual::Args),
}

fn main() -> ExitCode {
    let (called, args) = name::resolve(std::env::args_os());
    match called {
        Called::Ottla => ottla(args),
        Called::Tool(tool) => (tool.main)(args),
        Called::ServerStart => said(server_scripts::start(args)),
        Called::ServerStop => said(server_scripts::stop(args)),
        Called::ZookeeperStart => {
            say!("There is no ZooKeeper to start: Ottla's nodes keep the metadata themselves.");
            say!("Start a node with bin/kafka-server-start.sh, or three with scripts/cluster up.");
            ExitCode::SUCCESS
        }
    }
}

fn ottla(args: Vec<OsString>) -> ExitCode {
    let args = std::iter::once(OsString::from("ottla")).chain(args);
    said(match Ottla::parse_from(args).command {
        Command::Server(args) => server::run(args),
        Command::Cluster(args) => cluster::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Completion(args) => completion::run(&args),
        Command::Man(args) => manual::run(args),
    })
}

/// One clear sentence and exit code 1, or 0.
fn said(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
