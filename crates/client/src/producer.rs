//! A producer: records in, acknowledgements out.
//!
//! [`batches`] and [`queue`] are the pure part (order, sequences, retries, timeouts); [`sender`] is the task that
//! carries its requests to the brokers.

mod batches;
mod placing;
mod queue;
mod sender;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ottla_protocol::ids::{Offset, PartitionIndex, TimestampMs, TopicName, TopicPartition};
use ottla_protocol::record::{Compression, Header};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::client::Client;
use crate::error::{ApiError, ClientError};

/// Which replicas must have a record before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum Acks {
    /// None: the record is sent and forgotten.
    None = 0,
    /// The leader.
    Leader = 1,
    /// Every in-sync replica.
    All = -1,
}

/// Settings of a [`Producer`]; the defaults are Kafka's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerOptions {
    /// `acks`.
    pub acks: Acks,
    /// `enable.idempotence`: retries make neither duplicates nor disorder. Needs `acks` All.
    pub idempotent: bool,
    /// `linger.ms`: how long a batch waits for company.
    pub linger_ms: u64,
    /// `batch.size`: a batch of this many bytes (before compression) is sent at once.
    pub batch_bytes: usize,
    /// `buffer.memory`: bytes that may wait; above it, [`Producer::send`] waits.
    pub buffer_bytes: usize,
    /// `compression.type`.
    pub compression: Compression,
    /// `delivery.timeout.ms`: after this time a record has failed.
    pub delivery_timeout_ms: u64,
    /// `request.timeout.ms` of a Produce request.
    pub request_timeout_ms: u64,
    /// `retries`: how often a batch is sent again.
    pub retries: u32,
    /// `max.in.flight.requests.per.connection`; at most 5 with idempotence.
    pub max_in_flight: usize,
    /// `max.request.size`: a larger record is refused.
    pub max_request_bytes: usize,
    /// `max.block.ms`: how long [`Producer::send`] waits for metadata or room.
    pub max_block_ms: u64,
    /// Whether sending to a topic may create it, where the broker allows that.
    pub auto_create_topics: bool,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            idempotent: true,
            linger_ms: 5,
            batch_bytes: 16_384,
            buffer_bytes: 32 << 20,
            compression: Compression::None,
            delivery_timeout_ms: 120_000,
            request_timeout_ms: 30_000,
            retries: u32::MAX,
            max_in_flight: 5,
            max_request_bytes: 1 << 20,
            max_block_ms: 60_000,
            auto_create_topics: true,
        }
    }
}

/// A record to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerRecord {
    /// Where to; `None` lets the key decide, or the producer where there is no key.
    pub partition: Option<PartitionIndex>,
    /// Milliseconds since the epoch; `None` means now.
    pub timestamp: Option<TimestampMs>,
    /// The key; null is not empty.
    pub key: Option<Vec<u8>>,
    /// The value; null is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers in their order.
    pub headers: Vec<Header>,
}

/// A record that the cluster has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Where it is.
    pub partition: TopicPartition,
    /// At which offset; -1 with acks=0, or when the broker no longer knows a duplicate's offset.
    pub offset: Offset,
    /// The broker's time where the topic keeps that, else -1.
    pub log_append_time: TimestampMs,
}

/// A record that was not acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProduceError {
    /// It was refused; it is not in the log and never will be.
    #[error("{error}")]
    Refused {
        /// The broker's refusal.
        error: ApiError,
    },
    /// Time was up, or the broker failed, after the record had been sent: it may or may not be there.
    #[error("{reason}; whether the record was written is unknown")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// Time was up before the record was sent; it is not in the log.
    #[error("{reason}")]
    NotSent {
        /// What happened.
        reason: String,
    },
    /// The record is larger than `max.request.size`.
    #[error(
        "The message is {size} bytes when serialized which is larger than {limit}, which is the value of the max.request.size configuration."
    )]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The bound.
        limit: usize,
    },
    /// The topic cannot be written to, or the cluster cannot be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The producer was closed.
    #[error("the producer is closed")]
    Closed,
}

impl ProduceError {
    /// Whether the record is certainly not in the log.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        !matches!(self, Self::Unknown { .. } | Self::Closed)
    }
}

/// A record on its way; resolves when its fate is known.
#[derive(Debug)]
pub struct Delivery(oneshot::Receiver<Result<Acknowledged, ProduceError>>);

impl Future for Delivery {
    type Output = Result<Acknowledged, ProduceError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(ProduceError::Closed)))
    }
}

/// Sends records. Cheap to clone. Dropping the last clone lets what waits be sent; [`Producer::flush`]
/// waits for that.
#[derive(Clone)]
pub struct Producer {
    client: Client,
    options: Arc<ProducerOptions>,
    commands: mpsc::UnboundedSender<sender::Command>,
    room: Arc<Semaphore>,
    sticky: placing::StickyByTopic,
}

impl Producer {
    /// A producer over a client's connections. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(client: Client, options: ProducerOptions) -> Self {
        let options = Arc::new(options);
        let room = Arc::new(Semaphore::new(options.buffer_bytes.min(Semaphore::MAX_PERMITS)));
        let commands = sender::start(client.clone(), Arc::clone(&options));
        Self { client, options, commands, room, sticky: Arc::default() }
    }

    /// Hands a record over; waits for metadata and for room, at most `max_block_ms`. The [`Delivery`]
    /// resolves when the record's fate is known. Records of one partition keep the order of the calls.
    pub async fn send(
        &self,
        topic: &TopicName,
        record: ProducerRecord,
    ) -> Result<Delivery, ProduceError> {
        placing::hand_over(self, topic, record).await
    }

    /// Sends what waits at once, and returns when the fate of every record handed over so far is known.
    pub async fn flush(&self) {
        let (done, receiver) = oneshot::channel();
        if self.commands.send(sender::Command::Flush(done)).is_ok() {
            // The sender ends only after everything is resolved.
            let _ = receiver.await;
        }
    }

    /// The client underneath.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}
