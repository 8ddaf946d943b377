//! A client of one cluster: its connections and its metadata.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use ottla_protocol::Request;
use ottla_protocol::api::ApiKey;
use ottla_protocol::ids::{BrokerId, LeaderEpoch, TopicName, TopicPartition};
use tokio::sync::watch;

use crate::cluster::{Cluster, State, left, refresh_when_wanted};
use crate::connection::{Connection, Framed};
use crate::error::ClientError;
use crate::metadata::{Metadata, Node, TopicInfo};
use crate::options::{ClientOptions, HostPort, parse_bootstrap};
use crate::versions::BrokerVersions;

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

/// Makes a request for a connection, in the version that is spoken there.
type Frame<'a> = dyn Fn(&Connection) -> Result<Framed, ClientError> + Sync + 'a;

/// The frame of an answer, the connection that it came by, and its version.
type Answer = Result<(Arc<Connection>, i16, Bytes), ClientError>;

/// A client of one cluster. Cheap to clone; the last clone closes the connections. Clones share one
/// connection to each node, on which answers come in order: give a consumer, whose fetches wait for
/// records, a client of its own.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Cluster>,
}

impl Client {
    /// A client that has not yet spoken to anybody. Must be called within a tokio runtime, since it
    /// starts the task that refreshes metadata.
    pub fn new(bootstrap: &str, options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self::over(parse_bootstrap(bootstrap)?, options, State::default()))
    }

    fn over(bootstrap: Vec<HostPort>, options: ClientOptions, state: State) -> Self {
        let (generation, _) = watch::channel(0);
        let inner = Arc::new(Cluster {
            bootstrap,
            state: Mutex::new(state),
            slots: Mutex::default(),
            wanted: Arc::default(),
            generation,
            options,
        });
        let max_age = Duration::from_millis(inner.options.metadata_max_age_ms);
        let wanted = Arc::clone(&inner.wanted);
        tokio::spawn(refresh_when_wanted(Arc::downgrade(&inner), wanted, max_age));
        Self { inner }
    }

    /// A client that has learnt the cluster's nodes.
    pub async fn connect(bootstrap: &str, options: ClientOptions) -> Result<Self, ClientError> {
        let client = Self::new(bootstrap, options)?;
        client.refresh().await?;
        Ok(client)
    }

    /// A client of the same cluster with connections of its own: a request that is answered late does not
    /// hold up others there. It starts with what this one knows of the nodes. Must be called within a
    /// tokio runtime.
    #[must_use]
    pub fn separate(&self) -> Self {
        let metadata = Arc::clone(&self.inner.lock().metadata);
        let state = State { metadata, ..State::default() };
        Self::over(self.inner.bootstrap.clone(), self.inner.options.clone(), state)
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

    /// Takes in the address of a node that a broker named, as coordinators are.
    pub(crate) fn learn_node(&self, node: Node) {
        let mut state = self.inner.lock();
        if state.metadata.nodes.get(&node.id).is_none_or(|known| known.address != node.address) {
            Arc::make_mut(&mut state.metadata).hint_node(node);
        }
    }

    /// Sends a request in the highest version that both sides speak and returns the answer. An error
    /// code inside the answer is the caller's to judge.
    pub async fn request<T: Request + Clone + Sync>(
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
        build: impl Fn(i16) -> T + Sync,
    ) -> Result<(i16, T::Response), ClientError> {
        let limit = Duration::from_millis(self.inner.options.request_timeout_ms);
        self.request_within(target, limit, build).await
    }

    /// Like [`Client::request_with`], with a limit of its own for each attempt.
    pub async fn request_within<T: Request>(
        &self,
        target: Target,
        limit: Duration,
        build: impl Fn(i16) -> T + Sync,
    ) -> Result<(i16, T::Response), ClientError> {
        let frame = |connection: &Connection| {
            let version = connection.negotiate::<T>()?;
            connection.frame(version, &build(version))
        };
        let (connection, version, answer) = self.exchange(target, limit, &frame).await?;
        Ok((version, connection.read::<T>(version, answer)?))
    }

    /// Sends what `frame` makes for a connection to the target. Knows no type of request, and is boxed:
    /// so it is compiled here and once, not wherever a request is made.
    fn exchange<'a>(
        &'a self,
        target: Target,
        limit: Duration,
        frame: &'a Frame<'a>,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(self.attempts(target, limit, frame))
    }

    async fn attempts(&self, target: Target, limit: Duration, frame: &Frame<'_>) -> Answer {
        let started = Instant::now();
        let deadline = started + Duration::from_millis(self.inner.options.api_timeout_ms);
        let mut attempt = 0;
        loop {
            let result = self.attempt(target, limit.min(left(deadline)), frame).await;
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

    async fn attempt(&self, target: Target, limit: Duration, frame: &Frame<'_>) -> Answer {
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
        let framed = frame(&connection)?;
        let version = framed.version;
        let answer = connection.exchange(framed, limit).await;
        if let Err(ClientError::Disconnected { .. } | ClientError::RequestTimeout { .. }) = &answer
        {
            self.want_metadata();
        }
        Ok((connection, version, answer?))
    }

    /// Sends a request that is not answered (Produce with acks=0) to a node.
    pub async fn send_unanswered<T: Request>(
        &self,
        node: BrokerId,
        build: impl Fn(i16) -> T,
    ) -> Result<(), ClientError> {
        let connection = self.inner.connection_to(node).await?;
        let version = connection.negotiate::<T>()?;
        connection.send_unanswered(connection.frame(version, &build(version))?).await
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
