//! Server side: the same windows and limits, and serving connections that somebody else has accepted.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::transport::Server;
use tonic::transport::server::Router;

use crate::controller::controller_server::{Controller, ControllerServer};
use crate::quorum::quorum_server::{Quorum, QuorumServer};
use crate::replication::replication_server::{Replication, ReplicationServer};
use crate::{
    CONNECTION_WINDOW_BYTES, MAX_MESSAGE_BYTES, MAX_REPLICATION_MESSAGE_BYTES, STREAM_WINDOW_BYTES,
};

/// The first byte of an HTTP/2 connection: it opens with "PRI * HTTP/2". As the beginning of a Kafka
/// frame's length it would mean more than a gigabyte, which is never allowed.
const HTTP2_FIRST_BYTE: u8 = b'P';
/// Connections of dead peers are dropped after this long without an answered ping (plus the timeout).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A server with windows and keepalive set; add services to it.
pub fn server_builder() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
}

/// Already accepted connections, handed over one by one; ends when every sender is gone.
#[derive(Debug)]
pub struct Connections(mpsc::Receiver<TcpStream>);

impl Connections {
    /// A bounded way to hand connections to [`serve_with_incoming`].
    pub fn channel(capacity: usize) -> (mpsc::Sender<TcpStream>, Self) {
        let (sender, receiver) = mpsc::channel(capacity);
        (sender, Self(receiver))
    }
}

impl Stream for Connections {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|connection| {
            connection.map(|connection| {
                // The server's own setting does not reach connections that others accept. One that
                // cannot be set is already broken, as its first use will say.
                let _ = connection.set_nodelay(true);
                Ok(connection)
            })
        })
    }
}

/// Whether a connection begins as HTTP/2 does, and so is a node's, or otherwise, and so is a client's;
/// `None`: it was closed before its first byte. Waits for that, and leaves it in the socket.
///
/// # Errors
/// Those of the connection.
pub async fn speaks_http2(connection: &TcpStream) -> io::Result<Option<bool>> {
    let mut first = [0];
    let peeked = connection.peek(&mut first).await?;
    Ok((peeked > 0).then_some(first[0] == HTTP2_FIRST_BYTE))
}

/// Serves `router` on the connections that come in, until `shutdown` completes and the calls under way
/// have ended: standing streams must watch for the shutdown themselves.
///
/// # Errors
/// Whatever stops the server.
pub async fn serve_with_incoming(
    router: Router,
    connections: Connections,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    router.serve_with_incoming_shutdown(connections, shutdown).await
}

/// A controller service with the message limits set.
pub fn controller_server<T: Controller>(service: T) -> ControllerServer<T> {
    ControllerServer::new(service)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// A quorum service with the message limits set.
pub fn quorum_server<T: Quorum>(service: T) -> QuorumServer<T> {
    QuorumServer::new(service)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// A replication service with the message limits set.
pub fn replication_server<T: Replication>(service: T) -> ReplicationServer<T> {
    ReplicationServer::new(service)
        .max_decoding_message_size(MAX_REPLICATION_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_REPLICATION_MESSAGE_BYTES)
}
