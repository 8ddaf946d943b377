//! Why a group cannot be joined, or does not get on. Pure.

use std::collections::BTreeSet;

use ottla_client::admin::{GroupDescription, GroupMember, GroupState, GroupType};
use ottla_protocol::group_partition;
use ottla_protocol::ids::TopicPartition;

use super::topic::Ends;
use crate::diagnosis::partition::Condition;
use crate::diagnosis::{Finding, Gravity, and, count, listed};

/// What is known of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupFacts {
    pub(super) id: String,
    /// Its description, or why its coordinator gives none.
    pub(super) description: Result<GroupDescription, String>,
    /// The partition that keeps it, and how that stands.
    pub(super) home: Option<(String, Condition)>,
    /// What it has committed.
    pub(super) positions: Vec<Position>,
}

/// Where a group is in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) partition: TopicPartition,
    pub(super) committed: i64,
    /// `None` where the partition's leader cannot be asked.
    pub(super) ends: Option<Ends>,
}

/// Which partition of __consumer_offsets keeps a group, if there is any.
pub(super) fn partition_of(id: &str, partitions: usize) -> Option<usize> {
    let partitions = i32::try_from(partitions).ok().filter(|count| *count > 0)?;
    usize::try_from(group_partition(id, partitions)).ok()
}

/// The verdict first where all is well, then what else is worth knowing.
pub(super) fn judge(facts: &GroupFacts) -> Vec<Finding> {
    let id = &facts.id;
    let mut findings = Vec::new();
    if let Some((name, condition)) = &facts.home {
        findings.extend(home(id, name, condition));
    }
    match &facts.description {
        Err(_) if !findings.is_empty() => {}
        Err(reason) => findings.push(
            Finding::problem(format!(
                "{id} cannot be joined: its coordinator does not answer: {reason}"
            ))
            .advise("`ottla doctor` dials every broker from here."),
        ),
        Ok(description) => {
            findings.extend(state(id, description));
            findings.extend(idle_members(id, description));
        }
    }
    findings.extend(positions(facts));
    if let Ok(description) = &facts.description
        && !findings.iter().any(|finding| finding.gravity == Gravity::Problem)
    {
        findings.insert(0, well(id, description));
    }
    findings
}

/// A group is as available as the partition of __consumer_offsets that keeps it.
fn home(id: &str, name: &str, condition: &Condition) -> Option<Finding> {
    let of_partition = condition.finding(&[name.to_owned()])?;
    let consequence = match condition {
        Condition::Leaderless { .. } | Condition::Electing { .. } => {
            "cannot be joined or read from"
        }
        Condition::UnderMinIsr { .. } | Condition::MinIsrTooHigh { .. } => {
            "cannot change or commit offsets"
        }
        Condition::UnderReplicated { .. } | Condition::Whole => return None,
    };
    let says = format!("{id} {consequence}, because {name} keeps it: {}", of_partition.says);
    Some(Finding { says, ..of_partition })
}

fn well(id: &str, description: &GroupDescription) -> Finding {
    let GroupDescription { members, coordinator, group_type, assignor, .. } = description;
    let how = match (group_type, assignor.as_str()) {
        (GroupType::Consumer, _) => " (group.protocol=consumer)".to_owned(),
        (GroupType::Classic, "") => String::new(),
        (GroupType::Classic, assignor) => format!(" (classic protocol, assignor {assignor})"),
        (other, _) => format!(" ({} group)", other.name().to_lowercase()),
    };
    Finding::ok(format!(
        "{id} can be joined{how}: broker {} coordinates it, with {}",
        coordinator.id,
        count(members.len(), "member")
    ))
}

fn state(id: &str, description: &GroupDescription) -> Option<Finding> {
    Some(match description.state {
        GroupState::PreparingRebalance => Finding::warning(format!(
            "{id} is rebalancing: it waits until each of its {} has joined again",
            count(description.members.len(), "member")
        ))
        .advise(
            "A member that is busy holds up all others until its max.poll.interval.ms (5 minutes by \
             default) is over: shorten what members do between two polls, or end the one that hangs.",
        ),
        GroupState::CompletingRebalance => {
            Finding::warning(format!("{id} is rebalancing: it waits for the assignment of its leader"))
                .advise("The member that joined first computes it; if that hangs, end it.")
        }
        GroupState::Assigning | GroupState::Reconciling => Finding::note(format!(
            "{id} is moving partitions between members; each begins with one when the other has let it go"
        )),
        GroupState::NotReady => {
            Finding::problem(format!("{id} waits for topics that do not exist"))
                .advise("Create the source and internal topics of the streams application.")
        }
        GroupState::Empty => {
            Finding::note(format!("{id} has no members: nobody reads for it at the moment"))
                .advise("Its offsets are kept for offsets.retention.minutes after the last member left.")
        }
        GroupState::Stable | GroupState::Dead | GroupState::Unknown => return None,
    })
}

/// Members beyond the number of partitions read nothing.
fn idle_members(id: &str, description: &GroupDescription) -> Option<Finding> {
    let members = &description.members;
    let idle = members.iter().filter(|member| member.assignment.is_empty()).count();
    if description.state != GroupState::Stable || idle == 0 {
        return None;
    }
    let assigned: BTreeSet<_> = members.iter().flat_map(|member| &member.assignment).collect();
    let clients: BTreeSet<_> = members
        .iter()
        .filter(|member| member.assignment.is_empty())
        .map(|GroupMember { client_id, host, .. }| {
            format!("{client_id} at {}", host.trim_start_matches('/'))
        })
        .collect();
    let clients: Vec<String> = clients.into_iter().collect();
    Some(
        Finding::note(format!(
            "{idle} of {} of {id} read{} nothing ({}): only {} to share",
            count(members.len(), "member"),
            if idle == 1 { "s" } else { "" },
            and(&clients),
            count(assigned.len(), "partition")
        ))
        .advise("kafka-topics --alter --partitions N gives them something to do."),
    )
}

fn positions(facts: &GroupFacts) -> Vec<Finding> {
    let id = &facts.id;
    let mut findings = Vec::new();
    let mut lag = 0;
    let mut unreadable = Vec::new();
    for Position { partition, committed, ends } in &facts.positions {
        let Some(Ends { first, high_watermark, .. }) = ends else {
            unreadable.push(partition);
            continue;
        };
        let place = partition;
        if committed < first {
            let gone = usize::try_from(first - committed).unwrap_or(usize::MAX);
            findings.push(
                Finding::warning(format!(
                    "{id} stands at offset {committed} of {place}, which now begins at {first}: it has \
                     missed {}, deleted before they were read",
                    count(gone, "record")
                ))
                .advise(
                    "It goes on where auto.offset.reset says; raise retention.ms, or read faster.",
                ),
            );
        } else if committed > high_watermark {
            findings.push(
                Finding::warning(format!(
                    "{id} stands at offset {committed} of {place}, which ends at {high_watermark}: the topic \
                     was made anew, or records were lost"
                ))
                .advise(
                    "It goes on where auto.offset.reset says; kafka-consumer-groups --reset-offsets sets \
                     another place.",
                ),
            );
        } else {
            lag += high_watermark - committed;
        }
    }
    if let Some(TopicPartition { topic, partition }) = unreadable.first() {
        let names: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
        findings.push(
            Finding::problem(format!("{id} cannot read {}: no leader answers", listed(&names)))
                .advise(format!("`ottla explain {topic}/{partition}` says why.")),
        );
    }
    if lag > 0 {
        let members = facts.description.as_ref().map_or(0, |description| description.members.len());
        let records = count(usize::try_from(lag).unwrap_or(usize::MAX), "record");
        let whom = if members == 0 { ", and nobody reads" } else { "" };
        let verb = if lag == 1 { "waits" } else { "wait" };
        findings.push(Finding::note(format!("{records} {verb} to be read by {id}{whom}")));
    }
    findings
}

#[cfg(test)]
mod tests;
