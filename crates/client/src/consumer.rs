//! A consumer by assignment: it reads the partitions that it is told to read; there is no group.
//! [`crate::GroupConsumer`] is the one with a group.

mod answers;
mod fetch;
mod position;

use std::time::Duration;

use ottla_protocol::ids::{Offset, TopicPartition};
use ottla_protocol::record::Record;

use crate::client::Client;
use crate::error::ClientError;
pub(crate) use fetch::Fetcher;

/// Which records of transactions are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(i8)]
pub enum IsolationLevel {
    /// All of them.
    #[default]
    ReadUncommitted = 0,
    /// Those of committed transactions.
    ReadCommitted = 1,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// The first record that there is.
    Earliest,
    /// The next record that will be written.
    Latest,
    /// This offset.
    Offset(Offset),
}

/// Settings of a [`Consumer`]; the defaults are Kafka's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerOptions {
    /// `isolation.level`.
    pub isolation: IsolationLevel,
    /// `fetch.min.bytes`: a broker waits until it has this much, or
    pub fetch_min_bytes: i32,
    /// `fetch.max.wait.ms`: until this much time has passed.
    pub fetch_max_wait_ms: i32,
    /// `fetch.max.bytes`: the most that one answer should hold.
    pub fetch_max_bytes: i32,
    /// `max.partition.fetch.bytes`: the most that one answer should hold of one partition.
    pub max_partition_fetch_bytes: i32,
    /// `auto.offset.reset`: where to go on when an offset is no longer, or not yet, in the log. `None`
    /// makes that an error.
    pub offset_reset: Option<StartAt>,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            isolation: IsolationLevel::ReadUncommitted,
            fetch_min_bytes: 1,
            fetch_max_wait_ms: 500,
            fetch_max_bytes: 50 << 20,
            max_partition_fetch_bytes: 1 << 20,
            offset_reset: Some(StartAt::Latest),
        }
    }
}

/// Records of one partition, in order.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Where they are from.
    pub partition: TopicPartition,
    /// The records; offsets may have gaps.
    pub records: Vec<Record>,
    /// The offset behind the last record that all in-sync replicas have.
    pub high_watermark: Offset,
}

/// Reads assigned partitions.
pub struct Consumer {
    core: Fetcher,
}

impl Consumer {
    /// A consumer over a client's connections.
    #[must_use]
    pub fn new(client: Client, options: ConsumerOptions) -> Self {
        Self { core: Fetcher::new(client, options) }
    }

    /// Adds a partition, or moves one that is already assigned. Its topic need not exist yet.
    pub fn assign(&mut self, partition: TopicPartition, start: StartAt) {
        self.core.assign(partition, start);
    }

    /// Takes a partition away.
    pub fn unassign(&mut self, partition: &TopicPartition) {
        self.core.unassign(partition);
    }

    /// The assigned partitions.
    pub fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.core.assignment()
    }

    /// The offset of the next record of a partition; `None` before it is known.
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.core.position(partition)
    }

    /// The next records; an empty list after `limit`. Leader changes, restarts and lost connections are
    /// waited out; what comes back as an error will not heal by itself. May be dropped at any await: no
    /// record is lost by that.
    pub async fn poll(&mut self, limit: Duration) -> Result<Vec<Fetched>, ClientError> {
        self.core.poll(limit).await
    }
}
