//! The controller's listener as Kafka's clients see it: `--bootstrap-controller` (KIP-919).
//!
//! The controller itself accepts the connections, and keeps those of the other nodes, which speak gRPC.

use std::sync::Arc;

use futures::{Stream, StreamExt};
use ottla_config::NodeConfig;
use ottla_metadata::{Delta, Image};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{ControllerListener, Node, QuorumView, Role};
use crate::controller_link::Controllers;
use crate::dynamic;
use crate::loggers::LogLevels;
use crate::metadata::Metadata;
use crate::net::connection_counts::ConnectionCounts;
use crate::net::listener;
use crate::server::{self, StartError};

/// What a controller's listener needs to serve Kafka's clients.
pub struct ControllerServerOptions<I> {
    /// The node's configuration.
    pub config: Arc<NodeConfig>,
    /// The levels of the process's loggers.
    pub log_levels: Arc<LogLevels>,
    /// The listener's connections that do not speak HTTP/2.
    pub connections: mpsc::Receiver<TcpStream>,
    /// The committed metadata, as this controller goes on applying it.
    pub images: I,
    /// The quorum, as this controller sees it.
    pub quorum: QuorumView,
    /// Where everything runs that must not wait for the data path.
    pub control: Handle,
    /// Where clients are served.
    pub data: Handle,
}

/// Serves Kafka's clients at a controller's listener until [`ControllerServer::stop`].
pub struct ControllerServer {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl ControllerServer {
    /// Begins to serve.
    ///
    /// # Errors
    /// An address of a controller that makes no sense.
    pub async fn start<I>(options: ControllerServerOptions<I>) -> Result<Self, StartError>
    where
        I: Stream<Item = Arc<Image>> + Send + 'static,
    {
        let ControllerServerOptions {
            config,
            log_levels,
            connections,
            images,
            quorum,
            control,
            data,
        } = options;
        let metadata = Arc::new(Metadata::new());
        let controllers = {
            let _on_control = control.enter();
            Controllers::new(
                &config.quorum_voters,
                &config.controller_endpoints(),
                config.cluster_id.clone(),
                Arc::clone(&metadata),
            )?
        };
        let name: Arc<str> = config
            .controller_listeners()
            .next()
            .map_or_else(|| Arc::from("CONTROLLER"), |listener| Arc::from(listener.name.as_str()));
        let counts = ConnectionCounts::new(
            dynamic::connection_limits(&dynamic::at_start(&config.static_values)).await,
        );
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let shared = listener::Shared {
            limits: server::limits(&config),
            counts,
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        let node = Arc::new(Node {
            id: config.node_id,
            role: Role::Controller(quorum),
            config,
            metadata: Arc::clone(&metadata),
            controllers: Arc::new(controllers),
            log_levels,
        });
        let acceptor = Arc::new(ControllerListener { node, listener: Arc::clone(&name) });
        let take = async move { listener::take_over(&name, connections, acceptor, shared).await };
        tasks.spawn_on(take, &data);
        tasks.spawn_on(follow(images, metadata, stop.clone()), &control);
        tasks.close();
        Ok(Self { stop, tasks })
    }

    /// Stops serving: requests under way are not answered.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

async fn follow(
    images: impl Stream<Item = Arc<Image>>,
    metadata: Arc<Metadata>,
    stop: CancellationToken,
) {
    let mut images = std::pin::pin!(images);
    loop {
        let image = tokio::select! {
            image = images.next() => image,
            () = stop.cancelled() => None,
        };
        let Some(image) = image else { return };
        let offset = image.offset();
        metadata.publish(image, &Delta::default());
        metadata.applied(offset);
    }
}
