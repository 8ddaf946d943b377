//! Consumer groups (KIP-848): the coordinator assigns, members follow one by one.
//!
//! A group has an *epoch* that rises with each change of members, subscriptions or subscribed topics; a
//! *target assignment* made for an epoch; and per member a *current assignment* with the member's epoch.
//! Every heartbeat takes one member one step towards its target: [`reconcile`].
//!
//! A request is decided on a [`Draft`]: the group as planned, and the records written so far. Nothing of a
//! draft counts before its records are appended; a refusal drops it whole.
//!
//! Invariants:
//! - A partition is held by at most one member: had, or not yet given up.
//! - Epochs of groups and members only grow while the group exists.
//! - A heartbeat that changes nothing costs a few lookups, however many members there are.

mod classic_members;
mod config;
mod convert;
mod describe;
mod draft;
pub(crate) mod embedded;
mod fence;
mod group;
mod heartbeat;
mod member;
mod metadata_hash;
mod offset_checks;
mod reconcile;
mod records;
mod seen;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use ottla_metadata::Image;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TimestampMs;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    LeaveGroupRequest, SyncGroupRequest,
};

use self::draft::Draft;
use self::member::{LEAVE_EPOCH, MemberState, STATIC_LEAVE_EPOCH};
use self::seen::Seen;
use crate::context::Then as AfterWrite;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::request::{Answer, Caller, Response, Token};
use crate::state::Group;
use crate::timers::Timer as AnyTimer;
use crate::{GroupName, MemberId};

pub(crate) use self::group::ConsumerGroup;

/// What consumer groups are doing that no record says.
#[derive(Debug, Default)]
pub(crate) struct Live {
    seen: HashMap<GroupName, Seen>,
}

/// What falls due, beside sessions and rebalances: both of members of the classic protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The member was told to join again and did not.
    Join(MemberId),
    /// The member has joined and did not take its assignment.
    Sync(MemberId),
}

/// What becomes of a write, beside an answer.
#[derive(Debug)]
pub(crate) enum Then {
    /// The group has become a classic one, or, if the write fails, it has not.
    Downgraded(GroupName),
    /// The group was a classic one, or, if the write fails, still is.
    Upgraded(GroupName),
}

/// What becomes of a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TimerStep {
    Set(AnyTimer, TimestampMs),
    SetIfAbsent(AnyTimer, TimestampMs),
    Cancel(AnyTimer),
}

/// Sessions begin for all members of all groups.
pub(crate) fn begin(groups: &mut Groups) {
    let all: Vec<_> = groups.cx.planned.groups.iter().map(|(name, _)| Arc::clone(name)).collect();
    for name in all {
        let Some(group) = groups.cx.planned.consumer(&name).map(Arc::clone) else { continue };
        let (mut draft, seen) = begin_draft(groups, &name, Arc::clone(&group));
        for member in group.members() {
            draft.set_session(member);
            if member.current.state == MemberState::UnrevokedPartitions && !member.is_classic() {
                draft.set_rebalance(member);
            }
        }
        finish(groups, draft, seen, None);
    }
}

/// ConsumerGroupHeartbeat.
pub(crate) fn heartbeat(
    groups: &mut Groups,
    token: Token,
    caller: &Caller,
    request: ConsumerGroupHeartbeatRequest,
) {
    let name = GroupName::from(&**request.group_id);
    let is_leave = matches!(request.member_epoch, LEAVE_EPOCH | STATIC_LEAVE_EPOCH);
    let (mut draft, mut seen) = match open(groups, &name, request.member_epoch == 0) {
        Ok(draft) => draft,
        // What makes no sense is refused before what is not there.
        Err(error) => {
            let (draft, _) = begin_draft(groups, &name, Arc::default());
            let error = heartbeat::validate(&request, caller.api_version, &draft.config)
                .err()
                .unwrap_or(error);
            return groups.cx.respond_after_group(&name, token, Err(error));
        }
    };
    let answer = heartbeat::validate(&request, caller.api_version, &draft.config).and_then(|()| {
        if is_leave {
            return heartbeat::leave(&mut draft, &request);
        }
        let id = match &*request.member_id {
            "" => MemberId::from(groups.cx.rng.uuid().to_string()),
            id => MemberId::from(id),
        };
        heartbeat::stay(&mut draft, &mut seen, caller, &request, id)
    });
    finish(groups, draft, seen, Some((token, answer.map(Response::ConsumerGroupHeartbeat))));
}

/// ConsumerGroupDescribe, from what is committed.
pub(crate) fn describe(groups: &mut Groups, token: Token, group: &str) {
    let answer = match groups.cx.committed.group(group) {
        Some(Group::Consumer(found)) => {
            let config =
                config::Config::of(&groups.cx.settings, &groups.cx.image, &GroupName::from(group));
            let described = describe::describe(group, found, &groups.cx.image, &config);
            Ok(Response::ConsumerGroupDescribe(described))
        }
        Some(Group::Classic(_)) => {
            Err(GroupError::GroupIdNotFound(format!("Group {group} is not a consumer group.")))
        }
        None => Err(GroupError::GroupIdNotFound(format!("Group {group} not found."))),
    };
    groups.cx.respond(token, answer);
}

/// JoinGroup of a consumer group that has members.
pub(crate) fn join_classic(
    groups: &mut Groups,
    token: Token,
    caller: &Caller,
    request: JoinGroupRequest,
) {
    let name = GroupName::from(&**request.group_id);
    in_consumer_group(groups, token, name, |draft, seen, rng| {
        let new_id = MemberId::from(rng.uuid().to_string());
        classic_members::join(draft, seen, caller, &request, new_id).map(Response::JoinGroup)
    });
}

/// SyncGroup of a consumer group that has members.
pub(crate) fn sync_classic(groups: &mut Groups, token: Token, request: &SyncGroupRequest) {
    let name = GroupName::from(&**request.group_id);
    in_consumer_group(groups, token, name, |draft, _, _| {
        classic_members::sync(draft, request).map(Response::SyncGroup)
    });
}

/// Heartbeat of a consumer group that has members.
pub(crate) fn heartbeat_classic(groups: &mut Groups, token: Token, request: &HeartbeatRequest) {
    let name = GroupName::from(&**request.group_id);
    in_consumer_group(groups, token, name, |draft, _, _| {
        classic_members::heartbeat(draft, request)
            .map(|()| Response::Heartbeat(HeartbeatResponse::default()))
    });
}

/// LeaveGroup of a consumer group that has members.
pub(crate) fn leave_classic(
    groups: &mut Groups,
    token: Token,
    _caller: &Caller,
    request: &LeaveGroupRequest,
) {
    let name = GroupName::from(&**request.group_id);
    in_consumer_group(groups, token, name, |draft, _, _| {
        Ok(Response::LeaveGroup(classic_members::leave(draft, request)))
    });
}

fn in_consumer_group(
    groups: &mut Groups,
    token: Token,
    name: GroupName,
    decide: impl FnOnce(&mut Draft, &mut Seen, &mut crate::rng::Rng) -> Answer,
) {
    let Some(group) = groups.cx.planned.consumer(&name).map(Arc::clone) else {
        let error = GroupError::UnknownMemberId(format!("Group {name} not found."));
        return groups.cx.refuse(token, error);
    };
    let (mut draft, mut seen) = begin_draft(groups, &name, group);
    let answer = decide(&mut draft, &mut seen, &mut groups.cx.rng);
    finish(groups, draft, seen, Some((token, answer)));
}

/// A draft of a group. One that is joined is made if it is not there, or becomes a consumer group if it
/// is a classic one.
fn open(groups: &Groups, name: &GroupName, join: bool) -> Result<(Draft, Seen), GroupError> {
    let classic = match groups.cx.planned.group(name) {
        Some(Group::Consumer(group)) => return Ok(begin_draft(groups, name, Arc::clone(group))),
        Some(Group::Classic(_)) if !join => {
            let message = format!("Group {name} is not a consumer group.");
            return Err(GroupError::GroupIdNotFound(message));
        }
        None if !join => {
            let message = format!("Consumer group {name} not found.");
            return Err(GroupError::GroupIdNotFound(message));
        }
        Some(Group::Classic(group)) => Some(group),
        None => None,
    };
    let (mut draft, seen) = begin_draft(groups, name, Arc::default());
    if classic.is_some_and(|group| group.value.is_some()) {
        draft.write_unseen([Groups::classic_tombstone(name)]);
    }
    if let Some(live) = groups.classic.get(name).filter(|live| !live.is_empty()) {
        convert::upgrade(&mut draft, live)?;
    }
    Ok((draft, seen))
}

fn begin_draft(groups: &Groups, name: &GroupName, group: Arc<ConsumerGroup>) -> (Draft, Seen) {
    let cx = &groups.cx;
    let mut seen = groups.consumer.seen.get(name).cloned().unwrap_or_default();
    let config = seen.config(&cx.settings, &cx.image, name);
    let image = Arc::clone(&cx.image);
    let mut draft = Draft::new(Arc::clone(name), group, image, cx.now_ms, config);
    draft.hashed = seen.hashed.take();
    (draft, seen)
}

/// Carries a draft out, and answers.
fn finish(groups: &mut Groups, draft: Draft, mut seen: Seen, answer: Option<(Token, Answer)>) {
    seen.hashed = draft.hashed;
    for step in draft.timers {
        match step {
            TimerStep::Set(timer, at_ms) => groups.cx.timers.set(timer, at_ms),
            TimerStep::SetIfAbsent(timer, at_ms) => {
                if groups.cx.timers.deadline_ms(&timer).is_none() {
                    groups.cx.timers.set(timer, at_ms);
                }
            }
            TimerStep::Cancel(timer) => groups.cx.timers.cancel(&timer),
        }
    }
    let name = draft.name;
    let (records, answer) = match answer {
        Some((token, Err(error))) => {
            return groups.cx.respond_after_group(&name, token, Err(error));
        }
        Some((token, Ok(response))) => (draft.records, Some((token, response))),
        None => (draft.records, None),
    };
    if records.is_empty() {
        groups.consumer.seen.insert(Arc::clone(&name), seen);
        if let Some((token, response)) = answer {
            groups.cx.respond_after_group(&name, token, Ok(response));
        }
        return;
    }
    let mut thens = Vec::new();
    if draft.downgraded.is_some() {
        thens.push(AfterWrite::Consumer(Then::Downgraded(Arc::clone(&name))));
    }
    if draft.upgraded {
        thens.push(AfterWrite::Consumer(Then::Upgraded(Arc::clone(&name))));
    }
    if let Some((token, response)) = answer {
        thens.push(AfterWrite::Answer { token, response: Box::new(Ok(response)) });
    }
    groups.cx.append(records, thens);
    if groups.cx.planned.consumer(&name).is_some_and(|group| !group.is_empty()) {
        groups.consumer.seen.insert(Arc::clone(&name), seen);
    } else {
        groups.consumer.seen.remove(&name);
    }
    if draft.upgraded {
        groups.dissolve_classic(&name, &GroupError::RebalanceInProgress);
    }
    if let Some(downgraded) = draft.downgraded {
        groups.install_classic(downgraded.live, downgraded.rebalance);
    }
}

/// A write is committed: what it changed is so since it was planned.
pub(crate) fn committed(_groups: &mut Groups, _then: Then) {}

/// A write was refused: the group's protocol is what it was.
pub(crate) fn failed(groups: &mut Groups, then: Then, _code: ErrorCode) {
    groups.cx.replan();
    let rebalance = GroupError::RebalanceInProgress;
    match then {
        Then::Downgraded(name) => {
            if groups.cx.planned.classic(&name).is_none() {
                groups.dissolve_classic(&name, &rebalance);
            }
        }
        Then::Upgraded(name) => {
            if !groups.classic.contains_key(&name) {
                groups.reload_classic(&name, true);
            }
        }
    }
}

/// A member has been silent for too long.
pub(crate) fn session_over(groups: &mut Groups, group: &GroupName, member: &MemberId) {
    fence_if(groups, group, member, |_| true);
}

/// A member has not given up in time what it was told to.
pub(crate) fn rebalance_over(groups: &mut Groups, group: &GroupName, member: &MemberId) {
    fence_if(groups, group, member, |member| {
        member.current.state == MemberState::UnrevokedPartitions && !member.is_classic()
    });
}

/// A member of the classic protocol has not joined, or not synced, in time.
pub(crate) fn due(groups: &mut Groups, group: &GroupName, timer: Timer) {
    let (Timer::Join(member) | Timer::Sync(member)) = timer;
    fence_if(groups, group, &member, member::Member::is_classic);
}

fn fence_if(
    groups: &mut Groups,
    name: &GroupName,
    id: &MemberId,
    is_over: impl FnOnce(&member::Member) -> bool,
) {
    let Some(group) = groups.cx.planned.consumer(name).map(Arc::clone) else { return };
    let Some(member) = group.member(id).cloned() else { return };
    if !is_over(&member) {
        return;
    }
    let (mut draft, seen) = begin_draft(groups, name, group);
    // Should the write be refused, the member is still there and must be looked at again.
    draft.set_session(&member);
    fence::fence_members(&mut draft, &[Arc::clone(id)]);
    finish(groups, draft, seen, None);
}

/// Each group looks at the new metadata at its next heartbeat; what is known of groups that are gone is
/// forgotten.
pub(crate) fn new_image(groups: &mut Groups, _old: &Arc<Image>) {
    let planned = &groups.cx.planned;
    if groups.consumer.seen.len() > planned.groups.len() {
        groups.consumer.seen.retain(|name, _| planned.consumer(name).is_some());
    }
}

/// Nobody waits for more than a write here.
pub(crate) fn gone(_groups: &mut Groups, _token: Token) {}
