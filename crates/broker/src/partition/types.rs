//! What goes into a partition and what comes out: values only.

use bytes::Bytes;
use ottla_protocol::ids::{
    BrokerId, LeaderEpoch, Offset, PartitionEpoch, TimestampMs, TopicIdPartition, TopicName,
    TopicPartition,
};
use ottla_replication::EpochError;

/// How a produced batch is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendOptions {
    /// The request's `acks` is -1: refuse below `min.insync.replicas`, and complete the token.
    pub acks_all: bool,
    /// Wall clock, for timestamp checks, LogAppendTime and producer expiry.
    pub now_ms: TimestampMs,
    /// Append only if the partition is led here in exactly this epoch; `None`: in any.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// A batch was appended (or had been already).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of its first record; of the original, for a duplicate.
    pub base_offset: Offset,
    /// The timestamp that the log gave to its records; -1 with CreateTime.
    pub log_append_time_ms: TimestampMs,
    /// First offset of the log.
    pub log_start_offset: Offset,
    /// An idempotent producer had sent it before.
    pub duplicate: bool,
}

/// Why a partition did not serve. In every case nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// Another broker leads it.
    #[error("this broker does not lead the partition")]
    NotLeader {
        /// Who leads as far as this replica knows; -1: nobody.
        leader: BrokerId,
        /// In which epoch; -1: not known.
        leader_epoch: LeaderEpoch,
    },
    /// The client's leader epoch is older than ours.
    #[error("leader epoch {requested} is fenced: the epoch is {current}")]
    FencedLeaderEpoch {
        /// What the client has.
        requested: LeaderEpoch,
        /// What is so.
        current: LeaderEpoch,
    },
    /// The client's leader epoch is newer than ours.
    #[error("leader epoch {requested} is not known yet: the epoch is {current}")]
    UnknownLeaderEpoch {
        /// What the client has.
        requested: LeaderEpoch,
        /// What is so here.
        current: LeaderEpoch,
    },
    /// The log could not be read or written, or its directory is out of service.
    #[error("storage error: {0}")]
    Storage(String),
}

impl From<EpochError> for PartitionError {
    fn from(error: EpochError) -> Self {
        match error {
            EpochError::Fenced { requested, current } => {
                Self::FencedLeaderEpoch { requested, current }
            }
            EpochError::Unknown { requested, current } => {
                Self::UnknownLeaderEpoch { requested, current }
            }
        }
    }
}

/// Why a batch was not appended. Every variant is definite: nothing of it will ever be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Not the leader, or the disk failed before anything was admitted.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// acks=all, and the committed ISR is smaller than `min.insync.replicas`.
    #[error("{in_sync} replicas are in sync, {required} are required (min.insync.replicas)")]
    NotEnoughReplicas {
        /// Members of the ISR.
        in_sync: usize,
        /// Needed.
        required: usize,
    },
    /// The bytes are not one whole batch of magic 2, or its CRC does not match.
    #[error("corrupt batch: {0}")]
    Corrupt(String),
    /// A batch is well-formed but not allowed from a client.
    #[error("invalid record: {0}")]
    InvalidRecord(String),
    /// The topic is compacted, and a record has no key.
    #[error("Compacted topic cannot accept message without key in topic partition {0}")]
    WithoutKey(TopicPartition),
    /// Its magic is 0 or 1.
    #[error("message format {0} is not supported: use magic 2")]
    UnsupportedFormat(i8),
    /// Larger than `max.message.bytes`.
    #[error("a batch of {size} bytes is larger than max.message.bytes ({limit})")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Larger than `segment.bytes`.
    #[error("a batch of {size} bytes is larger than segment.bytes ({limit})")]
    LargerThanSegment {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Outside `message.timestamp.before.max.ms` / `message.timestamp.after.max.ms`.
    #[error("{0}")]
    InvalidTimestamp(String),
    /// A batch is missing between the producer's last one and this one.
    #[error(
        "out of order sequence number for producer {producer_id}: {got} came, {expected} was expected"
    )]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// Its batch's first sequence.
        got: i32,
        /// The one that was due.
        expected: i32,
    },
    /// A newer instance of the producer has taken over.
    #[error("producer {producer_id} has epoch {current}, {got} came")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: i64,
        /// The batch's epoch.
        got: i16,
        /// The epoch that is in force.
        current: i16,
    },
    /// A transactional batch: not served yet.
    #[error("transactional writes are not supported by this broker")]
    Transactional,
}

/// What a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the high watermark.
    ReadUncommitted,
    /// Up to the last stable offset.
    ReadCommitted,
}

/// A consumer's read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRequest {
    /// From here.
    pub offset: Offset,
    /// At most so many bytes, whole batches or the last one cut off (KIP-74).
    pub max_bytes: usize,
    /// Give at least the first batch whole, however large.
    pub at_least_one: bool,
    /// The leader epoch the client believes in; `None`: not checked.
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// Epoch of the last record it has read; `None`: not checked (KIP-595, KIP-320).
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// What it may see.
    pub isolation: Isolation,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Batches; the last one may be cut off.
    pub records: Bytes,
    /// High watermark.
    pub high_watermark: Offset,
    /// Last stable offset.
    pub last_stable_offset: Offset,
    /// First offset of the log.
    pub log_start_offset: Offset,
    /// The client's history leaves ours here: (largest shared epoch, where it ends). No records then.
    pub diverging: Option<(LeaderEpoch, Offset)>,
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// See [`PartitionError`].
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// Before the log's start or after its end.
    #[error("offset {offset} is outside {log_start_offset}..{log_end_offset}")]
    OffsetOutOfRange {
        /// Asked for.
        offset: Offset,
        /// First offset there is.
        log_start_offset: Offset,
        /// Where the next record goes.
        log_end_offset: Offset,
    },
    /// Its records are not to be deleted: `cleanup.policy` lacks `delete`.
    #[error("records of a topic whose cleanup.policy lacks 'delete' cannot be deleted")]
    NotDeletable,
}

/// Which offset is asked for (ListOffsets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOffset {
    /// The log's start (-2; also -4, earliest local).
    Earliest,
    /// Where a reader of this isolation stands at the end (-1).
    Latest(Isolation),
    /// The record with the largest timestamp (-3, KIP-734).
    MaxTimestamp,
    /// The first record whose timestamp is at least this.
    Timestamp(TimestampMs),
}

/// A found offset; all -1 if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset.
    pub offset: Offset,
    /// The record's timestamp; -1 for earliest and latest.
    pub timestamp_ms: TimestampMs,
    /// Its epoch; -1 if not known.
    pub leader_epoch: LeaderEpoch,
}

/// Why no offset was listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListOffsetError {
    /// See [`PartitionError`].
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// A new leader whose high watermark has not passed its epoch's start yet (KIP-207): ask again.
    #[error("the new leader does not know the end of the committed log yet")]
    OffsetNotAvailable,
}

/// What a replica is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaRole {
    /// It leads.
    Leader,
    /// It follows.
    Follower,
    /// There is no leader, or the replica's log is out of service.
    Offline,
}

/// A look at a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Its topic.
    pub topic: TopicName,
    /// Its id.
    pub id: TopicIdPartition,
    /// What it is.
    pub role: ReplicaRole,
    /// Who leads; -1: nobody.
    pub leader: BrokerId,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The partition epoch.
    pub partition_epoch: PartitionEpoch,
    /// The committed ISR.
    pub isr: Vec<BrokerId>,
    /// First offset.
    pub log_start_offset: Offset,
    /// High watermark.
    pub high_watermark: Offset,
    /// Where the next record goes.
    pub log_end_offset: Offset,
    /// Everything below is on disk.
    pub flushed_offset: Offset,
    /// Bytes on disk.
    pub size_bytes: u64,
}
