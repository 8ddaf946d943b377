//! Consumer groups and their committed offsets, as records of one partition of `__consumer_offsets`.
//!
//! A state machine over plain values: no clock, no IO, no lock. [`Groups`] holds all groups of one
//! partition; the shell that leads the partition feeds it inputs ([`Groups::step`]) and does what the
//! effects say: appends records to the partition, answers clients.
//!
//! Truth is what the partition's committed records add up to. There are two such sums: *committed*, which
//! reads see, and *planned*, which also has the records that are on their way; requests are decided on
//! `planned`. Beside them lies what lives only as long as the machine: joins in progress, sessions, timers.
//!
//! Invariants:
//! - Replay is the only writer of both sums, and cannot fail on a decoded record.
//! - An answer that depends on a record leaves only after the record is committed.
//! - A write that was refused has no effect on anything later.
//! - Generations and epochs of a group only grow while the group exists.
//! - A heartbeat costs no more in a large group than in a small one, a tick no more than what is due.

mod admin;
mod assignor;
mod classic;
mod consumer;
mod context;
mod error;
mod groups;
mod offsets;
mod request;
mod rng;
mod settings;
mod state;
mod subscription_regex;
mod timers;

pub mod record;

pub use error::GroupError;
pub use groups::Groups;
pub use offsets::CommittedOffset;
pub use record::{Record, RecordError};
pub use request::{Answer, Caller, Effect, Input, LogRecord, Request, Response, Token, WriteId};
pub use settings::Settings;

/// A group's id. Always an own copy, never a slice of a request's frame.
pub type GroupName = std::sync::Arc<str>;
/// A member's id. Always an own copy, never a slice of a request's frame.
pub type MemberId = std::sync::Arc<str>;
