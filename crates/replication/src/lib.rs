//! One replica of one partition: leader, follower, ISR, high watermark, producers, waiters.
//!
//! A state machine over plain values: no clock, no IO, no lock. The shell that owns a replica and its log
//! feeds it inputs ([`Replica::step`]) and does what the effects say; what must be decided *before* bytes
//! move (may this batch be appended, may this follower be streamed to, may this be read) is asked by
//! plan-style methods ([`Replica::admit`], [`Replica::subscribe`], [`Replica::check_read`]).
//!
//! Invariants:
//! - The chain of [`Offsets`] holds after every step, in release builds too.
//! - The high watermark is the least position over the *maximal* ISR (committed and proposed), as
//!   `flush.messages` counts positions, and does not move while the committed ISR is below
//!   `min.insync.replicas` (KIP-966).
//! - A follower's progress counts only under the leader epoch, broker epoch and attempt in which the
//!   leader has checked its log (KIP-101, KIP-320, KIP-903).
//! - At most one ISR proposal is under way; only the metadata feed ends it.
//! - Nothing here truncates by the high watermark.

pub mod leader_epoch;
pub mod producer_snapshot;
pub mod producer_state;

mod follower;
mod input;
mod isr;
mod leader;
mod offsets;
mod progress;
mod replica;
mod request;
mod waiters;

pub use follower::Follower;
pub use input::{
    AckOutcome, Effect, Input, IsrAnswer, IsrProposal, Member, PartitionState, Rules, Token,
};
pub use isr::Isr;
pub use leader::Leader;
pub use leader_epoch::EpochEnd;
pub use offsets::Offsets;
pub use producer_state::{ProducerState, SequenceError, Sequenced};
pub use replica::{Replica, Role};
pub use request::{
    Admission, EpochError, NotAdmitted, NotReadable, Position, ReadBounds, Refused, Subscription,
};
