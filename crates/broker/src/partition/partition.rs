//! One partition's replica, as the API handlers see it.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ids::{LeaderEpoch, Offset, TopicIdPartition, TopicName};
use tokio::sync::Notify;

use super::ack::AckToken;
use super::types::{
    AppendError, AppendOptions, Appended, ListOffset, ListOffsetError, ListedOffset,
    PartitionError, PartitionStatus, Read, ReadError, ReadRequest,
};

/// A long poll that waits on any number of partitions. Register it with each ([`Partition::on_readable`]),
/// then read, then await [`Reader::readable`]: no advance between is lost. Reuse one per connection.
#[derive(Debug, Default)]
pub struct Reader {
    notify: Notify,
}

impl Reader {
    /// A reader that is registered nowhere.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Completes when a partition it was registered with has more to read, or has changed its role,
    /// since the last completion. The partition that woke it has forgotten it: register again.
    pub async fn readable(&self) {
        self.notify.notified().await;
    }
}

/// One replica of one partition.
#[derive(Debug)]
pub struct Partition {
    id: TopicIdPartition,
    topic: TopicName,
}

impl Partition {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> TopicIdPartition {
        self.id
    }

    /// Its topic's name.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Appends what a client sent for this partition: exactly one batch of magic 2. The bytes are taken
    /// over without a copy if nobody else holds them. Synchronous: a write to the page cache.
    ///
    /// With `acks_all`, `ack` is completed when the batch is committed, or fails to be; it is dropped
    /// (and so counts as refused) with an error.
    ///
    /// # Errors
    /// Definite: nothing of the batch will ever be read.
    pub fn append(
        &self,
        records: Bytes,
        options: AppendOptions,
        ack: Option<AckToken>,
    ) -> Result<Appended, AppendError> {
        let _ = (records, options, ack);
        unimplemented!("append")
    }

    /// Reads for a consumer; leader only. The disk is read outside the partition's lock, on the calling
    /// thread.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&self, request: ReadRequest) -> Result<Read, ReadError> {
        let _ = request;
        unimplemented!("read")
    }

    /// Wakes `reader` once, when the high watermark (or the log start, or the role) next changes.
    pub fn on_readable(&self, reader: &Arc<Reader>) {
        let _ = reader;
        unimplemented!("on_readable")
    }

    /// Finds an offset (ListOffsets); leader only.
    ///
    /// # Errors
    /// See [`ListOffsetError`].
    pub fn list_offset(
        &self,
        what: ListOffset,
        current_leader_epoch: Option<LeaderEpoch>,
    ) -> Result<ListedOffset, ListOffsetError> {
        let _ = (what, current_leader_epoch);
        unimplemented!("list_offset")
    }

    /// OffsetForLeaderEpoch: the largest epoch not above `epoch` and where it ends; leader only.
    /// (-1, -1) if there is none.
    ///
    /// # Errors
    /// See [`PartitionError`].
    pub fn offset_for_leader_epoch(
        &self,
        epoch: LeaderEpoch,
        current_leader_epoch: Option<LeaderEpoch>,
    ) -> Result<(LeaderEpoch, Offset), PartitionError> {
        let _ = (epoch, current_leader_epoch);
        unimplemented!("offset_for_leader_epoch")
    }

    /// DeleteRecords: raises the log start to `before` (-1: the high watermark) and says where it is.
    ///
    /// # Errors
    /// Beyond the high watermark, or not the leader.
    pub fn delete_records(&self, before: Offset) -> Result<Offset, ReadError> {
        let _ = before;
        unimplemented!("delete_records")
    }

    /// A look at it.
    #[must_use]
    pub fn status(&self) -> PartitionStatus {
        unimplemented!("status")
    }
}
