//! `kafka-consumer-groups`: list, describe and delete groups; reset and delete their offsets.
//!
//! Only a wrong command line ends with exit code 1. What goes wrong later is said on stdout, with what
//! Kafka's tool would have thrown on stderr, and the exit code is 0, as there.

mod csv;
mod delete;
mod describe;
mod list;
pub(crate) mod options;
mod regex_check;
mod render;
mod reset;
mod thrown;
mod times;

use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::{Admin, ClientError};

use crate::console::{self, complain, print, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Given};
use crate::properties::{Properties, client_options, read_file};
use crate::session;
use options::{Action, Misuse, OPTIONS};
use thrown::{Stop, Thrown};

/// `--timeout` when it is not given.
const TIMEOUT_MS: u64 = 30_000;

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return uncaught(&Failure::from(error)),
    };
    let action = match options::check(&given, args.is_empty()) {
        Ok(action) => action,
        Err(Misuse::Usage(message)) => return console::usage_error(&message, OPTIONS),
        Err(Misuse::Uncaught(failure)) => return uncaught(&failure),
        Err(Misuse::Version) => return console::version(),
    };
    if action == Action::ValidateRegex {
        for regex in given.all("validate-regex") {
            say(&regex_check::verdict(regex));
        }
        return ExitCode::SUCCESS;
    }
    session::run(run(action, given))
}

fn uncaught(failure: &Failure) -> ExitCode {
    complain(&format!("Exception in thread \"main\" {}", failure.thrown()));
    ExitCode::FAILURE
}

async fn run(action: Action, given: Given) -> ExitCode {
    match execute(action, &given).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Usage(message)) => console::usage_error(&message, OPTIONS),
        Err(Stop::Thrown(thrown)) => {
            error(&format!("Executing consumer group command failed due to {}", thrown.message()));
            console::print_error(&thrown.trace());
            ExitCode::SUCCESS
        }
    }
}

/// An error that does not end the tool.
fn error(message: &str) {
    say(&format!("\nError: {message}"));
}

async fn execute(action: Action, given: &Given) -> Result<(), Stop> {
    let admin = connect(action, given).await?;
    match action {
        Action::List => print(&list::list(&admin, given).await?),
        Action::Describe => describe::describe(&admin, given).await?,
        Action::Delete => delete::groups(&admin, given).await?,
        Action::ResetOffsets => reset::reset(&admin, given).await?,
        Action::DeleteOffsets => delete::offsets(&admin, given).await?,
        Action::ValidateRegex => {}
    }
    Ok(())
}

async fn connect(action: Action, given: &Given) -> Result<Admin, Stop> {
    let properties = match given.one("command-config")? {
        Some(path) => {
            let cause = |failure| Thrown::of(failure).within("java.lang.RuntimeException");
            read_file(path).map_err(cause)?
        }
        None => Properties::new(),
    };
    let not_made = |failure| {
        let class = "org.apache.kafka.common.KafkaException";
        Thrown::of(failure).under(Failure::new(class, "Failed to create new KafkaAdminClient"))
    };
    let mut options = client_options("adminclient-1", &properties).map_err(not_made)?;
    options.api_timeout_ms = given.number("timeout")?.unwrap_or(TIMEOUT_MS);
    let bootstrap = given.one("bootstrap-server")?.unwrap_or_default();
    let client = session::connect(bootstrap, options, "AdminClient clientId=adminclient-1").await;
    let client = client.map_err(|error| match session::bootstrap_error(&error) {
        Some(error) => {
            let class = "org.apache.kafka.common.config.ConfigException";
            not_made(Failure::new(class, error.to_string()))
        }
        None => nobody(action, given, &error),
    })?;
    Ok(Admin::new(client))
}

/// No broker answers: what Kafka's tool says depends on what it asks first.
fn nobody(action: Action, given: &Given, error: &ClientError) -> Thrown {
    let failure = match action {
        _ if action == Action::List || given.has("all-groups") => list::failure(error),
        Action::DeleteOffsets => Failure::of_client(error, "describeTopics"),
        Action::Delete => Failure::of_client(error, "deleteConsumerGroups(api=FIND_COORDINATOR)"),
        _ => Failure::of_client(error, "describeConsumerGroups(api=FIND_COORDINATOR)"),
    };
    let thrown = Thrown::of(failure).executed();
    let is_bare = action == Action::Describe && !given.has("all-groups")
        || action == Action::List && (given.has("state") || given.has("type"));
    if is_bare { thrown } else { thrown.within("java.lang.RuntimeException") }
}

#[cfg(test)]
mod tests;
