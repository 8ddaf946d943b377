//! Errors with their causes, as Java's stack traces name them.

use std::fmt::Write as _;

use ottla_client::{ApiError, ClientError};

use crate::exceptions::Failure;
use crate::jopt::OptionError;

/// An exception and its causes, the outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thrown(Vec<Failure>);

impl Thrown {
    /// One without a cause.
    pub(super) fn of(failure: Failure) -> Self {
        Self(vec![failure])
    }

    /// The cause of another exception that has its own words.
    pub(super) fn under(mut self, outer: Failure) -> Self {
        self.0.insert(0, outer);
        self
    }

    /// The cause of another exception that only repeats it.
    pub(super) fn within(self, class: &str) -> Self {
        let repeated = self.0.first().map(Failure::thrown).unwrap_or_default();
        self.under(Failure::new(class, repeated))
    }

    /// As the result of an asynchronous call.
    pub(super) fn executed(self) -> Self {
        self.within("java.util.concurrent.ExecutionException")
    }

    /// What the outermost says.
    pub(super) fn message(&self) -> &str {
        self.0.first().map_or("", |failure| &failure.message)
    }

    /// All of them, without frames.
    pub(super) fn trace(&self) -> String {
        let mut text = String::new();
        for (depth, failure) in self.0.iter().enumerate() {
            let head = if depth == 0 { "" } else { "Caused by: " };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{head}{}", failure.thrown());
        }
        text
    }
}

/// Why the tool ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The arguments make no sense after all: exit code 1.
    Usage(String),
    /// Exit code 0.
    Thrown(Thrown),
}

impl From<Thrown> for Stop {
    fn from(thrown: Thrown) -> Self {
        Self::Thrown(thrown)
    }
}

impl From<OptionError> for Stop {
    fn from(error: OptionError) -> Self {
        Self::Thrown(Thrown::of(Failure::from(error)))
    }
}

/// A call that failed as a whole.
pub(super) fn called(call: &str) -> impl Fn(ClientError) -> Thrown {
    move |error| Thrown::of(Failure::of_client(&error, call))
}

/// A refusal by the cluster.
pub(super) fn refused(error: &ApiError) -> Thrown {
    Thrown::of(Failure::from(error))
}
