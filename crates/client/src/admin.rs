//! Administration: topics, configs, offsets, groups, the cluster.
//!
//! Each call sends one request, or a few, and returns what the cluster said of each thing asked for. A
//! call that fails as a whole (nobody reachable, no answer) is a [`ClientError`]; a refusal of one topic
//! among several is an [`ApiError`] in its place in the list.

mod cluster;
mod configs;
mod features;
mod groups;
mod offsets;
mod quotas;
mod reassignments;
mod scram;
mod topics;

use std::time::Duration;

use ottla_protocol::StrBytes;
use ottla_protocol::messages;

pub use ottla_protocol::ConfigSource;

pub use cluster::{Cluster, ClusterNode, ElectionType, Quorum, QuorumEndpoint, QuorumReplica};
pub use configs::{AlterOperation, ConfigEntry, ConfigResource, ConfigSynonym, ResourceType};
pub use features::{Feature, Features, UpgradeType};
pub use groups::{GroupDescription, GroupListing, GroupMember, GroupState, GroupType};
pub(crate) use offsets::list_offsets_at;
pub use offsets::{DeletedRecords, ListedOffset, OffsetSpec};
pub use quotas::{QuotaEntity, QuotaMatch};
pub use reassignments::{LogDir, LogDirReplica, Reassignment, ReplicaEnd, Volume};
pub use scram::{ScramPassword, ScramUser};
pub use topics::{NewPartitions, NewTopic, PartitionDescription, TopicDescription, TopicListing};

use crate::client::Client;
use crate::error::{ApiError, ClientError};

/// What the cluster said of one thing that was asked for.
pub type Outcome<T> = Result<T, ApiError>;

/// Administers a cluster through a [`Client`].
#[derive(Clone)]
pub struct Admin {
    client: Client,
}

impl Admin {
    /// Uses the client's connections and settings.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client underneath.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How long the broker may work on a request before it answers that time is up.
    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.client.options().request_timeout_ms).unwrap_or(i32::MAX)
    }

    /// How long to wait for the answer of such a request: a little longer than the broker may take.
    fn limit(&self) -> Duration {
        Duration::from_millis(self.client.options().request_timeout_ms.saturating_add(2_000))
    }
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn topic_name(value: &str) -> messages::TopicName {
    messages::TopicName(text(value))
}

fn outcome<T>(code: i16, message: Option<&StrBytes>, value: T) -> Outcome<T> {
    ApiError::from_wire(code, message.map(StrBytes::as_str)).map_or(Ok(value), Err)
}

/// An answer that leaves out what was asked for is a broker's fault.
fn missing() -> ApiError {
    ApiError {
        code: ottla_protocol::ErrorCode::UnknownServerError.code(),
        message: Some("The broker's answer leaves out what was asked for.".to_owned()),
    }
}

/// The error of a whole answer.
fn whole(code: i16, message: Option<&StrBytes>) -> Result<(), ClientError> {
    outcome(code, message, ()).map_err(ClientError::from)
}
