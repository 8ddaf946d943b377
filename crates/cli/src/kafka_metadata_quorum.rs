//! `kafka-metadata-quorum describe --status | --replication [--human-readable]`: the controller quorum.
//!
//! Of the other family of Kafka's tools: subcommands, and the connection's options before them.

mod render;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use ottla_client::Admin;

use crate::console::{complain, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Opt, flag, value};
use crate::properties::{Properties, client_options, read_file};
use crate::session;

const OPTIONS: &[Opt] = &[
    value("bootstrap-controller", "host:port", "Not served; use --bootstrap-server."),
    value("bootstrap-server", "host:port", "Where the cluster is."),
    value("command-config", "file", "Properties of the client."),
    flag("help", "Print this."),
    flag("human-readable", "With --replication: times as durations."),
    flag("replication", "How far each replica of the metadata log is."),
    flag("status", "The quorum as a whole."),
];

const USAGE: &str = "\
usage: kafka-metadata-quorum [-h] [--command-config COMMAND_CONFIG]
                             (--bootstrap-server BOOTSTRAP_SERVER |
                             --bootstrap-controller BOOTSTRAP_CONTROLLER)
                             {describe,add-controller,remove-controller}
                             ...";

/// What is to be described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Status,
    Replication { human_readable: bool },
}

/// A command line that is understood.
#[derive(Debug, PartialEq, Eq)]
struct Command {
    bootstrap: String,
    config: Option<String>,
    wanted: Wanted,
}

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    if args.iter().any(|arg| arg == "-h" || arg == "--help") {
        say(USAGE);
        say("\nThis tool describes kraft metadata quorum status.");
        return ExitCode::SUCCESS;
    }
    match command(&args) {
        Ok(command) => session::run(run(command)),
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn command(args: &[OsString]) -> Result<Command, String> {
    let wrong = |why: &str| format!("{USAGE}\nkafka-metadata-quorum: error: {why}");
    // The subcommand is the first word that is neither an option nor an option's value.
    let mut subcommand = None;
    let mut words = args.iter().map(|arg| arg.to_string_lossy());
    while let Some(word) = words.next() {
        match word.strip_prefix("--") {
            Some(name) => {
                let takes_value = OPTIONS
                    .iter()
                    .any(|option| option.name == name && option.argument != jopt::Argument::None);
                if takes_value {
                    words.next();
                }
            }
            None => {
                subcommand = Some(word.into_owned());
                break;
            }
        }
    }
    match subcommand.as_deref() {
        Some("describe") => {}
        Some("add-controller" | "remove-controller") => {
            return Err(
                "The set of controllers is fixed by controller.quorum.voters; change it in \
                        each node's configuration."
                    .to_owned(),
            );
        }
        Some(other) => return Err(wrong(&format!("invalid choice: '{other}'"))),
        None => return Err(wrong("too few arguments")),
    }
    let given = jopt::parse(OPTIONS, args).map_err(|error| wrong(&error.to_string()))?;
    let text = |name| {
        given.one(name).map(|v| v.map(str::to_owned)).map_err(|error| wrong(&error.to_string()))
    };
    if given.has("bootstrap-server") && given.has("bootstrap-controller") {
        return Err(wrong(
            "argument --bootstrap-controller: not allowed with argument --bootstrap-server",
        ));
    }
    let bootstrap = match (text("bootstrap-server")?, text("bootstrap-controller")?) {
        (Some(servers), _) => servers,
        (None, Some(_)) => {
            return Err("Controllers speak gRPC only; use --bootstrap-server with a broker.".into());
        }
        (None, None) => {
            return Err(wrong(
                "one of the arguments --bootstrap-server --bootstrap-controller is required",
            ));
        }
    };
    let human_readable = given.has("human-readable");
    let wanted = match (given.has("status"), given.has("replication")) {
        (true, true) => {
            return Err("Only one of --status or --replication should be specified with describe \
                        sub-command"
                .to_owned());
        }
        (false, false) => {
            return Err("One of --status or --replication must be specified with describe \
                        sub-command"
                .to_owned());
        }
        (true, false) if human_readable => {
            return Err(
                "The option --human-readable is only supported along with --replication".to_owned()
            );
        }
        (true, false) => Wanted::Status,
        (false, true) => Wanted::Replication { human_readable },
    };
    Ok(Command { bootstrap, config: text("command-config")?, wanted })
}

async fn run(command: Command) -> ExitCode {
    match describe(&command).await {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            complain(&failure.thrown());
            complain(&format!("java.util.concurrent.ExecutionException: {}", failure.thrown()));
            ExitCode::FAILURE
        }
    }
}

async fn describe(command: &Command) -> Result<String, Failure> {
    let properties = match &command.config {
        Some(path) => read_file(path)?,
        None => Properties::new(),
    };
    let options = client_options("adminclient-1", &properties)?;
    let who = "AdminClient clientId=adminclient-1";
    let client = session::connect(&command.bootstrap, options, who)
        .await
        .map_err(|error| Failure::of_client(&error, "listNodes"))?;
    let admin = Admin::new(client);
    let quorum = admin.describe_quorum().await;
    let quorum = quorum.map_err(|error| Failure::of_client(&error, "describeMetadataQuorum"))?;
    match command.wanted {
        Wanted::Status => {
            let cluster = admin.describe_cluster(false).await;
            let cluster = cluster.map_err(|e| Failure::of_client(&e, "describeCluster"))?;
            Ok(render::status(&cluster.id, &quorum))
        }
        Wanted::Replication { human_readable } => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            Ok(render::replication(&quorum, human_readable.then_some(now_ms)))
        }
    }
}

#[cfg(test)]
mod tests;
