//! What is asked of a replica before bytes move, and its answers.

use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};

use crate::leader_epoch::EpochEnd;
use crate::offsets::Offsets;
use crate::producer_state::{CachedBatch, SequenceError};

/// A batch may be appended, or need not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Stamp it so and append it.
    Append {
        /// The offset of its first record.
        base_offset: Offset,
        /// The leader epoch.
        leader_epoch: LeaderEpoch,
    },
    /// It is in the log already, as this one.
    Duplicate(CachedBatch),
}

/// Why a batch is not admitted. Definite: nothing has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// This replica does not lead.
    #[error("this replica does not lead the partition")]
    NotLeader,
    /// acks=all, and the committed ISR is too small.
    #[error("{in_sync} replicas are in sync, {required} are required")]
    NotEnoughReplicas {
        /// Members of the committed ISR.
        in_sync: usize,
        /// Needed.
        required: usize,
    },
    /// The producer's sequence or epoch is not right.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
}

/// A leader epoch that came with a request is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// It is older.
    #[error("leader epoch {requested} is fenced, the epoch is {current}")]
    Fenced {
        /// What came.
        requested: LeaderEpoch,
        /// Ours.
        current: LeaderEpoch,
    },
    /// It is newer.
    #[error("leader epoch {requested} is not known yet, the epoch is {current}")]
    Unknown {
        /// What came.
        requested: LeaderEpoch,
        /// Ours.
        current: LeaderEpoch,
    },
}

/// Where a follower wants to be sent from, and as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The follower.
    pub follower: BrokerId,
    /// Its registration.
    pub broker_epoch: BrokerEpoch,
    /// The leader epoch it follows.
    pub leader_epoch: LeaderEpoch,
    /// Rises with each request.
    pub attempt: u32,
    /// Its log's end.
    pub log_end: Offset,
    /// What is flushed of it.
    pub flushed: Offset,
    /// Epoch of the last record of its log; -1 if there has been none.
    pub last_epoch: LeaderEpoch,
}

/// What becomes of a follower's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscription {
    /// Send from its log's end on.
    Stream,
    /// It must cut its log first.
    Diverging(EpochEnd),
}

/// Why a follower is not sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another leader epoch.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// This replica does not lead.
    #[error("this replica does not lead the partition")]
    NotLeader,
    /// It is no replica of the partition, as far as is known here.
    #[error("broker {0} is not a replica of the partition")]
    NotReplica(BrokerId),
    /// An older registration, or an older attempt.
    #[error("a newer request of the follower has come before")]
    Stale,
    /// It begins before our log does, or behind its end: it starts anew at our log start.
    #[error("the position is outside of the log")]
    OutOfRange,
}

/// Why nothing may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReadable {
    /// Another leader epoch.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// This replica does not lead.
    #[error("this replica does not lead the partition")]
    NotLeader,
    /// Before the log's start or behind its end.
    #[error("the offset is outside of the log")]
    OutOfRange,
}

/// What a consumer may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBounds {
    /// Where the replica stands.
    pub offsets: Offsets,
    /// The consumer's history leaves ours here; it reads nothing then.
    pub diverging: Option<EpochEnd>,
}
