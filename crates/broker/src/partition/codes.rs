//! Kafka's numbers on the replica streams.

use ottla_protocol::ErrorCode;
use ottla_replication::{EpochError, Refused};

pub(super) fn refused(refused: &Refused) -> i32 {
    let code = match refused {
        Refused::Epoch(EpochError::Fenced { .. }) => ErrorCode::FencedLeaderEpoch,
        Refused::Epoch(EpochError::Unknown { .. }) => ErrorCode::UnknownLeaderEpoch,
        Refused::NotLeader | Refused::NotReplica(_) => ErrorCode::NotLeaderOrFollower,
        Refused::Stale => ErrorCode::StaleBrokerEpoch,
        Refused::OutOfRange => ErrorCode::OffsetOutOfRange,
    };
    number(code)
}

pub(super) fn not_leader() -> i32 {
    number(ErrorCode::NotLeaderOrFollower)
}

pub(super) fn unknown_topic() -> i32 {
    number(ErrorCode::UnknownTopicId)
}

pub(super) fn out_of_range() -> i32 {
    number(ErrorCode::OffsetOutOfRange)
}

pub(super) fn storage() -> i32 {
    number(ErrorCode::KafkaStorageError)
}

fn number(code: ErrorCode) -> i32 {
    i32::from(code as i16)
}
