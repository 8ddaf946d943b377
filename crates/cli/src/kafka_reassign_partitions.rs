//! `kafka-reassign-partitions`: moves partitions between brokers and log directories.
//!
//! A wrong command line is complained about on stderr; what goes wrong later is said on stdout, exception
//! and all, as by Kafka's tool.

mod assignment;
mod execute;
mod generate;
mod log_dirs;
pub(crate) mod options;
mod stop;
mod throttles;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::{Admin, ClientError, ClientOptions};

use crate::console::{self, complain, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Given};
use crate::json_file;
use crate::properties;
use crate::session;
use crate::thrown::{self, Thrown};
use assignment::Assignment;
use options::{Action, Misuse, OPTIONS};
use stop::Stop;

const CLIENT_ID: &str = "reassign-partitions-tool";

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => {
            complain(&format!("Exception in thread \"main\" {}: {error}", error.class()));
            return ExitCode::FAILURE;
        }
    };
    let action = match options::check(&given, args.is_empty()) {
        Ok(action) => action,
        Err(Misuse::Usage(message)) => return console::usage_error(&message, OPTIONS),
        Err(Misuse::Version) => return console::version(),
    };
    session::run_or(run(action, &given), |stop| {
        stop.say();
        ExitCode::FAILURE
    })
}

/// What is to be done, with everything that the command line says about it.
enum Task {
    Generate(generate::Wish),
    Execute(execute::Wish),
    Verify { plan: Assignment, preserve_throttles: bool },
    Cancel { plan: Assignment, preserve_throttles: bool, timeout_ms: u64 },
    List,
}

impl Task {
    fn of(action: Action, given: &Given) -> Result<Self, Stop> {
        let preserve_throttles = given.has("preserve-throttles");
        let timeout_ms = given.number::<i64>("timeout")?.unwrap_or(10_000);
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        Ok(match action {
            Action::Generate => Self::Generate(generate::Wish::of(
                &file(given, "topics-to-move-json-file")?,
                given.one("broker-list")?.unwrap_or_default(),
                !given.has("disable-rack-aware"),
            )?),
            Action::Execute => {
                let plan = Assignment::parse(&file(given, "reassignment-json-file")?)?;
                plan.check()?;
                Self::Execute(execute::Wish {
                    plan,
                    additional: given.has("additional"),
                    throttle: rate(given, "throttle")?,
                    log_dir_throttle: rate(given, "replica-alter-log-dirs-throttle")?,
                    timeout_ms,
                    same_factor: given.has("disallow-replication-factor-change"),
                })
            }
            Action::Verify => {
                let plan = Assignment::parse(&file(given, "reassignment-json-file")?)?;
                Self::Verify { plan, preserve_throttles }
            }
            Action::Cancel => {
                let plan = Assignment::parse(&file(given, "reassignment-json-file")?)?;
                Self::Cancel { plan, preserve_throttles, timeout_ms }
            }
            Action::List => Self::List,
        })
    }

    /// What Kafka's tool asks the cluster first, for the message when nobody answers.
    fn first_call(&self) -> &'static str {
        match self {
            Self::Generate(_) => "describeTopics",
            _ => "listPartitionReassignments",
        }
    }
}

fn file(given: &Given, option: &'static str) -> Result<String, Stop> {
    let path = given.one(option)?.unwrap_or_default();
    json_file::read(path).map_err(|(said, cause)| Thrown::caused(said, cause.into()).into())
}

/// Bytes per second; negative: none.
fn rate(given: &Given, option: &'static str) -> Result<Option<u64>, Stop> {
    match given.number::<i64>(option) {
        Ok(rate) => Ok(rate.and_then(|rate| u64::try_from(rate).ok())),
        Err(error) => Err(Stop::of_number(error, given.one(option).ok().flatten())),
    }
}

async fn run(action: Action, given: &Given) -> Result<(), Stop> {
    let properties = properties::read(given.one("command-config")?)?;
    let task = Task::of(action, given)?;
    let controllers = given.one("bootstrap-controller")?;
    let bootstrap = match controllers {
        Some(controllers) => controllers,
        None => given.one("bootstrap-server")?.unwrap_or_default(),
    };
    let options = thrown::options(CLIENT_ID, &properties)?;
    let options = ClientOptions { bootstrap_controllers: controllers.is_some(), ..options };
    let who = format!("AdminClient clientId={}", options.client_id);
    let client = session::connect(bootstrap, options, &who).await;
    let client = client.map_err(|error| Thrown::unreached(&error, task.first_call()))?;
    let admin = Admin::new(client);
    match task {
        Task::Generate(wish) => wish.generate(&admin).await,
        Task::Execute(wish) => wish.execute(&admin).await,
        Task::Verify { plan, preserve_throttles } => {
            verify::verify(&admin, &plan, preserve_throttles).await
        }
        Task::Cancel { plan, preserve_throttles, timeout_ms } => {
            execute::cancel(&admin, &plan, preserve_throttles, timeout_ms).await
        }
        Task::List => list(&admin).await,
    }
}

/// A call that failed as a whole.
fn failed(call: &'static str) -> impl Fn(ClientError) -> Stop {
    move |error| Stop::execution(Failure::of_client(&error, call))
}

async fn list(admin: &Admin) -> Result<(), Stop> {
    let moves = admin.list_partition_reassignments().await;
    let moves = moves.map_err(failed("listPartitionReassignments"))?;
    if moves.is_empty() {
        say("No partition reassignments found.");
        return Ok(());
    }
    say("Current partition reassignments:");
    for (partition, moving) in &moves {
        let part = |what: &str, ids: &[i32]| match ids {
            [] => String::new(),
            ids => format!(" {what}: {}.", joined(ids)),
        };
        say(&format!(
            "{partition}: replicas: {}.{}{}",
            joined(&moving.replicas),
            part("adding", &moving.adding),
            part("removing", &moving.removing)
        ));
    }
    Ok(())
}

/// `1,2,3`.
fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(",")
}

/// The ending of a noun.
fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests;
