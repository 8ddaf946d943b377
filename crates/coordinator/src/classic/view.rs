//! A classic group as administrators see it, and as offsets depend on it.

use ottla_protocol::ids::TimestampMs;
use ottla_protocol::messages::OffsetCommitRequest;
use ottla_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};

use super::{ClassicGroup, Live, Phase};
use crate::context::Context;
use crate::error::GroupError;
use crate::request::wire;

impl Phase {
    /// Kafka's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance { .. } => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// When offsets of a group expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// A time after this.
    Since(TimestampMs),
    /// A time after they were committed.
    Each,
    /// Not while the group is as it is.
    Never,
}

impl ClassicGroup {
    /// The protocol type; empty if it never had members.
    pub(crate) fn protocol_type(&self) -> &str {
        self.value.as_ref().map_or("", |value| &value.protocol_type)
    }

    /// When offsets of the group expire, if it has no members.
    pub(crate) fn expiry(&self) -> Expiry {
        match &self.value {
            Some(value) if !value.protocol_type.is_empty() => {
                match value.current_state_timestamp_ms {
                    -1 => Expiry::Each,
                    since_ms => Expiry::Since(since_ms),
                }
            }
            _ => Expiry::Each,
        }
    }

    /// DescribeGroups of a group without members.
    pub(crate) fn describe(&self) -> DescribedGroup {
        DescribedGroup::default()
            .with_group_state(wire(Phase::Empty.name()))
            .with_protocol_type(wire(self.protocol_type()))
    }
}

impl Live {
    pub(crate) fn expiry(&self) -> Expiry {
        match self.phase {
            Phase::Empty if self.protocol_type.is_none() => Expiry::Each,
            Phase::Empty => match self.phase_since_ms {
                -1 => Expiry::Each,
                since_ms => Expiry::Since(since_ms),
            },
            // What the members do not subscribe to.
            Phase::Stable if self.subscribed.is_some() => Expiry::Each,
            _ => Expiry::Never,
        }
    }

    /// Whether a member may subscribe to the topic: it does, or it is a consumer and what it says cannot be
    /// read.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.phase != Phase::Empty && self.uses_consumer_protocol(),
        }
    }

    /// Members speak another protocol than consumers do: what their offsets are for is not known.
    pub(crate) fn is_busy_with_something_else(&self) -> bool {
        self.phase != Phase::Empty && !self.uses_consumer_protocol()
    }

    /// Whether the request's member may commit; its session goes on by that.
    pub(crate) fn check_offset_commit(
        &self,
        cx: &mut Context,
        request: &OffsetCommitRequest,
    ) -> Result<(), GroupError> {
        let id = &*request.member_id;
        let instance_id = request.group_instance_id.as_deref();
        let generation = request.generation_id_or_member_epoch;
        if generation < 0 && self.phase == Phase::Empty {
            // An administrator, or a consumer that assigns to itself.
            return Ok(());
        }
        if generation < 0 && id.is_empty() && instance_id.is_none() {
            return Err(super::live::unknown(id));
        }
        self.check_member(id, instance_id)?;
        self.check_generation(generation)?;
        if self.phase == Phase::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        self.begin_session(cx, id);
        Ok(())
    }

    pub(crate) fn describe(&self) -> DescribedGroup {
        let stable = self.phase == Phase::Stable;
        let protocol = self.protocol.as_deref().filter(|_| stable).unwrap_or_default();
        let member = |member: &super::Member| {
            let mut described = DescribedGroupMember::default()
                .with_member_id(wire(&member.id))
                .with_group_instance_id(member.instance_id.as_deref().map(wire))
                .with_client_id(wire(&member.client_id))
                .with_client_host(wire(&member.client_host));
            if stable {
                described.member_metadata = member.metadata(protocol);
                described.member_assignment = member.assignment.clone();
            }
            described
        };
        DescribedGroup::default()
            .with_group_state(wire(self.phase.name()))
            .with_protocol_type(wire(self.protocol_type.as_deref().unwrap_or_default()))
            .with_protocol_data(wire(protocol))
            .with_members(self.members.values().map(member).collect())
    }
}
