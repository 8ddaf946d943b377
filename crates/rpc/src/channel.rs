//! Client side: channels with the deadlines, windows and limits that every call here wants.

use std::error::Error;
use std::io;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use crate::controller::controller_client::ControllerClient;
use crate::quorum::quorum_client::QuorumClient;
use crate::replication::replication_client::ReplicationClient;
use crate::{
    CONNECTION_WINDOW_BYTES, MAX_MESSAGE_BYTES, MAX_REPLICATION_MESSAGE_BYTES, STREAM_WINDOW_BYTES,
};

/// How long things may take on a channel.
#[derive(Debug, Clone)]
pub struct ChannelOptions {
    /// Limit of one connection attempt.
    pub connect_timeout: Duration,
    /// A ping is sent after this long, also when no call is under way.
    pub keepalive_interval: Duration,
    /// The connection is given up when a ping is not answered for this long. A peer that is merely silent
    /// is judged by session and election timeouts, so this only cleans up and is far longer than those.
    pub keepalive_timeout: Duration,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(500),
            keepalive_interval: Duration::from_secs(2),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}

/// A host and port of which no address can be made.
#[derive(Debug, thiserror::Error)]
#[error("{host}:{port} is not an address that can be dialled: {source}")]
pub struct InvalidAddress {
    host: String,
    port: u16,
    source: tonic::transport::Error,
}

/// A channel to `host:port` that connects when first used, and again whenever it lost its connection.
///
/// # Errors
/// If `host` cannot stand in an address.
pub fn channel(host: &str, port: u16, options: &ChannelOptions) -> Result<Channel, InvalidAddress> {
    Ok(endpoint(host, port, options)?.connect_lazy())
}

/// Like [`channel`], but connects now: for callers that want to know whether anybody listens
/// (see [`is_refused`]).
///
/// # Errors
/// If `host` cannot stand in an address, or the connection does not come about in time.
pub async fn connect(
    host: &str,
    port: u16,
    options: &ChannelOptions,
) -> Result<Channel, Box<dyn Error + Send + Sync>> {
    Ok(endpoint(host, port, options)?.connect().await?)
}

/// Was a connection attempt answered with "nobody listens here"? Only then is the peer's process known
/// to be gone; every other failure says nothing about it.
pub fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// A controller client with the message limits set.
pub fn controller_client(channel: Channel) -> ControllerClient<Channel> {
    ControllerClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// A quorum client with the message limits set.
pub fn quorum_client(channel: Channel) -> QuorumClient<Channel> {
    QuorumClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// A replication client with the message limits set.
pub fn replication_client(channel: Channel) -> ReplicationClient<Channel> {
    ReplicationClient::new(channel)
        .max_decoding_message_size(MAX_REPLICATION_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_REPLICATION_MESSAGE_BYTES)
}

fn endpoint(host: &str, port: u16, options: &ChannelOptions) -> Result<Endpoint, InvalidAddress> {
    let uri = if host.contains(':') && !host.starts_with('[') {
        format!("http://[{host}]:{port}")
    } else {
        format!("http://{host}:{port}")
    };
    let endpoint = Endpoint::from_shared(uri).map_err(|source| InvalidAddress {
        host: host.to_owned(),
        port,
        source,
    })?;
    Ok(endpoint
        .connect_timeout(options.connect_timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(options.keepalive_interval)
        .keep_alive_timeout(options.keepalive_timeout)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES))
}
