//! Listing, describing and deleting groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::list_groups_response::ListedGroup;
use ottla_protocol::messages::{GroupId, ListGroupsRequest};
use ottla_protocol::{ErrorCode, StrBytes};

use crate::GroupName;
use crate::classic::{self, CONSUMER_PROTOCOL_TYPE, Phase};
use crate::context::Then;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::record::Record;
use crate::request::{Caller, Response, Token, wire};
use crate::state::Group;

/// From this version of DescribeGroups on a group that is not there is an error.
const GROUP_ID_NOT_FOUND_SINCE: i16 = 6;

impl Groups {
    pub(crate) fn describe_group(&mut self, token: Token, caller: &Caller, name: &str) {
        if name.is_empty() {
            return self.cx.refuse(token, GroupError::InvalidGroupId);
        }
        let described = match (self.classic_live(name), self.cx.committed.group(name)) {
            (Some(live), _) => live.describe(),
            (None, Some(Group::Classic(group))) => group.describe(),
            (None, Some(Group::Consumer(_))) => {
                dead(caller, &format!("Group {name} is not a classic group."))
            }
            (None, None) if self.cx.offsets.of(name).is_some() => {
                DescribedGroup::default().with_group_state(wire(Phase::Empty.name()))
            }
            (None, None) => dead(caller, &format!("Group {name} not found.")),
        };
        let described = described.with_group_id(GroupId(wire(name)));
        self.cx.respond(token, Ok(Response::DescribeGroup(described)));
    }

    pub(crate) fn list_groups(&mut self, token: Token, request: &ListGroupsRequest) {
        let lower = |texts: &[StrBytes]| -> BTreeSet<String> {
            texts.iter().map(|text| text.trim().to_lowercase()).collect()
        };
        let states = lower(&request.states_filter);
        let types = lower(&request.types_filter);
        let is_wanted = |state: &str, kind: &str| {
            (states.is_empty() || states.contains(&state.to_lowercase()))
                && (types.is_empty() || types.contains(kind))
        };
        let offsets = self.cx.offsets.groups();
        let mut listed: BTreeMap<&str, _> =
            offsets.map(|name| (&**name, ("", Phase::Empty.name(), "classic"))).collect();
        for (name, group) in &self.cx.committed.groups {
            let (protocol_type, state, kind) = match group {
                Group::Classic(group) => (group.protocol_type(), Phase::Empty.name(), "classic"),
                Group::Consumer(group) => (CONSUMER_PROTOCOL_TYPE, group.state_name(), "consumer"),
            };
            listed.insert(&**name, (protocol_type, state, kind));
        }
        for (name, live) in &self.classic {
            if self.cx.planned.consumer(name).is_some() {
                continue;
            }
            let protocol_type = live.protocol_type.as_deref().unwrap_or_default();
            listed.insert(&**name, (protocol_type, live.phase.name(), "classic"));
        }
        let groups = listed
            .into_iter()
            .filter(|(_, (_, state, kind))| is_wanted(state, kind))
            .map(|(name, (protocol_type, state, kind))| {
                ListedGroup::default()
                    .with_group_id(GroupId(wire(name)))
                    .with_protocol_type(wire(protocol_type))
                    .with_group_state(wire(state))
                    .with_group_type(wire(kind))
            })
            .collect();
        self.cx.respond(token, Ok(Response::ListGroups(groups)));
    }

    pub(crate) fn delete_group(&mut self, token: Token, name: &str) {
        if name.is_empty() {
            return self.cx.refuse(token, GroupError::InvalidGroupId);
        }
        if !self.exists(name) {
            let error = GroupError::GroupIdNotFound(format!("Group {name} not found."));
            return self.cx.refuse(token, error);
        }
        let is_empty = match (self.classic_live(name), self.cx.planned.consumer(name)) {
            (Some(live), _) => live.is_empty(),
            (None, consumer) => consumer.is_none_or(|group| group.is_empty()),
        };
        if !is_empty {
            return self.cx.refuse(token, GroupError::NonEmptyGroup);
        }
        let group: GroupName = Arc::from(name);
        let offsets = self.cx.offsets.planned_of(name).into_keys();
        let records = offsets
            .map(|(topic, partition)| Record::Offset {
                group: Arc::clone(&group),
                topic,
                partition,
                value: None,
            })
            .collect();
        let response = Box::new(Ok(Response::DeleteGroup));
        self.append_end_of_group(&group, records, vec![Then::Answer { token, response }]);
    }

    /// Appends the tombstones of all offsets of a group, and the group's own.
    pub(crate) fn append_end_of_group(
        &mut self,
        name: &GroupName,
        mut records: Vec<Record>,
        mut thens: Vec<Then>,
    ) {
        match self.cx.planned.group(name) {
            Some(Group::Consumer(group)) => records.extend(group.tombstones(name)),
            Some(Group::Classic(_)) => records.push(Self::classic_tombstone(name)),
            None => {}
        }
        thens.push(Then::Classic(classic::Then::Deleted { group: Arc::clone(name) }));
        self.append_in_parts(records, thens);
    }

    /// Nobody is in the group, and nobody is about to join.
    pub(crate) fn is_without_members(&self, name: &str) -> bool {
        match (self.classic_live(name), self.cx.planned.consumer(name)) {
            (Some(live), _) => live.is_empty() && !live.expects_members(),
            (None, consumer) => consumer.is_none_or(|group| group.is_empty()),
        }
    }
}

/// A group that is not there, or not of the classic type.
fn dead(caller: &Caller, message: &str) -> DescribedGroup {
    let described = DescribedGroup::default().with_group_state(wire("Dead"));
    if caller.api_version < GROUP_ID_NOT_FOUND_SINCE {
        return described;
    }
    described
        .with_error_code(ErrorCode::GroupIdNotFound.code())
        .with_error_message(Some(wire(message)))
}
