//! What is told of groups.

use std::collections::BTreeSet;

use ottla_protocol::ids::TopicPartition;
use ottla_protocol::messages::list_groups_response::ListedGroup;

use crate::metadata::Node;

/// Kinds of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupType {
    /// Members agree on the assignment among themselves, or there are no members at all.
    Classic,
    /// The coordinator assigns (KIP-848).
    Consumer,
    /// Members share partitions (KIP-932).
    Share,
    /// Kafka Streams (KIP-1071).
    Streams,
    /// One that this client does not know.
    Unknown,
}

impl GroupType {
    /// Every kind by its name.
    pub const ALL: [Self; 4] = [Self::Consumer, Self::Classic, Self::Share, Self::Streams];

    /// As Kafka writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "Classic",
            Self::Consumer => "Consumer",
            Self::Share => "Share",
            Self::Streams => "Streams",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads a name in any case.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        let same = |kind: &Self| kind.name().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(same).unwrap_or(Self::Unknown)
    }
}

/// What a group is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupState {
    /// A classic group waits for its members to join.
    PreparingRebalance,
    /// A classic group waits for its leader's assignment.
    CompletingRebalance,
    /// Everybody has what it should have.
    Stable,
    /// There is no such group.
    Dead,
    /// It has no members.
    Empty,
    /// The coordinator computes an assignment.
    Assigning,
    /// Members are moving to a new assignment.
    Reconciling,
    /// A streams group lacks topics.
    NotReady,
    /// One that this client does not know.
    Unknown,
}

impl GroupState {
    const ALL: [Self; 8] = [
        Self::PreparingRebalance,
        Self::CompletingRebalance,
        Self::Stable,
        Self::Dead,
        Self::Empty,
        Self::Assigning,
        Self::Reconciling,
        Self::NotReady,
    ];

    /// As Kafka writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::NotReady => "NotReady",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads a name in any case.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        let same = |state: &Self| state.name().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(same).unwrap_or(Self::Unknown)
    }
}

/// A group, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub group_id: String,
    /// `consumer` for consumers; empty for a group that only keeps offsets.
    pub protocol_type: String,
    /// Its state; `None` from brokers that do not tell.
    pub state: Option<GroupState>,
    /// Its kind; `None` from brokers that do not tell.
    pub group_type: Option<GroupType>,
}

impl GroupListing {
    pub(super) fn from_wire(group: &ListedGroup) -> Self {
        let told = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            group_id: group.group_id.to_string(),
            protocol_type: group.protocol_type.to_string(),
            state: told(&group.group_state).map(|state| GroupState::parse(&state)),
            group_type: told(&group.group_type).map(|kind| GroupType::parse(&kind)),
        }
    }

    /// Whether it is a group of consumers, or one that only keeps offsets.
    #[must_use]
    pub fn is_of_consumers(&self) -> bool {
        self.protocol_type.is_empty() || self.protocol_type == "consumer"
    }
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id, given by the coordinator or by itself.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where it connects from, with a slash before it.
    pub host: String,
    /// What it owns.
    pub assignment: BTreeSet<TopicPartition>,
    /// What it shall own; `None` in classic groups.
    pub target_assignment: Option<BTreeSet<TopicPartition>>,
    /// How far it has come with the assignment; `None` in classic groups.
    pub member_epoch: Option<i32>,
    /// Whether it speaks the new protocol, where the broker tells (KIP-1099).
    pub upgraded: Option<bool>,
}

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group_id: String,
    /// Its kind.
    pub group_type: GroupType,
    /// What it is doing.
    pub state: GroupState,
    /// How partitions are assigned; empty while nobody has decided.
    pub assignor: String,
    /// The broker that coordinates it.
    pub coordinator: Node,
    /// Counts the changes of the group; `None` in classic groups.
    pub group_epoch: Option<i32>,
    /// The epoch that the assignment is for; `None` in classic groups.
    pub target_assignment_epoch: Option<i32>,
    /// Its members, in the broker's order.
    pub members: Vec<GroupMember>,
}
