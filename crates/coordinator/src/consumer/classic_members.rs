//! Members of a consumer group that still speak the classic protocol: JoinGroup, SyncGroup, Heartbeat
//! and LeaveGroup, each for one member alone (KIP-848, migration).
//!
//! There is no common barrier. A member that should change learns by its heartbeat that a rebalance is
//! in progress, joins (its join says what it owns), takes its assignment by SyncGroup, and is done. A
//! join that only revokes is followed by another heartbeat that sends it back.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::leave_group_response::MemberResponse;
use ottla_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};

use super::convert::{self, by_id};
use super::draft::Draft;
use super::embedded;
use super::fence::fence_members;
use super::heartbeat::{check_size, known_member, replace_member};
use super::member::{ClassicMember, Member, MemberMetadata, MemberState};
use super::seen::{Changes, Seen};
use super::{Timer, TimerStep};
use crate::MemberId;
use crate::classic::CONSUMER_PROTOCOL_TYPE as PROTOCOL_TYPE;
use crate::error::GroupError;
use crate::request::{Caller, own, wire};

/// A member joins, or joins again to go on with its rebalance. `new_id` is for one without an id.
pub(super) fn join(
    draft: &mut Draft,
    seen: &mut Seen,
    caller: &Caller,
    request: &JoinGroupRequest,
    new_id: MemberId,
) -> Result<JoinGroupResponse, GroupError> {
    let policy = draft.config.migration;
    if !policy.upgrade && !policy.downgrade {
        return Err(GroupError::InconsistentGroupProtocol(format!(
            "Cannot join the consumer group {} with the classic protocol because the group migration \
             is disabled.",
            draft.name
        )));
    }
    let is_new = request.member_id.is_empty();
    let id = if is_new { new_id } else { MemberId::from(&*request.member_id) };
    let instance_id = request.group_instance_id.as_deref();
    check_size(draft, &id, instance_id)?;
    let inconsistent = |why: &str| GroupError::InconsistentGroupProtocol(why.to_owned());
    if !knows_common_protocol(draft, request) {
        return Err(inconsistent(&format!("Member {id}'s protocols are not supported.")));
    }
    if is_new && instance_id.is_none() && caller.api_version >= 4 {
        return Err(GroupError::MemberIdRequired { member_id: id.to_string() });
    }
    let Some((first_protocol, subscription)) = request.protocols.first().and_then(|protocol| {
        Some((protocol.name.clone(), embedded::subscription(&protocol.metadata).ok()?))
    }) else {
        return Err(inconsistent(
            "Malformed embedded consumer protocol in subscription deserialization.",
        ));
    };
    // It was a member once: what it still has may be another's by now.
    if instance_id.is_none()
        && draft.group().member(&id).is_none()
        && !subscription.owned.is_empty()
    {
        return Err(GroupError::UnknownMemberId(format!(
            "Member {id} is not a member of group {} and must abandon all its partitions.",
            draft.name
        )));
    }
    let mut takes_over = None;
    if let Some(instance_id) = instance_id {
        if is_new {
            if let Some(old) = draft.group().static_member(instance_id).cloned() {
                replace_member(draft, &old, &id);
                takes_over = Some(old);
            }
        } else {
            known_member(draft, &id, Some(instance_id))?;
        }
    }
    let before = draft.group().member(&id).cloned().unwrap_or_else(|| Member::new(Arc::clone(&id)));
    let metadata = updated_metadata(&before.metadata, caller, request, &subscription);
    let assignor_before = draft.group().preferred_assignor(&draft.config.assignors);
    let subscription_changed = draft.update_member(&id, metadata);
    let assignor = assignor_before != draft.group().preferred_assignor(&draft.config.assignors);
    seen.refresh(draft, Changes { subscription: subscription_changed, assignor });
    // The last member of the consumer protocol has come back with the classic one.
    let downgrade =
        takes_over.is_some_and(|old| !old.is_classic()) && convert::may_downgrade(draft);
    let stale = draft.group().target_epoch() < draft.group().epoch();
    if !downgrade {
        draft.update_target();
    }
    let owned = by_id(&draft.image, &subscription.owned);
    if !(downgrade && stale) {
        draft.reconcile(&id, Some(&owned), subscription_changed).map_err(|_| {
            GroupError::UnknownMemberId(format!("Member {id} is in a unknown state."))
        })?;
    }
    let Some(member) = draft.group().member(&id).cloned() else {
        return Err(GroupError::UnknownMemberId(format!("Member {id} is unknown.")));
    };
    if downgrade {
        convert::downgrade(draft, stale);
    } else {
        draft.set_session(&member);
        draft.timers.push(TimerStep::Cancel(draft.timer(Timer::Join(Arc::clone(&id)))));
        let after_ms = member.metadata.rebalance_timeout_ms;
        draft.set_timer(draft.timer(Timer::Sync(Arc::clone(&id))), after_ms);
    }
    Ok(JoinGroupResponse::default()
        .with_member_id(wire(&id))
        .with_generation_id(member.current.epoch)
        .with_protocol_type(Some(wire(PROTOCOL_TYPE)))
        .with_protocol_name(Some(first_protocol)))
}

/// A consumer, with a protocol that all members of the classic protocol know.
fn knows_common_protocol(draft: &Draft, request: &JoinGroupRequest) -> bool {
    &*request.protocol_type == PROTOCOL_TYPE
        && request
            .protocols
            .iter()
            .any(|protocol| draft.group().all_classic_members_know(&protocol.name))
}

fn updated_metadata(
    before: &MemberMetadata,
    caller: &Caller,
    request: &JoinGroupRequest,
    subscription: &embedded::Subscription<'_>,
) -> MemberMetadata {
    let topics = subscription.topics.iter().map(|topic| Arc::from(*topic)).collect();
    let instance_id = request.group_instance_id.as_deref().map(Arc::from);
    MemberMetadata {
        instance_id: instance_id.or_else(|| before.instance_id.clone()),
        rack_id: subscription.rack_id.map(Arc::from).or_else(|| before.rack_id.clone()),
        client_id: (&*caller.client_id).into(),
        client_host: Arc::clone(&caller.client_host),
        topic_names: Arc::new(topics),
        topic_regex: "".into(),
        // Version 0 does not say: as long as the session.
        rebalance_timeout_ms: match request.rebalance_timeout_ms {
            -1 => request.session_timeout_ms,
            timeout_ms => timeout_ms,
        },
        server_assignor: before.server_assignor.clone(),
        classic: Some(Arc::new(ClassicMember {
            session_timeout_ms: request.session_timeout_ms,
            protocols: request
                .protocols
                .iter()
                .map(|protocol| (Arc::from(&*protocol.name), own(&protocol.metadata)))
                .collect(),
        })),
    }
}

/// A member takes what it was assigned.
pub(super) fn sync(
    draft: &mut Draft,
    request: &SyncGroupRequest,
) -> Result<SyncGroupResponse, GroupError> {
    let instance_id = request.group_instance_id.as_deref();
    let member = known_member(draft, &request.member_id, instance_id)?.clone();
    let classic = classic_member(&member)?;
    check_generation(&member, request.generation_id)?;
    let Some((protocol, _)) = classic.protocols.first() else {
        return Err(GroupError::UnknownMemberId(format!("Member {} has no protocol.", member.id)));
    };
    let inconsistent = |what: &str, asked: &str, has: &str| {
        Err(GroupError::InconsistentGroupProtocol(format!(
            "The protocol {what} {asked} from member {} request is not equal to {has}.",
            member.id
        )))
    };
    if let Some(asked) = request.protocol_type.as_deref()
        && asked != PROTOCOL_TYPE
    {
        return inconsistent("type", asked, PROTOCOL_TYPE);
    }
    if let Some(asked) = request.protocol_name.as_deref()
        && asked != &**protocol
    {
        return inconsistent("name", asked, protocol);
    }
    let group = draft.group();
    let unrevoked = member.current.state == MemberState::UnrevokedPartitions;
    if group.target_epoch() > member.current.epoch && !unrevoked {
        return Err(rejoin(draft, &member));
    }
    draft.timers.push(TimerStep::Cancel(draft.timer(Timer::Sync(Arc::clone(&member.id)))));
    draft.set_session(&member);
    let assigned = member.current.assigned.to_assignment();
    Ok(SyncGroupResponse::default()
        .with_protocol_type(request.protocol_type.clone())
        .with_protocol_name(request.protocol_name.clone())
        .with_assignment(convert::encode(&draft.image, classic, &assigned)))
}

/// A member says that it lives, and hears whether it should join again.
pub(super) fn heartbeat(draft: &mut Draft, request: &HeartbeatRequest) -> Result<(), GroupError> {
    let instance_id = request.group_instance_id.as_deref();
    let member = known_member(draft, &request.member_id, instance_id)?.clone();
    classic_member(&member)?;
    check_generation(&member, request.generation_id)?;
    draft.set_session(&member);
    let should_join = match member.current.state {
        _ if member.current.epoch < draft.group().target_epoch() => true,
        MemberState::UnrevokedPartitions => true,
        MemberState::UnreleasedPartitions => !waits_for_others(draft, &member),
        MemberState::Stable | MemberState::Unknown => false,
    };
    if should_join { Err(rejoin(draft, &member)) } else { Ok(()) }
}

/// Members leave; each is answered for itself.
pub(super) fn leave(draft: &mut Draft, request: &LeaveGroupRequest) -> LeaveGroupResponse {
    let mut leaving = Vec::new();
    let mut responses = Vec::new();
    for identity in &request.members {
        let instance_id = identity.group_instance_id.as_deref();
        // An administrator may name a static member by its instance id alone.
        let by_instance_alone =
            instance_id.filter(|_| identity.member_id.is_empty()).map(|instance_id| {
                draft.group().static_member(instance_id).ok_or(ErrorCode::UnknownMemberId)
            });
        let found = by_instance_alone.unwrap_or_else(|| {
            known_member(draft, &identity.member_id, instance_id).map_err(|error| match error {
                GroupError::FencedInstanceId(_) => ErrorCode::FencedInstanceId,
                _ => ErrorCode::UnknownMemberId,
            })
        });
        let code = match found {
            Ok(member) => {
                leaving.push(Arc::clone(&member.id));
                ErrorCode::None
            }
            Err(code) => code,
        };
        responses.push(
            MemberResponse::default()
                .with_member_id(identity.member_id.clone())
                .with_group_instance_id(identity.group_instance_id.clone())
                .with_error_code(code.code()),
        );
    }
    fence_members(draft, &leaving);
    LeaveGroupResponse::default().with_members(responses)
}

fn classic_member(member: &Member) -> Result<&ClassicMember, GroupError> {
    member.metadata.classic.as_deref().ok_or_else(|| {
        GroupError::UnknownMemberId(format!(
            "Member {} does not use the classic protocol.",
            member.id
        ))
    })
}

fn check_generation(member: &Member, generation: i32) -> Result<(), GroupError> {
    if member.current.epoch == generation {
        return Ok(());
    }
    Err(GroupError::IllegalGeneration(format!(
        "The request generation id {generation} is not equal to the member epoch {} of member {}.",
        member.current.epoch, member.id
    )))
}

/// The member must join again, and has its rebalance timeout for it.
fn rejoin(draft: &mut Draft, member: &Member) -> GroupError {
    let timer = draft.timer(Timer::Join(Arc::clone(&member.id)));
    let after_ms = i64::from(member.metadata.rebalance_timeout_ms.max(0));
    draft.timers.push(TimerStep::SetIfAbsent(timer, draft.now_ms.saturating_add(after_ms)));
    GroupError::RebalanceInProgress
}

/// Whether something of the member's target is still another's.
fn waits_for_others(draft: &Draft, member: &Member) -> bool {
    let target = draft.group().target(&member.id);
    target.iter().any(|(topic, partition)| {
        !member.current.assigned.contains(topic, partition)
            && draft.group().holder(topic, partition).is_some_and(|holder| *holder != member.id)
    })
}
