//! Exceptions as Kafka's tools print them: what was thrown, what caused it, what was suppressed; without
//! the frames of a stack that is not there.

use std::process::ExitCode;

use ottla_client::{ClientError, ClientOptions};

use crate::console::{complain, print_error};
use crate::exceptions::Failure;
use crate::jopt::OptionError;
use crate::properties::{Properties, client_options};
use crate::session;

/// What was thrown, and what caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thrown {
    /// Outermost first; never empty.
    chain: Vec<Failure>,
    suppressed: Vec<Failure>,
}

impl Thrown {
    /// What was thrown, because of something else.
    pub(crate) fn caused(thrown: Failure, by: Self) -> Self {
        Self { chain: std::iter::once(thrown).chain(by.chain).collect(), suppressed: by.suppressed }
    }

    /// A call to the cluster has failed.
    pub(crate) fn execution(cause: Failure) -> Self {
        let thrown = Failure::new("java.util.concurrent.ExecutionException", cause.thrown());
        Self::caused(thrown, cause.into())
    }

    /// There is no client.
    pub(crate) fn no_client(cause: Failure) -> Self {
        let message = "Failed to create new KafkaAdminClient";
        let thrown = Failure::new("org.apache.kafka.common.KafkaException", message);
        Self::caused(thrown, cause.into())
    }

    /// The client could not reach the cluster for its first call.
    pub(crate) fn unreached(error: &ClientError, first_call: &str) -> Self {
        match session::bootstrap_error(error) {
            Some(error) => Self::no_client(Failure::config(error.to_string())),
            None => Self::execution(Failure::of_client(error, first_call)),
        }
    }

    pub(crate) fn suppressing(self, suppressed: Vec<Failure>) -> Self {
        Self { suppressed, ..self }
    }

    /// The message of what was thrown.
    pub(crate) fn message(&self) -> &str {
        self.chain.first().map_or("", |failure| &failure.message)
    }

    /// One line each, with an empty one behind, as a printed stack trace ends.
    pub(crate) fn trace(&self) -> String {
        let mut text = String::new();
        for (depth, failure) in self.chain.iter().enumerate() {
            let cause = if depth == 0 { "" } else { "Caused by: " };
            text += &format!("{cause}{}\n", failure.thrown());
            if depth == 0 {
                let suppressed = self.suppressed.iter();
                text.extend(suppressed.map(|it| format!("\tSuppressed: {}\n", it.thrown())));
            }
        }
        text + "\n"
    }

    /// Ends a tool that catches what it throws: the message, then the exception with its causes.
    pub(crate) fn caught(&self) -> ExitCode {
        complain(self.message());
        print_error(&self.trace());
        ExitCode::FAILURE
    }
}

impl From<Failure> for Thrown {
    fn from(failure: Failure) -> Self {
        Self { chain: vec![failure], suppressed: Vec::new() }
    }
}

impl From<OptionError> for Thrown {
    fn from(error: OptionError) -> Self {
        Failure::from(error).into()
    }
}

/// The client's settings, or why there is no client.
pub(crate) fn options(client_id: &str, properties: &Properties) -> Result<ClientOptions, Thrown> {
    client_options(client_id, properties).map_err(Thrown::no_client)
}
