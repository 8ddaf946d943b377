//! Brings a broker up and takes it down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use ottla_config::{NodeConfig, SecurityProtocol};
use ottla_log::MetaProperties;
use ottla_metadata::Endpoint;
use ottla_metadata::plan::brokers::Registration;
use ottla_protocol::ids::KafkaUuid;
use ottla_rpc::Connections;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api;
use crate::api::dispatch::KafkaListener;
use crate::controller_link::{ControllerLink, LinkOptions};
use crate::coordinator::{GroupCoordinator, GroupLag};
use crate::dynamic;
use crate::loggers::LogLevels;
use crate::metadata::Metadata;
use crate::net::connection::Limits;
use crate::net::connection_counts::ConnectionCounts;
use crate::net::listener::{self, BindError};
use crate::partition::{self, Partitions, PartitionsOptions};
use crate::quota::Quotas;

/// gRPC connections that may wait for the server to take them.
const GRPC_BACKLOG: usize = 64;
/// How long a controlled shutdown waits for its leaderships to be taken over, in all.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it goes on without any controller to hand over to.
const WITHOUT_CONTROLLER: Duration = Duration::from_secs(1);
/// How long connections have to end before the logs are closed under them.
const CONNECTIONS_END: Duration = Duration::from_secs(1);
/// What `connections.max.idle.ms` below zero, "never", comes down to.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a broker needs to start.
pub struct BrokerOptions {
    /// The node's configuration.
    pub config: Arc<NodeConfig>,
    /// Drawn anew at each start of the process; the same for every role of the process.
    pub incarnation_id: KafkaUuid,
    /// The levels of the process's loggers.
    pub log_levels: Arc<LogLevels>,
    /// Where everything runs that must not wait for the data path: session, feed, proposals.
    pub control: Handle,
    /// Where clients and replica streams are served.
    pub data: Handle,
}

/// Why a broker did not start: one sentence for the user.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A listener is to be secured in a way that is not served.
    #[error(
        "listener {listener} uses {protocol} (keys 'listeners', 'listener.security.protocol.map'): only PLAINTEXT is served so far"
    )]
    SecurityProtocol {
        /// The listener.
        listener: String,
        /// How it is to be secured.
        protocol: &'static str,
    },
    /// The metadata's directory cannot be used.
    #[error("key 'metadata.log.dir', or the first of 'log.dirs': {reason}")]
    MetadataDirectory {
        /// Which, and why.
        reason: String,
    },
    /// There is no controller to turn to.
    #[error(
        "keys 'controller.quorum.voters' and 'controller.quorum.bootstrap.servers' are empty: a broker needs one of them to find its controllers"
    )]
    NoControllers,
    /// A controller's address makes no sense.
    #[error("keys 'controller.quorum.voters', 'controller.quorum.bootstrap.servers': {0}")]
    Controller(#[from] ottla_rpc::InvalidAddress),
    /// The logs belong to another cluster.
    #[error(
        "key 'log.dirs': the logs belong to cluster {stored}, but this node is configured for cluster {configured} (key 'cluster.id')"
    )]
    ClusterId {
        /// What the log directories say.
        stored: String,
        /// What the configuration says.
        configured: String,
    },
    /// The logs could not be opened.
    #[error(transparent)]
    Partitions(#[from] partition::StartError),
    /// The logs' opening came to an end it should not have come to.
    #[error("opening the logs failed: {0}")]
    Panic(#[from] tokio::task::JoinError),
}

/// Starts brokers.
pub struct Broker;

impl Broker {
    /// Opens the listeners and the logs, and begins to register. Clients are served once the broker is
    /// unfenced ([`BrokerHandle::ready`]).
    ///
    /// # Errors
    /// What the user can change: a taken port, a log directory that cannot be used.
    pub async fn start(options: BrokerOptions) -> Result<BrokerHandle, StartError> {
        let BrokerOptions { config, incarnation_id, log_levels, control, data } = options;
        let listeners = bind(&config, &data)?;
        let addresses = listeners
            .iter()
            .flat_map(|listener| {
                let sockets = listener.sockets.iter();
                sockets.filter_map(|socket| {
                    Some((listener.name.to_string(), socket.local_addr().ok()?))
                })
            })
            .collect();
        if config.controller_endpoints().is_empty() {
            return Err(StartError::NoControllers);
        }
        let metadata = Arc::new(Metadata::new());
        let link = ControllerLink::new(LinkOptions {
            voters: config.quorum_voters.clone(),
            controllers: config.controller_endpoints(),
            registration: registration(&config, incarnation_id, &listeners),
            cluster_id: config.cluster_id.clone(),
            beat_interval: positive_millis(config.broker_heartbeat_interval_ms.into()),
            session_timeout: positive_millis(config.broker_session_timeout_ms.into()),
            metadata: Arc::clone(&metadata),
            runtime: control,
        })?;
        let partitions_options = PartitionsOptions {
            config: Arc::clone(&config),
            incarnation_id,
            proposer: Arc::new(link.clone()),
            runtime: data.clone(),
        };
        let partitions =
            data.spawn_blocking(move || Partitions::open(partitions_options)).await??;
        if let (Some(stored), Some(configured)) = (partitions.cluster_id(), &config.cluster_id)
            && stored != *configured
        {
            return Err(StartError::ClusterId { stored, configured: configured.clone() });
        }
        let coordinator = GroupCoordinator::new(
            Arc::clone(&config),
            Arc::clone(&metadata),
            partitions.clone(),
            data.clone(),
        );
        let slots = usize::try_from(config.max_incremental_fetch_session_cache_slots).unwrap_or(0);
        let node = Arc::new(api::Node {
            id: config.node_id,
            role: api::Role::Broker,
            config: Arc::clone(&config),
            metadata: Arc::clone(&metadata),
            controllers: Arc::clone(link.controllers()),
            log_levels,
        });
        let broker = Arc::new(api::Broker {
            id: config.node_id,
            config: Arc::clone(&config),
            quotas: Arc::new(Quotas::new(Arc::clone(&metadata), &config)),
            metadata,
            link: link.clone(),
            partitions: partitions.clone(),
            coordinator: coordinator.clone(),
            node,
            producer_ids: api::ProducerIds::default(),
            fetch_sessions: Arc::new(api::FetchSessionSlots::new(slots)),
        });
        coordinator.start();
        let serving = Serving::begin(&broker, listeners, &data).await;
        let local = config.roles.controller.then_some(config.node_id);
        let meta = MetaProperties::read(&config.metadata_log_dir).ok().flatten();
        link.start(partitions.clone(), local, meta.map(|meta| meta.directory_id));
        Ok(BrokerHandle { config, link, partitions, coordinator, serving, addresses, data })
    }
}

/// A listener that is open.
struct Bound {
    name: Arc<str>,
    sockets: Vec<TcpListener>,
}

fn bind(config: &NodeConfig, data: &Handle) -> Result<Vec<Bound>, StartError> {
    let _on_data = data.enter();
    let listeners = config.broker_listeners().map(|listener| {
        if listener.security_protocol != SecurityProtocol::Plaintext {
            return Err(StartError::SecurityProtocol {
                listener: listener.name.clone(),
                protocol: listener.security_protocol.name(),
            });
        }
        let sockets = listener::bind(&listener.host, listener.port)?;
        Ok(Bound { name: Arc::from(listener.name.as_str()), sockets })
    });
    listeners.collect()
}

fn registration(
    config: &NodeConfig,
    incarnation_id: KafkaUuid,
    listeners: &[Bound],
) -> Registration {
    let bound_port = |name: &str| {
        let listener = listeners.iter().find(|listener| &*listener.name == name)?;
        Some(listener.sockets.first()?.local_addr().ok()?.port())
    };
    let endpoints = config.advertised_listeners.iter().map(|advertised| Endpoint {
        listener: Arc::from(advertised.name.as_str()),
        host: Arc::from(advertised.host.as_str()),
        port: match advertised.port {
            0 => bound_port(&advertised.name).unwrap_or(0),
            port => port,
        },
        security_protocol: Arc::from(advertised.security_protocol.name()),
    });
    Registration {
        broker_id: config.node_id,
        incarnation_id,
        endpoints: endpoints.collect(),
        rack: config.rack.as_deref().map(Arc::from),
        inter_broker_listener: Arc::from(config.inter_broker_listener_name.as_str()),
        // Known once the logs are open.
        previous_broker_epoch: -1,
    }
}

/// What a client may use up.
pub(crate) fn limits(config: &NodeConfig) -> Limits {
    Limits {
        max_frame_bytes: usize::try_from(config.socket_request_max_bytes).unwrap_or(0),
        max_idle: u64::try_from(config.connections_max_idle_ms)
            .map_or(NEVER, |idle| Duration::from_millis(idle).min(NEVER)),
    }
}

fn positive_millis(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(1).max(1))
}

/// The tasks that serve clients and followers.
struct Serving {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Serving {
    async fn begin(broker: &Arc<api::Broker>, listeners: Vec<Bound>, data: &Handle) -> Self {
        let config = &broker.config;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let at_start = dynamic::at_start(&config.static_values);
        let counts = ConnectionCounts::new(dynamic::connection_limits(&at_start).await);
        let shared = listener::Shared {
            limits: limits(config),
            counts: counts.clone(),
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        for Bound { name, sockets } in listeners {
            let grpc = (*name == *config.inter_broker_listener_name)
                .then(|| serve_grpc(broker, data, &tasks, stop.clone()));
            let acceptor =
                Arc::new(KafkaListener { broker: Arc::clone(broker), listener: Arc::clone(&name) });
            for socket in sockets {
                let (name, acceptor) = (Arc::clone(&name), Arc::clone(&acceptor));
                let (grpc, shared) = (grpc.clone(), shared.clone());
                let accept =
                    async move { listener::accept(&name, socket, acceptor, grpc, shared).await };
                tasks.spawn_on(accept, data);
            }
        }
        let followers = dynamic::Followers {
            me: broker.id,
            file: config.static_values.clone(),
            metadata: Arc::clone(&broker.metadata),
            counts,
            quotas: Arc::clone(&broker.quotas),
        };
        tasks.spawn_on(followers.run(stop.clone()), data);
        tasks.close();
        Self { stop, tasks }
    }

    async fn end(&self) {
        self.stop.cancel();
        if tokio::time::timeout(CONNECTIONS_END, self.tasks.wait()).await.is_err() {
            tracing::warn!(open = self.tasks.len(), "connections do not end: the logs are closed");
        }
    }
}

/// Serves replica streams on the connections that come through the returned channel.
fn serve_grpc(
    broker: &Arc<api::Broker>,
    data: &Handle,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> mpsc::Sender<TcpStream> {
    let (sender, connections) = Connections::channel(GRPC_BACKLOG);
    let service = ottla_rpc::replication_server(broker.partitions.replication_service());
    let router = ottla_rpc::server_builder().add_service(service);
    let serve = async move {
        let stopped = stop.cancelled();
        if let Err(error) = ottla_rpc::serve_with_incoming(router, connections, stopped).await {
            tracing::error!(%error, "the replication server ended");
        }
    };
    tasks.spawn_on(serve, data);
    sender
}

/// A running broker. Dropping it does not stop it; [`BrokerHandle::shutdown`] does.
pub struct BrokerHandle {
    config: Arc<NodeConfig>,
    link: ControllerLink,
    partitions: Partitions,
    coordinator: GroupCoordinator,
    serving: Serving,
    addresses: Vec<(String, SocketAddr)>,
    data: Handle,
}

impl BrokerHandle {
    /// Listener names and the addresses they are bound to.
    #[must_use]
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// The partitions that live here.
    #[must_use]
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// How far the groups that this broker coordinates are behind, in order.
    pub async fn group_lags(&self) -> Vec<GroupLag> {
        self.coordinator.lags().await
    }

    /// Completes when the broker is registered, has caught up with the metadata and is unfenced.
    pub async fn ready(&self) {
        self.link.unfenced().await;
    }

    /// Completes when the broker cannot go on: the process must exit with the reason. Cancel safe.
    pub async fn failed(&self) -> String {
        tokio::select! {
            reason = self.link.refused() => reason,
            reason = self.partitions.storage_failure() => reason,
        }
    }

    /// Controlled shutdown: hands its leaderships over, stops serving, flushes, and marks its log
    /// directories as cleanly stopped.
    pub async fn shutdown(self) {
        if self.config.controlled_shutdown_enable {
            let relieved = self.link.relieved(WITHOUT_CONTROLLER);
            if tokio::time::timeout(HAND_OVER_TIMEOUT, relieved).await.is_err() {
                tracing::warn!("the leaderships were not handed over in time: stopping with them");
            }
        }
        self.stop_now().await;
    }

    /// Like [`BrokerHandle::shutdown`], but hands nothing over first. Log directories are not marked as
    /// cleanly stopped if one of them has failed.
    pub async fn stop_now(self) {
        // They stand for good otherwise, and hold their connections open.
        self.partitions.end_streams();
        self.coordinator.stop();
        self.serving.end().await;
        let partitions = self.partitions.clone();
        let broken = partitions.storage_failure().now_or_never().is_some();
        let close = move || if broken { partitions.stop() } else { partitions.shutdown() };
        if let Err(error) = self.data.spawn_blocking(close).await {
            tracing::error!(%error, "the logs were not closed cleanly");
        }
        self.link.stop().await;
    }
}
