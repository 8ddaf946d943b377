//! Why the tool stops, and how it says so: on stdout, as Kafka's does.

use crate::console::say;
use crate::exceptions::Failure;
use crate::jopt::OptionError;

/// Why the tool stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// A sentence for the user.
    Terse(String),
    /// What was thrown, and what caused it, outermost first.
    Thrown(Vec<Failure>),
}

impl Stop {
    /// The tool's own complaint.
    pub(super) fn command_failed(message: impl Into<String>) -> Self {
        Self::Thrown(vec![admin_command_failed(message)])
    }

    /// Something that another thing caused.
    pub(super) fn caused(said: Failure, cause: Failure) -> Self {
        Self::Thrown(vec![said, cause])
    }

    /// A call to the cluster failed.
    pub(super) fn execution(cause: Failure) -> Self {
        let said = Failure::new("java.util.concurrent.ExecutionException", cause.thrown());
        Self::caused(said, cause)
    }

    /// There is no client.
    pub(super) fn no_client(cause: Failure) -> Self {
        let message = "Failed to create new KafkaAdminClient";
        Self::caused(Failure::new("org.apache.kafka.common.KafkaException", message), cause)
    }

    /// An option's value is no number.
    pub(super) fn of_number(error: OptionError, text: Option<&str>) -> Self {
        let mut chain = vec![Failure::from(error)];
        if let Some(text) = text {
            let number = Failure::new(
                "java.lang.NumberFormatException",
                format!("For input string: \"{text}\""),
            );
            let reflection = "joptsimple.internal.ReflectionException";
            chain.push(Failure::new(reflection, number.thrown()));
            chain.push(number);
        }
        Self::Thrown(chain)
    }

    pub(super) fn say(&self) {
        match self {
            Self::Terse(sentence) => say(sentence),
            Self::Thrown(chain) => {
                let mut chain = chain.iter();
                if let Some(first) = chain.next() {
                    say(&format!("Error: {}", first.message));
                    say(&first.thrown());
                }
                for cause in chain {
                    say(&format!("Caused by: {}", cause.thrown()));
                }
                say("");
            }
        }
    }
}

pub(super) fn admin_command_failed(message: impl Into<String>) -> Failure {
    Failure::new("org.apache.kafka.tools.AdminCommandFailedException", message)
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Thrown(vec![failure])
    }
}

impl From<OptionError> for Stop {
    fn from(error: OptionError) -> Self {
        Failure::from(error).into()
    }
}
