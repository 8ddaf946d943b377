//! What clients ask of a leader's log. A plan is made under the lock; the disk is read without it.

use std::sync::Arc;

use bytes::Bytes;
use ottla_log::{LogError, ReadPlan};
use ottla_protocol::ids::{LeaderEpoch, Offset};
use ottla_protocol::record::NO_TIMESTAMP;
use ottla_replication::{Input, NotReadable, leader_epoch};

use super::ack::AckToken;
use super::replica::{Partition, State};
use super::types::{
    Isolation, ListOffset, ListOffsetError, ListedOffset, PartitionError, Read, ReadError,
    ReadRequest,
};

/// A plan that a truncation has overtaken is made again, at most so often.
const READ_ATTEMPTS: usize = 3;

impl Partition {
    /// Reads for a consumer; leader only. The disk is read outside the partition's lock, on the calling
    /// thread.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&self, request: ReadRequest) -> Result<Read, ReadError> {
        for _ in 0..READ_ATTEMPTS {
            let (mut read, plan) = self.look(|state| plan_read(state, &request))?;
            match plan.map_or(Ok(Bytes::new()), ReadPlan::read) {
                Ok(records) => {
                    read.records = records;
                    return Ok(read);
                }
                Err(LogError::Overtaken) => {}
                Err(error) => return Err(storage(self, &error).into()),
            }
        }
        Err(self.look(|state| state.not_leader()).into())
    }

    /// Finds an offset (ListOffsets); leader only.
    ///
    /// # Errors
    /// See [`ListOffsetError`].
    pub fn list_offset(
        &self,
        what: ListOffset,
        current_leader_epoch: Option<LeaderEpoch>,
    ) -> Result<ListedOffset, ListOffsetError> {
        let (search, bound, knows_latest) = self.look(|state| {
            check_leader(state, current_leader_epoch)?;
            let offsets = state.replica.offsets();
            let epoch = state.replica.leader_epoch();
            let knows_latest = state.replica.knows_latest();
            let bound = offsets.high_watermark;
            let at = |offset, leader_epoch| ListedOffset {
                offset,
                timestamp_ms: NO_TIMESTAMP,
                leader_epoch,
            };
            let log = state.log().map_err(ListOffsetError::from)?;
            let search = match what {
                ListOffset::Earliest => {
                    let epoch = log.epochs().epoch_at(offsets.log_start).unwrap_or(-1);
                    return Ok((Err(at(offsets.log_start, epoch)), bound, true));
                }
                ListOffset::Latest(_) if !knows_latest => {
                    return Err(ListOffsetError::OffsetNotAvailable);
                }
                ListOffset::Latest(Isolation::ReadUncommitted) => {
                    return Ok((Err(at(offsets.high_watermark, epoch)), bound, true));
                }
                ListOffset::Latest(Isolation::ReadCommitted) => {
                    return Ok((Err(at(offsets.last_stable(), epoch)), bound, true));
                }
                ListOffset::MaxTimestamp => log.plan_max_timestamp_search(),
                ListOffset::Timestamp(timestamp) => log.plan_timestamp_search(timestamp),
            };
            Ok((Ok(search), bound, knows_latest))
        })?;
        let search = match search {
            Err(listed) => return Ok(listed),
            Ok(search) => search,
        };
        let found = search
            .and_then(ottla_log::TimestampSearch::run)
            .map_err(|error| storage(self, &error))?
            .filter(|found| found.offset < bound);
        match found {
            Some(found) => Ok(ListedOffset {
                offset: found.offset,
                timestamp_ms: found.timestamp,
                leader_epoch: found.leader_epoch,
            }),
            // It may be among what is not known to be committed yet.
            None if !knows_latest => Err(ListOffsetError::OffsetNotAvailable),
            None => Ok(ListedOffset { offset: -1, timestamp_ms: NO_TIMESTAMP, leader_epoch: -1 }),
        }
    }

    /// OffsetForLeaderEpoch: the largest epoch not above `epoch` and where it ends; leader only.
    /// (-1, -1) if there is none.
    ///
    /// # Errors
    /// See [`PartitionError`].
    pub fn offset_for_leader_epoch(
        &self,
        epoch: LeaderEpoch,
        current_leader_epoch: Option<LeaderEpoch>,
    ) -> Result<(LeaderEpoch, Offset), PartitionError> {
        self.look(|state| {
            check_leader(state, current_leader_epoch)?;
            let log_end = state.replica.offsets().log_end;
            if epoch > state.replica.leader_epoch() {
                return Ok((-1, -1));
            }
            let end = leader_epoch::end_of(state.log()?.epochs().entries(), epoch, log_end);
            Ok(end.map_or((-1, -1), |end| (end.epoch, end.end_offset)))
        })
    }

    /// DeleteRecords: raises the log start to `before` (-1: the high watermark). Durable here when it
    /// returns; `ack` is completed when every live replica's log begins there. Blocking.
    ///
    /// # Errors
    /// Beyond the high watermark, not the leader, or a `cleanup.policy` without `delete`.
    pub fn delete_records(
        self: &Arc<Self>,
        before: Offset,
        ack: Option<AckToken>,
    ) -> Result<(), ReadError> {
        if !self.settings.load().cleanup_policy.delete {
            return Err(ReadError::NotDeletable);
        }
        let now_ms = self.shared.clock.now_ms();
        let dir = self.run(|state, after| {
            check_leader(state, None)?;
            let offsets = state.replica.offsets();
            let before = if before == -1 { offsets.high_watermark } else { before };
            if before < 0 || before > offsets.high_watermark {
                return Err(ReadError::OffsetOutOfRange {
                    offset: before,
                    log_start_offset: offsets.log_start,
                    log_end_offset: offsets.high_watermark,
                });
            }
            let log = state.log()?;
            log.increment_log_start(before).map_err(|error| {
                super::append::note_failure(after, &error);
                storage(self, &error)
            })?;
            let (log_start, dir) = (log.log_start(), Arc::clone(log.dir()));
            state.step(now_ms, Input::LogStart(log_start));
            if let Some(waiter) = state.wait(ack) {
                state.step(now_ms, Input::AwaitLogStart { offset: before, waiter });
            }
            for feed in state.feeds.iter_mut().filter(|feed| feed.may_tell_offsets()) {
                after.lazy.push(feed.tell_offsets());
            }
            Ok(dir)
        })?;
        dir.checkpoint_log_starts().map_err(|error| storage(self, &error))?;
        Ok(())
    }
}

fn plan_read(
    state: &mut State,
    request: &ReadRequest,
) -> Result<(Read, Option<ReadPlan>), ReadError> {
    let ReadRequest { offset, current_leader_epoch, last_fetched_epoch, .. } = *request;
    let Some(log) = &state.log else { return Err(state.not_leader().into()) };
    let history = log.epochs().entries();
    let bounds =
        state.replica.check_read(current_leader_epoch, last_fetched_epoch, offset, history);
    let bounds = bounds.map_err(|error| match error {
        NotReadable::Epoch(error) => PartitionError::from(error).into(),
        NotReadable::NotLeader => state.not_leader().into(),
        NotReadable::OutOfRange => {
            let offsets = state.replica.offsets();
            ReadError::OffsetOutOfRange {
                offset,
                log_start_offset: offsets.log_start,
                log_end_offset: offsets.log_end,
            }
        }
    })?;
    let read = Read {
        records: Bytes::new(),
        high_watermark: bounds.offsets.high_watermark,
        last_stable_offset: bounds.offsets.last_stable(),
        log_start_offset: bounds.offsets.log_start,
        diverging: bounds.diverging.map(|end| (end.epoch, end.end_offset)),
    };
    let upto = match request.isolation {
        Isolation::ReadUncommitted => read.high_watermark,
        Isolation::ReadCommitted => read.last_stable_offset,
    };
    if read.diverging.is_some() || offset >= upto {
        return Ok((read, None));
    }
    let plan = state
        .log()?
        .plan_read(offset, request.max_bytes, upto, request.at_least_one)
        .map_err(|error| PartitionError::Storage(error.to_string()))?;
    Ok((read, Some(plan)))
}

fn check_leader(
    state: &mut State,
    current_leader_epoch: Option<LeaderEpoch>,
) -> Result<(), PartitionError> {
    state.replica.check_epoch(current_leader_epoch).map_err(PartitionError::from)?;
    if state.replica.as_leader().is_none() {
        return Err(state.not_leader());
    }
    Ok(())
}

fn storage(partition: &Partition, error: &LogError) -> PartitionError {
    tracing::error!(?partition, %error, "cannot read the log");
    PartitionError::Storage(error.to_string())
}
