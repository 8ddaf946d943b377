//! The partitions of this broker: each replica's state machine and its log behind one lock.
//!
//! Whoever brings work (a connection, a replica stream, a flusher thread, the metadata feed) takes the
//! partition's lock, steps the machine, appends, and lets go; what the step asked for (wake a client,
//! send to a follower, flush, propose an ISR) is done after the lock is released. The lock is never held
//! across an await, a flush or a read from disk, and no two of them nest. No partition has a task or a
//! timer of its own.
//!
//! - [`Partitions`]: the registry, and what drives it: the metadata feed ([`Partitions::apply`]), the
//!   flusher threads, the replica streams, the upkeep thread.
//! - [`Partition`]: one replica, as the API handlers see it.
//! - [`AckGroup`], [`Reader`]: how a produce and a long poll wait.

mod ack;
mod append;
mod cleaner;
mod clock;
mod codes;
mod creation;
mod feed;
mod flusher;
mod follow;
mod herald;
mod inspect;
mod link;
mod load;
mod log_dir_choice;
mod log_dirs;
mod moves;
mod offline;
mod proposals;
mod read;
mod reconcile;
mod registry;
mod replica;
mod service;
mod session;
mod shared;
mod throttle;
mod timers;
mod types;
mod upkeep;

#[cfg(test)]
mod tests;

pub use ack::{AckGroup, AckOutcome, AckToken};
pub use inspect::{ActiveProducer, LogDirStatus, ReplicaSize};
pub use log_dir_choice::ChooseError;
pub use registry::{IsrProposer, Partitions, PartitionsOptions, ProposeError, StartError};
pub use replica::{Partition, Reader};
pub use service::ReplicationService;
pub use session::SessionStream;
pub use types::{
    AppendError, AppendOptions, Appended, Isolation, ListOffset, ListOffsetError, ListedOffset,
    PartitionError, PartitionStatus, Read, ReadError, ReadRequest, ReplicaRole,
};
