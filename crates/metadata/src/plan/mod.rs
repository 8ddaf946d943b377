//! From an image and a wish to records and a reply.
//!
//! A plan changes nothing. The active controller commits its records as one batch and gives the reply
//! once they are committed. Plans that touch many partitions make one batch of them all.

pub mod balance;
pub mod brokers;
pub mod client_quotas;
pub mod configs;
pub mod elections;
pub mod features;
pub mod isr;
pub mod producer_ids;
pub mod reassignment;
pub mod scram_credentials;
pub mod topics;

mod draft;
mod new_partitions;
mod topic_name;

pub use topic_name::malformed as malformed_topic_name;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ottla_config::NodeConfig;
use ottla_protocol::ids::BrokerId;

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

impl<R> Plan<R> {
    /// Nothing to commit.
    fn nothing(reply: R) -> Self {
        Self { records: Vec::new(), reply }
    }

    fn map<S>(self, change: impl FnOnce(R) -> S) -> Plan<S> {
        Plan { records: self.records, reply: change(self.reply) }
    }
}

/// What the active controller was started with: who it is, defaults and bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Its `node.id`.
    pub controller_id: BrokerId,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`; `None`: min(3, live brokers).
    pub default_replication_factor: Option<i32>,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// How many partitions one request may create or change, as in Kafka.
    pub max_partitions_per_request: usize,
    /// What the controller's file and environment set, by key: the layer below the dynamic defaults.
    pub static_values: BTreeMap<String, String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            controller_id: 0,
            num_partitions: 1,
            default_replication_factor: None,
            delete_topic_enable: true,
            max_partitions_per_request: 10_000,
            static_values: BTreeMap::new(),
        }
    }
}

impl Limits {
    /// The limits by a node's configuration.
    #[must_use]
    pub fn of(config: &NodeConfig) -> Self {
        Self {
            controller_id: config.node_id,
            num_partitions: config.num_partitions,
            default_replication_factor: config.default_replication_factor.map(i32::from),
            delete_topic_enable: config.delete_topic_enable,
            static_values: config.static_values.clone(),
            ..Self::default()
        }
    }
}

/// Plans any proposal. `seed` is drawn anew, from a good source, for each call: topic ids and
/// placements come from it. A refusal of the whole request is repeated for each of its items.
#[must_use]
pub fn propose(
    image: &Image,
    limits: &Limits,
    seed: u128,
    proposer: Proposer,
    proposal: &Proposal,
) -> Plan<Reply> {
    match proposal {
        Proposal::CreateTopics(request) => {
            topics::create(image, limits, seed, request).map(Reply::CreateTopics)
        }
        Proposal::DeleteTopics(ids) => topics::delete(image, limits, ids).map(Reply::DeleteTopics),
        Proposal::CreatePartitions(request) => {
            topics::create_partitions(image, limits, seed, request).map(Reply::CreatePartitions)
        }
        Proposal::AlterConfigs(request) => {
            configs::alter(image, limits, request).map(Reply::AlterConfigs)
        }
        Proposal::AlterPartitions(wishes) => {
            match isr::alter_partitions(image, limits, proposer, wishes) {
                Ok(plan) => plan.map(Reply::AlterPartitions),
                Err(refusal) => {
                    Plan::nothing(Reply::AlterPartitions(vec![Err(refusal); wishes.len()]))
                }
            }
        }
        Proposal::AllocateProducerIds => match producer_ids::allocate(image, proposer) {
            Ok(plan) => plan.map(|block| Reply::AllocateProducerIds(Ok(block))),
            Err(refusal) => Plan::nothing(Reply::AllocateProducerIds(Err(refusal))),
        },
        Proposal::ElectLeaders(request) => {
            elections::elect(image, limits, request).map(Reply::ElectLeaders)
        }
        Proposal::ReassignPartitions(request) => {
            reassignment::reassign(image, limits, request).map(Reply::ReassignPartitions)
        }
        &Proposal::UnregisterBroker(id) => match brokers::unregister(image, limits, id) {
            Ok(plan) => plan.map(|()| Reply::UnregisterBroker(Ok(()))),
            Err(refusal) => Plan::nothing(Reply::UnregisterBroker(Err(refusal))),
        },
        Proposal::ReportOffline(replicas) => {
            match brokers::report_offline(image, limits, proposer, replicas) {
                Ok(plan) => plan.map(|()| Reply::ReportOffline(Ok(()))),
                Err(refusal) => Plan::nothing(Reply::ReportOffline(Err(refusal))),
            }
        }
        Proposal::UpdateFeatures(request) => match features::update(image, limits, request) {
            Ok(plan) => plan.map(|()| Reply::UpdateFeatures(Ok(()))),
            Err(refusal) => Plan::nothing(Reply::UpdateFeatures(Err(refusal))),
        },
        Proposal::AlterClientQuotas(request) => {
            client_quotas::alter(image, limits, request).map(Reply::AlterClientQuotas)
        }
        Proposal::AlterScramCredentials(alterations) => {
            let plan = scram_credentials::alter(image, limits, alterations);
            plan.map(Reply::AlterScramCredentials)
        }
    }
}
