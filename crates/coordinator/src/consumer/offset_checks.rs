//! Who may commit and fetch offsets of a consumer group.

use ottla_protocol::ids::{PartitionIndex, TopicId};
use ottla_protocol::messages::OffsetCommitRequest;

use super::group::ConsumerGroup;
use super::member::Member;
use crate::error::GroupError;

/// The first version of OffsetCommit that a member of the consumer protocol may use.
const MEMBER_EPOCH_SINCE: i16 = 9;

impl ConsumerGroup {
    /// Whether the request's member may commit. An epoch below 0 comes from administrators and from
    /// consumers that use no group: they may commit while the group is empty. With an epoch that the
    /// member has left behind, each partition is a question of its own:
    /// [`ConsumerGroup::check_partition_commit`].
    ///
    /// # Errors
    /// UnknownMemberId; UnsupportedVersion: the member speaks the consumer protocol, the request does
    /// not; StaleMemberEpoch or IllegalGeneration: the epoch is one that the member has not reached.
    pub(crate) fn check_offset_commit(
        &self,
        api_version: i16,
        request: &OffsetCommitRequest,
    ) -> Result<(), GroupError> {
        let epoch = request.generation_id_or_member_epoch;
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.known(&request.member_id)?;
        if !member.is_classic() && api_version < MEMBER_EPOCH_SINCE {
            return Err(GroupError::UnsupportedVersion(
                "OffsetCommit version 9 or above must be used by members using the consumer group \
                 protocol"
                    .to_owned(),
            ));
        }
        let current = member.current.epoch;
        if epoch > current {
            let why = format!("The epoch {epoch} is newer than the member epoch {current}.");
            return Err(stale(member, why));
        }
        Ok(())
    }

    /// Whether the request's member, which [`ConsumerGroup::check_offset_commit`] let in, may commit an
    /// offset of this partition: with its present epoch always, with an older one if it has had the
    /// partition ever since (KIP-1251).
    ///
    /// # Errors
    /// StaleMemberEpoch, or IllegalGeneration to a member of the classic protocol.
    pub(crate) fn check_partition_commit(
        &self,
        request: &OffsetCommitRequest,
        topic: TopicId,
        partition: PartitionIndex,
    ) -> Result<(), GroupError> {
        let epoch = request.generation_id_or_member_epoch;
        let Some(member) = self.member(&request.member_id) else { return Ok(()) };
        let current = &member.current;
        if epoch == current.epoch {
            return Ok(());
        }
        let pending = &current.pending_revocation;
        let got =
            current.assigned.epoch(topic, partition).or_else(|| pending.epoch(topic, partition));
        let why = match got {
            Some(got) if epoch >= got => return Ok(()),
            Some(got) => format!(
                "The epoch {epoch} is older than the epoch {got} in which the member got partition \
                 {partition} of topic {topic}."
            ),
            None => format!("Partition {partition} of topic {topic} is not the member's."),
        };
        Err(stale(member, why))
    }

    /// Whether offsets may be fetched in the name of a member; without one and with an epoch below 0
    /// it is an administrator or an old client, who may.
    ///
    /// # Errors
    /// UnknownMemberId; StaleMemberEpoch or IllegalGeneration: the epoch is not the member's.
    pub(crate) fn check_offset_fetch(
        &self,
        member_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), GroupError> {
        let member_id = member_id.unwrap_or_default();
        if member_id.is_empty() && epoch < 0 {
            return Ok(());
        }
        let member = self.known(member_id)?;
        let current = member.current.epoch;
        if epoch == current {
            return Ok(());
        }
        let why = format!("The epoch {epoch} does not match the member epoch {current}.");
        Err(stale(member, why))
    }

    fn known(&self, member_id: &str) -> Result<&Member, GroupError> {
        self.member(member_id).ok_or_else(|| {
            GroupError::UnknownMemberId(format!("Member {member_id} is not a member of the group."))
        })
    }
}

/// Each protocol has its own word for it.
fn stale(member: &Member, why: String) -> GroupError {
    if member.is_classic() {
        GroupError::IllegalGeneration(why)
    } else {
        GroupError::StaleMemberEpoch(why)
    }
}
