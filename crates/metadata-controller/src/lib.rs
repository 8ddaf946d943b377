//! The controller quorum: the shell around `ottla-metadata`.
//!
//! Three (or one, or five) controllers agree by Raft on a log of metadata batches, kept in sled. The
//! active one, the leader, plans what brokers and clients wish for, commits it, and watches over the
//! brokers' sessions; every controller streams the committed batches to whoever follows them.

mod options;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use ottla_protocol::ids::BrokerId;

pub use options::{ControllerOptions, Voter};

/// Why a controller could not start, or had to stop. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The node is not among the voters.
    #[error(
        "node.id={node_id} is not among controller.quorum.voters ({voters}): add it there, or remove \
         'controller' from process.roles"
    )]
    NotAVoter {
        /// This node.
        node_id: BrokerId,
        /// The voters.
        voters: String,
    },
    /// The listener's address cannot be had.
    #[error(
        "cannot listen on {address} for the controller listener: {source}; change controller.quorum.voters and listeners"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Another process uses the data.
    #[error("the controller's data in {} is in use by another process: stop that one, or change metadata.log.dir", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The data cannot be opened or is damaged.
    #[error("the controller's data in {} cannot be used: {reason}", dir.display())]
    Store {
        /// The directory.
        dir: PathBuf,
        /// What is wrong and what can be done.
        reason: String,
    },
    /// This node belongs to another cluster.
    #[error(
        "this node has cluster id {ours}, but {who} has {theirs}: change cluster.id or controller.quorum.voters"
    )]
    ClusterIdMismatch {
        /// What this node says.
        ours: String,
        /// Who says otherwise.
        who: String,
        /// What it says.
        theirs: String,
    },
    /// An election could be won by voters that have lost their data.
    #[error(
        "{empty} of {voters} controllers have no data, but controller {holder} has: a majority without data \
         would start an empty cluster over it. Give the empty ones their data back; or, to start anew, \
         remove {holder}'s data too"
    )]
    EmptyMajority {
        /// How many are empty.
        empty: usize,
        /// How many there are.
        voters: usize,
        /// One with data.
        holder: BrokerId,
    },
    /// The quorum's engine has stopped.
    #[error("the controller quorum has stopped: {0}")]
    Fatal(String),
}

/// Starts controllers.
#[derive(Debug)]
pub struct Controller;

/// A running controller. Dropping it does not stop it; [`ControllerHandle::shutdown`] does.
#[derive(Debug)]
pub struct ControllerHandle {
    addresses: Vec<SocketAddr>,
}

impl Controller {
    /// Opens the data, listens, and takes part in the quorum, on the runtime it is called from: one of its
    /// own, so that nothing on the data path can delay a heartbeat.
    ///
    /// Returns once it listens. It need not have a leader yet: the other voters may start later.
    ///
    /// # Errors
    /// [`ControllerError`].
    pub async fn start(options: ControllerOptions) -> Result<ControllerHandle, ControllerError> {
        let _ = options;
        unimplemented!("Controller::start")
    }
}

impl ControllerHandle {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Completes when the controller cannot go on: the process must exit with the reason. Cancel safe.
    pub async fn failed(&self) -> ControllerError {
        unimplemented!("failed")
    }

    /// Hands the leadership over if it has it, and stops.
    pub async fn shutdown(self) {
        unimplemented!("shutdown")
    }
}
