//! The broker's standing link to the controllers: registration and session, the metadata feed, and
//! proposals. Runs on the control runtime, so that no stall of the data path can fence a healthy broker,
//! and never gives up.

mod feed;
mod leader;
mod session;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ottla_config::{HostPort, Voter};
use ottla_metadata::plan::brokers::Registration;
use ottla_metadata::proposal::{AlterPartition, Outcome};
use ottla_metadata::{Proposal, Proposer, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, MetadataOffset};
use ottla_rpc::controller::{
    Beat, DescribeQuorumReply, DescribeQuorumRequest, ProposeRequest, RegisterRequest,
};
use ottla_rpc::{convert, status};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::metadata::Metadata;
use crate::partition::{IsrProposer, Partitions, ProposeError as IsrError};
use leader::Leader;

/// One attempt of a call to the active controller; a paused controller must not eat a whole deadline.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Between attempts while the quorum has no leader to try.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// How long an ISR proposal is tried; its partition then makes a new one.
const ISR_DEADLINE: Duration = Duration::from_secs(5);

/// What the link is made of.
pub(crate) struct LinkOptions {
    /// What is known of the controllers' ids.
    pub(crate) voters: Vec<Voter>,
    /// Where controllers are: the voters in their order, or others, whose ids are learned.
    pub(crate) controllers: Vec<HostPort>,
    pub(crate) registration: Registration,
    /// What the configuration says; `None`: the logs or the controllers will tell.
    pub(crate) cluster_id: Option<String>,
    /// `broker.heartbeat.interval.ms`.
    pub(crate) beat_interval: Duration,
    /// `broker.session.timeout.ms`.
    pub(crate) session_timeout: Duration,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) runtime: Handle,
}

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

/// The link. Clones share.
#[derive(Clone)]
pub(crate) struct ControllerLink {
    shared: Arc<Shared>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

struct Shared {
    leader: Leader,
    broker_id: BrokerId,
    incarnation_id: KafkaUuid,
    /// Taken up into the registration once the logs have been opened.
    registration: Mutex<Registration>,
    /// What this node takes for its cluster's id before the feed says it.
    own_cluster_id: Mutex<Option<String>>,
    beat_interval: Duration,
    session_timeout: Duration,
    metadata: Arc<Metadata>,
    runtime: Handle,
    /// The registration that the session speaks for.
    epoch: watch::Sender<Option<BrokerEpoch>>,
    in_session: watch::Sender<bool>,
    /// It has been unfenced.
    served: AtomicBool,
    want_shutdown: AtomicBool,
    may_stop: watch::Sender<bool>,
    beat_now: Notify,
    refusal: ArcSwapOption<String>,
    refused: Notify,
}

impl ControllerLink {
    /// A link that does nothing until [`ControllerLink::start`].
    pub(crate) fn new(options: LinkOptions) -> Result<Self, ottla_rpc::InvalidAddress> {
        let _on_control = options.runtime.enter();
        let shared = Shared {
            leader: Leader::new(&options.voters, &options.controllers)?,
            broker_id: options.registration.broker_id,
            incarnation_id: options.registration.incarnation_id,
            registration: Mutex::new(options.registration),
            own_cluster_id: Mutex::new(options.cluster_id),
            beat_interval: options.beat_interval,
            session_timeout: options.session_timeout,
            metadata: options.metadata,
            runtime: options.runtime.clone(),
            epoch: watch::Sender::new(None),
            in_session: watch::Sender::new(false),
            served: AtomicBool::new(false),
            want_shutdown: AtomicBool::new(false),
            may_stop: watch::Sender::new(false),
            beat_now: Notify::new(),
            refusal: ArcSwapOption::empty(),
            refused: Notify::new(),
        };
        Ok(Self { shared: Arc::new(shared), tasks: Arc::default() })
    }

    /// Registers, and follows the feed. `local` is the controller in this process, if there is one.
    pub(crate) fn start(&self, partitions: Partitions, local: Option<BrokerId>) {
        self.shared.registration.lock().previous_broker_epoch = partitions.previous_broker_epoch();
        if let Some(stored) = partitions.cluster_id() {
            *self.shared.own_cluster_id.lock() = Some(stored);
        }
        let runtime = &self.shared.runtime;
        let mut tasks = self.tasks.lock();
        tasks.push(runtime.spawn(session::keep(Arc::clone(&self.shared))));
        tasks.push(runtime.spawn(feed::follow(Arc::clone(&self.shared), partitions, local)));
    }

    /// Ends the session and the feed.
    pub(crate) async fn stop(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            // Cancelled, as it was told.
            let _ = task.await;
        }
    }

    /// The id of the active controller, as far as is known.
    pub(crate) fn active_controller(&self) -> Option<BrokerId> {
        self.shared.leader.id()
    }

    /// Completes when this broker is registered, unfenced and so may serve.
    pub(crate) async fn unfenced(&self) {
        let mut applied = self.shared.metadata.subscribe();
        // The sender lives as long as the link: waiting cannot fail.
        let _ = applied.wait_for(|_| self.shared.is_unfenced()).await;
    }

    /// Completes when this broker has been unfenced at least once since it started.
    pub(crate) async fn unfenced_once(&self) {
        if !self.shared.served.load(Ordering::Acquire) {
            self.unfenced().await;
            self.shared.served.store(true, Ordering::Release);
        }
    }

    /// Completes, with the reason, when the controllers will not have this broker.
    pub(crate) async fn refused(&self) -> String {
        loop {
            let notified = self.shared.refused.notified();
            if let Some(reason) = self.shared.refusal.load_full() {
                return reason.as_ref().clone();
            }
            notified.await;
        }
    }

    /// Asks to be relieved of all leaderships (controlled shutdown); completes when the controller says
    /// that this broker may stop. Gives up when there is no session for `without_session`.
    pub(crate) async fn relieved(&self, without_session: Duration) {
        self.shared.want_shutdown.store(true, Ordering::Release);
        self.shared.beat_now.notify_one();
        let mut may_stop = self.shared.may_stop.subscribe();
        tokio::select! {
            _ = may_stop.wait_for(|may_stop| *may_stop) => {}
            () = self.without_session_for(without_session) => {
                tracing::warn!("no controller to hand the leaderships over: stopping without it");
            }
        }
    }

    async fn without_session_for(&self, limit: Duration) {
        let mut in_session = self.shared.in_session.subscribe();
        loop {
            let _ = in_session.wait_for(|in_session| !in_session).await;
            let regained =
                tokio::time::timeout(limit, in_session.wait_for(|in_session| *in_session));
            if regained.await.is_err() {
                return;
            }
        }
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
            cluster_id: self.shared.cluster_id().unwrap_or_default(),
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

    /// Like [`ControllerLink::propose`], and waits until the effects are visible in this broker's image.
    pub(crate) async fn propose_and_see(
        &self,
        proposal: &Proposal,
        deadline: Instant,
    ) -> Result<Reply, ProposeError> {
        let (reply, offset) = self.propose(Proposer::TOOL, proposal, deadline).await?;
        if self.shared.metadata.wait_for(offset, deadline).await {
            return Ok(reply);
        }
        Err(ProposeError::TimedOut("this broker's metadata lags behind".to_owned()))
    }

    /// This broker, as a proposer for itself.
    pub(crate) fn proposer(&self) -> Proposer {
        let broker_epoch = self.shared.session_epoch().unwrap_or(-1);
        Proposer { broker_id: self.shared.broker_id, broker_epoch }
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
        attempt: impl Fn(leader::Client) -> F,
    ) -> Result<T, ProposeError>
    where
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    {
        let leader = &self.shared.leader;
        let mut last_error = "no controller is active".to_owned();
        loop {
            let Ok((id, client)) = timeout_at(deadline, leader.find()).await else {
                return Err(ProposeError::TimedOut(last_error));
            };
            let until = deadline.min(Instant::now() + ATTEMPT);
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
            leader.judge(id, &status);
            if leader.id().is_none_or(|leader| leader == id) {
                sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// What two nodes of different versions may come to.
fn invalid(reason: &str) -> ProposeError {
    ProposeError::Refused(Refusal::new(ErrorCode::UnknownServerError, reason))
}

impl IsrProposer for ControllerLink {
    fn propose_isr(
        &self,
        partitions: Vec<AlterPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Outcome>, IsrError>> + Send + '_>> {
        Box::pin(async move {
            let deadline = Instant::now() + ISR_DEADLINE;
            let proposal = Proposal::AlterPartitions(partitions);
            match self.propose(self.proposer(), &proposal, deadline).await {
                Ok((Reply::AlterPartitions(outcomes), _)) => Ok(outcomes),
                Ok(_) => Err(IsrError("an answer to another question".to_owned())),
                Err(error) => Err(IsrError(error.to_string())),
            }
        })
    }
}

impl Shared {
    fn cluster_id(&self) -> Option<String> {
        let known = self.metadata.image().cluster_id().map(|id| id.to_string());
        known.or_else(|| self.own_cluster_id.lock().clone())
    }

    fn registration(&self) -> RegisterRequest {
        let cluster_id = self.cluster_id().unwrap_or_default();
        convert::registration_to_proto(&self.registration.lock(), &cluster_id)
    }

    fn session_epoch(&self) -> Option<BrokerEpoch> {
        *self.epoch.borrow()
    }

    fn registered(&self, epoch: BrokerEpoch) {
        self.epoch.send_replace(Some(epoch));
    }

    /// Another registration took the place of ours: the next session begins with a new one.
    fn void_session_epoch(&self) {
        self.epoch.send_replace(None);
    }

    fn in_session(&self, in_session: bool) {
        self.in_session.send_if_modified(|was| std::mem::replace(was, in_session) != in_session);
    }

    fn is_unfenced(&self) -> bool {
        self.session_epoch().is_some_and(|epoch| self.metadata.is_unfenced(self.broker_id, epoch))
    }

    fn may_stop(&self) {
        self.may_stop.send_replace(true);
    }

    fn refuse(&self, reason: &str) {
        self.refusal.store(Some(Arc::new(reason.to_owned())));
        self.refused.notify_waiters();
    }

    fn beat(&self, broker_epoch: BrokerEpoch) -> Beat {
        Beat {
            cluster_id: self.cluster_id().unwrap_or_default(),
            broker_id: self.broker_id,
            broker_epoch,
            metadata_offset: self.metadata.applied_offset(),
            want_fence: false,
            want_shutdown: self.want_shutdown.load(Ordering::Acquire),
        }
    }
}
