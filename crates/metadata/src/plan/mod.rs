//! From an image and a wish to records and a reply.
//!
//! A plan changes nothing. The active controller commits its records as one batch and gives the reply
//! once they are committed. Plans that touch many partitions make one batch of them all.

pub mod balance;
pub mod brokers;
pub mod configs;
pub mod elections;
pub mod isr;
pub mod producer_ids;
pub mod topics;

use std::collections::BTreeMap;

use crate::image::Image;
use crate::proposal::{Proposal, Proposer, Reply};
use crate::record::Record;

/// What would be committed, and what is answered then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<R> {
    /// One batch; empty: there is nothing to commit, and the reply can go at once.
    pub records: Vec<Record>,
    /// The answer once the batch is committed.
    pub reply: R,
}

/// Defaults and bounds that the active controller was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`; `None`: min(3, live brokers).
    pub default_replication_factor: Option<i32>,
    /// `min.insync.replicas` as the controller's own configuration has it; `None`: the majority
    /// from 3 replicas on, else 1.
    pub min_insync_replicas: Option<i32>,
    /// `unclean.leader.election.enable` as the controller's own configuration has it.
    pub unclean_leader_election: bool,
    /// How many partitions one request may create.
    pub max_partitions_per_request: usize,
    /// What the controller's configuration sets, by key: what dynamic configuration is checked
    /// against.
    pub static_values: BTreeMap<String, String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            num_partitions: 1,
            default_replication_factor: None,
            min_insync_replicas: None,
            unclean_leader_election: false,
            max_partitions_per_request: 10_000,
            static_values: BTreeMap::new(),
        }
    }
}

/// Plans any proposal. `seed` is drawn anew, from a good source, for each call: topic ids and
/// placements come from it.
#[must_use]
pub fn propose(
    image: &Image,
    limits: &Limits,
    seed: u128,
    proposer: Proposer,
    proposal: &Proposal,
) -> Plan<Reply> {
    let _ = (image, limits, seed, proposer, proposal);
    unimplemented!("propose")
}
