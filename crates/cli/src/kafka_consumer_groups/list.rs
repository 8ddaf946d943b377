//! List: the groups of consumers, by id, with type and state where they are asked for.

use std::fmt::Write as _;

use ottla_client::admin::{GroupListing, GroupState, GroupType};
use ottla_client::{Admin, ClientError};

use super::thrown::{Stop, Thrown};
use crate::exceptions::Failure;
use crate::jopt::{Given, OptionError};

/// Kinds of groups that consumers are in.
const TYPES: [GroupType; 2] = [GroupType::Consumer, GroupType::Classic];

/// States that groups of consumers can be in.
const STATES: [GroupState; 7] = [
    GroupState::PreparingRebalance,
    GroupState::Reconciling,
    GroupState::Dead,
    GroupState::CompletingRebalance,
    GroupState::Assigning,
    GroupState::Stable,
    GroupState::Empty,
];

/// The text of `--list`.
pub(super) async fn list(admin: &Admin, given: &Given) -> Result<String, Stop> {
    let columns = Columns { kind: given.has("type"), state: given.has("state") };
    let types = match value(given, "type")? {
        Some(names) => types(names).map_err(Stop::Usage)?,
        None => TYPES.to_vec(),
    };
    let states = match value(given, "state")? {
        Some(names) => states(names).map_err(Stop::Usage)?,
        None => Vec::new(),
    };
    let listed = admin.list_groups(&states, &types).await;
    let listed = listed.map_err(|error| {
        let thrown = Thrown::of(failure(&error)).executed();
        if columns.kind || columns.state {
            thrown
        } else {
            thrown.within("java.lang.RuntimeException")
        }
    })?;
    let groups: Vec<GroupListing> =
        listed.into_iter().filter(GroupListing::is_of_consumers).collect();
    Ok(render(&groups, columns))
}

/// The ids of all groups of consumers.
pub(super) async fn all_groups(admin: &Admin) -> Result<Vec<String>, Thrown> {
    let listed = admin.list_groups(&[], &TYPES).await.map_err(|error| {
        Thrown::of(failure(&error)).executed().within("java.lang.RuntimeException")
    })?;
    let groups = listed.into_iter().filter(GroupListing::is_of_consumers);
    Ok(groups.map(|group| group.group_id).collect())
}

/// The groups that the command line means.
pub(super) async fn meant(admin: &Admin, given: &Given) -> Result<Vec<String>, Thrown> {
    if given.has("all-groups") {
        return all_groups(admin).await;
    }
    let mut groups: Vec<String> = given.all("group").map(str::to_owned).collect();
    groups.sort();
    groups.dedup();
    Ok(groups)
}

/// Listing asks every broker, and fails in words of its own if there is none.
pub(super) fn failure(error: &ClientError) -> Failure {
    match error {
        ClientError::NoNode { .. } => Failure::new(
            "org.apache.kafka.common.KafkaException",
            "Failed to find brokers to send ListGroups",
        ),
        error => Failure::of_client(error, "listGroups"),
    }
}

fn value<'a>(given: &'a Given, option: &'static str) -> Result<Option<&'a str>, OptionError> {
    Ok(given.one(option)?.filter(|value| !value.is_empty()))
}

pub(super) fn states(names: &str) -> Result<Vec<GroupState>, String> {
    let states: Vec<_> = names.split(',').map(|name| GroupState::parse(name.trim())).collect();
    if states.iter().all(|state| STATES.contains(state)) {
        return Ok(states);
    }
    let valid: Vec<_> = STATES.iter().map(|state| state.name()).collect();
    Err(format!("Invalid state list '{names}'. Valid states are: {}", valid.join(", ")))
}

pub(super) fn types(names: &str) -> Result<Vec<GroupType>, String> {
    let types: Vec<_> = names.split(',').map(|name| GroupType::parse(name.trim())).collect();
    if types.iter().all(|kind| TYPES.contains(kind)) {
        return Ok(types);
    }
    let valid: Vec<_> = TYPES.iter().map(|kind| kind.name()).collect();
    Err(format!("Invalid types list '{names}'. Valid types are: {}", valid.join(", ")))
}

/// Which columns stand beside the ids.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Columns {
    pub(super) kind: bool,
    pub(super) state: bool,
}

pub(super) fn render(groups: &[GroupListing], columns: Columns) -> String {
    let mut text = String::new();
    if !columns.kind && !columns.state {
        for group in groups {
            let _ = writeln!(text, "{}", group.group_id);
        }
        return text;
    }
    let longest = groups.iter().map(|group| group.group_id.chars().count()).max().unwrap_or(0);
    let width = longest.max(15) + 10;
    let mut line = |group: &str, kind: &str, state: &str| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{group:width$}");
        for (cell, _) in [(kind, columns.kind), (state, columns.state)].iter().filter(|c| c.1) {
            let _ = write!(text, " {cell:20}");
        }
        text.push('\n');
    };
    line("GROUP", "TYPE", "STATE");
    for group in groups {
        let kind = group.group_type.unwrap_or(GroupType::Unknown).name();
        let state = group.state.unwrap_or(GroupState::Unknown).name();
        line(&group.group_id, kind, state);
    }
    text
}
