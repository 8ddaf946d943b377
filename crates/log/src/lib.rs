//! Partition logs on disk, in Kafka's own format, so that Kafka's `kafka-dump-log` reads them.
//!
//! Blocking std IO; knows nothing of replicas, high watermarks' meaning or producers. A [`LogDir`] is
//! one directory of `log.dirs`: locked, identified, checkpointed. A [`Log`] is one partition in it and
//! belongs to one owner, who calls it under the partition's lock. What may take long is split in two:
//! a *plan*, made under the lock and cheap ([`ReadPlan`], [`FlushPlan`], [`TimestampSearch`],
//! [`CleaningPlan`]), and its execution outside the lock.
//!
//! What it refuses: appending bytes that do not continue the log, serving damaged bytes, deleting
//! what it cannot read, and everything once a write or a flush has failed.

mod config;
mod dir;
mod error;
mod files;
mod handles;
mod index;
mod log;

pub use config::{Compaction, LogConfig};
pub use dir::{
    DeletedDir, FutureDir, LoadFailure, LoadReport, LogDir, MAX_MOVABLE_NAME, MetaProperties,
    NewLog, OpenError, OpenOptions,
};
pub use error::LogError;
pub use log::{
    AppendInfo, Cleanable, CleanedSegment, Cleaning, CleaningLimits, CleaningPlan, EpochEnd,
    FlushPlan, Flushed, HeaderScan, LeaderEpochs, Log, Pace, ReadPlan, RetiredSegment,
    TimestampOffset, TimestampSearch,
};
