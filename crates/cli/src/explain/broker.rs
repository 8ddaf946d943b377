//! Why a broker does not serve. Pure.

use ottla_client::admin::PartitionDescription;

use crate::diagnosis::{Finding, and, count, listed};
use crate::doctor::dial::{Dialled, Spoken};
use crate::doctor::facts::{BrokerFacts, TopicFacts};
use crate::doctor::{judge, reach};

/// The sentence about a broker that nobody knows ends so.
const UNKNOWN: &str = "is not registered";

/// What is known of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) id: i32,
    /// `None` if it is not registered.
    pub(super) broker: Option<BrokerFacts>,
    /// All that are.
    pub(super) registered: Vec<i32>,
    pub(super) cluster_id: String,
    /// The host by which the cluster was reached.
    pub(super) reached_by: Option<String>,
    pub(super) topics: Vec<TopicFacts>,
}

/// Whether a finding says no more than that there is no such broker.
pub(super) fn is_unknown(finding: &Finding) -> bool {
    finding.says.contains(UNKNOWN)
}

/// How it is reached first, then what it does.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let id = facts.id;
    let Some(broker) = &facts.broker else {
        let known: Vec<String> = facts.registered.iter().map(i32::to_string).collect();
        return vec![
            Finding::problem(format!("broker {id} {UNKNOWN}; those that are: {}", and(&known))).advise(
                "It has never been started against this cluster's controllers, or was unregistered: look \
                 at node.id and controller.quorum.voters in its server.properties, and into its log.",
            ),
        ];
    };
    let BrokerFacts { node, dialled, dirs } = broker;
    let mut findings = vec![if node.fenced {
        judge::fenced(id, &node.address.to_string(), dialled)
    } else {
        reach::broker(id, &node.address, dialled, &facts.cluster_id, facts.reached_by.as_deref())
    }];
    findings.extend(dirs.iter().filter_map(|dir| judge::judge_dir(id, dir)));
    let held = Held::of(facts);
    findings.push(Finding::note(format!(
        "broker {id} holds {} and leads {}",
        count(held.replicas, "replica"),
        count(held.leads, "partition")
    )));
    let serves = !node.fenced && matches!(dialled, Dialled::Spoke(Spoken::Broker { .. }));
    if serves && !held.behind.is_empty() {
        findings.push(
            Finding::warning(format!("broker {id} is not in sync in {}", listed(&held.behind))).advise(
                "It is catching up, or too slow: look at its disk and its network if this stays.",
            ),
        );
    }
    if serves && held.leads == 0 && held.preferred > 0 {
        findings.push(
            Finding::note(format!(
                "broker {id} leads nothing though it comes first in {}: leaders stay where they are after \
                 a restart",
                count(held.preferred, "partition")
            ))
            .advise("`kafka-leader-election --election-type preferred --all-topic-partitions`"),
        );
    }
    findings
}

/// What a broker does in the topics.
#[derive(Default)]
struct Held {
    replicas: usize,
    leads: usize,
    preferred: usize,
    behind: Vec<String>,
}

impl Held {
    fn of(facts: &Facts) -> Self {
        let mut held = Self::default();
        for topic in &facts.topics {
            let name = &topic.description.name;
            for partition in &topic.description.partitions {
                let PartitionDescription { leader, replicas, isr, .. } = partition;
                if !replicas.contains(&facts.id) {
                    continue;
                }
                held.replicas += 1;
                held.leads += usize::from(*leader == Some(facts.id));
                held.preferred += usize::from(replicas.first() == Some(&facts.id));
                if !isr.contains(&facts.id) {
                    held.behind.push(format!("{name}-{}", partition.partition));
                }
            }
        }
        held
    }
}

#[cfg(test)]
mod tests;
