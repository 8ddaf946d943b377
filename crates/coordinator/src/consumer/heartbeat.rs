//! ConsumerGroupHeartbeat: joining, staying, leaving.

use std::sync::Arc;

use ottla_protocol::ids::KafkaUuid;
use ottla_protocol::messages::consumer_group_heartbeat_response::{
    Assignment as WireAssignment, TopicPartitions,
};
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::config::Config;
use super::draft::Draft;
use super::fence::fence_members;
use super::member::{
    LEAVE_EPOCH, Member, MemberAssignment, MemberMetadata, OwnedPartitions, STATIC_LEAVE_EPOCH,
};
use super::records;
use super::seen::{Changes, Seen};
use crate::MemberId;
use crate::assignor::{Assignment, Assignor};
use crate::error::GroupError;
use crate::request::{Caller, wire};
use crate::subscription_regex::SubscriptionRegex;

/// Refuses what makes no sense whatever the group.
pub(super) fn validate(
    request: &ConsumerGroupHeartbeatRequest,
    api_version: i16,
    config: &Config,
) -> Result<(), GroupError> {
    let invalid = |message: &str| Err(GroupError::InvalidRequest(message.to_owned()));
    let is_blank = |text: &str| text.trim().is_empty();
    let epoch = request.member_epoch;
    let needs_id = api_version >= 1 || epoch > 0 || epoch == LEAVE_EPOCH;
    if needs_id && is_blank(&request.member_id) {
        return invalid("MemberId can't be empty.");
    }
    if is_blank(&request.group_id) {
        return invalid("GroupId can't be empty.");
    }
    if request.instance_id.as_deref().is_some_and(is_blank) {
        return invalid("InstanceId can't be empty.");
    }
    if request.rack_id.as_deref().is_some_and(is_blank) {
        return invalid("RackId can't be empty.");
    }
    if epoch == 0 {
        if request.rebalance_timeout_ms == -1 {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
            return invalid(
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when \
                 (re-)joining.",
            );
        }
    } else if epoch == STATIC_LEAVE_EPOCH && request.instance_id.is_none() {
        return invalid("InstanceId can't be null.");
    } else if epoch < STATIC_LEAVE_EPOCH {
        return invalid("MemberEpoch is invalid.");
    }
    if let Some(name) = &request.server_assignor
        && Assignor::from_name(name).is_none_or(|assignor| {
            assignor.name() != &**name || !config.assignors.contains(&assignor)
        })
    {
        let served: Vec<_> = config.assignors.iter().map(|assignor| assignor.name()).collect();
        return Err(GroupError::UnsupportedAssignor(format!(
            "ServerAssignor {} is not supported. Supported assignors: {}.",
            &**name,
            served.join(", ")
        )));
    }
    Ok(())
}

/// A member leaves: for good (-1), or, if static, to come back (-2).
pub(super) fn leave(
    draft: &mut Draft,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, GroupError> {
    let member = known_member(draft, &request.member_id, request.instance_id.as_deref())?;
    if request.instance_id.is_some() && request.member_epoch == STATIC_LEAVE_EPOCH {
        let assigned = member.current.assigned.iter().map(|(topic, p, _)| (topic, p, 0));
        let current = MemberAssignment {
            epoch: STATIC_LEAVE_EPOCH,
            assigned: Arc::new(assigned.collect::<OwnedPartitions>()),
            pending_revocation: Arc::default(),
            ..(*member.current).clone()
        };
        let record = records::current(&draft.name, &member.id, &current);
        draft.write(record);
    } else {
        let id = Arc::clone(&member.id);
        fence_members(draft, &[id]);
    }
    Ok(ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(request.member_id.clone()))
        .with_member_epoch(request.member_epoch))
}

/// A member joins, or says that it lives.
pub(super) fn stay(
    draft: &mut Draft,
    seen: &mut Seen,
    caller: &Caller,
    request: &ConsumerGroupHeartbeatRequest,
    member_id: MemberId,
) -> Result<ConsumerGroupHeartbeatResponse, GroupError> {
    let id = member_id;
    let instance_id = request.instance_id.as_deref();
    check_size(draft, &id, instance_id)?;
    let owned = request.topic_partitions.as_ref().map(|topics| {
        let mut owned = Assignment::default();
        for topic in topics {
            owned.insert_all(KafkaUuid(topic.topic_id), topic.partitions.iter().copied());
        }
        owned
    });
    if request.member_epoch == 0 {
        join(draft, &id, instance_id)?;
    } else {
        let member = known_member(draft, &id, instance_id)?;
        check_epoch(member, request.member_epoch, owned.as_ref())?;
    }
    let before = draft.group().member(&id).cloned().unwrap_or_else(|| Member::new(Arc::clone(&id)));
    let metadata = updated_metadata(&before.metadata, caller, request);
    if metadata.topic_regex != before.metadata.topic_regex && !metadata.topic_regex.is_empty() {
        SubscriptionRegex::compile(&metadata.topic_regex)
            .map_err(|error| GroupError::InvalidRegularExpression(error.to_string()))?;
    }
    let assignor_before = draft.group().preferred_assignor(&draft.config.assignors);
    let subscription_changed = draft.update_member(&id, metadata);
    let assignor = assignor_before != draft.group().preferred_assignor(&draft.config.assignors);
    // A group that was a classic one rebalances in any case: it may have been in the middle of it.
    let subscription = subscription_changed || draft.upgraded;
    seen.refresh(draft, Changes { subscription, assignor });
    draft.update_target();
    draft.reconcile(&id, owned.as_ref(), subscription_changed).map_err(|_| {
        GroupError::FencedMemberEpoch(
            "The consumer group member is in a unknown state. The member must abandon all its \
             partitions and rejoin."
                .to_owned(),
        )
    })?;
    let Some(member) = draft.group().member(&id).cloned() else {
        return Err(unknown_member(draft, &id));
    };
    draft.set_session(&member);
    let is_full = request.rebalance_timeout_ms != -1
        && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
        && request.topic_partitions.is_some();
    let mut response = ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(wire(&id)))
        .with_member_epoch(member.current.epoch)
        .with_heartbeat_interval_ms(draft.config.heartbeat_interval_ms);
    if request.member_epoch == 0 || is_full || before.current.assigned != member.current.assigned {
        response.assignment = Some(wire_assignment(&member.current.assigned));
    }
    Ok(response)
}

/// A group that is full takes no strangers; a static member may take its own place.
pub(super) fn check_size(
    draft: &Draft,
    id: &str,
    instance_id: Option<&str>,
) -> Result<(), GroupError> {
    let group = draft.group();
    let max_size = draft.config.max_size;
    let known = instance_id.is_some_and(|instance| group.static_member(instance).is_some())
        || group.member(id).is_some();
    if !known && group.len() >= usize::try_from(max_size).unwrap_or(0) {
        return Err(GroupError::GroupMaxSizeReached(format!(
            "The consumer group has reached its maximum capacity of {max_size} members."
        )));
    }
    Ok(())
}

/// The member that a request names, by id or, if static, by instance id.
pub(super) fn known_member<'a>(
    draft: &'a Draft,
    id: &str,
    instance_id: Option<&str>,
) -> Result<&'a Member, GroupError> {
    let Some(instance_id) = instance_id else {
        return draft.group().member(id).ok_or_else(|| unknown_member(draft, id));
    };
    let member = draft.group().static_member(instance_id).ok_or_else(|| {
        GroupError::UnknownMemberId(format!("Instance id {instance_id} is unknown."))
    })?;
    if &*member.id != id {
        return Err(GroupError::FencedInstanceId(format!(
            "Static member {id} with instance id {instance_id} was fenced by member {}.",
            member.id
        )));
    }
    Ok(member)
}

fn unknown_member(draft: &Draft, id: &str) -> GroupError {
    GroupError::UnknownMemberId(format!("Member {id} is not a member of group {}.", draft.name))
}

/// A static member that comes back under a new id takes the place of the old one.
fn join(draft: &mut Draft, id: &MemberId, instance_id: Option<&str>) -> Result<(), GroupError> {
    let Some(instance_id) = instance_id else { return Ok(()) };
    let Some(old) = draft.group().static_member(instance_id) else { return Ok(()) };
    // The same process may join again: it lost the answer, or was told to abandon its partitions.
    if old.id == *id {
        return Ok(());
    }
    if !old.is_classic() && old.current.epoch != STATIC_LEAVE_EPOCH {
        return Err(GroupError::UnreleasedInstanceId(format!(
            "Static member {id} with instance id {instance_id} cannot join the group because the \
             instance id is owned by {} member.",
            old.id
        )));
    }
    replace_member(draft, &old.clone(), id);
    Ok(())
}

/// Gives a static member's place to the process that has its instance id now.
pub(super) fn replace_member(draft: &mut Draft, old: &Member, id: &MemberId) {
    let current = MemberAssignment { epoch: 0, previous_epoch: 0, ..(*old.current).clone() };
    let new = Member {
        id: Arc::clone(id),
        metadata: Arc::clone(&old.metadata),
        current: Arc::new(current),
    };
    let target = draft.group().target(&old.id);
    for record in records::whole_member_tombstones(&draft.name, &old.id) {
        draft.write(record);
    }
    for record in records::whole_member(&draft.name, &new, &target) {
        draft.write(record);
    }
}

/// A member must know its epoch; the one before will do if the answer may have been lost.
fn check_epoch(member: &Member, epoch: i32, owned: Option<&Assignment>) -> Result<(), GroupError> {
    let current = &member.current;
    let fenced = |kind: &str| {
        Err(GroupError::FencedMemberEpoch(format!(
            "The consumer group member has a {kind} member epoch ({epoch}) than the one known by the \
             group coordinator ({}). The member must abandon all its partitions and rejoin.",
            current.epoch
        )))
    };
    if epoch > current.epoch {
        return fenced("greater");
    }
    let owns_only_assigned = || {
        owned
            .is_some_and(|owned| owned.iter().all(|(topic, p)| current.assigned.contains(topic, p)))
    };
    if epoch < current.epoch && (epoch != current.previous_epoch || !owns_only_assigned()) {
        return fenced("smaller");
    }
    Ok(())
}

/// What a member says of itself; what it does not say has not changed.
fn updated_metadata(
    before: &MemberMetadata,
    caller: &Caller,
    request: &ConsumerGroupHeartbeatRequest,
) -> MemberMetadata {
    let or_before = |new: Option<&str>, before: &Option<Arc<str>>| match (new, before) {
        (Some(new), Some(before)) if new == &**before => Some(Arc::clone(before)),
        (Some(new), _) => Some(new.into()),
        (None, before) => before.clone(),
    };
    let same_or = |new: &str, before: &Arc<str>| match new == &**before {
        true => Arc::clone(before),
        false => new.into(),
    };
    let topic_names = match &request.subscribed_topic_names {
        Some(names) => {
            let names = names.iter().map(|name| Arc::from(&***name)).collect();
            if names == *before.topic_names {
                Arc::clone(&before.topic_names)
            } else {
                Arc::new(names)
            }
        }
        None => Arc::clone(&before.topic_names),
    };
    MemberMetadata {
        instance_id: or_before(request.instance_id.as_deref(), &before.instance_id),
        rack_id: or_before(request.rack_id.as_deref(), &before.rack_id),
        client_id: same_or(&caller.client_id, &before.client_id),
        client_host: same_or(&caller.client_host, &before.client_host),
        topic_names,
        topic_regex: match &request.subscribed_topic_regex {
            Some(regex) => same_or(regex, &before.topic_regex),
            None => Arc::clone(&before.topic_regex),
        },
        rebalance_timeout_ms: match request.rebalance_timeout_ms {
            -1 => before.rebalance_timeout_ms,
            timeout_ms => timeout_ms,
        },
        server_assignor: or_before(request.server_assignor.as_deref(), &before.server_assignor),
        classic: None,
    }
}

fn wire_assignment(assigned: &OwnedPartitions) -> WireAssignment {
    let topics = assigned.topics().map(|(topic, partitions)| {
        TopicPartitions::default()
            .with_topic_id(topic.0)
            .with_partitions(partitions.keys().copied().collect())
    });
    WireAssignment::default().with_topic_partitions(topics.collect())
}
