//! `kafka-metadata-quorum`: the controller quorum. `describe --status | --replication`, `add-controller`,
//! `remove-controller`.
//!
//! Of the other family of Kafka's tools: subcommands, and the connection's options before them.

mod controller;
mod render;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use ottla_client::admin::Quorum;
use ottla_client::{Admin, ClientOptions};
use ottla_protocol::ids::{BrokerId, KafkaUuid};

use crate::argparse::{self, Given, Group, Kind, Parser, Refusal, arg};
use crate::console::{complain, say};
use crate::exceptions::Failure;
use crate::properties::{Properties, client_options, read};
use crate::session;
use controller::Controller;

pub(crate) const PARSER: &Parser = &Parser {
    name: "kafka-metadata-quorum",
    description: "This tool describes the controllers, and changes which of them vote.",
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
            description: "Give a controller a vote: the one whose properties are in --command-config.",
            args: &[arg(&["--dry-run"], Kind::Flag, "", "Only say what would be done.")],
            groups: &[],
            commands: &[],
        },
        Parser {
            name: "remove-controller",
            description: "Take the vote of a controller away.",
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

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Status,
    Replication { human_readable: bool },
    Add { dry_run: bool },
    Remove { id: BrokerId, directory_id: KafkaUuid },
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
    let config = given.one("--command-config").map(str::to_owned);
    let wanted = match given.command() {
        Some("describe") => description(&given)?,
        Some("remove-controller") => removal(&given)?,
        _ if config.is_none() => {
            return Err(Answer::Complaint(
                "You must supply the configuration file of the controller you are adding when using \
                 add-controller."
                    .to_owned(),
            ));
        }
        _ => Wanted::Add { dry_run: given.has("--dry-run") },
    };
    let controllers = given.one("--bootstrap-controller");
    let bootstrap = controllers.or_else(|| given.one("--bootstrap-server")).unwrap_or_default();
    let controllers = controllers.is_some();
    Ok(Command { bootstrap: bootstrap.to_owned(), controllers, config, wanted })
}

fn description(given: &Given) -> Result<Wanted, Answer> {
    let complaint = |message: &str| Err(Answer::Complaint(message.to_owned()));
    let human_readable = given.has("--human-readable");
    match (given.has("--status"), given.has("--replication")) {
        (true, true) => complaint(
            "Only one of --status or --replication should be specified with describe sub-command",
        ),
        (false, false) => complaint(
            "One of --status or --replication must be specified with describe sub-command",
        ),
        (true, false) if human_readable => {
            complaint("The option --human-readable is only supported along with --replication")
        }
        (true, false) => Ok(Wanted::Status),
        (false, true) => Ok(Wanted::Replication { human_readable }),
    }
}

fn removal(given: &Given) -> Result<Wanted, Answer> {
    let id = given.one("--controller-id").unwrap_or_default();
    let id = id.parse::<BrokerId>().unwrap_or(-1);
    let complaint = |message: String| Err(Answer::Complaint(message));
    if id < 0 {
        return complaint(format!("Invalid negative --controller-id: {id}"));
    }
    let directory = given.one("--controller-directory-id").unwrap_or_default();
    let Ok(directory_id) = directory.parse::<KafkaUuid>() else {
        let bytes = directory.len() * 3 / 4;
        return complaint(format!(
            "Failed to parse --controller-directory-id: Input string `{directory}` decoded as {bytes} \
             bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID"
        ));
    };
    if given.has("--dry-run") {
        return Err(Answer::Said(format!(
            "DRY RUN of removing  KRaft controller {id} with directory id {directory_id}"
        )));
    }
    Ok(Wanted::Remove { id, directory_id })
}

async fn run(command: Command) -> ExitCode {
    match act(&command).await {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(End::Terse(message)) => {
            complain(&message);
            ExitCode::FAILURE
        }
        Err(End::Thrown(failure)) => {
            complain(&failure.thrown());
            complain(&format!("java.util.concurrent.ExecutionException: {}", failure.thrown()));
            ExitCode::FAILURE
        }
    }
}

/// How the tool fails.
enum End {
    /// One line for the user.
    Terse(String),
    Thrown(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Thrown(failure)
    }
}

async fn act(command: &Command) -> Result<String, End> {
    let properties = match (&command.config, &command.wanted) {
        (Some(path), Wanted::Add { .. }) if !std::path::Path::new(path).exists() => {
            return Err(End::Terse(format!("Properties file {path} does not exists!")));
        }
        (path, _) => read(path.as_deref())?,
    };
    match &command.wanted {
        Wanted::Status => {
            let admin = connect(command, &properties).await?;
            let quorum = describe(&admin).await?;
            let cluster = admin.describe_cluster(false).await;
            let cluster = cluster.map_err(|e| Failure::of_client(&e, "describeCluster"))?;
            Ok(render::status(&cluster.id, &quorum))
        }
        Wanted::Replication { human_readable } => {
            let quorum = describe(&connect(command, &properties).await?).await?;
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            Ok(render::replication(&quorum, human_readable.then_some(now_ms)))
        }
        Wanted::Add { dry_run } => {
            let controller = Controller::of(&properties).map_err(End::Terse)?;
            if *dry_run {
                return Ok(format!("DRY RUN of adding {controller}"));
            }
            let admin = connect(command, &properties).await?;
            let Controller { id, directory_id, endpoints } = &controller;
            let added = admin.add_raft_voter(*id, *directory_id, endpoints).await;
            added.map_err(|error| Failure::of_client(&error, "addRaftVoter"))?;
            Ok(format!("Added {controller}"))
        }
        Wanted::Remove { id, directory_id } => {
            let admin = connect(command, &properties).await?;
            let removed = admin.remove_raft_voter(*id, *directory_id).await;
            removed.map_err(|error| Failure::of_client(&error, "removeRaftVoter"))?;
            Ok(format!("Removed  KRaft controller {id} with directory id {directory_id}"))
        }
    }
}

async fn connect(command: &Command, properties: &Properties) -> Result<Admin, Failure> {
    let options = client_options("adminclient-1", properties)?;
    let options = ClientOptions { bootstrap_controllers: command.controllers, ..options };
    let who = "AdminClient clientId=adminclient-1";
    let client = session::connect(&command.bootstrap, options, who).await;
    Ok(Admin::new(client.map_err(|error| Failure::of_client(&error, "listNodes"))?))
}

async fn describe(admin: &Admin) -> Result<Quorum, Failure> {
    let quorum = admin.describe_quorum().await;
    quorum.map_err(|error| Failure::of_client(&error, "describeMetadataQuorum"))
}

#[cfg(test)]
mod tests;
