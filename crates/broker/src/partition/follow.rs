//! What a follower does with what its leader sends.

use std::sync::Arc;

use bytes::Bytes;
use ottla_log::LogError;
use ottla_protocol::ErrorCode;
use ottla_protocol::record;
use ottla_replication::{EpochEnd, Input, Sequenced, leader_epoch};
use ottla_rpc::replication::PartitionData;
use ottla_rpc::replication::partition_data::Outcome;

use super::append;
use super::clock::wall_ms;
use super::load;
use super::replica::{After, Partition, State};

/// A first refusal is asked about again after so long; each further one doubles it.
const ASK_AGAIN_MS: u64 = 5;
const ASK_AGAIN_MAX_MS: u64 = 500;

/// What the stream is to do about a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: more will come.
    Listen,
    /// The leader does not send (yet): ask again after so many milliseconds.
    AskAgain(u64),
}

impl Partition {
    /// The leader sent this. Ignored if it answers an earlier attempt or epoch.
    pub(super) fn on_leader_data(self: &Arc<Self>, data: PartitionData) -> Next {
        let (epoch, attempt) = (data.leader_epoch, data.attempt);
        let leader_at = (data.high_watermark, data.log_start_offset);
        match data.outcome {
            None => self.on_batches(epoch, attempt, leader_at, None, &Bytes::new()),
            Some(Outcome::Batches(batches)) => {
                self.on_batches(epoch, attempt, leader_at, data.base_offset, &batches)
            }
            Some(Outcome::Diverging(end)) => {
                let end = EpochEnd { epoch: end.epoch, end_offset: end.end_offset };
                self.on_diverging(epoch, attempt, end)
            }
            Some(Outcome::Refused(code)) => self.on_refused(epoch, attempt, leader_at.1, code),
        }
    }

    fn on_batches(
        self: &Arc<Self>,
        epoch: i32,
        attempt: u32,
        (leader_high_watermark, leader_log_start): (i64, i64),
        base_offset: Option<i64>,
        batches: &Bytes,
    ) -> Next {
        // The checksums are checked before the lock is taken.
        let mut sequenced = Vec::new();
        for batch in record::batches(batches) {
            let checked = batch.and_then(|batch| record::check_crc(batch.bytes).map(|()| batch));
            match checked {
                Ok(batch) => sequenced
                    .extend(Sequenced::of(&batch.header).map(|it| (it, batch.header.base_offset))),
                Err(error) => {
                    tracing::error!(partition = ?self, %error, "the leader sent a damaged batch");
                    return self.ask_again(epoch, attempt);
                }
            }
        }
        let now_ms = self.shared.clock.now_ms();
        let settings = self.settings.load();
        let appended = self.run(|state, after| {
            if !state.replica.expects(epoch, attempt) {
                return true;
            }
            state.refusals = 0;
            let mut log_end = state.replica.offsets().log_end;
            if base_offset.is_some_and(|base_offset| base_offset != log_end) {
                tracing::error!(partition = ?self, log_end, base_offset, "the leader left something out");
                return false;
            }
            if !batches.is_empty() {
                match append::write(state, after, batches, append::From::Leader) {
                    Ok(end) => log_end = end,
                    Err(error) => {
                        tracing::error!(partition = ?self, %error, "cannot append what the leader sent");
                        return false;
                    }
                }
                let wall_ms = wall_ms();
                for (batch, base_offset) in &sequenced {
                    state.replica.producers_mut().record(batch, *base_offset, wall_ms);
                }
            }
            state.step(
                now_ms,
                Input::Received { log_end, leader_high_watermark, leader_log_start },
            );
            self.schedule_flush(state, &settings);
            true
        });
        if appended { Next::Listen } else { self.ask_again(epoch, attempt) }
    }

    /// Our history leaves the leader's: cut it there and ask again.
    fn on_diverging(self: &Arc<Self>, epoch: i32, attempt: u32, leader_end: EpochEnd) -> Next {
        self.cut(epoch, attempt, |partition, state| {
            let log_end = state.replica.offsets().log_end;
            let Some(log) = state.log.as_mut() else { return Ok(None) };
            let history = log.epochs().entries();
            let point = leader_epoch::truncation_point(history, log_end, leader_end);
            let log_end_now = log.truncate_to(point)?;
            tracing::info!(?partition, log_end, log_end_now, ?leader_end, "truncated");
            let flushed = log.flushed_offset();
            Ok(Some(Input::Truncated { log_end: log_end_now, flushed }))
        })
    }

    fn on_refused(
        self: &Arc<Self>,
        epoch: i32,
        attempt: u32,
        leader_log_start: i64,
        code: i32,
    ) -> Next {
        let code = i16::try_from(code).ok().and_then(ErrorCode::from_code);
        tracing::debug!(partition = ?self, ?code, "the leader does not send");
        if code == Some(ErrorCode::OffsetOutOfRange) && leader_log_start >= 0 {
            return self.cut(epoch, attempt, |partition, state| {
                let Some(log) = state.log.as_mut() else { return Ok(None) };
                let log_end = log.log_end();
                tracing::warn!(
                    ?partition,
                    log_end,
                    leader_log_start,
                    "out of the leader's range: begins anew at its log start"
                );
                log.truncate_fully_and_start_at(leader_log_start)?;
                Ok(Some(Input::Restarted(leader_log_start)))
            });
        }
        self.ask_again(epoch, attempt)
    }

    /// Cuts the log, rebuilds the producers from what is left, and tells the replica, which asks again.
    fn cut(
        self: &Arc<Self>,
        epoch: i32,
        attempt: u32,
        cut: impl FnOnce(&Self, &mut State) -> Result<Option<Input>, LogError>,
    ) -> Next {
        let now_ms = self.shared.clock.now_ms();
        let done = self.run(|state, after: &mut After| {
            if !state.replica.expects(epoch, attempt) {
                return true;
            }
            let result = cut(self, state).and_then(|input| {
                if let (Some(input), Some(log)) = (input, state.log.as_mut()) {
                    *state.replica.producers_mut() = load::producers(log)?;
                    state.step(now_ms, input);
                }
                Ok(())
            });
            if let Err(error) = &result {
                tracing::error!(partition = ?self, %error, "cannot cut the log");
                append::note_failure(after, error);
            }
            result.is_ok()
        });
        if done { Next::Listen } else { self.ask_again(epoch, attempt) }
    }

    fn ask_again(self: &Arc<Self>, epoch: i32, attempt: u32) -> Next {
        self.look(|state| {
            if !state.replica.expects(epoch, attempt) {
                return Next::Listen;
            }
            let delay = ASK_AGAIN_MS << state.refusals.min(16);
            state.refusals = state.refusals.saturating_add(1);
            Next::AskAgain(delay.min(ASK_AGAIN_MAX_MS))
        })
    }

    /// The delay is over: if nothing else has happened meanwhile, ask the leader again.
    pub(super) fn ask_if_idle(self: &Arc<Self>, epoch: i32, attempt: u32) {
        let now_ms = self.shared.clock.now_ms();
        self.run(|state, _| {
            if state.replica.expects(epoch, attempt) {
                state.step(now_ms, Input::Ask);
            }
        });
    }
}
