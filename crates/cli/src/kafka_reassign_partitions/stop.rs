//! Why the tool stops, and how it says so: on stdout, as Kafka's does.

use crate::console::{print, say};
use crate::exceptions::Failure;
use crate::jopt::OptionError;
use crate::thrown::Thrown;

/// Why the tool stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// A sentence for the user.
    Terse(String),
    /// An exception.
    Thrown(Thrown),
}

impl Stop {
    /// The tool's own complaint.
    pub(super) fn command_failed(message: impl Into<String>) -> Self {
        admin_command_failed(message).into()
    }

    /// A call to the cluster failed.
    pub(super) fn execution(cause: Failure) -> Self {
        Self::Thrown(Thrown::execution(cause))
    }

    /// An option's value is no number.
    pub(super) fn of_number(error: OptionError, text: Option<&str>) -> Self {
        let Some(text) = text else { return error.into() };
        let message = format!("For input string: \"{text}\"");
        let number = Failure::new("java.lang.NumberFormatException", message);
        let reflection = Failure::new("joptsimple.internal.ReflectionException", number.thrown());
        let cause = Thrown::caused(reflection, number.into());
        Self::Thrown(Thrown::caused(error.into(), cause))
    }

    pub(super) fn say(&self) {
        match self {
            Self::Terse(sentence) => say(sentence),
            Self::Thrown(thrown) => {
                say(&format!("Error: {}", thrown.message()));
                print(&thrown.trace());
            }
        }
    }
}

pub(super) fn admin_command_failed(message: impl Into<String>) -> Failure {
    Failure::new("org.apache.kafka.tools.AdminCommandFailedException", message)
}

impl From<Thrown> for Stop {
    fn from(thrown: Thrown) -> Self {
        Self::Thrown(thrown)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Thrown(failure.into())
    }
}

impl From<OptionError> for Stop {
    fn from(error: OptionError) -> Self {
        Self::Thrown(error.into())
    }
}
