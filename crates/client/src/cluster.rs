//! What the clones of a client share: connections by address, metadata, and the task that refreshes it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use ottla_protocol::StrBytes;
use ottla_protocol::ids::{BrokerId, TopicName};
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::MetadataResponseBroker;
use ottla_protocol::messages::{self, DescribeClusterRequest, MetadataRequest, MetadataResponse};
use tokio::sync::{Notify, watch};

use crate::connection::Connection;
use crate::error::{ApiError, ClientError};
use crate::metadata::Metadata;
use crate::options::{ClientOptions, HostPort};

/// A metadata request that one node leaves unanswered for this long is sent to the next node as well, so
/// that one stopped broker does not hide a failover.
const HEDGE: Duration = Duration::from_millis(250);

/// The type of endpoint that DescribeCluster is asked for at a controller.
pub(crate) const CONTROLLERS: i8 = 2;

/// One place for a connection: the lock makes sure that only one task dials.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Connection>>>>;

/// One cluster, as its clients share it.
pub(crate) struct Cluster {
    pub(crate) options: ClientOptions,
    pub(crate) bootstrap: Vec<HostPort>,
    pub(crate) state: Mutex<State>,
    pub(crate) slots: Mutex<HashMap<HostPort, Slot>>,
    /// Asks the refresher for new metadata.
    pub(crate) wanted: Arc<Notify>,
    /// Counts the metadata answers taken in.
    pub(crate) generation: watch::Sender<u64>,
}

/// What is known and what is wanted of the cluster.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) metadata: Arc<Metadata>,
    /// The topics whose metadata is kept fresh.
    pub(crate) interest: BTreeSet<TopicName>,
    /// Whether every topic is kept fresh.
    pub(crate) all_topics: bool,
    /// Whether a topic that is asked for may be created by that.
    pub(crate) auto_create: BTreeSet<TopicName>,
}

/// The time that is left.
pub(crate) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Keeps metadata fresh while a client lives.
pub(crate) async fn refresh_when_wanted(
    inner: Weak<Cluster>,
    wanted: Arc<Notify>,
    max_age: Duration,
) {
    let mut failures = 0;
    loop {
        tokio::select! {
            () = wanted.notified() => {}
            () = tokio::time::sleep(max_age) => {}
        }
        let Some(inner) = inner.upgrade() else { return };
        match inner.refresh_once().await {
            Ok(()) => failures = 0,
            Err(_) => {
                failures += 1;
                wanted.notify_one();
            }
        }
        let pause = inner.options.backoff(failures.max(1));
        drop(inner);
        tokio::time::sleep(pause).await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The refresher wakes, finds nobody, and ends.
        self.wanted.notify_one();
    }
}

impl Cluster {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn nobody(&self, last: &str) -> ClientError {
        ClientError::NoNode { waited_ms: self.options.api_timeout_ms, last: last.to_owned() }
    }

    fn slot(&self, address: &HostPort) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(address.clone()).or_default())
    }

    async fn connection_at(&self, address: &HostPort) -> Result<Arc<Connection>, ClientError> {
        let slot = self.slot(address);
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(Connection::open(address, &self.options).await?);
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    pub(crate) async fn connection_to(&self, id: BrokerId) -> Result<Arc<Connection>, ClientError> {
        let known = |cluster: &Self| cluster.lock().metadata.nodes.get(&id).cloned();
        let mut node = known(self);
        if node.is_none() {
            self.refresh().await?;
            node = known(self);
        }
        let node = node.ok_or(ClientError::UnknownNode(id))?;
        self.connection_at(&node.address).await.inspect_err(|_| self.wanted.notify_one())
    }

    /// Addresses in the order in which they are worth trying: open connections first.
    fn candidates(&self) -> Vec<HostPort> {
        let known: Vec<HostPort> =
            self.lock().metadata.nodes.values().map(|node| node.address.clone()).collect();
        let mut all: Vec<HostPort> = Vec::new();
        for address in known.iter().chain(&self.bootstrap) {
            if !all.contains(address) {
                all.push(address.clone());
            }
        }
        let open = |address: &HostPort| {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.get(address).is_some_and(|slot| match slot.try_lock() {
                Ok(slot) => slot.as_ref().is_some_and(|connection| !connection.is_closed()),
                Err(_) => false,
            })
        };
        all.sort_by_key(|address| !open(address));
        all
    }

    pub(crate) async fn any_connection(&self) -> Result<Arc<Connection>, ClientError> {
        let mut last = None;
        for address in self.candidates() {
            match self.connection_at(&address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| self.nobody("no address is known")))
    }

    /// Asks nodes for metadata, one after the other, until one answers; gives up at the deadline. Boxed,
    /// to be compiled here and once.
    pub(crate) fn refresh(&self) -> BoxFuture<'_, Result<(), ClientError>> {
        Box::pin(self.refresh_until_answered())
    }

    async fn refresh_until_answered(&self) -> Result<(), ClientError> {
        let started = Instant::now();
        let deadline = started + Duration::from_millis(self.options.api_timeout_ms);
        let mut attempt = 0;
        loop {
            match self.refresh_within(left(deadline)).await {
                Ok(()) => return Ok(()),
                Err(error) if !error.is_retriable() => return Err(error),
                Err(error) => {
                    attempt += 1;
                    let pause = self.options.backoff(attempt);
                    if Instant::now() + pause >= deadline {
                        return Err(ClientError::NoNode {
                            waited_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
                            last: error.to_string(),
                        });
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn refresh_once(&self) -> Result<(), ClientError> {
        self.refresh_within(Duration::from_millis(self.options.request_timeout_ms)).await
    }

    async fn refresh_within(&self, limit: Duration) -> Result<(), ClientError> {
        let (request, all_topics) = self.metadata_request();
        let response = self.ask_around(&request, limit).await?;
        Arc::make_mut(&mut self.lock().metadata).update(&response, all_topics);
        self.generation.send_modify(|generation| *generation += 1);
        Ok(())
    }

    fn metadata_request(&self) -> (MetadataRequest, bool) {
        let state = self.lock();
        let topic = |name: &TopicName| {
            let name = messages::TopicName(StrBytes::from_string(name.to_string()));
            MetadataRequestTopic::default().with_name(Some(name))
        };
        let topics = (!state.all_topics).then(|| state.interest.iter().map(topic).collect());
        let request = MetadataRequest::default()
            .with_topics(topics)
            .with_allow_auto_topic_creation(!state.auto_create.is_empty());
        (request, state.all_topics)
    }

    /// Sends a metadata request to the candidates, the next one as soon as one fails or is silent for
    /// [`HEDGE`]; the first answer counts.
    async fn ask_around(
        &self,
        request: &MetadataRequest,
        limit: Duration,
    ) -> Result<MetadataResponse, ClientError> {
        let mut candidates = self.candidates().into_iter();
        let mut asked = FuturesUnordered::new();
        let mut last = None;
        let limit = limit.min(Duration::from_millis(self.options.request_timeout_ms));
        asked.extend(candidates.next().map(|address| self.ask(address, request, limit)));
        loop {
            tokio::select! {
                answer = asked.next() => match answer {
                    Some(Ok(response)) => return Ok(response),
                    Some(Err(error)) => {
                        last = Some(error);
                        asked.extend(candidates.next().map(|next| self.ask(next, request, limit)));
                    }
                    None => return Err(last.unwrap_or_else(|| self.nobody("no address is known"))),
                },
                () = tokio::time::sleep(HEDGE), if candidates.len() > 0 => {
                    asked.extend(candidates.next().map(|next| self.ask(next, request, limit)));
                }
            }
        }
    }

    async fn ask(
        &self,
        address: HostPort,
        request: &MetadataRequest,
        limit: Duration,
    ) -> Result<MetadataResponse, ClientError> {
        let connection = self.connection_at(&address).await?;
        let response = if self.options.bootstrap_controllers {
            controllers(&connection, limit).await?
        } else {
            let version = connection.negotiate::<MetadataRequest>()?;
            connection.call(version, request, limit).await?
        };
        if let Some(error) = ApiError::from_wire(response.error_code, None) {
            return Err(error.into());
        }
        // A broker that has just started knows of no live broker yet, itself included.
        if response.brokers.is_empty() {
            let reason = "it knows of no live broker yet".to_owned();
            return Err(ClientError::Connect { address: address.to_string(), reason });
        }
        Ok(response)
    }
}

/// Asks a controller for the controllers, in the form of an answer about brokers without topics.
async fn controllers(
    connection: &Connection,
    limit: Duration,
) -> Result<MetadataResponse, ClientError> {
    let version = connection.negotiate::<DescribeClusterRequest>()?;
    let request = DescribeClusterRequest::default().with_endpoint_type(CONTROLLERS);
    let response = connection.call(version, &request, limit).await?;
    let message = response.error_message.as_deref();
    if let Some(error) = ApiError::from_wire(response.error_code, message) {
        return Err(error.into());
    }
    let node = |node: &DescribeClusterBroker| {
        MetadataResponseBroker::default()
            .with_node_id(node.broker_id)
            .with_host(node.host.clone())
            .with_port(node.port)
            .with_rack(node.rack.clone())
    };
    Ok(MetadataResponse::default()
        .with_cluster_id(Some(response.cluster_id))
        .with_controller_id(response.controller_id)
        .with_brokers(response.brokers.iter().map(node).collect()))
}
