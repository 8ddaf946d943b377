//! Why the coordinator refuses.

use ottla_protocol::ErrorCode;

/// Why a request of a group's member, or about a group, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The group id is empty where it must not be.
    #[error("the group id is invalid")]
    InvalidGroupId,
    /// No group of this id (and type).
    #[error("{0}")]
    GroupIdNotFound(String),
    /// The group has members.
    #[error("the group is not empty")]
    NonEmptyGroup,
    /// No member of this id; it must join anew.
    #[error("{0}")]
    UnknownMemberId(String),
    /// The member must come back with this id (KIP-394).
    #[error("the member must join with the id {member_id}")]
    MemberIdRequired {
        /// The id that it was given.
        member_id: String,
    },
    /// Another member has taken over its `group.instance.id` (KIP-345).
    #[error("{0}")]
    FencedInstanceId(String),
    /// A member that lives has this `group.instance.id`.
    #[error("{0}")]
    UnreleasedInstanceId(String),
    /// The generation is not the group's.
    #[error("{0}")]
    IllegalGeneration(String),
    /// The group rebalances: the member must join again.
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// No protocol that all members support, or another protocol type.
    #[error("{0}")]
    InconsistentGroupProtocol(String),
    /// Outside `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
    #[error("the session timeout is not within the bounds of the broker")]
    InvalidSessionTimeout,
    /// The group has as many members as it may have.
    #[error("{0}")]
    GroupMaxSizeReached(String),
    /// The member's epoch is not what the coordinator expects: it must abandon its partitions.
    #[error("{0}")]
    FencedMemberEpoch(String),
    /// The member's epoch is old: it must take the next heartbeat's answer first.
    #[error("{0}")]
    StaleMemberEpoch(String),
    /// The server-side assignor is not known.
    #[error("{0}")]
    UnsupportedAssignor(String),
    /// The regular expression does not compile.
    #[error("{0}")]
    InvalidRegularExpression(String),
    /// The request makes no sense.
    #[error("{0}")]
    InvalidRequest(String),
    /// The group's protocol does not know this request in this version.
    #[error("{0}")]
    UnsupportedVersion(String),
    /// The change was not appended: it has not happened.
    #[error("the group's state was not stored: {0}")]
    NotStored(ErrorCode),
}
