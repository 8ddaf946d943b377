//! What travels between followers and leaders, and over what.

use std::collections::{BTreeSet, VecDeque};

use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionIndex};
use ottla_replication::{EpochEnd, Position};

use crate::disk::Entry;
use crate::event::Life;

pub(crate) type StreamId = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToLeader {
    Drop(PartitionIndex),
    Position(PartitionIndex, Position),
    Progress {
        partition: PartitionIndex,
        leader_epoch: LeaderEpoch,
        attempt: u32,
        log_end: Offset,
        flushed: Offset,
    },
}

/// What one partition's leader sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToFollower {
    pub(crate) partition: PartitionIndex,
    pub(crate) leader_epoch: LeaderEpoch,
    pub(crate) attempt: u32,
    pub(crate) high_watermark: Offset,
    pub(crate) log_start: Offset,
    pub(crate) outcome: Sent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// All there is from an offset on.
    Batches(Offset, Vec<(Offset, Entry)>),
    Diverging(EpochEnd),
    Refused,
    OutOfRange,
}

/// A standing stream. What was sent before it broke may still arrive at the leader; the follower hears
/// nothing once it has hung up.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) follower: Life,
    pub(crate) broker_epoch: BrokerEpoch,
    pub(crate) leader: Life,
    /// The follower listens and sends.
    pub(crate) follower_on: bool,
    /// The leader listens and sends.
    pub(crate) leader_on: bool,
    pub(crate) up: VecDeque<ToLeader>,
    pub(crate) down: VecDeque<ToFollower>,
    /// When the last message of each direction arrives: what comes later arrives later.
    pub(crate) up_at_us: u64,
    pub(crate) down_at_us: u64,
    pub(crate) pumping: bool,
}

/// What a leader sends to one follower of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) stream: StreamId,
    pub(crate) follower: BrokerId,
    pub(crate) leader_epoch: LeaderEpoch,
    pub(crate) attempt: u32,
    pub(crate) next: Offset,
    pub(crate) told: (Offset, Offset),
}

/// A follower's need of a stream to one leader.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) stream: Option<StreamId>,
    pub(crate) dialling: bool,
    pub(crate) partitions: BTreeSet<PartitionIndex>,
}
