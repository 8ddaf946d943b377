//! `kafka-metadata-quorum describe --status | --replication [--human-readable]`: the controller quorum.
//!
//! Of the other family of Kafka's tools: subcommands, and the connection's options before them.

mod render;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use ottla_client::{Admin, ClientOptions};

use crate::argparse::{self, Given, Group, Kind, Parser, Refusal, arg};
use crate::console::{complain, say};
use crate::exceptions::Failure;
use crate::properties::{Properties, client_options, read_file};
use crate::session;

pub(crate) const PARSER: &Parser = &Parser {
    name: "kafka-metadata-quorum",
    description: "This tool describes the controllers.",
    args: &[
        arg(&["--bootstrap-server"], Kind::Text, "BOOTSTRAP_SERVER", "Brokers: host:port, …")
            .in_group(0),
        arg(
            &["--bootstrap-controller"],
            Kind::Text,
            "BOOTSTRAP_CONTROLLER",
            "Controllers: host:port, …",
        )
        .in_group(0),
        arg(&["--command-config"], Kind::Text, "COMMAND_CONFIG", "Properties of the client."),
    ],
    groups: &[Group { title: "", description: "", exclusive: true, required: true }],
    commands: &[
        Parser {
            name: "describe",
            description: "Show the quorum, or how far each controller is.",
            args: &[
                arg(&["--status"], Kind::Flag, "", "The quorum as a whole.").in_group(0),
                arg(&["--replication"], Kind::Flag, "", "How far each replica of the log is.")
                    .in_group(1),
                arg(&["--human-readable"], Kind::Flag, "", "Times as how long ago they were.")
                    .in_group(1),
            ],
            groups: &[
                Group { title: "Status", description: "", exclusive: false, required: false },
                Group { title: "Replication", description: "", exclusive: false, required: false },
            ],
            commands: &[],
        },
        Parser {
            name: "add-controller",
            description: "Not served: the controllers are fixed by controller.quorum.voters.",
            args: &[arg(&["--dry-run"], Kind::Flag, "", "Only say what would be done.")],
            groups: &[],
            commands: &[],
        },
        Parser {
            name: "remove-controller",
            description: "Not served: the controllers are fixed by controller.quorum.voters.",
            args: &[
                arg(&["--controller-id", "-i"], Kind::Integer, "CONTROLLER_ID", "The controller.")
                    .required(),
                arg(
                    &["--controller-directory-id", "-d"],
                    Kind::Text,
                    "CONTROLLER_DIRECTORY_ID",
                    "The directory of its log.",
                )
                .required(),
                arg(&["--dry-run"], Kind::Flag, "", "Only say what would be done."),
            ],
            groups: &[],
            commands: &[],
        },
    ],
};

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
    /// The bootstrap servers are controllers.
    controllers: bool,
    config: Option<String>,
    wanted: Wanted,
}

/// Why the tool does not begin, or has nothing to ask the cluster.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Refused(Refusal),
    /// To be said on stdout; the tool succeeds.
    Said(String),
    /// To be said on stderr.
    Complaint(String),
}

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    match command(&args) {
        Ok(command) => session::run(run(command)),
        Err(Answer::Said(text)) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(Answer::Complaint(message)) => {
            complain(&message);
            ExitCode::FAILURE
        }
        Err(Answer::Refused(refusal)) => {
            refusal.print();
            let help = matches!(refusal, Refusal::Help(_));
            if help { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn command(args: &[OsString]) -> Result<Command, Answer> {
    let given = argparse::parse(PARSER, args).map_err(Answer::Refused)?;
    let complaint = |message: &str| Err(Answer::Complaint(message.to_owned()));
    match given.command() {
        Some("describe") => {}
        Some("remove-controller") => return Err(removal(&given)),
        _ => {
            return complaint(
                "Controllers are not added: they are fixed by controller.quorum.voters; change it in \
                 each node's configuration.",
            );
        }
    }
    let human_readable = given.has("--human-readable");
    let wanted = match (given.has("--status"), given.has("--replication")) {
        (true, true) => {
            return complaint(
                "Only one of --status or --replication should be specified with describe sub-command",
            );
        }
        (false, false) => {
            return complaint(
                "One of --status or --replication must be specified with describe sub-command",
            );
        }
        (true, false) if human_readable => {
            return complaint(
                "The option --human-readable is only supported along with --replication",
            );
        }
        (true, false) => Wanted::Status,
        (false, true) => Wanted::Replication { human_readable },
    };
    let controllers = given.one("--bootstrap-controller");
    let bootstrap = controllers.or_else(|| given.one("--bootstrap-server")).unwrap_or_default();
    let config = given.one("--command-config").map(str::to_owned);
    let controllers = controllers.is_some();
    Ok(Command { bootstrap: bootstrap.to_owned(), controllers, config, wanted })
}

/// Kafka's answer where the controllers are fixed.
fn removal(given: &Given) -> Answer {
    let id = given.one("--controller-id").unwrap_or_default();
    let directory = given.one("--controller-directory-id").unwrap_or_default();
    if directory.parse::<ottla_protocol::ids::KafkaUuid>().is_err() {
        let bytes = directory.len() * 3 / 4;
        return Answer::Complaint(format!(
            "Failed to parse --controller-directory-id: Input string `{directory}` decoded as {bytes} \
             bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID"
        ));
    }
    if given.has("--dry-run") {
        return Answer::Said(format!(
            "DRY RUN of removing  KRaft controller {id} with directory id {directory}"
        ));
    }
    let thrown = "org.apache.kafka.common.errors.UnsupportedVersionException: Cluster doesn't support \
                  removing voter because the kraft.version feature is 0";
    Answer::Complaint(format!("{thrown}\njava.util.concurrent.ExecutionException: {thrown}"))
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
    let options = ClientOptions { bootstrap_controllers: command.controllers, ..options };
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
