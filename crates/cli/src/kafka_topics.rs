//! `kafka-topics`: create, list, describe, alter and delete topics.
//!
//! A wrong command line is complained about on stderr; what goes wrong later is said on stdout and
//! logged on stderr, as by Kafka's tool.

mod change;
mod describe;
pub(crate) mod options;
mod select;

pub(crate) use select::{IncludeList, is_internal};

use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::Admin;

use crate::console::{self, complain, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Given};
use crate::properties::{self, Properties, client_options};
use crate::session;
use options::{Action, Misuse, OPTIONS};

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return Failure::from(error).caught(),
    };
    let action = match options::check(&given, args.is_empty()) {
        Ok(action) => action,
        Err(Misuse::Usage(message)) => return console::usage_error(&message, OPTIONS),
        Err(Misuse::Thrown(failure)) => return failure.caught(),
        Err(Misuse::Version) => return console::version(),
    };
    session::run(run(action, given))
}

async fn run(action: Action, given: Given) -> ExitCode {
    let path = given.one("command-config").map_err(Failure::from);
    let properties = match path.and_then(properties::read) {
        Ok(properties) => properties,
        Err(failure) => return failure.caught(),
    };
    match execute(action, &given, &properties).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Client(bootstrap)) => {
            complain("Failed to create new KafkaAdminClient");
            complain(
                "org.apache.kafka.common.KafkaException: Failed to create new KafkaAdminClient",
            );
            complain(&format!("Caused by: {}", bootstrap.thrown()));
            ExitCode::FAILURE
        }
        Err(Stop::Failed(failure)) => {
            say(&format!("Error while executing topic command : {}", failure.message));
            // Kafka's logger ends the exception with a newline before the logger's name.
            let message = format!("{}\n", failure.thrown());
            console::log("ERROR", &message, "org.apache.kafka.tools.TopicCommand");
            ExitCode::FAILURE
        }
    }
}

/// Why the tool ends early.
enum Stop {
    /// No client could be made of what was given.
    Client(Failure),
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn execute(action: Action, given: &Given, properties: &Properties) -> Result<(), Stop> {
    let bootstrap = given.one("bootstrap-server").map_err(Failure::from)?.unwrap_or_default();
    let options = client_options("adminclient-1", properties).map_err(Stop::Client)?;
    let client = session::connect(bootstrap, options, "AdminClient clientId=adminclient-1")
        .await
        .map_err(|error| match session::bootstrap_error(&error) {
        Some(error) => Stop::Client(Failure::config(error.to_string())),
        None => Stop::Failed(Failure::of_client(&error, action.first_call())),
    })?;
    let admin = Admin::new(client);
    match action {
        Action::List => {
            let names = select::topics(&admin, given).await?;
            say(&names.join("\n"));
        }
        Action::Create => change::create(&admin, given).await?,
        Action::Alter => change::alter(&admin, given).await?,
        Action::Delete => change::delete(&admin, given).await?,
        Action::Describe => {
            let text = describe::describe(&admin, given).await?;
            print!("{text}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
