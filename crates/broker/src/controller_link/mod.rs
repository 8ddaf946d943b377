//! The broker's standing link to the controllers: registration and session, the metadata feed, and
//! proposals. Runs on the control runtime, so that no stall of the data path can fence a healthy broker,
//! and never gives up.

mod controllers;
mod feed;
mod leader;
mod session;
mod voters;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ottla_config::{HostPort, Voter};
use ottla_metadata::plan::brokers::Registration;
use ottla_metadata::proposal::{AlterPartition, Outcome};
use ottla_metadata::{Proposal, Proposer, Reply};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, TopicIdPartition};
use ottla_rpc::controller::{Beat, RegisterRequest};
use ottla_rpc::convert;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::metadata::Metadata;
use crate::partition::{IsrProposer, Partitions, ProposeError as IsrError};

pub(crate) use controllers::{Controllers, ProposeError};

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

/// The link. Clones share.
#[derive(Clone)]
pub(crate) struct ControllerLink {
    shared: Arc<Shared>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

struct Shared {
    controllers: Arc<Controllers>,
    broker_id: BrokerId,
    incarnation_id: KafkaUuid,
    /// Taken up into the registration once the logs have been opened.
    registration: Mutex<Registration>,
    beat_interval: Duration,
    session_timeout: Duration,
    runtime: Handle,
    /// Of the metadata's directory; known once the logs are open.
    directory_id: OnceLock<KafkaUuid>,
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
        let controllers = Controllers::new(
            &options.voters,
            &options.controllers,
            options.cluster_id,
            options.metadata,
        )?;
        let shared = Shared {
            controllers: Arc::new(controllers),
            broker_id: options.registration.broker_id,
            incarnation_id: options.registration.incarnation_id,
            registration: Mutex::new(options.registration),
            beat_interval: options.beat_interval,
            session_timeout: options.session_timeout,
            runtime: options.runtime.clone(),
            directory_id: OnceLock::new(),
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

    /// Registers, and follows the feed. `local` is the controller in this process, if there is one;
    /// `directory_id` that of the metadata's directory.
    pub(crate) fn start(
        &self,
        partitions: Partitions,
        local: Option<BrokerId>,
        directory_id: Option<KafkaUuid>,
    ) {
        if let Some(id) = directory_id {
            // Set once: a link is started once.
            let _ = self.shared.directory_id.set(id);
        }
        self.shared.registration.lock().previous_broker_epoch = partitions.previous_broker_epoch();
        if let Some(stored) = partitions.cluster_id() {
            self.shared.controllers.learn_cluster_id(stored);
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

    /// The controllers at the other end.
    pub(crate) fn controllers(&self) -> &Arc<Controllers> {
        &self.shared.controllers
    }

    /// Completes when this broker is registered, unfenced and so may serve.
    pub(crate) async fn unfenced(&self) {
        let mut applied = self.shared.controllers.metadata.subscribe();
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

    /// This broker, as a proposer for itself.
    pub(crate) fn proposer(&self) -> Proposer {
        let broker_epoch = self.shared.session_epoch().unwrap_or(-1);
        Proposer { broker_id: self.shared.broker_id, broker_epoch }
    }
}

impl IsrProposer for ControllerLink {
    fn propose_isr(
        &self,
        partitions: Vec<AlterPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Outcome>, IsrError>> + Send + '_>> {
        Box::pin(async move {
            let deadline = Instant::now() + ISR_DEADLINE;
            let proposal = Proposal::AlterPartitions(partitions);
            match self.controllers().propose(self.proposer(), &proposal, deadline).await {
                Ok((Reply::AlterPartitions(outcomes), _)) => Ok(outcomes),
                Ok(_) => Err(IsrError("an answer to another question".to_owned())),
                Err(error) => Err(IsrError(error.to_string())),
            }
        })
    }

    fn report_offline(
        &self,
        replicas: Vec<TopicIdPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<(), IsrError>> + Send + '_>> {
        Box::pin(async move {
            let deadline = Instant::now() + ISR_DEADLINE;
            let proposal = Proposal::ReportOffline(replicas);
            match self.controllers().propose(self.proposer(), &proposal, deadline).await {
                Ok((Reply::ReportOffline(outcome), _)) => {
                    outcome.map_err(|refusal| IsrError(refusal.to_string()))
                }
                Ok(_) => Err(IsrError("an answer to another question".to_owned())),
                Err(error) => Err(IsrError(error.to_string())),
            }
        })
    }
}

impl Shared {
    fn registration(&self) -> RegisterRequest {
        let cluster_id = self.controllers.cluster_id().unwrap_or_default();
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
        self.session_epoch()
            .is_some_and(|epoch| self.controllers.metadata.is_unfenced(self.broker_id, epoch))
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
            cluster_id: self.controllers.cluster_id().unwrap_or_default(),
            broker_id: self.broker_id,
            broker_epoch,
            metadata_offset: self.controllers.metadata.applied_offset(),
            want_fence: false,
            want_shutdown: self.want_shutdown.load(Ordering::Acquire),
            directory_id: self.directory_id.get().map(convert::id_to_proto).unwrap_or_default(),
        }
    }
}
