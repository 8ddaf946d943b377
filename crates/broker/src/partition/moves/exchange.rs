//! A copy that holds everything takes its log's place.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ottla_log::{Log, LogError};
use ottla_replication::producer_snapshot;

use super::super::append::note_failure;
use super::super::flusher;
use super::super::registry::Partitions;
use super::super::replica::{FlushState, Partition, State};
use super::copying::{Copy, Next, Step, next, step};
use super::{Advance, CHUNK_BYTES, Move, failed};

/// Bytes that may be read under the partition's lock: the last ones that were written.
const LAST_BYTES: usize = 256 << 10;
/// How often it is looked whether a flush under way has ended.
const FLUSH_PAUSE: Duration = Duration::from_millis(1);
/// Clients wait no longer than this for an exchange.
const EXCHANGE_TIMEOUT: Duration = Duration::from_millis(500);

/// Puts a copy that holds nearly everything in its log's place.
pub(super) fn exchange(
    partitions: &Partitions,
    partition: &Arc<Partition>,
    mut copy: Copy,
) -> Advance {
    let cleaner = &partitions.disks.cleaner;
    // Most of it while clients need not wait.
    if let Err(error) = copy.log.flush() {
        return failed(partitions, partition, &error, Some(copy));
    }
    if !cleaner.hold(partition.id()) {
        return Advance::Later(copy);
    }
    partition.look(|state| state.flush_held = true);
    let moving = Arc::clone(&copy.moving);
    let exchanged = exchange_held(partitions, partition, copy);
    flusher::release(partition);
    let advance = match exchanged {
        Exchanged::Done(old) => {
            match finish(partitions, &moving, old) {
                Ok(()) => {
                    let to = moving.to.path().display();
                    tracing::info!(?partition, %to, "moved");
                }
                Err(error) => {
                    tracing::error!(?partition, %error, "moved, but what it left is not removed");
                    partitions.shared.note_failure(&error);
                }
            }
            Advance::Ended
        }
        Exchanged::Later(copy) => Advance::Later(copy),
        Exchanged::Failed(copy, error) => failed(partitions, partition, &error, Some(copy)),
    };
    cleaner.release(partition.id());
    advance
}

enum Exchanged {
    /// The log that was replaced.
    Done(Log),
    Later(Copy),
    Failed(Copy, LogError),
}

/// No flush of the partition begins meanwhile.
fn exchange_held(partitions: &Partitions, partition: &Arc<Partition>, mut copy: Copy) -> Exchanged {
    let moves = &partitions.disks.moves;
    let deadline = Instant::now() + EXCHANGE_TIMEOUT;
    let is_late = || Instant::now() > deadline || moves.is_stopped();
    while partition.look(|state| state.flush == FlushState::Busy) {
        if is_late() {
            return Exchanged::Later(copy);
        }
        thread::sleep(FLUSH_PAUSE);
    }
    loop {
        match step(partition, &mut copy, CHUNK_BYTES) {
            Ok(Step::Copied(_)) if !is_late() => {}
            Ok(Step::Copied(_) | Step::Gone) => return Exchanged::Later(copy),
            Ok(Step::Whole) => break,
            Err(error) => return Exchanged::Failed(copy, error),
        }
    }
    if let Err(error) = copy.log.flush() {
        return Exchanged::Failed(copy, error);
    }
    partition.run(|state, after| match prepare(state, &mut copy) {
        Ok(true) => match state.log.take() {
            Some(old) => {
                partition.place_log(state, copy.log);
                Exchanged::Done(old)
            }
            None => Exchanged::Later(copy),
        },
        Ok(false) | Err(LogError::Overtaken) => Exchanged::Later(copy),
        Err(error) => {
            note_failure(after, &error);
            Exchanged::Failed(copy, error)
        }
    })
}

/// Under the lock: what was appended during the flush is copied, and the copy takes the place of the log on
/// disk. False: not now.
fn prepare(state: &mut State, copy: &mut Copy) -> Result<bool, LogError> {
    match next(state, copy, LAST_BYTES)? {
        Next::Nothing => {}
        Next::Read(plan) => {
            let last = plan.read()?;
            copy.log.append_copied(&last)?;
        }
        Next::Gone | Next::Cut(_) | Next::Restart(_) => return Ok(false),
    }
    let Some(current) = state.log.as_ref() else { return Ok(false) };
    if copy.log.log_end() != current.log_end() {
        return Ok(false);
    }
    let snapshot = producer_snapshot::encode(state.replica.producers());
    copy.log.write_producer_snapshot(current.log_end(), &snapshot)?;
    copy.log.replace(current)?;
    Ok(true)
}

/// The exchange is made durable, and what was replaced is removed.
fn finish(partitions: &Partitions, moving: &Move, old: Log) -> Result<(), LogError> {
    let name = old.topic_partition().clone();
    let from = Arc::clone(old.dir());
    let delay_ms = partitions
        .get(moving.id)
        .map_or(0, |partition| partition.settings.load().file_delete_delay_ms);
    moving.to.sync_move()?;
    let deleted = from.delete_many(vec![old])?;
    let at_ms = partitions.shared.clock.now_ms().saturating_add(delay_ms);
    partitions.disks.upkeep.remove_later(deleted, at_ms);
    moving.to.settle_move(&name)
}
