//! Asking the active controller, whoever it is by then: proposals, and the state of the quorum.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::{HostPort, Voter};
use ottla_metadata::{Proposal, Proposer, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, MetadataOffset};
use ottla_rpc::controller::{DescribeQuorumReply, DescribeQuorumRequest, ProposeRequest};
use ottla_rpc::quorum::Node as QuorumNode;
use ottla_rpc::{convert, status};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use super::leader::{Client, Leader};
use crate::metadata::Metadata;

/// One attempt of a call to the active controller; a paused controller must not eat a whole deadline.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Between attempts while the quorum has no leader to try.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// A proposal was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProposeError {
    /// Unknown: it may have been taken.
    #[error("the active controller did not answer in time: {0}")]
    TimedOut(String),
    /// Definite: the controller does not take it.
    #[error("the active controller refused the request: {0}")]
    Refused(Refusal),
}

impl From<ProposeError> for Refusal {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::TimedOut(_) => Self::new(ErrorCode::RequestTimedOut, error.to_string()),
            ProposeError::Refused(refusal) => refusal,
        }
    }
}

/// The controllers, and what is known here of the metadata that they commit.
pub(crate) struct Controllers {
    pub(super) leader: Leader,
    pub(super) metadata: Arc<Metadata>,
    /// What this node takes for its cluster's id before the metadata says it.
    own_cluster_id: Mutex<Option<String>>,
}

impl Controllers {
    /// `voters` are what is known of the controllers' ids; `controllers` where they are: the voters in
    /// their order, or others, whose ids are learned. Connections are made on the runtime this is called
    /// from, when they are first used.
    pub(crate) fn new(
        voters: &[Voter],
        controllers: &[HostPort],
        cluster_id: Option<String>,
        metadata: Arc<Metadata>,
    ) -> Result<Self, ottla_rpc::InvalidAddress> {
        let leader = Leader::new(voters, controllers)?;
        Ok(Self { leader, metadata, own_cluster_id: Mutex::new(cluster_id) })
    }

    /// The id of the active controller, as far as is known.
    pub(crate) fn active(&self) -> Option<BrokerId> {
        self.leader.id()
    }

    /// The controller in this process says who is active, as far as is known, and who votes.
    pub(crate) fn told(&self, active: Option<BrokerId>, voters: &[Voter]) {
        let voter = |voter: &Voter| QuorumNode {
            node_id: voter.id,
            host: voter.host.clone(),
            port: voter.port.into(),
            ..QuorumNode::default()
        };
        self.leader.learn(&voters.iter().map(voter).collect::<Vec<_>>());
        if let Some(active) = active {
            self.leader.hinted(active);
        }
    }

    /// This node's cluster, as far as is known.
    pub(crate) fn cluster_id(&self) -> Option<String> {
        let known = self.metadata.image().cluster_id().map(|id| id.to_string());
        known.or_else(|| self.own_cluster_id.lock().clone())
    }

    /// The logs say which cluster they are of.
    pub(super) fn learn_cluster_id(&self, id: String) {
        *self.own_cluster_id.lock() = Some(id);
    }

    /// Proposes to the active controller, whoever it is by then, until it answers or `deadline` comes.
    /// The answer says taken or refused; its effects are in the image from the returned offset on.
    ///
    /// `proposer` is who asks: [`Proposer::TOOL`] for a client's wish.
    pub(crate) async fn propose(
        &self,
        proposer: Proposer,
        proposal: &Proposal,
        deadline: Instant,
    ) -> Result<(Reply, MetadataOffset), ProposeError> {
        let request = ProposeRequest {
            cluster_id: self.cluster_id().unwrap_or_default(),
            broker_id: proposer.broker_id,
            broker_epoch: proposer.broker_epoch,
            proposal: Some(convert::proposal_to_proto(proposal)),
        };
        let reply = self
            .call(deadline, |mut client| {
                let request = request.clone();
                async move { client.propose(request).await }
            })
            .await?;
        let offset = reply.offset;
        let reply = reply.reply.ok_or_else(|| invalid("an answer without content"))?;
        let reply =
            convert::reply_from_proto(reply).map_err(|error| invalid(&error.to_string()))?;
        Ok((reply, offset))
    }

    /// Like [`Controllers::propose`], and waits until the effects are visible in this node's image.
    pub(crate) async fn propose_and_see(
        &self,
        proposal: &Proposal,
        deadline: Instant,
    ) -> Result<Reply, ProposeError> {
        let (reply, offset) = self.propose(Proposer::TOOL, proposal, deadline).await?;
        if self.metadata.wait_for(offset, deadline).await {
            return Ok(reply);
        }
        Err(ProposeError::TimedOut("this node's metadata lags behind".to_owned()))
    }

    /// The quorum as its active controller sees it.
    pub(crate) async fn describe_quorum(
        &self,
        deadline: Instant,
    ) -> Result<DescribeQuorumReply, ProposeError> {
        self.call(deadline, |mut client| async move {
            client.describe_quorum(DescribeQuorumRequest {}).await
        })
        .await
    }

    async fn call<T, F>(
        &self,
        deadline: Instant,
        attempt: impl Fn(Client) -> F,
    ) -> Result<T, ProposeError>
    where
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    {
        self.call_within(deadline, ATTEMPT, attempt).await
    }

    /// Calls the active controller until it answers; one attempt takes at most `limit`.
    pub(super) async fn call_within<T, F>(
        &self,
        deadline: Instant,
        limit: Duration,
        attempt: impl Fn(Client) -> F,
    ) -> Result<T, ProposeError>
    where
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    {
        let mut last_error = "no controller is active".to_owned();
        loop {
            let Ok((id, client)) = timeout_at(deadline, self.leader.find()).await else {
                return Err(ProposeError::TimedOut(last_error));
            };
            let until = deadline.min(Instant::now() + limit);
            let status = match timeout_at(until, attempt(client)).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => tonic::Status::deadline_exceeded("no answer"),
            };
            if let Some(refusal) = status::refusal(&status) {
                return Err(ProposeError::Refused(refusal));
            }
            if status.code() == tonic::Code::InvalidArgument {
                return Err(invalid(status.message()));
            }
            last_error = format!("controller {id}: {}", status.message());
            self.leader.judge(id, &status);
            if self.leader.id().is_none_or(|leader| leader == id) {
                sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// What two nodes of different versions may come to.
fn invalid(reason: &str) -> ProposeError {
    ProposeError::Refused(Refusal::new(ErrorCode::UnknownServerError, reason))
}
