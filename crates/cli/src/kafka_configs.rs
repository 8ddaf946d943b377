//! `kafka-configs`: describe and change the configs of topics, brokers, loggers, groups, subscriptions to
//! clients' metrics, and the quotas of users, clients and addresses.
//!
//! Everything that goes wrong is said on stderr.

mod added;
mod alter;
mod describe;
mod entity;
pub(crate) mod options;
mod quotas;

use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::{Admin, ApiError, ClientError, ClientOptions};

use crate::console::{self, complain};
use crate::exceptions::{Failure, exception_name};
use crate::jopt::{self, Given};
use crate::properties;
use crate::session;
use crate::thrown::{self, Thrown};
use entity::Entities;
use options::{Misuse, OPTIONS};

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return said(&error.to_string()),
    };
    let entities = match options::check(&given, args.is_empty()) {
        Ok(entities) => entities,
        Err(Misuse::Usage(message)) => return console::usage_error(&message, OPTIONS),
        Err(Misuse::Said(message)) => return said(&message),
        Err(Misuse::Version) => return console::version(),
    };
    session::run_or(execute(&given, &entities), |stop| match stop {
        Stop::Said(message) => said(message),
        Stop::Thrown(thrown) => {
            let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
            let args = args.join(" ");
            complain(&format!("Error while executing config command with args '{args}'"));
            complain(thrown.trace().trim_end());
            ExitCode::FAILURE
        }
    })
}

fn said(message: &str) -> ExitCode {
    complain(message);
    ExitCode::FAILURE
}

/// Why the tool ends early.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// In one line.
    Said(String),
    /// With an exception.
    Thrown(Thrown),
}

impl From<Thrown> for Stop {
    fn from(thrown: Thrown) -> Self {
        Self::Thrown(thrown)
    }
}

impl From<jopt::OptionError> for Stop {
    fn from(error: jopt::OptionError) -> Self {
        Self::Said(error.to_string())
    }
}

async fn execute(given: &Given, entities: &Entities) -> Result<(), Stop> {
    let properties = properties::read(given.one("command-config")?).map_err(Thrown::from)?;
    let options = thrown::options("adminclient-1", &properties)?;
    let alters = given.has("alter");
    if alters && entities.types.len() != entities.names.len() {
        return Err(Stop::Said(
            "An entity name must be specified for every entity type".to_owned(),
        ));
    }
    let changes = if alters { Some(added::changes(given)?) } else { None };
    if let Some(changes) = &changes {
        quotas::check(entities, changes)?;
    }
    let controllers = given.one("bootstrap-controller")?;
    let bootstrap = match controllers {
        Some(controllers) => controllers,
        None => given.one("bootstrap-server")?.unwrap_or_default(),
    };
    let options = ClientOptions { bootstrap_controllers: controllers.is_some(), ..options };
    let first_call = entities.first_call(alters, given.has("all"));
    let client = session::connect(bootstrap, options, "AdminClient clientId=adminclient-1")
        .await
        .map_err(|error| Thrown::unreached(&error, first_call))?;
    let admin = Admin::new(client);
    match changes {
        Some(changes) => alter::alter(&admin, entities, &changes).await,
        None => describe::describe(&admin, entities, given.has("all")).await,
    }
}

/// A call that failed as a whole.
fn failed(error: &ClientError, call: &str) -> Stop {
    let failure = match error {
        ClientError::Api(error) => return refused(error),
        ClientError::UnknownNode(_) => Failure::new(
            "org.apache.kafka.common.errors.TimeoutException",
            format!("Timed out waiting for a node assignment. Call: {call}"),
        ),
        error => Failure::of_client(error, call),
    };
    Thrown::execution(failure).into()
}

/// What the cluster refused.
fn refused(error: &ApiError) -> Stop {
    let class = format!("org.apache.kafka.common.errors.{}", exception_name(error.error_code()));
    Thrown::execution(Failure::new(&class, error.to_string())).into()
}

#[cfg(test)]
mod tests;
