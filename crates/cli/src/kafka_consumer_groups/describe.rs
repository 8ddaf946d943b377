//! Describe: what is asked of the cluster, as rows.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::admin::{GroupDescription, GroupState, OffsetSpec};
use ottla_client::{Admin, ApiError, CommittedOffset, IsolationLevel};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{Offset, TopicPartition};

use super::list;
use super::render::{self, MemberRow, OffsetRow, Owner};
use super::thrown::{Stop, Thrown, called, refused};
use crate::console::{self, print, print_error};
use crate::exceptions::Failure;
use crate::jopt::Given;

/// The committed offsets of one group.
pub(super) type Committed = BTreeMap<TopicPartition, CommittedOffset>;

/// Prints what `--describe` asks for, group by group.
pub(super) async fn describe(admin: &Admin, given: &Given) -> Result<(), Stop> {
    let ids = list::meant(admin, given).await?;
    let described = admin.describe_consumer_groups(&ids).await;
    let call = "describeConsumerGroups(api=FIND_COORDINATOR)";
    let described = described.map_err(|error| called(call)(error).executed())?;
    let mut groups = Vec::with_capacity(described.len());
    for (id, group) in described {
        groups.push(group.map_err(|error| {
            log_unexpected(&id, &error);
            refused(&error).executed()
        })?);
    }
    let verbose = given.has("verbose");
    if given.has("members") {
        for group in &groups {
            let is_shown = announce(group, group.members.len())?;
            let rows: Vec<MemberRow> =
                group.members.iter().map(|member| MemberRow::new(group, member)).collect();
            print(&render::members(&group.group_id, &rows, is_shown, verbose));
        }
    } else if given.has("state") {
        for group in &groups {
            if announce(group, 1)? {
                print(&render::state(group, verbose));
            }
        }
    } else {
        let rows = offset_rows(admin, &groups).await?;
        for (group, rows) in groups.iter().zip(rows) {
            if announce(group, rows.len())? {
                print(&render::offsets(&rows, verbose));
            }
        }
    }
    Ok(())
}

/// Anything but a missing group is worth a line.
fn log_unexpected(group: &str, error: &ApiError) {
    let code = error.error_code();
    if code != ErrorCode::GroupIdNotFound {
        let message = format!(
            "[AdminClient clientId=adminclient-1] `ConsumerGroupDescribe` request for group id \
             {group} failed due to unexpected error {}.",
            code.name()
        );
        let class = "org.apache.kafka.clients.admin.internals.DescribeConsumerGroupsHandler";
        console::log("ERROR", &message, class);
    }
}

/// Says what is particular about a group's state; returns whether there is a table to show.
fn announce(group: &GroupDescription, rows: usize) -> Result<bool, Stop> {
    let id = &group.group_id;
    match group.state {
        GroupState::Dead => {
            super::error(&format!("Consumer group '{id}' does not exist."));
            return Ok(false);
        }
        GroupState::Empty => {
            print_error(&format!("\nConsumer group '{id}' has no active members.\n"));
        }
        GroupState::PreparingRebalance
        | GroupState::CompletingRebalance
        | GroupState::Assigning
        | GroupState::Reconciling => {
            print_error(&format!("\nWarning: Consumer group '{id}' is rebalancing.\n"));
        }
        GroupState::Stable => {}
        state @ (GroupState::NotReady | GroupState::Unknown) => {
            let state = state.name();
            let message = format!("Expected a valid consumer group state, but found '{state}'.");
            let failure = Failure::new("org.apache.kafka.common.KafkaException", message);
            return Err(Thrown::of(failure).into());
        }
    }
    Ok(rows > 0)
}

/// The committed offsets of some groups.
pub(super) async fn committed(
    admin: &Admin,
    groups: &[String],
) -> Result<BTreeMap<String, Committed>, Thrown> {
    let run_time = |thrown: Thrown| thrown.executed().within("java.lang.RuntimeException");
    let call = "listConsumerGroupOffsets(api=FIND_COORDINATOR)";
    let listed = admin.list_group_offsets(groups, false).await;
    let mut all = BTreeMap::new();
    for (group, offsets) in listed.map_err(|error| run_time(called(call)(error)))? {
        let offsets = offsets.map_err(|error| run_time(refused(&error)))?;
        let mut committed = Committed::new();
        for (partition, offset) in offsets {
            let offset = offset.map_err(|error| run_time(refused(&error)))?;
            committed.extend(offset.map(|offset| (partition, offset)));
        }
        all.insert(group, committed);
    }
    Ok(all)
}

/// The rows of each group: first what members own, the largest owner first, then what only has offsets.
async fn offset_rows(
    admin: &Admin,
    groups: &[GroupDescription],
) -> Result<Vec<Vec<OffsetRow>>, Thrown> {
    let ids: Vec<String> = groups.iter().map(|group| group.group_id.clone()).collect();
    let committed = committed(admin, &ids).await?;
    let empty = Committed::new();
    let of = |group: &GroupDescription| committed.get(&group.group_id).unwrap_or(&empty);
    let mut partitions: BTreeSet<TopicPartition> = BTreeSet::new();
    for group in groups {
        partitions.extend(of(group).keys().cloned());
        partitions.extend(group.members.iter().flat_map(|member| member.assignment.clone()));
    }
    let ends = log_ends(admin, &partitions).await?;
    Ok(groups.iter().map(|group| rows_of(group, of(group), &ends)).collect())
}

fn rows_of(
    group: &GroupDescription,
    committed: &Committed,
    ends: &BTreeMap<TopicPartition, Offset>,
) -> Vec<OffsetRow> {
    let row = |partition: &TopicPartition, owner: Option<Owner>| OffsetRow {
        group: group.group_id.clone(),
        partition: partition.clone(),
        committed: committed.get(partition).cloned(),
        log_end: ends.get(partition).copied(),
        owner,
    };
    let mut members: Vec<_> =
        group.members.iter().filter(|member| !member.assignment.is_empty()).collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.assignment.len()));
    let mut rows = Vec::new();
    let mut owned = BTreeSet::new();
    for member in members {
        for partition in &member.assignment {
            owned.insert(partition);
            rows.push(row(partition, Some(Owner::of(member))));
        }
    }
    rows.extend(committed.keys().filter(|p| !owned.contains(p)).map(|p| row(p, None)));
    rows
}

/// Where partitions end, as far as there is a leader who knows.
async fn log_ends(
    admin: &Admin,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<BTreeMap<TopicPartition, Offset>, Thrown> {
    let run_time = |thrown: Thrown| thrown.executed().within("java.lang.RuntimeException");
    let names: BTreeSet<String> = partitions.iter().map(|p| p.topic.to_string()).collect();
    let names: Vec<String> = names.into_iter().collect();
    let topics = admin.describe_topics(&names, i32::MAX).await;
    let topics = topics.map_err(|error| run_time(called("describeTopics")(error)))?;
    let mut led = BTreeSet::new();
    for topic in topics {
        let topic = topic.map_err(|error| run_time(refused(&error)))?;
        let with_leader = topic.partitions.iter().filter(|partition| partition.leader.is_some());
        led.extend(with_leader.map(|p| TopicPartition::new(topic.name.as_str(), p.partition)));
    }
    let asked: BTreeMap<TopicPartition, OffsetSpec> =
        partitions.intersection(&led).map(|p| (p.clone(), OffsetSpec::Latest)).collect();
    let listed = admin.list_offsets(&asked, IsolationLevel::ReadUncommitted).await;
    let listed = listed.map_err(|error| run_time(called("listOffsets(api=METADATA)")(error)))?;
    let mut ends = BTreeMap::new();
    for (partition, end) in listed {
        let end = end.map_err(|error| run_time(refused(&error)))?;
        ends.insert(partition, end.offset);
    }
    Ok(ends)
}
