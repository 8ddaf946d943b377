//! What controllers answer as well as brokers: administration, with the same handlers at both (KIP-919).
//!
//! A request that changes the cluster goes on to the active controller from wherever it has come to, so
//! that no client is ever told NOT_CONTROLLER.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use ottla_config::{NodeConfig, Voter};
use ottla_protocol::api::{ApiKey, ApiRow};
use ottla_protocol::ids::BrokerId;

use super::dispatch::{Admitted, Call};
use super::{
    add_raft_voter, alter_client_quotas, alter_configs, alter_partition_reassignments,
    alter_user_scram_credentials, api_versions, describe_client_quotas, describe_cluster,
    describe_configs, describe_quorum, describe_user_scram_credentials, elect_leaders,
    list_partition_reassignments, remove_raft_voter, unregister_broker, update_features,
};
use crate::controller_link::Controllers;
use crate::loggers::LogLevels;
use crate::metadata::Metadata;
use crate::net::connection::{Handler, Refused, Reply};
use crate::net::listener::Accept;

/// Tells, as the controller in this process knows it, who is the active controller and who are the voters.
pub type QuorumView = Arc<dyn Fn() -> (Option<BrokerId>, Vec<Voter>) + Send + Sync>;

/// Who answers.
pub(crate) enum Role {
    Broker,
    Controller(QuorumView),
}

impl Role {
    /// Whether this API is served at all.
    pub(super) fn serves(&self, row: &ApiRow) -> bool {
        match self {
            Self::Broker => true,
            Self::Controller(_) => row.at_controllers,
        }
    }
}

/// What administrative requests work on: one per role of the process.
pub(crate) struct Node {
    pub(crate) id: BrokerId,
    pub(crate) role: Role,
    pub(crate) config: Arc<NodeConfig>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) controllers: Arc<Controllers>,
    pub(crate) log_levels: Arc<LogLevels>,
}

/// An administrative request's surroundings. Cheap to clone.
#[derive(Clone)]
pub(super) struct AdminContext {
    pub(super) node: Arc<Node>,
    /// The listener the request came by: addresses of the same listener go out.
    pub(super) listener: Arc<str>,
    /// The request's version.
    pub(super) version: i16,
}

/// Begins an administrative request.
pub(super) fn begin(context: AdminContext, key: ApiKey, call: Call) -> Result<Reply, Refused> {
    match key {
        ApiKey::ApiVersions => call.now(|request| api_versions::handle(&context, &request)),
        ApiKey::DescribeConfigs => call.now(|request| describe_configs::handle(&context, request)),
        ApiKey::AlterConfigs => {
            call.later(|request| alter_configs::handle_replacing(context, request))
        }
        ApiKey::ElectLeaders => call.later(|request| elect_leaders::handle(context, request)),
        ApiKey::IncrementalAlterConfigs => {
            call.later(|request| alter_configs::handle_incremental(context, request))
        }
        ApiKey::AlterPartitionReassignments => {
            call.later(|request| alter_partition_reassignments::handle(context, request))
        }
        ApiKey::ListPartitionReassignments => {
            call.now(|request| list_partition_reassignments::handle(&context, request))
        }
        ApiKey::DescribeClientQuotas => {
            call.now(|request| describe_client_quotas::handle(&context, &request))
        }
        ApiKey::AlterClientQuotas => {
            call.later(|request| alter_client_quotas::handle(context, request))
        }
        ApiKey::DescribeUserScramCredentials => {
            call.now(|request| describe_user_scram_credentials::handle(&context, &request))
        }
        ApiKey::AlterUserScramCredentials => {
            call.later(|request| alter_user_scram_credentials::handle(context, request))
        }
        ApiKey::DescribeQuorum => call.later(|request| describe_quorum::handle(context, request)),
        ApiKey::AddRaftVoter => call.later(|request| add_raft_voter::handle(context, request)),
        ApiKey::RemoveRaftVoter => {
            call.later(|request| remove_raft_voter::handle(context, request))
        }
        ApiKey::UpdateFeatures => call.later(|request| update_features::handle(context, request)),
        ApiKey::DescribeCluster => call.now(|request| describe_cluster::handle(&context, &request)),
        ApiKey::UnregisterBroker => {
            call.later(|request| unregister_broker::handle(context, request))
        }
        key => Err(Refused(format!("{key:?} is in the API table, but has no handler"))),
    }
}

/// Makes the handlers of the controller's connections.
pub(crate) struct ControllerListener {
    pub(crate) node: Arc<Node>,
    /// Its name.
    pub(crate) listener: Arc<str>,
}

impl Accept for ControllerListener {
    type Handler = ControllerConnection;

    /// A controller answers from its start: also that there is no quorum yet.
    async fn accept(&self, _peer: SocketAddr) -> ControllerConnection {
        ControllerConnection { node: Arc::clone(&self.node), listener: Arc::clone(&self.listener) }
    }
}

/// One client's requests to a controller.
pub(crate) struct ControllerConnection {
    node: Arc<Node>,
    listener: Arc<str>,
}

impl Handler for ControllerConnection {
    fn overlaps(&self, _frame: &[u8]) -> bool {
        false
    }

    fn handle(&mut self, frame: Bytes) -> Result<Reply, Refused> {
        if let Role::Controller(quorum) = &self.node.role {
            let (active, voters) = quorum();
            self.node.controllers.told(active, &voters);
        }
        let (key, call) = match Call::admit(frame, &self.node.role)? {
            Admitted::Call(key, call) => (key, call),
            Admitted::Answered(reply) => return Ok(reply),
        };
        let context = AdminContext {
            node: Arc::clone(&self.node),
            listener: Arc::clone(&self.listener),
            version: call.version(),
        };
        begin(context, key, call)
    }
}
