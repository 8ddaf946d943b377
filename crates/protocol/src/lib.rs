//! Kafka on the wire: the names of things, THE API table, error codes, framing and record batches.
//!
//! Wraps the `kafka-protocol` crate, which nothing outside this crate names. Pure: no IO, no clock.

pub mod error_code;
pub mod ids;

pub use error_code::ErrorCode;
/// Kafka's messages, generated from its schemas.
pub use kafka_protocol::messages;
