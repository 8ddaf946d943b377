//! The tables of `--describe`. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};

use ottla_client::CommittedOffset;
use ottla_client::admin::{GroupDescription, GroupMember};
use ottla_protocol::ids::{Offset, TopicPartition};

/// What stands where there is nothing to tell.
const MISSING: &str = "-";

/// Columns are at least so wide.
const COLUMN: usize = 15;

/// The member that owns a partition.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) member_id: String,
    pub(super) host: String,
    pub(super) client_id: String,
}

impl Owner {
    pub(super) fn of(member: &GroupMember) -> Self {
        Self {
            member_id: member.member_id.clone(),
            host: member.host.clone(),
            client_id: member.client_id.clone(),
        }
    }
}

/// A partition of a group.
#[derive(Debug, Clone)]
pub(super) struct OffsetRow {
    pub(super) group: String,
    pub(super) partition: TopicPartition,
    pub(super) committed: Option<CommittedOffset>,
    pub(super) log_end: Option<Offset>,
    pub(super) owner: Option<Owner>,
}

fn or_missing(value: Option<impl Display>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| value.to_string())
}

fn width<'a>(least: usize, texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).fold(least, usize::max)
}

pub(super) fn offsets(rows: &[OffsetRow], verbose: bool) -> String {
    let owner = |row: &'_ OffsetRow| row.owner.clone();
    let id = |row: &OffsetRow| or_missing(owner(row).map(|owner| owner.member_id));
    let host = |row: &OffsetRow| or_missing(owner(row).map(|owner| owner.host));
    let client = |row: &OffsetRow| or_missing(owner(row).map(|owner| owner.client_id));
    let ids: Vec<String> = rows.iter().map(id).collect();
    let hosts: Vec<String> = rows.iter().map(host).collect();
    let g = width(COLUMN, rows.iter().map(|row| row.group.as_str()));
    let t = width(COLUMN, rows.iter().map(|row| &*row.partition.topic));
    let c = width(COLUMN, ids.iter().map(String::as_str));
    let h = width(COLUMN, hosts.iter().map(String::as_str));
    let mut text = String::new();
    let mut line = |cells: [&str; 10]| {
        let [group, topic, partition, epoch, offset, end, lag, id, host, client] = cells;
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{group:g$} {topic:t$} {partition:10} ");
        if verbose {
            let _ = write!(text, "{epoch:15} ");
        }
        let _ = write!(text, "{offset:15} {end:15} {lag:15} {id:c$} {host:h$} {client}");
    };
    line([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    for (row, (id, host)) in rows.iter().zip(ids.iter().zip(&hosts)) {
        let offset = row.committed.as_ref().map(|committed| committed.offset);
        let epoch = row.committed.as_ref().and_then(|committed| committed.leader_epoch);
        let lag = offset.zip(row.log_end).map(|(offset, end)| end - offset);
        line([
            &row.group,
            &row.partition.topic,
            &row.partition.partition.to_string(),
            &or_missing(epoch),
            &or_missing(offset),
            &or_missing(row.log_end),
            &or_missing(lag),
            id,
            host,
            &client(row),
        ]);
    }
    text.push('\n');
    text
}

/// A member of a group.
#[derive(Debug, Clone)]
pub(super) struct MemberRow {
    member_id: String,
    instance_id: String,
    host: String,
    client_id: String,
    partitions: usize,
    current_epoch: String,
    current: String,
    target_epoch: String,
    target: String,
    upgraded: Option<bool>,
}

impl MemberRow {
    pub(super) fn new(group: &GroupDescription, member: &GroupMember) -> Self {
        let target = member.target_assignment.as_ref().map(assignment);
        Self {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone().unwrap_or_default(),
            host: member.host.clone(),
            client_id: member.client_id.clone(),
            partitions: member.assignment.len(),
            current_epoch: or_missing(member.member_epoch),
            current: assignment(&member.assignment),
            target_epoch: or_missing(group.target_assignment_epoch),
            target: target.unwrap_or_else(|| MISSING.to_owned()),
            upgraded: member.upgraded,
        }
    }
}

/// `a:0,1;b:2`.
fn assignment(partitions: &BTreeSet<TopicPartition>) -> String {
    let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition.to_string());
    }
    if topics.is_empty() {
        return MISSING.to_owned();
    }
    let mut texts: Vec<String> =
        topics.iter().map(|(topic, indexes)| format!("{topic}:{}", indexes.join(","))).collect();
    texts.sort();
    texts.join(";")
}

/// The members of a group; columns are only fitted to the rows where `fitted`.
pub(super) fn members(group: &str, rows: &[MemberRow], fitted: bool, verbose: bool) -> String {
    let measured = if fitted { rows } else { &[] };
    let of = |least, cell: fn(&MemberRow) -> &str| width(least, measured.iter().map(cell));
    let g = if fitted { width(COLUMN, std::iter::once(group)) } else { COLUMN };
    let c = of(COLUMN, |row| &row.member_id);
    let i = of(17, |row| &row.instance_id);
    let h = of(COLUMN, |row| &row.host);
    let l = of(COLUMN, |row| &row.client_id);
    let a = of(20, |row| &row.current);
    let b = of(20, |row| &row.target);
    let with_instances = measured.iter().any(|row| !row.instance_id.is_empty());
    let has = |upgraded| measured.iter().any(|row| row.upgraded == Some(upgraded));
    let migrating = has(true) && has(false);
    let mut text = "\n".to_owned();
    let mut line = |cells: [&str; 11]| {
        let [
            group,
            id,
            instance,
            host,
            client,
            partitions,
            epoch,
            current,
            target_epoch,
            target,
            up,
        ] = cells;
        // Writing to a string cannot fail.
        let _ = write!(text, "{group:g$} {id:c$} ");
        if with_instances {
            let _ = write!(text, "{instance:i$} ");
        }
        let _ = write!(text, "{host:h$} {client:l$} {partitions:15} ");
        if verbose {
            let _ = write!(text, "{epoch:15} {current:a$} {target_epoch:15} {target:b$}");
            if migrating {
                let _ = write!(text, " {up}");
            }
        }
        text.push('\n');
    };
    line([
        "GROUP",
        "CONSUMER-ID",
        "GROUP-INSTANCE-ID",
        "HOST",
        "CLIENT-ID",
        "#PARTITIONS",
        "CURRENT-EPOCH",
        "CURRENT-ASSIGNMENT",
        "TARGET-EPOCH",
        "TARGET-ASSIGNMENT",
        "UPGRADED",
    ]);
    for row in rows {
        line([
            group,
            &row.member_id,
            &row.instance_id,
            &row.host,
            &row.client_id,
            &row.partitions.to_string(),
            &row.current_epoch,
            &row.current,
            &row.target_epoch,
            &row.target,
            &or_missing(row.upgraded),
        ]);
    }
    text
}

pub(super) fn state(group: &GroupDescription, verbose: bool) -> String {
    let node = &group.coordinator;
    let (host, port) = (&node.address.host, node.address.port);
    let coordinator = format!("{host}:{port}  ({})", node.id);
    let g = width(COLUMN, std::iter::once(group.group_id.as_str()));
    let k = width(25, std::iter::once(coordinator.as_str()));
    let assignor = if group.assignor.is_empty() { MISSING } else { &group.assignor };
    let mut text = String::new();
    let mut line = |cells: [&str; 7]| {
        let [id, coordinator, assignor, state, epoch, target, members] = cells;
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{id:g$} {coordinator:k$} {assignor:20} {state:20} ");
        if verbose {
            let _ = write!(text, "{epoch:15} {target:25} ");
        }
        text.push_str(members);
    };
    line([
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        "GROUP-EPOCH",
        "TARGET-ASSIGNMENT-EPOCH",
        "#MEMBERS",
    ]);
    line([
        &group.group_id,
        &coordinator,
        assignor,
        group.state.name(),
        &or_missing(group.group_epoch),
        &or_missing(group.target_assignment_epoch),
        &group.members.len().to_string(),
    ]);
    text.push('\n');
    text
}
