//! Listening sockets: bound on every address a host has, accepting until told to stop.
//!
//! One port carries Kafka and gRPC: the first byte of a connection tells them apart.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Handler, Limits};
use super::connection_counts::{ConnectionCounts, Slot};

/// How long a connection beyond the limits has to show that it is another broker's.
const HTTP2_PATIENCE: Duration = Duration::from_secs(1);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long to leave the listener alone when the process has no file descriptors left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A listener that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The host has no address.
    #[error(
        "cannot listen on {host}:{port} (key 'listeners'): '{host}' does not resolve to an address: {source}"
    )]
    Unresolved {
        /// The host of the listener.
        host: String,
        /// Its port.
        port: u16,
        /// What the resolver said.
        source: io::Error,
    },
    /// Somebody else listens there.
    #[error(
        "cannot listen on {address} (key 'listeners'): another process uses port {}; stop it, or choose another port",
        .address.port()
    )]
    PortTaken {
        /// The address that is taken.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {address} (key 'listeners'): {source}")]
    Io {
        /// The address that was tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Opens a listening socket on every address that `host` has; an empty host means every address of the
/// machine. With port 0 the system chooses one port for all of them.
pub(crate) fn bind(host: &str, port: u16) -> Result<Vec<TcpListener>, BindError> {
    let mut addresses = resolve(host, port)?;
    addresses.sort_unstable_by_key(|address| (address.is_ipv6(), *address));
    addresses.dedup();
    let mut sockets: Vec<TcpListener> = Vec::new();
    let mut unavailable = None;
    let mut chosen_port = port;
    for mut address in addresses {
        address.set_port(chosen_port);
        match open(address) {
            Ok(socket) => {
                chosen_port = socket.local_addr().map_or(chosen_port, |bound| bound.port());
                sockets.push(socket);
            }
            Err(error) if is_missing_family(&error) => unavailable = Some((address, error)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(BindError::PortTaken { address });
            }
            Err(source) => return Err(BindError::Io { address, source }),
        }
    }
    match (sockets.is_empty(), unavailable) {
        (true, Some((address, source))) => Err(BindError::Io { address, source }),
        _ => Ok(sockets),
    }
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, BindError> {
    if host.is_empty() {
        return Ok(vec![([0, 0, 0, 0], port).into(), ([0u16; 8], port).into()]);
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let unresolved = |source| BindError::Unresolved { host: host.to_owned(), port, source };
    let addresses: Vec<_> = (bare, port).to_socket_addrs().map_err(unresolved)?.collect();
    if addresses.is_empty() {
        return Err(unresolved(io::ErrorKind::NotFound.into()));
    }
    Ok(addresses)
}

/// The machine has no such address, or no such address family: `localhost` may well resolve to `::1`
/// where IPv6 is switched off.
fn is_missing_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Makes the handlers of new connections.
pub(crate) trait Accept: Send + Sync + 'static {
    /// What serves the Kafka requests of one connection.
    type Handler: Handler;

    /// A handler for a new connection from `peer`. Completes when the broker serves clients: until
    /// then, requests stay where they are.
    fn accept(&self, peer: SocketAddr) -> impl Future<Output = Self::Handler> + Send;

    /// Whether an address may have one more connection now; if not, it is closed after this long.
    fn admit(&self, _ip: IpAddr) -> Result<(), Duration> {
        Ok(())
    }
}

/// What all listeners of a broker share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) counts: ConnectionCounts,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Accepts connections of the listener `name` until `shared.stop` is cancelled. `grpc` takes those that
/// speak HTTP/2; without it they are closed.
pub(crate) async fn accept<A: Accept>(
    name: &str,
    socket: TcpListener,
    acceptor: Arc<A>,
    grpc: Option<mpsc::Sender<TcpStream>>,
    shared: Shared,
) {
    // As keys of settings name it.
    let name: Arc<str> = name.to_lowercase().into();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let pause = begin(&name, stream, peer, &acceptor, grpc.clone(), &shared);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            Err(error) if is_exhausted(&error) => {
                tracing::warn!(%error, "cannot accept connections for the moment");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
            // The client was gone before it was accepted.
            Err(error) => tracing::debug!(%error, "accept failed"),
        }
    }
}

/// Serves connections that somebody else accepts, as if they were accepted here, until `shared.stop` is
/// cancelled.
pub(crate) async fn take_over<A: Accept>(
    name: &str,
    mut accepted: mpsc::Receiver<TcpStream>,
    acceptor: Arc<A>,
    shared: Shared,
) {
    let name: Arc<str> = name.to_lowercase().into();
    loop {
        let stream = tokio::select! {
            stream = accepted.recv() => stream,
            () = shared.stop.cancelled() => None,
        };
        let Some(stream) = stream else { return };
        // One without a peer is closed already.
        if let Ok(peer) = stream.peer_addr() {
            let pause = begin(&name, stream, peer, &acceptor, None, &shared);
            tokio::time::sleep(pause).await;
        }
    }
}

/// Begins to serve a connection; returns how long to wait before the next one.
fn begin<A: Accept>(
    name: &Arc<str>,
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: &Arc<A>,
    grpc: Option<mpsc::Sender<TcpStream>>,
    shared: &Shared,
) -> Duration {
    let slot = shared.counts.take(name, peer.ip());
    let pause = shared.counts.pause(name, Instant::now());
    let (acceptor, shared) = (Arc::clone(acceptor), shared.clone());
    let tasks = shared.tasks.clone();
    tasks.spawn(async move { serve(stream, peer, slot, &*acceptor, grpc, shared).await });
    pause
}

fn is_exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

async fn serve<A: Accept>(
    stream: TcpStream,
    peer: SocketAddr,
    slot: Result<Slot, &'static str>,
    acceptor: &A,
    grpc: Option<mpsc::Sender<TcpStream>>,
    shared: Shared,
) {
    let options = SockRef::from(&stream);
    if let Err(error) = options.set_tcp_nodelay(true).and_then(|()| options.set_keepalive(true)) {
        tracing::debug!(%peer, %error, "connection closed");
        return;
    }
    // Without room there is none but for other brokers, who speak first and at once.
    let patience = if slot.is_ok() { shared.limits.max_idle } else { HTTP2_PATIENCE };
    let is_http2 = tokio::select! {
        is_http2 = timeout(patience, ottla_rpc::speaks_http2(&stream)) => is_http2,
        () = shared.stop.cancelled() => return,
    };
    match is_http2 {
        Ok(Ok(Some(true))) => {
            // Replication is not what the limits are about.
            drop(slot);
            if let Some(grpc) = grpc {
                // Refused only when the gRPC server has ended: then the connection just closes.
                let _ = grpc.send(stream).await;
            }
        }
        _ if let Err(key) = &slot => {
            tracing::warn!(%peer, "connection closed: '{key}' is reached");
        }
        Ok(Ok(Some(false))) => {
            if let Err(throttle) = acceptor.admit(peer.ip()) {
                tracing::debug!(%peer, "connection to be closed: 'connection_creation_rate'");
                let _ = timeout(throttle, shared.stop.cancelled()).await;
                return;
            }
            let handler = tokio::select! {
                handler = acceptor.accept(peer) => handler,
                () = shared.stop.cancelled() => return,
            };
            let closed = connection::serve(stream, handler, shared.limits, shared.stop).await;
            match closed {
                connection::Closed::BadLength(_) | connection::Closed::Refused(_) => {
                    tracing::warn!(%peer, "connection closed: {closed}");
                }
                _ => tracing::debug!(%peer, "connection ended: {closed}"),
            }
        }
        // Closed, broken or silent before its first byte.
        _ => {}
    }
}
