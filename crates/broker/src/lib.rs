//! The broker: Kafka listeners, one file per API, partition owners, replica streams.
//!
//! [`Broker::start`] brings it up; the parts are
//! - `net`: sockets, connections, the order of answers;
//! - `api`: what each of Kafka's requests does;
//! - [`ControllerServer`]: what of that a controller answers on its own listener;
//! - `controller_link`: registration, session, metadata feed and proposals, on the control runtime;
//! - `metadata`: the image that the feed adds up to;
//! - `dynamic`: settings that change while it runs; `loggers`: the levels of log lines;
//! - `coordinator`: the groups that this broker coordinates;
//! - `quota`: what clients may use a second;
//! - [`partition`]: the replicas that live here.

mod api;
mod controller_link;
mod controller_listener;
mod coordinator;
mod directory_id;
mod dynamic;
mod loggers;
mod metadata;
mod net;
pub mod partition;
mod quota;
mod server;

pub use api::QuorumView;
pub use controller_listener::{ControllerServer, ControllerServerOptions};
pub use coordinator::GroupLag;
pub use directory_id::metadata_directory_id;
pub use loggers::LogLevels;
pub use net::listener::BindError;
pub use server::{Broker, BrokerHandle, BrokerOptions, StartError};
