//! A group changes its protocol while its members work on (KIP-848, migration).
//!
//! A classic group becomes a consumer group when the first member of that protocol joins: the classic
//! members keep what they have and go on speaking the classic protocol. It becomes classic again when
//! the last member of the consumer protocol leaves.

use std::sync::Arc;

use bytes::Bytes;
use ottla_metadata::Image;

use super::draft::Draft;
use super::embedded;
use super::member::{
    ClassicMember, Member, MemberAssignment, MemberMetadata, MemberState, OwnedPartitions,
};
use super::records;
use crate::assignor::Assignment;
use crate::classic::{self, CONSUMER_PROTOCOL_TYPE as PROTOCOL_TYPE, Live};
use crate::error::GroupError;
use crate::record::Record;

/// A consumer group that has become a classic one.
#[derive(Debug)]
pub(super) struct Downgraded {
    /// The classic group.
    pub(super) live: Live,
    /// Whether its members are to join again.
    pub(super) rebalance: bool,
}

/// Whether all who are left speak the classic protocol and the group may follow them.
pub(super) fn may_downgrade(draft: &Draft) -> bool {
    let group = draft.group();
    draft.config.migration.downgrade
        && !group.is_empty()
        && group.classic_members() == group.len()
        && group.len() <= usize::try_from(draft.config.classic_max_size).unwrap_or(0)
}

/// Makes the group a classic one. Members keep their target assignment; with `rebalance`, they are made
/// to join again.
pub(super) fn downgrade(draft: &mut Draft, rebalance: bool) {
    let group = draft.group();
    let members = group
        .members()
        .filter_map(|member| {
            let classic = member.metadata.classic.as_ref()?;
            Some(classic::Member {
                id: Arc::clone(&member.id),
                instance_id: member.metadata.instance_id.clone(),
                client_id: Arc::clone(&member.metadata.client_id),
                client_host: Arc::clone(&member.metadata.client_host),
                rebalance_timeout_ms: member.metadata.rebalance_timeout_ms,
                session_timeout_ms: classic.session_timeout_ms,
                protocols: classic.protocols.clone(),
                assignment: encode(&draft.image, classic, &group.target(&member.id)),
                awaiting_join: None,
                awaiting_sync: None,
                is_new: false,
            })
        })
        .collect::<Vec<_>>();
    let protocol_type = PROTOCOL_TYPE.into();
    let (epoch, now_ms) = (group.epoch(), draft.now_ms);
    let live = Live::stable(&draft.name, epoch, &protocol_type, None, None, now_ms, members);
    let mut value = live.value(|member| member.assignment.clone());
    if rebalance {
        // Whoever loads this knows that the generation was never complete.
        value.leader = None;
    }
    let value = Some(value);
    let mut records = group.tombstones(&draft.name);
    records.push(Record::ClassicGroup { group: Arc::clone(&draft.name), value });
    draft.write_unseen(records);
    draft.downgraded = Some(Downgraded { live, rebalance });
}

/// An assignment as a classic member reads it, in the version in which it wrote its subscription.
pub(super) fn encode(image: &Image, member: &ClassicMember, assignment: &Assignment) -> Bytes {
    let subscription =
        member.protocols.first().map(|(_, metadata)| embedded::subscription(metadata));
    let version = subscription.and_then(Result::ok).map_or(0, |subscription| subscription.version);
    let partitions = assignment
        .topics()
        .filter_map(|(topic, partitions)| Some((&*image.topic(topic)?.name, partitions.to_vec())))
        .collect();
    embedded::encode_assignment(version, &partitions)
}

/// Makes a classic group with members a consumer group: same members, same partitions.
///
/// # Errors
/// The migration policy forbids it, the members are no consumers, are too many, or what they say cannot
/// be read; or an assignor of the users' own keeps data in the assignments, which would be lost.
pub(super) fn upgrade(draft: &mut Draft, live: &Live) -> Result<(), GroupError> {
    let refuse = |why: &str| {
        Err(GroupError::GroupIdNotFound(format!(
            "Cannot upgrade classic group {} to consumer group because {why}.",
            draft.name
        )))
    };
    if !draft.config.migration.upgrade {
        return refuse("online upgrade is disabled");
    }
    if !live.uses_consumer_protocol() {
        return refuse("the group does not use the consumer embedded protocol");
    }
    if live.members().count() > usize::try_from(draft.config.max_size).unwrap_or(0) {
        return refuse("the group size exceeds the consumer group maximum size");
    }
    let mut members = Vec::new();
    for member in live.members() {
        let Ok(assigned) = embedded::assignment(&member.assignment) else {
            return refuse("the embedded consumer protocol is malformed");
        };
        if !assigned.user_data.is_empty() {
            return refuse(
                "an unsupported custom assignor is in use. Please refer to the documentation or \
                 switch to a default assignor before re-attempting the upgrade",
            );
        }
        let assignment = by_id(&draft.image, &assigned.partitions);
        let Some(member) = upgraded(live, member, &assignment) else {
            return refuse("the embedded consumer protocol is malformed");
        };
        members.push((member, assignment));
    }
    let name = Arc::clone(&draft.name);
    for (member, _) in &members {
        draft.write(records::member(&name, &member.id, &member.metadata));
    }
    let hash = draft.metadata_hash();
    draft.write(records::epoch(&name, live.generation, hash));
    for (member, assignment) in &members {
        draft.write(records::target(&name, &member.id, assignment));
    }
    draft.write(records::target_epoch(&name, live.generation, 0));
    for (member, _) in &members {
        draft.write(records::current(&name, &member.id, &member.current));
        draft.set_session(member);
    }
    draft.upgraded = true;
    Ok(())
}

fn upgraded(live: &Live, member: &classic::Member, assignment: &Assignment) -> Option<Member> {
    let chosen = member.protocols.iter().find(|(name, _)| Some(name) == live.protocol.as_ref());
    let (_, metadata) = chosen.or_else(|| member.protocols.first())?;
    let subscription = embedded::subscription(metadata).ok()?;
    let metadata = MemberMetadata {
        instance_id: member.instance_id.clone(),
        rack_id: subscription.rack_id.map(Arc::from),
        client_id: Arc::clone(&member.client_id),
        client_host: Arc::clone(&member.client_host),
        topic_names: Arc::new(subscription.topics.iter().map(|name| Arc::from(*name)).collect()),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        classic: Some(Arc::new(ClassicMember {
            session_timeout_ms: member.session_timeout_ms,
            protocols: member.protocols.clone(),
        })),
        ..MemberMetadata::default()
    };
    let epoch = live.generation;
    let current = MemberAssignment {
        state: MemberState::Stable,
        epoch,
        previous_epoch: epoch,
        assigned: Arc::new(OwnedPartitions::of(assignment, epoch)),
        pending_revocation: Arc::default(),
    };
    let id = Arc::clone(&member.id);
    Some(Member { id, metadata: Arc::new(metadata), current: Arc::new(current) })
}

/// Partitions by topic name as an assignment; topics that do not exist are left out.
pub(super) fn by_id(image: &Image, partitions: &embedded::Partitions<'_>) -> Assignment {
    let mut assignment = Assignment::default();
    for (topic, partitions) in partitions {
        if let Some(topic) = image.topic_by_name(topic) {
            assignment.insert_all(topic.id, partitions.iter().copied());
        }
    }
    assignment
}
