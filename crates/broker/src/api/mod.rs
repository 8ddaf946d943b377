//! Kafka's requests, one file each: decode is done, order is kept elsewhere; here it is decided what the
//! answer is.

mod add_raft_voter;
mod administration;
mod alter_client_quotas;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod alter_user_scram_credentials;
mod api_versions;
mod config_resource;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod coordinated;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_user_scram_credentials;
pub(crate) mod dispatch;
mod elect_leaders;
mod error;
mod fetch;
mod fetch_session;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod lookup;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod payer;
mod produce;
mod remove_raft_voter;
mod sync_group;
mod unregister_broker;
mod update_features;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ottla_config::NodeConfig;
use ottla_protocol::StrBytes;
use ottla_protocol::ids::{BrokerId, TimestampMs};
use tokio::time::Instant;

use crate::controller_link::ControllerLink;
use crate::coordinator::GroupCoordinator;
use crate::metadata::Metadata;
use crate::partition::Partitions;
use crate::quota::Quotas;

use administration::AdminContext;
pub use administration::QuorumView;
pub(crate) use administration::{ControllerListener, Node, Role};
pub(crate) use error::group_write_code;
pub(crate) use fetch_session::Slots as FetchSessionSlots;
pub(crate) use init_producer_id::ProducerIds;
use payer::Payer;

/// A client's timeout for an administrative request is held within these.
const ADMIN_TIMEOUT_MS: std::ops::RangeInclusive<i32> = 1_000..=300_000;
/// The timeout of an administrative request that has none of its own.
const UNTIMED_ADMIN_MS: i32 = 30_000;
/// In place of a set of authorized operations that nobody asked for.
const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

/// What the handlers work on: one per broker.
pub(crate) struct Broker {
    pub(crate) id: BrokerId,
    pub(crate) config: Arc<NodeConfig>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) link: ControllerLink,
    pub(crate) partitions: Partitions,
    pub(crate) coordinator: GroupCoordinator,
    /// For what controllers answer as well.
    pub(crate) node: Arc<Node>,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) fetch_sessions: Arc<FetchSessionSlots>,
    pub(crate) quotas: Arc<Quotas>,
}

/// One request's surroundings. Cheap to clone.
#[derive(Clone)]
struct Context {
    broker: Arc<Broker>,
    /// The listener the request came by: addresses of the same listener go out.
    listener: Arc<str>,
    /// The client's address.
    peer: IpAddr,
    /// What the client calls itself.
    client_id: Option<Arc<str>>,
    /// The request's version.
    version: i16,
    /// The request's size.
    request_bytes: usize,
    /// Who pays for it; `None`: there are no quotas.
    payer: Option<Payer>,
}

/// Until when an administrative request may take.
fn admin_deadline(timeout_ms: i32) -> Instant {
    let timeout_ms = timeout_ms.clamp(*ADMIN_TIMEOUT_MS.start(), *ADMIN_TIMEOUT_MS.end());
    Instant::now() + millis(timeout_ms)
}

/// A client's number of milliseconds; negative is none.
fn millis(timeout_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
}

fn now_ms() -> TimestampMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
