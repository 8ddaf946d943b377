//! Between a consumer group and its records.

use std::sync::Arc;

use super::group::{ConsumerGroup, ResolvedRegex};
use super::member::{
    ClassicMember, Member, MemberAssignment, MemberMetadata, MemberState, OwnedPartitions,
};
use crate::assignor::Assignment;
use crate::record::{
    AssignedPartitions, ClassicMemberMetadata, ConsumerGroupValue, ConsumerMemberValue,
    CurrentAssignmentValue, Record, RegularExpressionValue, TargetAssignmentValue,
    TargetMetadataValue,
};
use crate::{GroupName, MemberId};

impl ConsumerGroup {
    /// Takes in a record of this group. Nothing that compaction can do to the log makes it fail.
    pub(crate) fn replay(&mut self, record: &Record) {
        match record {
            Record::ConsumerGroup { value: Some(value), .. } => {
                self.set_epoch(value.epoch, value.metadata_hash);
            }
            Record::ConsumerPartitionMetadata { value, .. } => {
                self.set_has_subscription_metadata(value.is_some());
            }
            Record::ConsumerMember { member, value: Some(value), .. } => {
                self.set_member(member, metadata_of(value));
            }
            Record::ConsumerMember { member, value: None, .. } => self.remove_member(member),
            Record::ConsumerTargetMetadata { value: Some(value), .. } => {
                self.set_target_epoch(value.assignment_epoch, value.assignment_timestamp_ms);
            }
            Record::ConsumerTargetMetadata { value: None, .. } => self.set_target_epoch(-1, 0),
            Record::ConsumerTarget { member, value: Some(value), .. } => {
                self.set_target(member, Arc::new(assignment_of(&value.topic_partitions)));
            }
            Record::ConsumerTarget { member, value: None, .. } => self.remove_target(member),
            Record::ConsumerCurrent { member, value: Some(value), .. } => {
                self.set_current(member, current_of(value));
            }
            Record::ConsumerCurrent { member, value: None, .. } => self.remove_current(member),
            Record::ConsumerRegularExpression { expression, value: Some(value), .. } => {
                let resolved = ResolvedRegex {
                    topics: value.topics.iter().map(Arc::clone).collect(),
                    version: value.version,
                    timestamp_ms: value.timestamp_ms,
                };
                self.set_resolved(expression, Arc::new(resolved));
            }
            Record::ConsumerRegularExpression { expression, value: None, .. } => {
                self.remove_resolved(expression);
            }
            // The whole group goes, or the record is not a consumer group's: the caller's.
            Record::ConsumerGroup { value: None, .. }
            | Record::Offset { .. }
            | Record::ClassicGroup { .. } => {}
        }
    }

    /// The records that remove the group and all its members.
    pub(crate) fn tombstones(&self, group: &GroupName) -> Vec<Record> {
        let members = || self.members().map(|member| &member.id);
        let mut records: Vec<_> =
            members().map(|member| current_tombstone(group, member)).collect();
        records.extend(members().map(|member| target_tombstone(group, member)));
        records.push(Record::ConsumerTargetMetadata { group: Arc::clone(group), value: None });
        records.extend(members().map(|member| member_tombstone(group, member)));
        records.extend(self.resolved_regexes().map(|(regex, _)| regex_tombstone(group, regex)));
        if self.has_subscription_metadata() {
            records.push(subscription_metadata_tombstone(group));
        }
        records.push(Record::ConsumerGroup { group: Arc::clone(group), value: None });
        records
    }
}

/// Key 3.
pub(super) fn epoch(group: &GroupName, epoch: i32, metadata_hash: i64) -> Record {
    let value = Some(ConsumerGroupValue { epoch, metadata_hash });
    Record::ConsumerGroup { group: Arc::clone(group), value }
}

/// Key 4: what Kafka 4.0 wrote goes.
pub(super) fn subscription_metadata_tombstone(group: &GroupName) -> Record {
    Record::ConsumerPartitionMetadata { group: Arc::clone(group), value: None }
}

/// Key 5.
pub(super) fn member(group: &GroupName, id: &MemberId, metadata: &MemberMetadata) -> Record {
    let classic = metadata.classic.as_ref().map(|classic| ClassicMemberMetadata {
        session_timeout_ms: classic.session_timeout_ms,
        supported_protocols: classic.protocols.clone(),
    });
    let value = ConsumerMemberValue {
        instance_id: metadata.instance_id.clone(),
        rack_id: metadata.rack_id.clone(),
        client_id: Arc::clone(&metadata.client_id),
        client_host: Arc::clone(&metadata.client_host),
        subscribed_topic_names: metadata.topic_names.iter().map(Arc::clone).collect(),
        subscribed_topic_regex: Some(Arc::clone(&metadata.topic_regex)),
        rebalance_timeout_ms: metadata.rebalance_timeout_ms,
        server_assignor: metadata.server_assignor.clone(),
        classic_member_metadata: classic,
    };
    let (group, member) = (Arc::clone(group), Arc::clone(id));
    Record::ConsumerMember { group, member, value: Some(value) }
}

/// The tombstone of key 5.
pub(super) fn member_tombstone(group: &GroupName, member: &MemberId) -> Record {
    let (group, member) = (Arc::clone(group), Arc::clone(member));
    Record::ConsumerMember { group, member, value: None }
}

/// Key 6.
pub(super) fn target_epoch(group: &GroupName, epoch: i32, timestamp_ms: i64) -> Record {
    let value =
        TargetMetadataValue { assignment_epoch: epoch, assignment_timestamp_ms: timestamp_ms };
    Record::ConsumerTargetMetadata { group: Arc::clone(group), value: Some(value) }
}

/// Key 7.
pub(super) fn target(group: &GroupName, member: &MemberId, target: &Assignment) -> Record {
    let topic_partitions = target
        .topics()
        .map(|(topic_id, partitions)| AssignedPartitions {
            topic_id,
            partitions: partitions.to_vec(),
            assignment_epochs: None,
        })
        .collect();
    let (group, member) = (Arc::clone(group), Arc::clone(member));
    Record::ConsumerTarget {
        group,
        member,
        value: Some(TargetAssignmentValue { topic_partitions }),
    }
}

/// The tombstone of key 7.
pub(super) fn target_tombstone(group: &GroupName, member: &MemberId) -> Record {
    let (group, member) = (Arc::clone(group), Arc::clone(member));
    Record::ConsumerTarget { group, member, value: None }
}

/// Key 8.
pub(super) fn current(group: &GroupName, member: &MemberId, current: &MemberAssignment) -> Record {
    let value = CurrentAssignmentValue {
        member_epoch: current.epoch,
        previous_member_epoch: current.previous_epoch,
        state: current.state.code(),
        assigned_partitions: partitions_of(&current.assigned),
        partitions_pending_revocation: partitions_of(&current.pending_revocation),
    };
    let (group, member) = (Arc::clone(group), Arc::clone(member));
    Record::ConsumerCurrent { group, member, value: Some(value) }
}

/// The tombstone of key 8.
pub(super) fn current_tombstone(group: &GroupName, member: &MemberId) -> Record {
    let (group, member) = (Arc::clone(group), Arc::clone(member));
    Record::ConsumerCurrent { group, member, value: None }
}

/// Key 16.
pub(super) fn regex(group: &GroupName, regex: &Arc<str>, resolved: &ResolvedRegex) -> Record {
    let value = RegularExpressionValue {
        topics: resolved.topics.iter().map(Arc::clone).collect(),
        version: resolved.version,
        timestamp_ms: resolved.timestamp_ms,
    };
    let (group, expression) = (Arc::clone(group), Arc::clone(regex));
    Record::ConsumerRegularExpression { group, expression, value: Some(value) }
}

/// The tombstone of key 16.
pub(super) fn regex_tombstone(group: &GroupName, regex: &Arc<str>) -> Record {
    let (group, expression) = (Arc::clone(group), Arc::clone(regex));
    Record::ConsumerRegularExpression { group, expression, value: None }
}

/// Every record of a member: what it is, what it should have, what it has.
pub(super) fn whole_member(
    group: &GroupName,
    new: &Member,
    new_target: &Assignment,
) -> [Record; 3] {
    [
        member(group, &new.id, &new.metadata),
        target(group, &new.id, new_target),
        current(group, &new.id, &new.current),
    ]
}

/// The tombstones of all of a member's records; the order matters to Kafka.
pub(super) fn whole_member_tombstones(group: &GroupName, id: &MemberId) -> [Record; 3] {
    [current_tombstone(group, id), target_tombstone(group, id), member_tombstone(group, id)]
}

fn metadata_of(value: &ConsumerMemberValue) -> MemberMetadata {
    MemberMetadata {
        instance_id: value.instance_id.clone(),
        rack_id: value.rack_id.clone(),
        client_id: Arc::clone(&value.client_id),
        client_host: Arc::clone(&value.client_host),
        topic_names: Arc::new(value.subscribed_topic_names.iter().map(Arc::clone).collect()),
        topic_regex: value.subscribed_topic_regex.clone().unwrap_or_else(|| "".into()),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        server_assignor: value.server_assignor.clone(),
        classic: value.classic_member_metadata.as_ref().map(|classic| {
            Arc::new(ClassicMember {
                session_timeout_ms: classic.session_timeout_ms,
                protocols: classic.supported_protocols.clone(),
            })
        }),
    }
}

fn current_of(value: &CurrentAssignmentValue) -> MemberAssignment {
    let owned = |topics| Arc::new(owned_of(topics, value.member_epoch.max(0)));
    MemberAssignment {
        state: MemberState::from_code(value.state),
        epoch: value.member_epoch,
        previous_epoch: value.previous_member_epoch,
        assigned: owned(&value.assigned_partitions),
        pending_revocation: owned(&value.partitions_pending_revocation),
    }
}

/// Where the epochs are not told (Kafka before KIP-1251), they are taken to be the member's.
fn owned_of(topics: &Vec<AssignedPartitions>, default_epoch: i32) -> OwnedPartitions {
    let mut owned = OwnedPartitions::default();
    for topic in topics {
        let epochs = topic
            .assignment_epochs
            .as_ref()
            .filter(|epochs| epochs.len() == topic.partitions.len());
        for (index, partition) in topic.partitions.iter().enumerate() {
            let epoch = epochs.and_then(|epochs| epochs.get(index).copied());
            owned.insert(topic.topic_id, *partition, epoch.unwrap_or(default_epoch));
        }
    }
    owned
}

fn partitions_of(owned: &OwnedPartitions) -> Vec<AssignedPartitions> {
    owned
        .topics()
        .map(|(topic_id, partitions)| AssignedPartitions {
            topic_id,
            partitions: partitions.keys().copied().collect(),
            assignment_epochs: Some(partitions.values().copied().collect()),
        })
        .collect()
}

fn assignment_of(topics: &[AssignedPartitions]) -> Assignment {
    let partitions = |topic: &AssignedPartitions| {
        let topic_id = topic.topic_id;
        topic.partitions.clone().into_iter().map(move |partition| (topic_id, partition))
    };
    topics.iter().flat_map(partitions).collect()
}
