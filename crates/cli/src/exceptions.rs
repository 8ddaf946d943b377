//! Errors under the names that Kafka's tools log them by.

use std::process::ExitCode;

use ottla_client::{ApiError, ClientError};
use ottla_protocol::ErrorCode;

use crate::console::complain;
use crate::jopt::OptionError;

/// An error of a tool: what Kafka calls it, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) class: String,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(class: &str, message: impl Into<String>) -> Self {
        Self { class: class.to_owned(), message: message.into() }
    }

    pub(crate) fn illegal_argument(message: impl Into<String>) -> Self {
        Self::new("java.lang.IllegalArgumentException", message)
    }

    /// A setting that a client cannot be made of.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new("org.apache.kafka.common.config.ConfigException", message)
    }

    /// No node answered in time; `call` is what was wanted of it.
    pub(crate) fn of_client(error: &ClientError, call: &str) -> Self {
        match error {
            ClientError::Api(error) => error.into(),
            ClientError::NoNode { .. } => Self::new(
                "org.apache.kafka.common.errors.TimeoutException",
                format!("Timed out waiting for a node assignment. Call: {call}"),
            ),
            ClientError::RequestTimeout { .. } => {
                Self::new("org.apache.kafka.common.errors.TimeoutException", error.to_string())
            }
            ClientError::Unsupported { api, .. } => Self::new(
                "org.apache.kafka.common.errors.UnsupportedVersionException",
                format!("The node does not support {}", shouted(&format!("{api:?}"))),
            ),
            ClientError::UnknownPartition(_) => Self::new(
                "org.apache.kafka.common.errors.UnknownTopicOrPartitionException",
                error.to_string(),
            ),
            ClientError::Bootstrap(_)
            | ClientError::Connect { .. }
            | ClientError::Disconnected { .. }
            | ClientError::UnknownNode(_)
            | ClientError::Frame { .. } => {
                Self::new("org.apache.kafka.common.KafkaException", error.to_string())
            }
        }
    }

    /// `class: message`.
    pub(crate) fn thrown(&self) -> String {
        format!("{}: {}", self.class, self.message)
    }

    /// Ends a tool that catches what it throws: the message, then the exception.
    pub(crate) fn caught(&self) -> ExitCode {
        complain(&self.message);
        complain(&self.thrown());
        ExitCode::FAILURE
    }

    /// Ends a tool that does not.
    pub(crate) fn uncaught(&self) -> ExitCode {
        complain(&format!("Exception in thread \"main\" {}", self.thrown()));
        ExitCode::FAILURE
    }
}

impl From<&ApiError> for Failure {
    fn from(error: &ApiError) -> Self {
        let message = error.to_string();
        // Kafka's tools check configs before they send them, and call the error by another name.
        let class = match error.error_code() {
            ErrorCode::InvalidConfig if message.starts_with("Invalid value ") => {
                "org.apache.kafka.common.config.ConfigException".to_owned()
            }
            code => format!("org.apache.kafka.common.errors.{}", exception_name(code)),
        };
        Self { class, message }
    }
}

impl From<OptionError> for Failure {
    fn from(error: OptionError) -> Self {
        Self::new(error.class(), error.to_string())
    }
}

/// The class of an error code: its name in camel case, save for those that Kafka named otherwise.
pub(crate) fn exception_name(code: ErrorCode) -> String {
    match code {
        ErrorCode::TopicAlreadyExists => "TopicExistsException".to_owned(),
        ErrorCode::InvalidConfig => "InvalidConfigurationException".to_owned(),
        ErrorCode::RequestTimedOut => "TimeoutException".to_owned(),
        ErrorCode::KafkaStorageError => "KafkaStorageException".to_owned(),
        ErrorCode::MessageTooLarge => "RecordTooLargeException".to_owned(),
        ErrorCode::RecordListTooLarge => "RecordBatchTooLargeException".to_owned(),
        ErrorCode::NonEmptyGroup => "GroupNotEmptyException".to_owned(),
        ErrorCode::OffsetMetadataTooLarge => "OffsetMetadataTooLarge".to_owned(),
        ErrorCode::InvalidTimestamp => "InvalidTimestampException".to_owned(),
        code => {
            let camel: String = code.name().split('_').map(capitalised).collect();
            if camel.ends_with("Exception") { camel } else { format!("{camel}Exception") }
        }
    }
}

/// `DescribeClientQuotas` as `DESCRIBE_CLIENT_QUOTAS`.
fn shouted(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_uppercase());
    }
    text
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_string() + &letters.as_str().to_lowercase())
}

#[cfg(test)]
mod tests;
