//! One TCP connection to one broker: requests are pipelined, answers come back in order.
//!
//! A connection never heals. When it ends, or when the broker is silent for too long, every waiting
//! caller is told and the connection is thrown away; whoever owns it opens another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::future::BoxFuture;
use ottla_protocol::api::ApiKey;
use ottla_protocol::frame::{decode_response, encode_request};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ErrorCode, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::error::{ApiError, ClientError};
use crate::options::{ClientOptions, HostPort};
use crate::versions::{self, BrokerVersions};

/// How many requests may wait for the socket's writer before callers wait for it.
const WRITE_QUEUE: usize = 64;

/// A request in its frame.
pub(crate) struct Framed {
    api: ApiKey,
    pub(crate) version: i16,
    correlation_id: i32,
    frame: Bytes,
}

/// A request on its way out.
struct Outgoing {
    frame: Bytes,
    /// `None` for a request that has no response (Produce with acks=0).
    waiting: Option<Waiting>,
}

/// A caller that waits for the response with this correlation id.
struct Waiting {
    correlation_id: i32,
    answer: oneshot::Sender<Bytes>,
}

/// What both halves of the socket share. The lock is never held across an await.
#[derive(Default)]
struct Shared {
    waiting: Mutex<VecDeque<Waiting>>,
    closed_because: Mutex<Option<String>>,
}

/// An open connection, past its version handshake.
pub(crate) struct Connection {
    address: String,
    client_id: String,
    request_timeout: Duration,
    /// To a controller, which serves administration only.
    to_controller: bool,
    next_correlation_id: AtomicI32,
    outgoing: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
    closed: CancellationToken,
    versions: BrokerVersions,
}

impl Connection {
    /// Connects and learns which versions the broker serves. Boxed, to be compiled here and once.
    pub(crate) fn open<'a>(
        address: &'a HostPort,
        options: &'a ClientOptions,
    ) -> BoxFuture<'a, Result<Self, ClientError>> {
        Box::pin(Self::connect(address, options))
    }

    async fn connect(address: &HostPort, options: &ClientOptions) -> Result<Self, ClientError> {
        let limit = Duration::from_millis(options.connection_setup_timeout_ms);
        let refused =
            |reason: String| ClientError::Connect { address: address.to_string(), reason };
        let setup = async {
            let stream = connect_any(address).await.map_err(|error| refused(error.to_string()))?;
            stream.set_nodelay(true).map_err(|error| refused(error.to_string()))?;
            let mut connection = Self::start(address.to_string(), stream, options);
            connection.versions = connection.handshake().await.map_err(|error| match error {
                // Nothing but the handshake was sent, so nothing can have been carried out.
                ClientError::Disconnected { reason, .. } => refused(reason),
                other => other,
            })?;
            Ok(connection)
        };
        match tokio::time::timeout(limit, setup).await {
            Ok(result) => result,
            Err(_) => Err(refused(format!("no connection within {} ms", limit.as_millis()))),
        }
    }

    fn start(address: String, stream: TcpStream, options: &ClientOptions) -> Self {
        let (outgoing, queue) = mpsc::channel(WRITE_QUEUE);
        let shared = Arc::new(Shared::default());
        let closed = CancellationToken::new();
        let task = Task {
            shared: Arc::clone(&shared),
            closed: closed.clone(),
            max_response_bytes: options.max_response_bytes,
        };
        tokio::spawn(task.run(stream, queue));
        Self {
            address,
            client_id: options.client_id.clone(),
            request_timeout: Duration::from_millis(options.request_timeout_ms),
            to_controller: options.bootstrap_controllers,
            next_correlation_id: AtomicI32::new(0),
            outgoing,
            shared,
            closed,
            versions: BrokerVersions::default(),
        }
    }

    /// Asks for the served versions: first in version 3; a broker that does not know it answers in
    /// version 0 with error 35 and its ceiling for ApiVersions.
    async fn handshake(&self) -> Result<BrokerVersions, ClientError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("ottla"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let mut version = 3;
        loop {
            let sent = if version >= 3 { request.clone() } else { ApiVersionsRequest::default() };
            let frame = self.exchange(self.frame(version, &sent)?, self.request_timeout).await?;
            // The error code stands right behind the correlation id in every version.
            let code = frame.get(4..6).map_or(0, |mut bytes| bytes.get_i16());
            let unsupported = code == ErrorCode::UnsupportedVersion.code();
            let body_version = if unsupported { 0 } else { version };
            let (_, response) = decode_response::<ApiVersionsResponse>(body_version, frame)
                .map_err(|source| self.frame_error(source))?;
            let offered = versions::from_response(&response);
            if unsupported && version > 0 {
                let ceiling = offered.range(ApiKey::ApiVersions as i16).map_or(0, |(_, max)| max);
                version = ceiling.min(version - 1);
                continue;
            }
            return match ApiError::from_wire(response.error_code, None) {
                None => Ok(offered),
                Some(error) => Err(error.into()),
            };
        }
    }

    /// What the broker serves.
    pub(crate) fn versions(&self) -> &BrokerVersions {
        &self.versions
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Ends the connection; whoever waits is told why.
    pub(crate) fn close(&self, reason: &str) {
        note_reason(&self.shared, reason);
        self.closed.cancel();
    }

    /// The highest version of `T` that both sides speak. What controllers do not serve has an error of its
    /// own, as in Kafka's clients.
    pub(crate) fn negotiate<T: Request>(&self) -> Result<i16, ClientError> {
        self.versions.negotiate::<T>().ok_or_else(|| match self.to_controller {
            true => ApiError::at_controllers().into(),
            false => ClientError::Unsupported {
                address: self.address.clone(),
                api: versions::api_key::<T>(),
            },
        })
    }

    /// Sends a request and waits for its answer, at most `limit`, as [`Connection::exchange`] does.
    pub(crate) async fn call<T: Request>(
        &self,
        version: i16,
        request: &T,
        limit: Duration,
    ) -> Result<T::Response, ClientError> {
        let answer = self.exchange(self.frame(version, request)?, limit).await?;
        self.read::<T>(version, answer)
    }

    /// Sends a request that is not answered; returns once it is queued for the socket.
    pub(crate) async fn send_unanswered(&self, request: Framed) -> Result<(), ClientError> {
        let outgoing = Outgoing { frame: request.frame, waiting: None };
        self.outgoing.send(outgoing).await.map_err(|_| self.unsent())
    }

    /// Sends a request and waits for the frame of its answer, at most `limit`. Silence closes the
    /// connection, since whatever comes after on it would be late as well.
    pub(crate) async fn exchange(
        &self,
        request: Framed,
        limit: Duration,
    ) -> Result<Bytes, ClientError> {
        let Framed { api, correlation_id, frame, .. } = request;
        let (answer, receiver) = oneshot::channel();
        let waiting = Some(Waiting { correlation_id, answer });
        let exchange = async {
            let outgoing = Outgoing { frame, waiting };
            self.outgoing.send(outgoing).await.map_err(|_| self.unsent())?;
            receiver.await.map_err(|_| ClientError::Disconnected {
                address: self.address.clone(),
                reason: self.reason(),
            })
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(result) => result,
            Err(_) => {
                self.close("a request was not answered in time");
                Err(ClientError::RequestTimeout {
                    address: self.address.clone(),
                    api,
                    waited_ms: limit.as_millis().try_into().unwrap_or(u64::MAX),
                })
            }
        }
    }

    /// Encodes a request for this connection.
    pub(crate) fn frame<T: Request>(
        &self,
        version: i16,
        request: &T,
    ) -> Result<Framed, ClientError> {
        let correlation_id = self.next_correlation_id.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let frame = encode_request(correlation_id, Some(&self.client_id), version, request)
            .map_err(|source| self.frame_error(source))?;
        let api = versions::api_key::<T>();
        Ok(Framed { api, version, correlation_id, frame: frame.freeze() })
    }

    /// Decodes the answer to a request that was sent in this version.
    pub(crate) fn read<T: Request>(
        &self,
        version: i16,
        answer: Bytes,
    ) -> Result<T::Response, ClientError> {
        decode_response::<T::Response>(version, answer)
            .map(|(_, response)| response)
            .map_err(|source| self.frame_error(source))
    }

    fn frame_error(&self, source: ottla_protocol::frame::FrameError) -> ClientError {
        ClientError::Frame { address: self.address.clone(), source }
    }

    /// The connection was found closed before the request left.
    fn unsent(&self) -> ClientError {
        ClientError::Connect { address: self.address.clone(), reason: self.reason() }
    }

    fn reason(&self) -> String {
        let reason = self.shared.closed_because.lock().unwrap_or_else(PoisonError::into_inner);
        reason.clone().unwrap_or_else(|| "closed".to_owned())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// The first cause is the one that counts.
fn note_reason(shared: &Shared, reason: &str) {
    let mut slot = shared.closed_because.lock().unwrap_or_else(PoisonError::into_inner);
    slot.get_or_insert_with(|| reason.to_owned());
}

/// Tries each address that the name resolves to.
async fn connect_any(address: &HostPort) -> std::io::Result<TcpStream> {
    let resolved = tokio::net::lookup_host((address.host.as_str(), address.port)).await?;
    let mut last = None;
    for candidate in resolved {
        match TcpStream::connect(candidate).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::Error::other("the name resolves to no address")))
}

/// The task that owns the socket.
struct Task {
    shared: Arc<Shared>,
    closed: CancellationToken,
    max_response_bytes: usize,
}

impl Task {
    async fn run(self, stream: TcpStream, queue: mpsc::Receiver<Outgoing>) {
        let (read, write) = stream.into_split();
        let reason = tokio::select! {
            error = self.read_answers(read) => error.to_string(),
            error = self.write_requests(write, queue) => error.to_string(),
            () = self.closed.cancelled() => "closed by this client".to_owned(),
        };
        note_reason(&self.shared, &reason);
        self.closed.cancel();
        // Dropping the senders tells every caller that its answer will not come.
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn write_requests(
        &self,
        mut socket: OwnedWriteHalf,
        mut queue: mpsc::Receiver<Outgoing>,
    ) -> std::io::Error {
        let mut gathered = Vec::with_capacity(WRITE_QUEUE);
        let mut buffer = BytesMut::new();
        loop {
            if queue.recv_many(&mut gathered, WRITE_QUEUE).await == 0 {
                return std::io::Error::other("closed by this client");
            }
            {
                // In the list before any byte leaves: an answer cannot come first.
                let mut waiting =
                    self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                for outgoing in gathered.drain(..) {
                    waiting.extend(outgoing.waiting);
                    buffer.extend_from_slice(&outgoing.frame);
                }
            }
            if let Err(error) = socket.write_all(&buffer).await {
                return error;
            }
            buffer.clear();
        }
    }

    async fn read_answers(&self, mut socket: OwnedReadHalf) -> std::io::Error {
        let mut buffer = BytesMut::with_capacity(16 << 10);
        loop {
            let frame = match self.read_frame(&mut socket, &mut buffer).await {
                Ok(frame) => frame,
                Err(error) => return error,
            };
            let correlation_id = frame.get(..4).map(|mut head| head.get_i32());
            let next =
                self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match next {
                Some(waiting) if Some(waiting.correlation_id) == correlation_id => {
                    // A caller that has given up meanwhile does not need it.
                    let _ = waiting.answer.send(frame);
                }
                _ => return std::io::Error::other("the broker answered out of order"),
            }
        }
    }

    async fn read_frame(
        &self,
        socket: &mut OwnedReadHalf,
        buffer: &mut BytesMut,
    ) -> std::io::Result<Bytes> {
        let closed = || std::io::Error::other("closed by the broker");
        loop {
            if let Some(mut head) = buffer.get(..4) {
                let length = usize::try_from(head.get_i32())
                    .ok()
                    .filter(|length| (4..=self.max_response_bytes).contains(length))
                    .ok_or_else(|| std::io::Error::other("a response of an impossible length"))?;
                if buffer.len() >= 4 + length {
                    buffer.advance(4);
                    return Ok(buffer.split_to(length).freeze());
                }
                buffer.reserve(4 + length - buffer.len());
            } else {
                buffer.reserve(4 << 10);
            }
            if socket.read_buf(buffer).await? == 0 {
                return Err(closed());
            }
        }
    }
}

#[cfg(test)]
mod tests;
