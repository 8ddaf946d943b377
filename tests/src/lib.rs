//! Black box: real processes of the release build, foreign clients, faults.
//!
//! - [`Cluster`]: nodes on free ports in a folder of their own; killed when dropped, their logs kept
//!   when the test failed.
//! - [`Ledger`]: a producer by librdkafka that writes down every acknowledgement, and what it finds
//!   when it reads everything back.
//! - [`Member`]: a foreign consumer in a group, and what it tells; [`Watch`]: the group from outside.
//! - [`foreign`]: the clients that strangers wrote, installed on first use.
//! - [`wait`]: conditions with deadlines; nothing here sleeps to be in time.

mod binary;
mod cluster;
pub mod foreign;
mod ledger;
mod member;
mod node;
mod ports;
pub mod raw;
mod small_disk;
mod tool;
pub mod wait;
mod watch;
mod wire;

pub use binary::{binary, root};
pub use cluster::{Builder, Cluster, quick};
pub use ledger::{Ledger, Report};
pub use member::{Member, Story};
pub use node::Node;
pub use ports::{free_ports, free_ports_below_10000};
pub use small_disk::SmallDisk;
pub use tool::{Output, run, run_within, tool};
pub use watch::{Seen, Watch};
pub use wire::Wire;
