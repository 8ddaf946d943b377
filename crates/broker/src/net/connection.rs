//! One client's connection: requests in, responses out in the order of the requests.
//!
//! One task does it all. A request that can be answered at once is answered without another task being
//! woken; an answer that must wait is a future which this task polls. Produce requests are begun as they
//! arrive, so that several wait for their replicas together; any other request begins when all before it
//! have been answered, as in Kafka (whose clients rely on seeing their own writes). A client that has used
//! up a quota is not listened to for a while; what it has asked before is answered.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::input::{BadLength, Input};
use super::output::Output;

/// Answers that may wait at a time on one connection; beyond that, nothing more is read.
const MAX_WAITING: usize = 256;
/// Answers are gathered up to this size before they are sent.
const GATHER_BYTES: usize = 256 * 1024;
/// While a request waits for its turn, this much is still read, so that a closed connection is noticed.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// A response to come; `None`: there is none (acks=0).
pub(crate) type Answer = BoxFuture<'static, Result<Option<Vec<Bytes>>, Refused>>;

/// What becomes of a request.
pub(crate) enum Reply {
    /// The response, length prefix included, in chunks.
    Ready(Vec<Bytes>),
    /// The response comes later.
    Waiting(Answer),
    /// There is no response (acks=0).
    Nothing,
}

/// A request that cannot be answered: the connection is closed, as Kafka does. Says why, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// Whatever understands requests.
pub(crate) trait Handler: Send + 'static {
    /// May this frame begin while earlier ones of its kind still wait for their answers?
    fn overlaps(&self, frame: &[u8]) -> bool;

    /// Begins a request. Must not block.
    fn handle(&mut self, frame: Bytes) -> Result<Reply, Refused>;

    /// Until when no request is to be begun, if the client has used up a quota (KIP-219).
    fn muted_until(&self) -> Option<Instant> {
        None
    }
}

/// What a client may use up.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// `socket.request.max.bytes`.
    pub(crate) max_frame_bytes: usize,
    /// `connections.max.idle.ms`: also the limit of one write.
    pub(crate) max_idle: Duration,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Closed {
    #[error("the client closed it")]
    ByClient,
    #[error("it was idle for longer than 'connections.max.idle.ms'")]
    Idle,
    #[error("this broker stops")]
    Stopping,
    #[error(transparent)]
    BadLength(#[from] BadLength),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Serves a connection until it ends.
pub(crate) async fn serve(
    stream: TcpStream,
    handler: impl Handler,
    limits: Limits,
    stop: CancellationToken,
) -> Closed {
    let input = Input::new(limits.max_frame_bytes);
    let mut connection = Connection {
        stream,
        handler,
        input,
        output: Output::default(),
        waiting: VecDeque::new(),
        waiting_overlap: true,
        max_idle: limits.max_idle,
    };
    tokio::select! {
        closed = connection.run() => closed,
        () = stop.cancelled() => Closed::Stopping,
    }
}

struct Connection<H> {
    stream: TcpStream,
    handler: H,
    input: Input,
    output: Output,
    waiting: VecDeque<Answer>,
    /// Everything in `waiting` may be overtaken at its beginning by another such request.
    waiting_overlap: bool,
    max_idle: Duration,
}

impl<H: Handler> Connection<H> {
    async fn run(&mut self) -> Closed {
        match self.serve_requests().await {
            Ok(never) => match never {},
            Err(closed) => closed,
        }
    }

    async fn serve_requests(&mut self) -> Result<std::convert::Infallible, Closed> {
        let mut idle = pin!(sleep_until(Instant::now() + self.max_idle));
        let mut last_activity = Instant::now();
        loop {
            let blocked = self.begin_requests()?;
            let muted = self.handler.muted_until();
            if self.output.has_remaining() {
                self.flush().await?;
                last_activity = Instant::now();
                continue;
            }
            let may_read = self.waiting.len() < MAX_WAITING
                && (!blocked || self.input.len() < READ_AHEAD_BYTES);
            tokio::select! {
                biased;
                answer = next_answer(&mut self.waiting), if !self.waiting.is_empty() => {
                    self.waiting.pop_front();
                    if let Some(chunks) = answer? {
                        self.output.push(chunks);
                    }
                    self.gather_answers()?;
                }
                read = self.stream.read_buf(self.input.space()), if may_read => {
                    if read? == 0 {
                        return Err(Closed::ByClient);
                    }
                    last_activity = Instant::now();
                }
                () = unmuted(muted), if muted.is_some() => {}
                () = &mut idle => {
                    let until = last_activity + self.max_idle;
                    let silent = self.waiting.is_empty() && muted.is_none();
                    if silent && until <= Instant::now() {
                        return Err(Closed::Idle);
                    }
                    idle.as_mut().reset(until.max(Instant::now() + self.max_idle / 2));
                }
            }
        }
    }

    /// Begins every request whose turn it is; true if a whole request had to be left waiting.
    fn begin_requests(&mut self) -> Result<bool, Closed> {
        while self.output.remaining() < GATHER_BYTES && self.waiting.len() < MAX_WAITING {
            let Some(frame) = self.input.peek()? else { return Ok(false) };
            let overlaps = self.handler.overlaps(frame);
            let its_turn = self.waiting.is_empty() || (overlaps && self.waiting_overlap);
            if !its_turn || self.handler.muted_until().is_some() {
                return Ok(true);
            }
            let Some(frame) = self.input.take()? else { return Ok(false) };
            match self.handler.handle(frame)? {
                Reply::Ready(chunks) if self.waiting.is_empty() => self.output.push(chunks),
                Reply::Ready(chunks) => {
                    self.waiting.push_back(Box::pin(async { Ok(Some(chunks)) }));
                }
                Reply::Waiting(answer) => {
                    self.waiting_overlap = overlaps;
                    self.waiting.push_back(answer);
                }
                Reply::Nothing => {}
            }
        }
        Ok(true)
    }

    /// Takes along the answers that are ready by now, so that they leave in one write.
    fn gather_answers(&mut self) -> Result<(), Closed> {
        use futures::FutureExt;
        while self.output.remaining() < GATHER_BYTES
            && let Some(front) = self.waiting.front_mut()
            && let Some(answer) = front.now_or_never()
        {
            self.waiting.pop_front();
            if let Some(chunks) = answer? {
                self.output.push(chunks);
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Closed> {
        use std::io::IoSlice;
        let mut slices = [IoSlice::new(&[]); 16];
        let count = self.output.chunks_vectored(&mut slices);
        match self.stream.try_write_vectored(&slices[..count]) {
            Ok(written) => self.output.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if self.output.has_remaining() {
            timeout(self.max_idle, self.stream.write_all_buf(&mut self.output))
                .await
                .map_err(|_| Closed::Idle)??;
        }
        Ok(())
    }
}

async fn next_answer(waiting: &mut VecDeque<Answer>) -> Result<Option<Vec<Bytes>>, Refused> {
    match waiting.front_mut() {
        Some(answer) => answer.await,
        None => std::future::pending().await,
    }
}

async fn unmuted(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
