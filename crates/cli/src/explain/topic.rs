//! Why a topic, or one partition of it, cannot be written or read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::admin::TopicDescription;

use crate::diagnosis::partition::{Brokers, Condition, condition};
use crate::diagnosis::{Finding, and, count};

/// What is known of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicFacts {
    pub(super) description: TopicDescription,
    /// The partition that was asked about, where it was one.
    pub(super) only: Option<i32>,
    pub(super) brokers: Brokers,
    /// `min.insync.replicas`.
    pub(super) min_isr: Option<usize>,
    /// `cleanup.policy` names `compact`.
    pub(super) compacted: bool,
    /// Of partitions with a leader: where their records are, or why that cannot be learnt.
    pub(super) ends: BTreeMap<i32, Result<Ends, String>>,
    /// Partitions that are being reassigned.
    pub(super) moving: BTreeSet<i32>,
}

/// Where a partition's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    /// The first that can be read.
    pub(super) first: i64,
    /// Up to here readers of committed records come.
    pub(super) stable: i64,
    /// Up to here all others come.
    pub(super) high_watermark: i64,
}

/// The verdict first where all is well, then what else is worth knowing.
pub(super) fn judge(facts: &TopicFacts) -> Vec<Finding> {
    let TopicDescription { name, partitions, .. } = &facts.description;
    if let Some(only) = facts.only
        && !partitions.iter().any(|partition| partition.partition == only)
    {
        let last = partitions.len().saturating_sub(1);
        return vec![
            Finding::problem(format!("{name} has no partition {only}: they are 0 to {last}"))
                .advise("kafka-topics --alter --partitions N adds some."),
        ];
    }
    let asked = || {
        let wanted = |index: i32| facts.only.is_none_or(|only| only == index);
        partitions.iter().filter(move |partition| wanted(partition.partition))
    };
    let mut alike: BTreeMap<Condition, Vec<String>> = BTreeMap::new();
    for partition in asked() {
        let condition = condition(partition, &facts.brokers, facts.min_isr);
        alike.entry(condition).or_default().push(format!("{name}-{}", partition.partition));
    }
    let mut findings: Vec<Finding> =
        alike.iter().filter_map(|(condition, names)| condition.finding(names)).collect();
    findings.extend(silent_leaders(facts));
    let whole = findings.is_empty();
    findings.extend(open_transactions(facts));
    if whole {
        findings.insert(0, Finding::ok(well(facts, asked().count())));
    }
    let moving: Vec<String> =
        facts.moving.iter().map(|partition| format!("{name}-{partition}")).collect();
    if !moving.is_empty() {
        findings.push(
            Finding::note(format!("{} being moved to other brokers", are(&moving)))
                .advise("kafka-reassign-partitions --list shows how; it serves meanwhile."),
        );
    }
    if facts.compacted {
        findings.push(Finding::note(format!(
            "{name} is compacted: a record without a key is refused (INVALID_RECORD)"
        )));
    }
    findings
}

fn are(names: &[String]) -> String {
    format!("{} {}", and(names), if names.len() == 1 { "is" } else { "are" })
}

fn well(facts: &TopicFacts, partitions: usize) -> String {
    let name = &facts.description.name;
    let who = match facts.only {
        Some(only) => format!("{name}-{only}"),
        None => format!("{name} ({})", count(partitions, "partition")),
    };
    let records: i64 =
        facts.ends.values().flatten().map(|ends| (ends.high_watermark - ends.first).max(0)).sum();
    let holds = match records {
        0 => "it holds no records, so readers wait for the first".to_owned(),
        records => format!("it holds {}", count(usize::try_from(records).unwrap_or(0), "record")),
    };
    format!("{who} can be written and read; {holds}")
}

/// Leaders that are there, but not for us.
fn silent_leaders(facts: &TopicFacts) -> Vec<Finding> {
    let name = &facts.description.name;
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (partition, ends) in &facts.ends {
        if let Err(reason) = ends {
            by_reason.entry(reason).or_default().push(format!("{name}-{partition}"));
        }
    }
    let finding = |(reason, partitions): (&str, Vec<String>)| {
        let verb = if partitions.len() == 1 { "has" } else { "have" };
        Finding::problem(format!(
            "{} {verb} a leader, but it does not serve from here: {reason}",
            and(&partitions)
        ))
        .advise("`ottla doctor` dials every broker from here and says which cannot be reached.")
    };
    by_reason.into_iter().map(finding).collect()
}

fn open_transactions(facts: &TopicFacts) -> Vec<Finding> {
    let name = &facts.description.name;
    let held = facts.ends.iter().filter_map(|(partition, ends)| {
        let ends = ends.as_ref().ok()?;
        (ends.stable < ends.high_watermark).then_some((partition, ends))
    });
    held.map(|(partition, ends)| {
        Finding::warning(format!(
            "{name}-{partition}: readers with isolation.level=read_committed come to offset {} only, others \
             to {}: a transaction is open",
            ends.stable, ends.high_watermark
        ))
        .advise("It ends when its producer ends it, or after transaction.timeout.ms.")
    })
    .collect()
}

#[cfg(test)]
mod tests;
