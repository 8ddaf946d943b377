//! What a replica is told, and what it asks for.

use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch};

/// Names who waits: for an acks=all append, or for a deletion. The shell keeps what it stands for.
pub type Token = u64;

/// The settings that the replica obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `flush.messages`. At 1 a position counts once it is flushed, else once it is written.
    pub flush_messages: i64,
    /// `min.insync.replicas`, not yet bounded by the number of replicas.
    pub min_insync_replicas: usize,
    /// `replica.lag.time.max.ms`.
    pub replica_lag_time_max_ms: i64,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
}

impl Rules {
    /// The high watermark counts flushed positions, not written ones.
    #[must_use]
    pub fn counts_flushed(&self) -> bool {
        self.flush_messages == 1
    }
}

/// A replica's broker as the metadata has it. Epoch and eligibility come from one image (KIP-903).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The broker.
    pub broker_id: BrokerId,
    /// Its registration; -1: not registered.
    pub broker_epoch: BrokerEpoch,
    /// Unfenced and not shutting down: it may be in an ISR (KIP-841).
    pub eligible: bool,
}

/// The committed state of the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionState {
    /// Who leads.
    pub leader: Option<BrokerId>,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The partition epoch.
    pub partition_epoch: PartitionEpoch,
    /// The committed ISR.
    pub isr: Vec<BrokerId>,
    /// Every replica, this one too.
    pub replicas: Vec<Member>,
}

/// How the controller answered an ISR proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsrAnswer {
    /// Taken: the feed brings it.
    Taken,
    /// Void, since the state has moved on: the feed brings that.
    Superseded,
    /// Refused as it stands: nothing will come of it.
    Refused,
    /// No answer: it may still be taken.
    Unknown,
}

/// Something has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The metadata has the partition so.
    Metadata(PartitionState),
    /// The metadata has the replicas' brokers so.
    Members(Vec<Member>),
    /// The settings are these.
    Rules(Rules),
    /// As leader: the admitted batch is in the log.
    Appended {
        /// The log's end behind it.
        log_end: Offset,
        /// Who waits for it to be committed.
        waiter: Option<Token>,
    },
    /// As leader: an acks=all duplicate waits until the original, which ends here, is committed.
    Await {
        /// The offset behind the original.
        offset: Offset,
        /// Who waits.
        waiter: Token,
    },
    /// Everything below is on disk.
    Flushed(Offset),
    /// As leader: a follower stands here. Ignored unless it was checked under the same epochs and attempt.
    FollowerAt {
        /// The follower.
        follower: BrokerId,
        /// Its registration.
        broker_epoch: BrokerEpoch,
        /// The leader epoch it follows.
        leader_epoch: LeaderEpoch,
        /// The subscription it belongs to.
        attempt: u32,
        /// Its log's end.
        log_end: Offset,
        /// What it has flushed.
        flushed: Offset,
    },
    /// As leader: a follower's log begins here.
    FollowerLogStart {
        /// The follower.
        follower: BrokerId,
        /// Its registration.
        broker_epoch: BrokerEpoch,
        /// Its log's start.
        log_start: Offset,
    },
    /// As leader: somebody waits until no live replica holds anything below (DeleteRecords).
    AwaitLogStart {
        /// Where the logs are to begin.
        offset: Offset,
        /// Who waits.
        waiter: Token,
    },
    /// As follower: what the leader sent is in the log (or nothing was to be written).
    Received {
        /// Our log's end behind it.
        log_end: Offset,
        /// The leader's high watermark.
        leader_high_watermark: Offset,
        /// The leader's log start.
        leader_log_start: Offset,
    },
    /// As follower: the log was cut back where it left the leader's.
    Truncated {
        /// Its end now.
        log_end: Offset,
        /// What is on disk of it.
        flushed: Offset,
    },
    /// As follower: the log was emptied and begins again here (out of the leader's range).
    Restarted(Offset),
    /// As follower: ask the leader (again) to send; a stream to it has come up.
    Ask,
    /// The log's start has moved up (retention, DeleteRecords).
    LogStart(Offset),
    /// A deadline asked for by [`Effect::WakeAt`] may have passed.
    Tick,
    /// As leader: the controller's answer to the proposal made on this partition epoch.
    IsrAnswered {
        /// The partition epoch it was made on.
        partition_epoch: PartitionEpoch,
        /// The answer.
        answer: IsrAnswer,
    },
    /// The log cannot be trusted any more: a write or flush has failed.
    StorageFailed,
}

/// What became of what somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckOutcome {
    /// It is on every in-sync replica; a deletion: on every live one.
    Committed,
    /// Unknown: this replica does not lead any more.
    NotLeader,
    /// Unknown: written, but to fewer in-sync replicas than `min.insync.replicas`.
    NotEnoughReplicasAfterAppend,
    /// Unknown: the disk failed.
    Storage,
}

/// A leader's wish for another ISR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsrProposal {
    /// The leader epoch it is made in.
    pub leader_epoch: LeaderEpoch,
    /// The partition epoch it is made on.
    pub partition_epoch: PartitionEpoch,
    /// The wanted members with their broker epochs, this replica included.
    pub isr: Vec<(BrokerId, BrokerEpoch)>,
}

/// Something to be done by the shell, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It leads: begin this leader epoch in the log. Earlier followers must subscribe anew.
    Lead {
        /// The leader epoch.
        leader_epoch: LeaderEpoch,
    },
    /// It follows, or there is nobody to follow: followers of ours are let go.
    Step {
        /// Whom it follows now.
        leader: Option<BrokerId>,
    },
    /// Ask `leader` to send from our log's end, in this attempt.
    Ask {
        /// Whom.
        leader: BrokerId,
        /// In which leader epoch.
        leader_epoch: LeaderEpoch,
        /// As which attempt.
        attempt: u32,
    },
    /// Tell the leader where we stand.
    Progress {
        /// Whom.
        leader: BrokerId,
        /// In which leader epoch.
        leader_epoch: LeaderEpoch,
        /// In which attempt.
        attempt: u32,
        /// Our log's end.
        log_end: Offset,
        /// What is flushed of it.
        flushed: Offset,
    },
    /// The high watermark moved up: readers may go on, followers are to hear of it.
    HighWatermark(Offset),
    /// Raise the log's start.
    LogStart(Offset),
    /// A waiting append has its outcome.
    Ack(Token, AckOutcome),
    /// Ask the controller for another ISR.
    ProposeIsr(IsrProposal),
    /// Give [`Input::Tick`] at this time (milliseconds of the clock that `now_ms` is of).
    WakeAt(i64),
}
