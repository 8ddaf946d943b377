//! What can go wrong between a client and a cluster.

use ottla_protocol::ids::{BrokerId, TopicPartition};
use ottla_protocol::{ErrorCode, api::ApiKey, frame::FrameError};

/// The bootstrap servers are not usable as written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootstrapError {
    /// An entry is not `host:port`.
    #[error("Invalid url in bootstrap.servers: {0}")]
    Invalid(String),
    /// Nothing is listed.
    #[error("No bootstrap urls given in bootstrap.servers")]
    Empty,
    /// None of the hosts has an address.
    #[error("No resolvable bootstrap urls given in bootstrap.servers")]
    Unresolvable,
}

/// A refusal by the broker: Kafka's code, and the broker's words if it sent any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The number from the wire; may be one that this client does not know.
    pub code: i16,
    /// The broker's message.
    pub message: Option<String>,
}

impl ApiError {
    /// The error of a response field pair; `None` when the code says success.
    #[must_use]
    pub fn from_wire(code: i16, message: Option<&str>) -> Option<Self> {
        (code != 0).then(|| Self { code, message: message.map(str::to_owned) })
    }

    /// An error without words of the broker.
    #[must_use]
    pub fn of(code: ErrorCode) -> Self {
        Self { code: code.code(), message: None }
    }

    /// What Kafka's clients say of a request that controllers do not serve.
    pub(crate) fn at_controllers() -> Self {
        let message = "This Admin API is not yet supported when communicating directly with the \
                       controller quorum.";
        Self { code: ErrorCode::UnsupportedEndpointType.code(), message: Some(message.to_owned()) }
    }

    /// The code by name; `UnknownServerError` for a number that is not in the table.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        ErrorCode::from_code(self.code).unwrap_or(ErrorCode::UnknownServerError)
    }

    /// Whether the same request may succeed when sent again.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.error_code().is_retriable()
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or_else(|| self.error_code().message()))
    }
}

impl std::error::Error for ApiError {}

/// A request failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The bootstrap servers are not usable as written.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// No node of the cluster could be reached before the deadline.
    #[error("no node of the cluster could be reached within {waited_ms} ms: {last}")]
    NoNode {
        /// How long was tried.
        waited_ms: u64,
        /// The last attempt's failure.
        last: String,
    },
    /// The connection could not be made; the request was not sent.
    #[error("{address}: cannot connect: {reason}")]
    Connect {
        /// `host:port`.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// The connection ended before the answer; the request may have been carried out.
    #[error("{address}: the connection ended before the answer: {reason}")]
    Disconnected {
        /// `host:port`.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// No answer before the deadline; the request may have been carried out.
    #[error("{address}: no answer to {api:?} within {waited_ms} ms")]
    RequestTimeout {
        /// `host:port`.
        address: String,
        /// Which request.
        api: ApiKey,
        /// How long was waited.
        waited_ms: u64,
    },
    /// The metadata names no such node.
    #[error("node {0} is not in the cluster's metadata")]
    UnknownNode(BrokerId),
    /// The broker does not serve the API, or no version that this client speaks.
    #[error("{address}: the broker does not serve {api:?} in a version that this client speaks")]
    Unsupported {
        /// `host:port`.
        address: String,
        /// Which request.
        api: ApiKey,
    },
    /// Bytes could not be encoded or decoded.
    #[error("{address}: {source}")]
    Frame {
        /// `host:port`.
        address: String,
        /// What is wrong with them.
        source: FrameError,
    },
    /// The broker refused.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The partition does not exist, or its topic does not.
    #[error("{0} is not in the cluster's metadata")]
    UnknownPartition(TopicPartition),
}

impl ClientError {
    /// Whether the request certainly had no effect, because it never left or was refused.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        !matches!(
            self,
            Self::Disconnected { .. } | Self::RequestTimeout { .. } | Self::Frame { .. }
        )
    }

    /// Whether another attempt, perhaps at another node, may succeed.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Disconnected { .. }
            | Self::RequestTimeout { .. }
            | Self::UnknownNode(_)
            | Self::UnknownPartition(_) => true,
            Self::Api(error) => error.is_retriable(),
            Self::Bootstrap(_)
            | Self::NoNode { .. }
            | Self::Unsupported { .. }
            | Self::Frame { .. } => false,
        }
    }
}
