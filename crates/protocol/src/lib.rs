//! Kafka on the wire: the names of things, THE API table, error codes, framing and record batches.
//!
//! Wraps the `kafka-protocol` crate, which nothing outside this crate names. Pure: no IO, no clock.

pub mod api;
mod config_source;
pub mod error_code;
pub mod fetch_response;
pub mod frame;
mod group_partition;
pub mod ids;
pub mod record;
mod request;
pub mod scram;

pub use config_source::ConfigSource;
pub use error_code::ErrorCode;
pub use fetch_response::encode_fetch_response;
pub use group_partition::group_partition;
/// Kafka's messages, generated from its schemas.
pub use kafka_protocol::messages;
/// What the messages are made of.
pub use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, StrBytes};
pub use request::{Request, Wire};
