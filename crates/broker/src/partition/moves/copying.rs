//! What is copied next, and the copying.

use std::sync::Arc;

use ottla_log::{DeletedDir, Log, LogError, NewLog, ReadPlan};
use ottla_protocol::ids::{Offset, TopicPartition};
use ottla_replication::leader_epoch;

use super::super::replica::{Partition, State};
use super::Move;

/// A copy in the making.
pub(super) struct Copy {
    pub(super) moving: Arc<Move>,
    pub(super) log: Log,
}

/// What a copy needs next.
pub(super) enum Next {
    /// The replica is gone, or is not to be moved.
    Gone,
    /// What follows.
    Read(ReadPlan),
    /// Nothing: it holds everything.
    Nothing,
    /// To lose everything from here on.
    Cut(Offset),
    /// To begin anew here.
    Restart(Offset),
}

/// The copy as an earlier life has left it, or a new one; `None`: there is nothing to copy.
pub(super) fn open(
    partition: &Arc<Partition>,
    moving: &Arc<Move>,
) -> Result<Option<Copy>, LogError> {
    let config = partition.look(|state| state.log.as_ref().map(|log| *log.config()));
    let Some(config) = config else { return Ok(None) };
    let found = moving.found.lock().take();
    let found = found.and_then(|found| match moving.to.open_future(&found, config) {
        Ok(log) => Some(log),
        Err(error) => {
            tracing::warn!(?partition, %error, "an unfinished copy is of no use");
            if let Err(error) = (DeletedDir { path: found.path }).remove() {
                tracing::warn!(%error, "cannot remove it");
            }
            None
        }
    });
    let log = match found {
        Some(log) => log,
        None => moving.to.create_future(NewLog {
            topic_partition: name(partition),
            topic_id: partition.id().topic_id,
            config,
        })?,
    };
    tracing::info!(?partition, to = %moving.to.path().display(), from = log.log_end(), "moving");
    moving.note(&log);
    Ok(Some(Copy { moving: Arc::clone(moving), log }))
}

fn name(partition: &Partition) -> TopicPartition {
    TopicPartition::new(Arc::clone(partition.topic()), partition.id().partition)
}

pub(super) enum Step {
    Copied(usize),
    Whole,
    Gone,
}

/// One read from the log and its append to the copy.
pub(super) fn step(
    partition: &Arc<Partition>,
    copy: &mut Copy,
    bytes: usize,
) -> Result<Step, LogError> {
    let copied = match partition.look(|state| next(state, copy, bytes))? {
        Next::Gone => return Ok(Step::Gone),
        Next::Nothing => return Ok(Step::Whole),
        Next::Cut(offset) => {
            tracing::info!(?partition, offset, "the copy is truncated as its log was");
            copy.log.truncate_to(offset)?;
            0
        }
        Next::Restart(offset) => {
            copy.log.truncate_fully_and_start_at(offset)?;
            0
        }
        Next::Read(plan) => match plan.read() {
            Ok(batches) => {
                copy.log.append_copied(&batches)?;
                batches.len()
            }
            Err(LogError::Overtaken) => 0,
            Err(error) => return Err(error),
        },
    };
    copy.moving.note(&copy.log);
    Ok(Step::Copied(copied))
}

pub(super) fn next(state: &mut State, copy: &Copy, bytes: usize) -> Result<Next, LogError> {
    if copy.moving.is_cancelled() {
        return Ok(Next::Gone);
    }
    let Some(log) = state.log.as_mut() else { return Ok(Next::Gone) };
    let (log_start, log_end) = (log.log_start(), log.log_end());
    let (own_start, own_end) = (copy.log.log_start(), copy.log.log_end());
    let (history, own) = (log.epochs().entries(), copy.log.epochs().entries());
    let last_epoch = leader_epoch::last_record_epoch(own, own_end);
    let forgotten = log_start > 0
        && last_epoch.is_some_and(|last| history.first().is_some_and(|first| first.0 > last));
    if forgotten || own_start > log_start || own_end < log_start {
        return Ok(Next::Restart(log_start));
    }
    if let Some(last) = last_epoch
        && let Some(end) = leader_epoch::diverging(history, log_end, last, own_end)
    {
        let point = leader_epoch::truncation_point(own, own_end, end);
        return Ok(if point < own_end { Next::Cut(point) } else { Next::Restart(log_start) });
    }
    match own_end.cmp(&log_end) {
        std::cmp::Ordering::Less => log.plan_read(own_end, bytes, log_end, true).map(Next::Read),
        std::cmp::Ordering::Equal => Ok(Next::Nothing),
        std::cmp::Ordering::Greater => Ok(Next::Restart(log_start)),
    }
}
