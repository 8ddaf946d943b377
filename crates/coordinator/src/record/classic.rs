//! A classic group: key version 2.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ids::TimestampMs;

use super::RecordError;
use super::wire::{Reader, Writer};
use crate::MemberId;

/// A classic group as it was when its generation was complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicGroupValue {
    /// What its members do, such as `consumer`; empty if it never had members.
    pub protocol_type: Arc<str>,
    /// Counts its assignments.
    pub generation: i32,
    /// The protocol that the members have agreed upon.
    pub protocol: Option<Arc<str>>,
    /// The member that assigns.
    pub leader: Option<MemberId>,
    /// Since when it is in its state; -1: not known (versions 0 and 1).
    pub current_state_timestamp_ms: TimestampMs,
    /// Its members.
    pub members: Vec<ClassicMemberValue>,
}

/// A member of a classic group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicMemberValue {
    /// Its id.
    pub member_id: MemberId,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<Arc<str>>,
    /// Its client's id.
    pub client_id: Arc<str>,
    /// Its client's address.
    pub client_host: Arc<str>,
    /// How long a rebalance waits for it; -1 (version 0): as long as its session.
    pub rebalance_timeout_ms: i32,
    /// After how long a silence it is gone.
    pub session_timeout_ms: i32,
    /// What it said for the chosen protocol.
    pub subscription: Bytes,
    /// What the leader assigned to it.
    pub assignment: Bytes,
}

const WHAT: &str = "GroupMetadataValue";

impl ClassicGroupValue {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = Writer::new(3, false);
        writer.text(&self.protocol_type);
        writer.i32(self.generation);
        writer.nullable_text(self.protocol.as_deref());
        writer.nullable_text(self.leader.as_deref());
        writer.i64(self.current_state_timestamp_ms);
        writer.list(&self.members, |writer, member| {
            writer.text(&member.member_id);
            writer.nullable_text(member.group_instance_id.as_deref());
            writer.text(&member.client_id);
            writer.text(&member.client_host);
            writer.i32(member.rebalance_timeout_ms);
            writer.i32(member.session_timeout_ms);
            writer.data(&member.subscription);
            writer.data(&member.assignment);
        });
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(WHAT, bytes);
        let version = reader.i16()?;
        if !(0..=4).contains(&version) {
            return Err(reader.unknown_version(version));
        }
        reader.set_flexible(version >= 4);
        let protocol_type = reader.name()?;
        let generation = reader.i32()?;
        let protocol = reader.nullable_name()?;
        let leader = reader.nullable_name()?;
        let current_state_timestamp_ms = if version >= 2 { reader.i64()? } else { -1 };
        let members = reader.list(|reader| {
            let member_id = reader.name()?;
            let group_instance_id = if version >= 3 { reader.nullable_name()? } else { None };
            let client_id = reader.name()?;
            let client_host = reader.name()?;
            let rebalance_timeout_ms = if version >= 1 { reader.i32()? } else { -1 };
            let session_timeout_ms = reader.i32()?;
            let subscription = reader.data()?;
            let assignment = reader.data()?;
            reader.skip_tags()?;
            Ok(ClassicMemberValue {
                member_id,
                group_instance_id,
                client_id,
                client_host,
                rebalance_timeout_ms,
                session_timeout_ms,
                subscription,
                assignment,
            })
        })?;
        reader.skip_tags()?;
        Ok(Self {
            protocol_type,
            generation,
            protocol,
            leader,
            current_state_timestamp_ms,
            members,
        })
    }
}
