//! Where two histories part: epochs and their ends (KIP-101, KIP-279, KIP-320, KIP-595).
//!
//! A log's history is a list of (epoch, offset of its first record), both rising strictly. The last entry
//! may begin at the log's end: an epoch of a leader that has appended nothing yet.

use ottla_protocol::ids::{LeaderEpoch, Offset};

/// The end of an epoch in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The offset behind its last record.
    pub end_offset: Offset,
}

/// The largest epoch that is at most `epoch`, and its end. An epoch below all that are known, whose
/// records are gone, ends where the first known one begins. `None` without any history.
#[must_use]
pub fn end_of(
    history: &[(LeaderEpoch, Offset)],
    epoch: LeaderEpoch,
    log_end: Offset,
) -> Option<EpochEnd> {
    let above = history.partition_point(|(known, _)| *known <= epoch);
    let end_offset = history.get(above).map_or(log_end, |(_, start)| *start);
    match above.checked_sub(1).and_then(|floor| history.get(floor)) {
        Some((floor, _)) => Some(EpochEnd { epoch: *floor, end_offset }),
        None => history.first().map(|_| EpochEnd { epoch, end_offset }),
    }
}

/// The epoch of the last record before `log_end`; `None` if there has been none. An epoch that was begun
/// without a record does not count: the last *appended* batch is the only source.
#[must_use]
pub fn last_record_epoch(
    history: &[(LeaderEpoch, Offset)],
    log_end: Offset,
) -> Option<LeaderEpoch> {
    history.iter().rev().find(|(_, start)| *start < log_end).map(|(epoch, _)| *epoch)
}

/// Whether a log whose last record before `offset` has epoch `last_epoch` leaves the one with `history`
/// and, if so, where: the largest epoch that both may share, and its end here.
#[must_use]
pub fn diverging(
    history: &[(LeaderEpoch, Offset)],
    log_end: Offset,
    last_epoch: LeaderEpoch,
    offset: Offset,
) -> Option<EpochEnd> {
    let end = end_of(history, last_epoch, log_end)?;
    let agrees = end.epoch == last_epoch && end.end_offset >= offset;
    (!agrees).then_some(end)
}

/// Where a follower with `history` cuts its log, told that `leader_end` is the end of the largest epoch
/// that both may share. If the follower does not know that epoch, it cuts at the end of the largest one
/// below it and asks again, one step further back each time until both agree (KIP-279). Never decided by
/// a high watermark.
#[must_use]
pub fn truncation_point(
    history: &[(LeaderEpoch, Offset)],
    log_end: Offset,
    leader_end: EpochEnd,
) -> Offset {
    match end_of(history, leader_end.epoch, log_end) {
        Some(own) if own.epoch == leader_end.epoch => own.end_offset.min(leader_end.end_offset),
        Some(own) => own.end_offset,
        None => leader_end.end_offset,
    }
    .clamp(0, log_end)
}
