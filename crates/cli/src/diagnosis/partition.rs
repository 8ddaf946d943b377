//! Whether a partition can be written and read, and why not. Pure.

use std::collections::BTreeSet;

use ottla_client::admin::{ClusterNode, PartitionDescription};

use super::{Finding, brokers, count, listed};

/// Which brokers there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Brokers {
    /// Registered and live.
    pub(crate) live: BTreeSet<i32>,
    /// Registered, but not live.
    pub(crate) fenced: BTreeSet<i32>,
}

impl Brokers {
    /// Out of a listing that includes those that are fenced.
    pub(crate) fn of(nodes: &[ClusterNode]) -> Self {
        let ids = |fenced| {
            nodes.iter().filter(move |node| node.fenced == fenced).map(|node| node.id).collect()
        };
        Self { live: ids(false), fenced: ids(true) }
    }

    fn dead(&self, ids: &[i32]) -> Vec<i32> {
        ids.iter().copied().filter(|id| !self.live.contains(id)).collect()
    }

    fn alive(&self, ids: &[i32]) -> Vec<i32> {
        ids.iter().copied().filter(|id| self.live.contains(id)).collect()
    }
}

/// How a partition stands; partitions that stand alike are told of together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Condition {
    /// Nobody leads it: those that have all its records are not live.
    Leaderless {
        /// They.
        complete: Vec<i32>,
        /// Replicas that are live, but may lack records.
        incomplete: Vec<i32>,
    },
    /// Nobody leads it though somebody could.
    Electing {
        /// Who could.
        candidates: Vec<i32>,
    },
    /// It asks for more replicas in sync than it has.
    MinIsrTooHigh {
        /// `min.insync.replicas`.
        min: usize,
        /// How many replicas it has.
        replicas: usize,
    },
    /// Too few replicas in sync for acks=all.
    UnderMinIsr {
        /// `min.insync.replicas`.
        min: usize,
        /// Who is in sync.
        isr: Vec<i32>,
        /// Replicas whose broker is not live.
        dead: Vec<i32>,
        /// Replicas that are live, but behind.
        behind: Vec<i32>,
    },
    /// Not all replicas in sync, but enough.
    UnderReplicated {
        /// Replicas whose broker is not live.
        dead: Vec<i32>,
        /// Replicas that are live, but behind.
        behind: Vec<i32>,
        /// Whether one more loss stops writes with acks=all.
        at_min: bool,
    },
    /// As it should be.
    Whole,
}

/// Judges one partition. Without `min_isr` it counts as 1.
pub(crate) fn condition(
    partition: &PartitionDescription,
    live: &Brokers,
    min_isr: Option<usize>,
) -> Condition {
    let min = min_isr.unwrap_or(1);
    let PartitionDescription { replicas, isr, .. } = partition;
    if partition.leader.is_none() {
        let complete = complete(partition);
        let candidates = live.alive(&complete);
        return if candidates.is_empty() {
            Condition::Leaderless { complete, incomplete: live.alive(replicas) }
        } else {
            Condition::Electing { candidates }
        };
    }
    if min > replicas.len() {
        return Condition::MinIsrTooHigh { min, replicas: replicas.len() };
    }
    let missing: Vec<i32> = replicas.iter().copied().filter(|id| !isr.contains(id)).collect();
    let (dead, behind) = (live.dead(&missing), live.alive(&missing));
    if isr.len() < min {
        Condition::UnderMinIsr { min, isr: isr.clone(), dead, behind }
    } else if missing.is_empty() {
        Condition::Whole
    } else {
        Condition::UnderReplicated { dead, behind, at_min: isr.len() == min }
    }
}

/// The replicas that are known to have every committed record.
fn complete(partition: &PartitionDescription) -> Vec<i32> {
    let mut complete = partition.isr.clone();
    complete.extend(partition.elr.iter().flatten());
    if complete.is_empty() {
        complete.extend(partition.last_known_elr.iter().flatten());
    }
    complete
}

impl Condition {
    /// A sentence about partitions that all stand so, named as its subject; `None` if all is well.
    pub(crate) fn finding(&self, partitions: &[String]) -> Option<Finding> {
        let who = listed(partitions);
        Some(match self {
            Self::Whole => return None,
            Self::Leaderless { complete, incomplete } => leaderless(&who, complete, incomplete),
            Self::Electing { candidates } => Finding::problem(format!(
                "{who} cannot be written or read at the moment: there is no leader, though {} could be one",
                brokers(candidates)
            ))
            .advise(
                "This passes within moments of a broker's loss; if it stays, the controllers cannot \
                 decide: look at `kafka-metadata-quorum describe --status`.",
            ),
            Self::MinIsrTooHigh { min, replicas } => Finding::problem(format!(
                "{who} cannot be written with acks=all: min.insync.replicas is {min}, with only {}",
                count(*replicas, "replica")
            ))
            .advise(
                "Lower min.insync.replicas of the topic with kafka-configs --alter, or add replicas with \
                 kafka-reassign-partitions.",
            )
            .key("min.insync.replicas"),
            Self::UnderMinIsr { min, isr, dead, behind } => Finding::problem(format!(
                "{who} can be read, but not written with acks=all (NOT_ENOUGH_REPLICAS): \
                 min.insync.replicas is {min}, and in sync {} only {}; {}",
                if isr.len() == 1 { "is" } else { "are" },
                brokers(isr),
                absent(dead, behind)
            ))
            .advise(remedy(dead, behind)),
            Self::UnderReplicated { dead, behind, at_min } => Finding::warning(format!(
                "{who} can be written and read, but {}{}",
                absent(dead, behind),
                if *at_min { "; one more loss, and acks=all is refused" } else { "" }
            ))
            .advise(remedy(dead, behind)),
        })
    }
}

fn leaderless(who: &str, complete: &[i32], incomplete: &[i32]) -> Finding {
    let why = match complete {
        [] => "no replica is known to have all its records".to_owned(),
        [one] => format!("only broker {one} has all its records, and it is down"),
        several => format!("only {} have all its records, and they are down", brokers(several)),
    };
    let finding = Finding::problem(format!(
        "{who} can be neither written nor read: there is no leader; {why}"
    ));
    let start = match complete {
        [] => "Start all its brokers".to_owned(),
        [one] => format!("Start broker {one}"),
        several => format!("Start one of {}", brokers(several)),
    };
    if incomplete.is_empty() {
        return finding.advise(format!("{start}: no other replica is live."));
    }
    finding.advise(format!(
        "{start}. If it is gone for good, `kafka-leader-election --election-type unclean` lets {} lead, \
         and says first which records are given up.",
        brokers(incomplete)
    ))
}

fn absent(dead: &[i32], behind: &[i32]) -> String {
    let (is_down, is_behind) = (verb(dead, "down"), verb(behind, "live but not in sync"));
    match (dead.is_empty(), behind.is_empty()) {
        (false, true) => is_down,
        (true, false) => is_behind,
        (true, true) => "no replica is missing".to_owned(),
        (false, false) => format!("{is_down}, {is_behind}"),
    }
}

fn verb(ids: &[i32], state: &str) -> String {
    format!("{} {} {state}", brokers(ids), if ids.len() == 1 { "is" } else { "are" })
}

fn remedy(dead: &[i32], behind: &[i32]) -> String {
    match (dead, behind) {
        ([], behind) => format!(
            "Wait until {} caught up; if that does not come, look into the log there and at its disk.",
            if behind.len() == 1 {
                format!("broker {} has", behind[0])
            } else {
                brokers(behind) + " have"
            },
        ),
        (dead, _) => format!(
            "Start {}, or move the replicas elsewhere with kafka-reassign-partitions.",
            brokers(dead)
        ),
    }
}

#[cfg(test)]
mod tests;
