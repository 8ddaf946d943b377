//! A client of one cluster: its connections and its metadata.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ottla_protocol::api::ApiKey;
use ottla_protocol::ids::{BrokerId, LeaderEpoch, TopicName, TopicPartition};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{self, MetadataRequest, MetadataResponse};
use ottla_protocol::{Request, StrBytes};
use tokio::sync::{Notify, watch};

use crate::connection::Connection;
use crate::error::{ApiError, ClientError};
use crate::metadata::{Metadata, Node, TopicInfo};
use crate::options::{ClientOptions, HostPort, parse_bootstrap};
use crate::versions::BrokerVersions;

/// A metadata request that one node leaves unanswered for this long is sent to the next node as well, so
/// that one stopped broker does not hide a failover.
const HEDGE: Duration = Duration::from_millis(250);

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Any node that answers; retried at others until the deadline.
    Any,
    /// The node that the cluster names as its controller; retried until the deadline.
    Controller,
    /// This node, once.
    Node(BrokerId),
}

/// A client of one cluster. Cheap to clone; the last clone closes the connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

/// One place for a connection: the lock makes sure that only one task dials.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Connection>>>>;

struct Inner {
    options: ClientOptions,
    bootstrap: Vec<HostPort>,
    state: Mutex<State>,
    slots: Mutex<HashMap<HostPort, Slot>>,
    /// Asks the refresher for new metadata.
    wanted: Arc<Notify>,
    /// Counts the metadata answers taken in.
    generation: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    metadata: Arc<Metadata>,
    /// The topics whose metadata is kept fresh.
    interest: BTreeSet<TopicName>,
    /// Whether every topic is kept fresh.
    all_topics: bool,
    /// Whether a topic that is asked for may be created by that.
    auto_create: BTreeSet<TopicName>,
}

impl Client {
    /// A client that has not yet spoken to anybody. Must be called within a tokio runtime, since it
    /// starts the task that refreshes metadata.
    pub fn new(bootstrap: &str, options: ClientOptions) -> Result<Self, ClientError> {
        let (generation, _) = watch::channel(0);
        let inner = Arc::new(Inner {
            bootstrap: parse_bootstrap(bootstrap)?,
            state: Mutex::default(),
            slots: Mutex::default(),
            wanted: Arc::default(),
            generation,
            options,
        });
        let max_age = Duration::from_millis(inner.options.metadata_max_age_ms);
        let wanted = Arc::clone(&inner.wanted);
        tokio::spawn(refresh_when_wanted(Arc::downgrade(&inner), wanted, max_age));
        Ok(Self { inner })
    }

    /// A client that has learnt the cluster's nodes.
    pub async fn connect(bootstrap: &str, options: ClientOptions) -> Result<Self, ClientError> {
        let client = Self::new(bootstrap, options)?;
        client.refresh().await?;
        Ok(client)
    }

    /// The settings it was made with.
    #[must_use]
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// The cluster as last seen.
    #[must_use]
    pub fn metadata(&self) -> Arc<Metadata> {
        Arc::clone(&self.inner.lock().metadata)
    }

    /// Changes whenever an answer with metadata was taken in.
    #[must_use]
    pub fn metadata_changes(&self) -> watch::Receiver<u64> {
        self.inner.generation.subscribe()
    }

    /// Asks for fresh metadata without waiting for it.
    pub fn want_metadata(&self) {
        self.inner.wanted.notify_one();
    }

    /// Keeps a topic's metadata fresh from now on. With `auto_create`, asking for it may create it where
    /// the broker allows that (`auto.create.topics.enable`).
    pub fn follow_topic(&self, topic: &TopicName, auto_create: bool) {
        let mut state = self.inner.lock();
        state.interest.insert(Arc::clone(topic));
        if auto_create {
            state.auto_create.insert(Arc::clone(topic));
        }
    }

    /// Keeps every topic's metadata fresh from now on.
    pub fn follow_all_topics(&self) {
        self.inner.lock().all_topics = true;
    }

    /// Fetches metadata of the followed topics now.
    pub async fn refresh(&self) -> Result<Arc<Metadata>, ClientError> {
        self.inner.refresh().await?;
        Ok(self.metadata())
    }

    /// A topic's metadata, fetched if need be; waits until the cluster describes it, at most
    /// `api_timeout_ms`. A lasting refusal comes back at once.
    pub async fn topic(
        &self,
        topic: &TopicName,
        auto_create: bool,
    ) -> Result<Arc<TopicInfo>, ClientError> {
        self.follow_topic(topic, auto_create);
        let deadline = Instant::now() + Duration::from_millis(self.inner.options.api_timeout_ms);
        let mut attempt = 0;
        loop {
            let known = self.metadata().topic(topic).cloned();
            let last = match known {
                Some(Ok(info)) => return Ok(info),
                Some(Err(error)) if !error.is_retriable() => return Err(error.into()),
                Some(Err(error)) if attempt > 0 => Some(error),
                _ => None,
            };
            let pause = self.inner.options.backoff(attempt);
            if Instant::now() + pause > deadline {
                return Err(last.map_or_else(|| self.inner.nobody("timed out"), Into::into));
            }
            if attempt > 0 {
                tokio::time::sleep(pause).await;
            }
            attempt += 1;
            self.inner.refresh().await?;
        }
    }

    /// The leader of a partition as last seen, with its epoch.
    #[must_use]
    pub fn leader(&self, partition: &TopicPartition) -> Option<(BrokerId, LeaderEpoch)> {
        self.inner.lock().metadata.leader(&partition.topic, partition.partition)
    }

    /// Takes in a leader, and the nodes' addresses, that a broker named beside an error (KIP-951).
    /// Returns whether it is news.
    pub fn hint_leader(
        &self,
        partition: &TopicPartition,
        leader: BrokerId,
        leader_epoch: LeaderEpoch,
        nodes: impl IntoIterator<Item = Node>,
    ) -> bool {
        let mut state = self.inner.lock();
        let metadata = Arc::make_mut(&mut state.metadata);
        for node in nodes {
            metadata.hint_node(node);
        }
        metadata.hint_leader(&partition.topic, partition.partition, leader, leader_epoch)
    }

    /// Sends a request in the highest version that both sides speak and returns the answer. An error
    /// code inside the answer is the caller's to judge.
    pub async fn request<T: Request + Clone>(
        &self,
        target: Target,
        request: &T,
    ) -> Result<T::Response, ClientError> {
        self.request_with(target, |_| request.clone()).await.map(|(_, response)| response)
    }

    /// Like [`Client::request`], for requests whose fields depend on the version: `build` is given the
    /// version; returned with the answer is the version it came in.
    pub async fn request_with<T: Request>(
        &self,
        target: Target,
        build: impl Fn(i16) -> T,
    ) -> Result<(i16, T::Response), ClientError> {
        let limit = Duration::from_millis(self.inner.options.request_timeout_ms);
        self.request_within(target, limit, build).await
    }

    /// Like [`Client::request_with`], with a limit of its own for each attempt.
    pub async fn request_within<T: Request>(
        &self,
        target: Target,
        limit: Duration,
        build: impl Fn(i16) -> T,
    ) -> Result<(i16, T::Response), ClientError> {
        let started = Instant::now();
        let deadline = started + Duration::from_millis(self.inner.options.api_timeout_ms);
        let mut attempt = 0;
        loop {
            let result = self.attempt(target, limit.min(left(deadline)), &build).await;
            let error = match result {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if matches!(target, Target::Node(_)) || !error.is_retriable() {
                return Err(error);
            }
            attempt += 1;
            let pause = self.inner.options.backoff(attempt);
            if Instant::now() + pause >= deadline {
                return Err(ClientError::NoNode {
                    waited_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
                    last: error.to_string(),
                });
            }
            tokio::time::sleep(pause).await;
            if target == Target::Controller {
                self.inner.refresh().await?;
            }
        }
    }

    async fn attempt<T: Request>(
        &self,
        target: Target,
        limit: Duration,
        build: &impl Fn(i16) -> T,
    ) -> Result<(i16, T::Response), ClientError> {
        let connection = match target {
            Target::Node(id) => self.inner.connection_to(id).await?,
            Target::Any => self.inner.any_connection().await?,
            Target::Controller => {
                let mut controller = self.metadata().controller;
                if controller.is_none() {
                    controller = self.refresh().await?.controller;
                }
                match controller {
                    Some(id) => self.inner.connection_to(id).await?,
                    None => self.inner.any_connection().await?,
                }
            }
        };
        let version = connection.negotiate::<T>()?;
        let response = connection.call(version, &build(version), limit).await;
        if let Err(ClientError::Disconnected { .. } | ClientError::RequestTimeout { .. }) =
            &response
        {
            self.want_metadata();
        }
        Ok((version, response?))
    }

    /// Sends a request that is not answered (Produce with acks=0) to a node.
    pub async fn send_unanswered<T: Request>(
        &self,
        node: BrokerId,
        build: impl Fn(i16) -> T,
    ) -> Result<(), ClientError> {
        let connection = self.inner.connection_to(node).await?;
        let version = connection.negotiate::<T>()?;
        connection.send_unanswered(version, &build(version)).await
    }

    /// What a node announced; connects to it if need be.
    pub async fn versions(&self, node: BrokerId) -> Result<BrokerVersions, ClientError> {
        Ok(self.inner.connection_to(node).await?.versions().clone())
    }

    /// Whether a node serves an API at all; connects to it if need be. `Target::Any` asks any node.
    pub async fn serves(&self, target: Target, api: ApiKey) -> Result<bool, ClientError> {
        let connection = match target {
            Target::Node(id) => self.inner.connection_to(id).await?,
            Target::Any | Target::Controller => self.inner.any_connection().await?,
        };
        Ok(connection.versions().range(api as i16).is_some())
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Keeps metadata fresh while a client lives.
async fn refresh_when_wanted(inner: Weak<Inner>, wanted: Arc<Notify>, max_age: Duration) {
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

impl Drop for Inner {
    fn drop(&mut self) {
        // The refresher wakes, finds nobody, and ends.
        self.wanted.notify_one();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nobody(&self, last: &str) -> ClientError {
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

    async fn connection_to(&self, id: BrokerId) -> Result<Arc<Connection>, ClientError> {
        let known = |inner: &Self| inner.lock().metadata.nodes.get(&id).cloned();
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

    async fn any_connection(&self) -> Result<Arc<Connection>, ClientError> {
        let mut last = None;
        for address in self.candidates() {
            match self.connection_at(&address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| self.nobody("no address is known")))
    }

    /// Asks nodes for metadata, one after the other, until one answers; gives up at the deadline.
    async fn refresh(&self) -> Result<(), ClientError> {
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
        let version = connection.negotiate::<MetadataRequest>()?;
        let response = connection.call(version, request, limit).await?;
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
