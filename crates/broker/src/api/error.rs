//! THE map from this broker's errors to Kafka's codes, and the only place that looks at a request's
//! version to choose a code. Without a catch-all: a new error must be given its code here.

use ottla_protocol::ErrorCode;

use crate::controller_link::ProposeError;
use crate::partition::{AckOutcome, AppendError, ListOffsetError, PartitionError, ReadError};

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
            Self::InvalidRecord(_) => ErrorCode::InvalidRecord,
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

impl Coded for ReadError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Partition(error) => error.code(),
            Self::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        }
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
