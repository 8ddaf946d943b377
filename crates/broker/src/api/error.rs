//! THE map from this broker's errors to Kafka's codes, and the only place that looks at a request's
//! version to choose a code. Without a catch-all: a new error must be given its code here.

use ottla_coordinator::{GroupError, Response};
use ottla_metadata::{Refusal, Reply};
use ottla_protocol::ErrorCode;

use crate::controller_link::ProposeError;
use crate::coordinator::{CoordinatorError, Unavailable};
use crate::loggers::LevelError;
use crate::partition::{
    AckOutcome, AppendError, ChooseError, ListOffsetError, PartitionError, ReadError,
};

/// An error that has a Kafka code in every request.
pub(super) trait Coded {
    /// Kafka's code for it.
    fn code(&self) -> ErrorCode;
}

impl Coded for PartitionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotLeader { .. } => ErrorCode::NotLeaderOrFollower,
            Self::FencedLeaderEpoch { .. } => ErrorCode::FencedLeaderEpoch,
            Self::UnknownLeaderEpoch { .. } => ErrorCode::UnknownLeaderEpoch,
            Self::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl Coded for AppendError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Partition(error) => error.code(),
            Self::NotEnoughReplicas { .. } => ErrorCode::NotEnoughReplicas,
            Self::Corrupt(_) => ErrorCode::CorruptMessage,
            Self::InvalidRecord(_) | Self::WithoutKey(_) => ErrorCode::InvalidRecord,
            Self::UnsupportedFormat(_) => ErrorCode::UnsupportedForMessageFormat,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::InvalidTimestamp(_) => ErrorCode::InvalidTimestamp,
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::Transactional => ErrorCode::InvalidTxnState,
        }
    }
}

impl Coded for ChooseError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchDir => ErrorCode::LogDirNotFound,
            Self::DirFailed => ErrorCode::KafkaStorageError,
            Self::NotHere => ErrorCode::ReplicaNotAvailable,
            Self::NameTooLong => ErrorCode::InvalidTopicException,
        }
    }
}

impl Coded for ReadError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Partition(error) => error.code(),
            Self::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::NotDeletable => ErrorCode::PolicyViolation,
        }
    }
}

impl Coded for LevelError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownLogger(_) | Self::UnknownLevel { .. } => ErrorCode::InvalidConfig,
            Self::RootRemoved => ErrorCode::InvalidRequest,
            Self::Filter(_) => ErrorCode::UnknownServerError,
        }
    }
}

/// Why a proposal has no outcome of its own: nobody could be asked, or the answer was another one's.
pub(super) fn no_outcome(answer: Result<Reply, ProposeError>) -> Refusal {
    match answer {
        Ok(_) => Refusal::plain(ErrorCode::UnknownServerError),
        Err(error) => Refusal::new(error.code(), error.to_string()),
    }
}

impl Coded for ProposeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TimedOut(_) => ErrorCode::RequestTimedOut,
            Self::Refused(refusal) => refusal.code,
        }
    }
}

impl Coded for CoordinatorError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unavailable(error) => error.code(),
            Self::Group(error) => error.code(),
        }
    }
}

impl Coded for Unavailable {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotCoordinator => ErrorCode::NotCoordinator,
            Self::Loading => ErrorCode::CoordinatorLoadInProgress,
            Self::Overloaded | Self::TimedOut => ErrorCode::CoordinatorNotAvailable,
        }
    }
}

impl Coded for GroupError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidGroupId => ErrorCode::InvalidGroupId,
            Self::GroupIdNotFound(_) => ErrorCode::GroupIdNotFound,
            Self::NonEmptyGroup => ErrorCode::NonEmptyGroup,
            Self::UnknownMemberId(_) => ErrorCode::UnknownMemberId,
            Self::MemberIdRequired { .. } => ErrorCode::MemberIdRequired,
            Self::FencedInstanceId(_) => ErrorCode::FencedInstanceId,
            Self::UnreleasedInstanceId(_) => ErrorCode::UnreleasedInstanceId,
            Self::IllegalGeneration(_) => ErrorCode::IllegalGeneration,
            Self::RebalanceInProgress => ErrorCode::RebalanceInProgress,
            Self::InconsistentGroupProtocol(_) => ErrorCode::InconsistentGroupProtocol,
            Self::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
            Self::GroupMaxSizeReached(_) => ErrorCode::GroupMaxSizeReached,
            Self::FencedMemberEpoch(_) => ErrorCode::FencedMemberEpoch,
            Self::StaleMemberEpoch(_) => ErrorCode::StaleMemberEpoch,
            Self::UnsupportedAssignor(_) => ErrorCode::UnsupportedAssignor,
            Self::InvalidRegularExpression(_) => ErrorCode::InvalidRegularExpression,
            Self::InvalidRequest(_) => ErrorCode::InvalidRequest,
            Self::UnsupportedVersion(_) => ErrorCode::UnsupportedVersion,
            Self::NotStored(code) => *code,
        }
    }
}

/// What clients are told when the log does not take their group's state.
pub(crate) fn group_write_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Partition(error) => match error {
            PartitionError::NotLeader { .. }
            | PartitionError::FencedLeaderEpoch { .. }
            | PartitionError::UnknownLeaderEpoch { .. }
            | PartitionError::Storage(_) => ErrorCode::NotCoordinator,
        },
        AppendError::NotEnoughReplicas { .. } => ErrorCode::CoordinatorNotAvailable,
        AppendError::Corrupt(_)
        | AppendError::InvalidRecord(_)
        | AppendError::WithoutKey(_)
        | AppendError::UnsupportedFormat(_)
        | AppendError::TooLarge { .. }
        | AppendError::LargerThanSegment { .. }
        | AppendError::InvalidTimestamp(_)
        | AppendError::OutOfOrderSequence { .. }
        | AppendError::InvalidProducerEpoch { .. }
        | AppendError::Transactional => ErrorCode::UnknownServerError,
    }
}

/// Before version 6, DescribeGroups did not call a group missing (KIP-1043): `None`, it is dead.
pub(super) fn describe_group_code(
    answer: &Result<Response, CoordinatorError>,
    version: i16,
) -> Option<ErrorCode> {
    match answer {
        Ok(_) => Some(ErrorCode::UnknownServerError),
        Err(CoordinatorError::Group(GroupError::GroupIdNotFound(_))) if version < 6 => None,
        Err(error) => Some(error.code()),
    }
}

/// What a produce request with acks=all tells; `None`: still waiting when its time was over.
pub(super) fn ack_code(outcome: Option<AckOutcome>) -> Option<ErrorCode> {
    match outcome {
        Some(AckOutcome::Committed | AckOutcome::Refused) => None,
        Some(AckOutcome::NotLeader) => Some(ErrorCode::NotLeaderOrFollower),
        Some(AckOutcome::NotEnoughReplicasAfterAppend) => {
            Some(ErrorCode::NotEnoughReplicasAfterAppend)
        }
        Some(AckOutcome::Storage) => Some(ErrorCode::KafkaStorageError),
        None => Some(ErrorCode::RequestTimedOut),
    }
}

/// Fetch knew no storage errors before version 6.
pub(super) fn fetch_code(error: &ReadError, version: i16) -> ErrorCode {
    match error.code() {
        ErrorCode::KafkaStorageError if version < 6 => ErrorCode::NotLeaderOrFollower,
        code => code,
    }
}

/// ListOffsets knew no "ask again later" before version 5 (KIP-207).
pub(super) fn list_offset_code(error: &ListOffsetError, version: i16) -> ErrorCode {
    match error {
        ListOffsetError::Partition(error) => error.code(),
        ListOffsetError::OffsetNotAvailable if version < 5 => ErrorCode::LeaderNotAvailable,
        ListOffsetError::OffsetNotAvailable => ErrorCode::OffsetNotAvailable,
    }
}

/// Metadata knew no missing listeners before version 6.
pub(super) fn listener_not_found_code(version: i16) -> ErrorCode {
    if version < 6 { ErrorCode::LeaderNotAvailable } else { ErrorCode::ListenerNotFound }
}

/// DeleteTopics could not say that deletion is switched off before version 3.
pub(super) fn deletion_disabled_code(version: i16) -> ErrorCode {
    if version < 3 { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled }
}

/// DescribeCluster knew no other endpoints than brokers in version 0; `known`: Kafka has such endpoints.
pub(super) fn other_endpoint_code(known: bool, version: i16) -> ErrorCode {
    match known {
        _ if version < 1 => ErrorCode::InvalidRequest,
        true => ErrorCode::MismatchedEndpointType,
        false => ErrorCode::UnsupportedEndpointType,
    }
}
