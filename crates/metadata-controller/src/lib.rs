//! The controller quorum: the shell around `ottla-metadata`.
//!
//! Three (or one, or five) controllers agree by Raft on a log of metadata batches, kept in sled. The
//! active one, the leader, plans what brokers and clients wish for, commits it, and watches over the
//! brokers' sessions; every controller streams the committed batches to whoever follows them.

mod active;
mod bootstrap;
mod clock;
mod committed;
mod contacts;
mod describe;
mod feed;
mod identity;
mod introduce;
mod listen;
mod liveness;
mod node;
mod options;
mod presence;
mod quorum;
mod rejoin;
mod service;
mod sessions;
mod voters;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;

use ottla_config::HostPort;
use ottla_metadata::Image;
use ottla_protocol::ids::BrokerId;
use ottla_rpc::{
    Connections, controller_server, quorum_server, serve_with_incoming, server_builder,
    speaks_http2,
};

use committed::Committed;
use identity::Identity;
use node::Node;
use quorum::store::{OpenError, Store};
use quorum::{Quorum, QuorumService};
use service::ControllerService;

pub use options::ControllerOptions;
pub use ottla_config::Voter;

/// Accepted connections that wait for the server.
const ACCEPTED: usize = 128;
/// How long a leader that stops waits for another one to take over.
const HANDOVER: Duration = Duration::from_millis(500);
/// How long calls under way may take to end when the controller stops.
const GOODBYE: Duration = Duration::from_millis(500);
/// When accepting fails for want of resources, it is tried again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection has for its first byte: nodes and clients both speak first, and at once.
const FIRST_BYTE: Duration = Duration::from_secs(10);

/// Why a controller could not start, or had to stop. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// Another controller uses this one's id.
    #[error("node.id={node_id} is in use by the controller at {at}: give this one another node.id")]
    NodeIdInUse {
        /// The id.
        node_id: BrokerId,
        /// Where the other one is.
        at: HostPort,
    },
    /// A controller's address cannot be dialled.
    #[error("{reason}: change controller.quorum.voters or controller.quorum.bootstrap.servers")]
    Address {
        /// Which, and why.
        reason: String,
    },
    /// The listener's address cannot be had.
    #[error(
        "cannot listen on {address} for the controller listener: {source}; change controller.quorum.voters and listeners"
    )]
    Listen {
        /// The address.
        address: HostPort,
        /// Why.
        source: io::Error,
    },
    /// Another process uses the data.
    #[error("the controller's data in {} is in use by another process: stop that one, or change metadata.log.dir", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The data cannot be opened or is damaged.
    #[error("the controller's data in {} cannot be used: {reason} (it is under metadata.log.dir, else under the first of log.dirs)", dir.display())]
    Store {
        /// The directory.
        dir: PathBuf,
        /// What is wrong and what can be done.
        reason: String,
    },
    /// This node belongs to another cluster.
    #[error(
        "this node has cluster id {ours}, but {who} has {theirs}: change cluster.id or controller.quorum.voters"
    )]
    ClusterIdMismatch {
        /// What this node says.
        ours: String,
        /// Who says otherwise.
        who: String,
        /// What it says.
        theirs: String,
    },
    /// An election could be won by voters that have lost their data.
    #[error(
        "{empty} of {voters} controllers have no data, but controller {holder} has: a majority without data \
         would start an empty cluster over it. Give the empty ones their data back; or, to start anew, \
         remove {holder}'s data too"
    )]
    EmptyMajority {
        /// How many are empty.
        empty: usize,
        /// How many there are.
        voters: usize,
        /// One with data.
        holder: BrokerId,
    },
    /// The quorum's engine has stopped.
    #[error("the controller quorum has stopped: {0}")]
    Fatal(String),
}

/// Starts controllers.
#[derive(Debug)]
pub struct Controller;

/// A running controller. [`ControllerHandle::shutdown`] stops it in order; dropping it aborts it.
pub struct ControllerHandle {
    addresses: Vec<SocketAddr>,
    node: Arc<Node>,
    tasks: JoinSet<()>,
    server: tokio::task::JoinHandle<()>,
}

impl Controller {
    /// Opens the data, listens, and takes part in the quorum, on the runtime it is called from: one of its
    /// own, so that nothing on the data path can delay a heartbeat.
    ///
    /// Returns once it listens. It need not have a leader yet: the other voters may start later.
    ///
    /// # Errors
    /// [`ControllerError`].
    pub async fn start(options: ControllerOptions) -> Result<ControllerHandle, ControllerError> {
        let listeners = listen_on(&options.listen).await?;
        let addresses =
            listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let store = open_store(&options).await?;
        let identity = Arc::new(Identity::new(
            options.node_id,
            options.incarnation,
            options.cluster_id.clone(),
        ));
        let committed = Committed::new();
        let quorum = Quorum::start(&options, store, Arc::clone(&identity), Arc::clone(&committed))
            .await
            .map_err(|reason| ControllerError::Store { dir: options.dir.clone(), reason })?;
        let node = Arc::new(Node {
            options,
            identity,
            quorum,
            committed,
            active: watch::Sender::new(None),
            stop: CancellationToken::new(),
            failure: watch::Sender::new(None),
        });
        let (tasks, server) = spawn_all(&node, listeners);
        Ok(ControllerHandle { addresses, node, tasks, server })
    }
}

impl ControllerHandle {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The committed metadata as this controller has applied it: now, and whenever there is more.
    pub fn images(&self) -> impl Stream<Item = Arc<Image>> + Send + use<> {
        let committed = Arc::clone(&self.node.committed);
        WatchStream::new(committed.applied()).map(move |_| committed.image())
    }

    /// Tells, whenever it is asked, who is the active controller, as far as is known, and who are the
    /// voters.
    pub fn quorum(&self) -> impl Fn() -> (Option<BrokerId>, Vec<Voter>) + Send + Sync + use<> {
        let node = Arc::clone(&self.node);
        move || (node.leadership().leader, node.quorum.voters())
    }

    /// Completes when the controller cannot go on: the process must exit with the reason. Cancel safe.
    pub async fn failed(&self) -> Arc<ControllerError> {
        let mut failure = self.node.failure.subscribe();
        if let Ok(reason) = failure.wait_for(Option::is_some).await
            && let Some(reason) = reason.clone()
        {
            return reason;
        }
        // The sender lives in `self`.
        std::future::pending().await
    }

    /// Hands the active controller's role over if it has it, and stops.
    pub async fn shutdown(mut self) {
        self.node.quorum.hand_over(HANDOVER).await;
        self.node.stop.cancel();
        // First those who write: a write to a quorum that has stopped is an error in the log.
        self.tasks.shutdown().await;
        self.node.quorum.shutdown().await;
        if tokio::time::timeout(GOODBYE, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl fmt::Debug for ControllerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControllerHandle")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

async fn listen_on(wanted: &[HostPort]) -> Result<Vec<TcpListener>, ControllerError> {
    let mut listeners = Vec::new();
    for address in wanted {
        let bound = listen::listen(address).await;
        listeners.extend(
            bound.map_err(|source| ControllerError::Listen { address: address.clone(), source })?,
        );
    }
    Ok(listeners)
}

async fn open_store(options: &ControllerOptions) -> Result<Arc<Store>, ControllerError> {
    let dir = options.dir.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&dir)).await;
    let opened = opened.unwrap_or_else(|error| Err(io::Error::other(error).into()));
    opened.map_err(|error| match error {
        OpenError::InUse => ControllerError::InUse { dir: options.dir.clone() },
        other => ControllerError::Store { dir: options.dir.clone(), reason: other.to_string() },
    })
}

fn spawn_all(
    node: &Arc<Node>,
    listeners: Vec<TcpListener>,
) -> (JoinSet<()>, tokio::task::JoinHandle<()>) {
    let mut tasks = JoinSet::new();
    let (sender, connections) = Connections::channel(ACCEPTED);
    for listener in listeners {
        tasks.spawn(accept(listener, sender.clone(), node.options.clients.clone()));
    }
    let router = server_builder()
        .add_service(quorum_server(QuorumService::new(Arc::clone(&node.quorum), node.stop.clone())))
        .add_service(controller_server(ControllerService::new(Arc::clone(node))));
    let stop = node.stop.clone();
    let server = tokio::spawn(async move {
        if let Err(error) = serve_with_incoming(router, connections, stop.cancelled_owned()).await {
            tracing::error!(%error, "the controller's server has stopped");
        }
    });
    tasks.spawn(node::follow_leadership(Arc::clone(node)));
    tasks.spawn(node::learn_cluster_id(Arc::clone(node)));
    tasks.spawn(presence::watch_peers(Arc::clone(node)));
    tasks.spawn(introduce::keep(Arc::clone(node)));
    let starting = Arc::clone(node);
    tasks.spawn(async move {
        if let Err(error) = bootstrap::bootstrap(&starting).await {
            starting.fail(error);
        }
    });
    let watched = Arc::clone(node);
    tasks.spawn(async move {
        let reason = watched.quorum.fatal().await;
        watched.fail(ControllerError::Fatal(reason));
    });
    (tasks, server)
}

async fn accept(
    listener: TcpListener,
    nodes: mpsc::Sender<TcpStream>,
    clients: Option<mpsc::Sender<TcpStream>>,
) {
    let mut begun = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = begun.join_next() => continue,
        };
        match accepted {
            Ok((connection, _)) => {
                begun.spawn(hand_over(connection, nodes.clone(), clients.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Hands a connection over to those who understand it; one that nobody does is closed.
async fn hand_over(
    connection: TcpStream,
    nodes: mpsc::Sender<TcpStream>,
    clients: Option<mpsc::Sender<TcpStream>>,
) {
    let is_http2 = tokio::time::timeout(FIRST_BYTE, speaks_http2(&connection)).await;
    let taker = match is_http2 {
        Ok(Ok(Some(true))) => Some(nodes),
        Ok(Ok(Some(false))) => clients,
        // Closed, broken, or silent.
        _ => None,
    };
    if let Some(taker) = taker {
        // Refused only by one that has stopped.
        let _ = taker.send(connection).await;
    }
}
