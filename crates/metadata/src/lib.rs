//! The cluster as facts: records, the image they add up to, and the plans that make new ones.
//!
//! Pure: no clock, no randomness, no IO. The time and the seeds are arguments.
//!
//! - [`Record`]: one committed fact; [`Batch`]: records that are committed all or none.
//! - [`Image`]: what all committed records add up to. [`Image::replay`] is its only writer and cannot
//!   fail. A clone is cheap, so a reader keeps one as long as it likes.
//! - [`Delta`]: what a batch (or a snapshot) changed.
//! - [`plan`]: from an image and a wish to records and a reply, or to a refusal with Kafka's number
//!   and words. Nothing is replayed before it is committed.

pub mod codec;
pub mod delta;
pub mod election;
pub mod feature;
pub mod image;
pub mod placement;
pub mod plan;
pub mod proposal;
pub mod quota;
pub mod reassignment;
pub mod record;

pub use delta::Delta;
pub use image::{Broker, Endpoint, Image, Partition, Topic};
pub use plan::{Limits, Plan};
pub use proposal::{Proposal, Proposer, Refusal, Reply};
pub use record::{Batch, ConfigResource, FenceCause, Record};

/// The records on the wire and on disk, as generated from `proto/records.proto`.
#[allow(missing_docs, clippy::all, reason = "generated code")]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/ottla.records.v1.rs"));
}
