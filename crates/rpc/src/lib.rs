//! Ottla's own gRPC: what is generated from `proto/`, how a channel or a server is set up, and how the
//! controller's proposals go to and from the types of `ottla-metadata`.
//!
//! Nothing here knows what a call means.

mod channel;
pub mod convert;
mod server;
pub mod status;

pub use channel::{
    ChannelOptions, InvalidAddress, channel, connect, controller_client, is_refused, quorum_client,
    replication_client,
};
pub use server::{
    Connections, controller_server, quorum_server, replication_server, serve_with_incoming,
    server_builder, speaks_http2,
};

/// No message between controllers, or between a broker and a controller, may be larger: 16 MiB.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// The largest batch that can be replicated: 120 MiB, above the 100 MiB of `socket.request.max.bytes`,
/// beyond which no client gets a batch in unless that key is raised too.
pub const MAX_BATCH_BYTES: usize = 120 * 1024 * 1024;

/// A message of a replica stream carries at least one whole batch, and little beside it.
const MAX_REPLICATION_MESSAGE_BYTES: usize = MAX_BATCH_BYTES + 1024 * 1024;

/// Response metadata of a call that only the active controller answers: the id of the node that leads,
/// as decimal text; absent while none is known.
pub const LEADER_ID_METADATA: &str = "ottla-leader-id";

/// Response metadata of a refused registration: Kafka's error number, as decimal text.
pub const ERROR_CODE_METADATA: &str = "ottla-error-code";

/// HTTP/2 flow control: 8 MiB per stream keeps one bulk stream at the speed of the link.
const STREAM_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// 16 MiB per connection, so that a stuck bulk stream leaves room for the others.
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Generated from `controller.proto`.
#[allow(clippy::large_enum_variant, missing_docs, unreachable_pub)] // generated code
pub mod controller {
    tonic::include_proto!("ottla.controller.v1");
}

/// Generated from `quorum.proto`.
#[allow(clippy::large_enum_variant, missing_docs, unreachable_pub)] // generated code
pub mod quorum {
    tonic::include_proto!("ottla.quorum.v1");
}

/// Generated from `replication.proto`.
#[allow(clippy::large_enum_variant, missing_docs, unreachable_pub)] // generated code
pub mod replication {
    tonic::include_proto!("ottla.replication.v1");
}
