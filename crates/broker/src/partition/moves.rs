//! Replicas on their way to another log directory of this broker (KIP-113).
//!
//! One thread copies them, a chunk of each in turn, and puts a copy in its log's place once it holds
//! everything. The copy belongs to the thread; the partition's lock is held to plan a read, and for the
//! exchange. Where the log was truncated meanwhile, the copy is cut as a follower is: by leader epochs.
//!
//! The exchange loses nothing that was flushed: the partition's flushes are held while the copy is flushed
//! once more, so that as much of it is on disk as of the log. See `ottla_log`'s `dir::future` for crashes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ottla_log::{DeletedDir, FutureDir, Log, LogDir, LogError, NewLog, ReadPlan};
use ottla_protocol::ids::{Offset, TopicIdPartition, TopicPartition};
use ottla_replication::{leader_epoch, producer_snapshot};
use parking_lot::{Condvar, Mutex};

use super::append::note_failure;
use super::flusher;
use super::registry::Partitions;
use super::replica::{FlushState, Partition, State};

/// Bytes of one read while a copy catches up.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes that may be read under the partition's lock, for the exchange: the last ones that were written.
const LAST_BYTES: usize = 256 << 10;
/// Before what could not be done is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it is looked whether a flush under way has ended.
const FLUSH_PAUSE: Duration = Duration::from_millis(1);
/// Clients wait no longer than this for an exchange.
const EXCHANGE_TIMEOUT: Duration = Duration::from_millis(500);
/// A throttled chunk is what the rate allows in this time, within bounds.
const THROTTLED_CHUNKS_PER_SECOND: i64 = 8;
const THROTTLED_CHUNK: std::ops::RangeInclusive<i64> = 16 << 10..=CHUNK_BYTES as i64;

const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

/// The replicas on their way.
#[derive(Default)]
pub(super) struct Moves {
    wanted: Mutex<Wanted>,
    wake: Condvar,
}

#[derive(Default)]
struct Wanted {
    stop: bool,
    moves: BTreeMap<TopicIdPartition, Arc<Move>>,
}

/// A replica on its way.
pub(super) struct Move {
    id: TopicIdPartition,
    pub(super) to: Arc<LogDir>,
    /// What an earlier life of the broker had copied.
    found: Mutex<Option<FutureDir>>,
    /// Set under the partition's lock: no exchange after that.
    cancelled: AtomicBool,
    log_end: AtomicI64,
    size_bytes: AtomicU64,
}

impl Move {
    /// Where the copy ends, and its bytes.
    pub(super) fn progress(&self) -> (Offset, u64) {
        (self.log_end.load(Ordering::Relaxed), self.size_bytes.load(Ordering::Relaxed))
    }

    /// There will be no exchange. To be called under the partition's lock.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    fn note(&self, log: &Log) {
        self.log_end.store(log.log_end(), Ordering::Relaxed);
        self.size_bytes.store(log.size(), Ordering::Relaxed);
    }
}

impl Moves {
    pub(super) fn get(&self, id: TopicIdPartition) -> Option<Arc<Move>> {
        self.wanted.lock().moves.get(&id).cloned()
    }

    pub(super) fn all(&self) -> Vec<(TopicIdPartition, Arc<Move>)> {
        let wanted = self.wanted.lock();
        wanted.moves.iter().map(|(id, moving)| (*id, Arc::clone(moving))).collect()
    }

    /// The replica is to go there; a move to anywhere else has been cancelled.
    pub(super) fn begin(&self, id: TopicIdPartition, to: Arc<LogDir>, found: Option<FutureDir>) {
        let moving = Move {
            id,
            to,
            found: Mutex::new(found),
            cancelled: AtomicBool::new(false),
            log_end: AtomicI64::new(0),
            size_bytes: AtomicU64::new(0),
        };
        self.wanted.lock().moves.insert(id, Arc::new(moving));
        self.wake.notify_all();
    }

    pub(super) fn forget(&self, moving: &Arc<Move>) {
        let mut wanted = self.wanted.lock();
        if wanted.moves.get(&moving.id).is_some_and(|known| Arc::ptr_eq(known, moving)) {
            wanted.moves.remove(&moving.id);
        }
        drop(wanted);
        self.wake.notify_all();
    }

    pub(super) fn stop(&self) {
        self.wanted.lock().stop = true;
        self.wake.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.wanted.lock().stop
    }

    /// The moves that there are, once there are any or `busy` copies are to be given up; `None`: stop.
    fn next(&self, busy: bool, pause: bool) -> Option<Vec<Arc<Move>>> {
        let mut wanted = self.wanted.lock();
        if pause && !wanted.stop {
            let _ = self.wake.wait_for(&mut wanted, PAUSE);
        }
        while wanted.moves.is_empty() && !busy && !wanted.stop {
            self.wake.wait(&mut wanted);
        }
        (!wanted.stop).then(|| wanted.moves.values().cloned().collect())
    }

    /// Copies until stopped. What is not finished is gone on with after a restart.
    pub(super) fn run(&self, partitions: &Partitions) {
        let mut copies: HashMap<TopicIdPartition, Copy> = HashMap::new();
        let mut pace = Pace { bytes: 0.0, at: Instant::now() };
        let mut pause = false;
        while let Some(moves) = self.next(!copies.is_empty(), pause) {
            let is_wanted = |copy: &Copy| moves.iter().any(|it| Arc::ptr_eq(it, &copy.moving));
            for (_, copy) in copies.extract_if(|_, copy| !is_wanted(copy)) {
                give_up(partitions, copy.log);
            }
            pause = !moves.is_empty();
            for moving in moves {
                let copy = copies.remove(&moving.id);
                let rate = rate(partitions);
                match advance(partitions, &moving, copy, rate, &mut pace) {
                    Advance::On(copy) => {
                        pause = false;
                        copies.insert(moving.id, copy);
                    }
                    Advance::Later(copy) => {
                        copies.insert(moving.id, copy);
                    }
                    Advance::Ended => self.forget(&moving),
                }
                if self.is_stopped() {
                    return;
                }
            }
        }
    }
}

/// A copy in the making.
struct Copy {
    moving: Arc<Move>,
    log: Log,
}

enum Advance {
    /// Something was done.
    On(Copy),
    /// Nothing can be done at the moment.
    Later(Copy),
    /// It is there, or it will not come.
    Ended,
}

/// What a copy needs next.
enum Next {
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

fn advance(
    partitions: &Partitions,
    moving: &Arc<Move>,
    copy: Option<Copy>,
    rate: Option<i64>,
    pace: &mut Pace,
) -> Advance {
    let Some(partition) = partitions.get(moving.id) else {
        give_up_all(partitions, copy);
        return Advance::Ended;
    };
    let opened = copy.map_or_else(|| open(&partition, moving).transpose(), |copy| Some(Ok(copy)));
    let mut copy = match opened {
        Some(Ok(copy)) => copy,
        Some(Err(error)) => return failed(partitions, &partition, &error, None),
        None => return Advance::Ended,
    };
    let chunk = rate.map_or(CHUNK_BYTES as i64, |rate| {
        (rate / THROTTLED_CHUNKS_PER_SECOND).clamp(*THROTTLED_CHUNK.start(), *THROTTLED_CHUNK.end())
    });
    if rate.is_some_and(|rate| !pace.allows(rate, chunk)) {
        return Advance::Later(copy);
    }
    match step(&partition, &mut copy, usize::try_from(chunk).unwrap_or(CHUNK_BYTES)) {
        Ok(Step::Copied(bytes)) => {
            pace.bytes -= bytes as f64;
            Advance::On(copy)
        }
        Ok(Step::Whole) => exchange(partitions, &partition, copy),
        Ok(Step::Gone) => {
            give_up(partitions, copy.log);
            Advance::Ended
        }
        Err(error) => failed(partitions, &partition, &error, Some(copy)),
    }
}

/// The copy as an earlier life has left it, or a new one; `None`: there is nothing to copy.
fn open(partition: &Arc<Partition>, moving: &Arc<Move>) -> Result<Option<Copy>, LogError> {
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

enum Step {
    Copied(usize),
    Whole,
    Gone,
}

/// One read from the log and its append to the copy.
fn step(partition: &Arc<Partition>, copy: &mut Copy, bytes: usize) -> Result<Step, LogError> {
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

fn next(state: &mut State, copy: &Copy, bytes: usize) -> Result<Next, LogError> {
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

/// Puts a copy that holds nearly everything in its log's place.
fn exchange(partitions: &Partitions, partition: &Arc<Partition>, mut copy: Copy) -> Advance {
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

fn failed(
    partitions: &Partitions,
    partition: &Arc<Partition>,
    error: &LogError,
    copy: Option<Copy>,
) -> Advance {
    tracing::error!(?partition, %error, "cannot be moved to another log directory");
    partitions.shared.note_failure(error);
    give_up_all(partitions, copy);
    Advance::Ended
}

fn give_up_all(partitions: &Partitions, copy: Option<Copy>) {
    if let Some(copy) = copy {
        give_up(partitions, copy.log);
    }
}

fn give_up(partitions: &Partitions, log: Log) {
    let dir = Arc::clone(log.dir());
    if dir.failure().is_some() {
        return;
    }
    match dir.remove_future(log) {
        Ok(deleted) => partitions.disks.upkeep.remove_later(deleted, 0),
        Err(error) => {
            tracing::error!(%error, "cannot remove an unfinished copy");
            partitions.shared.note_failure(&error);
        }
    }
}

/// `replica.alter.log.dirs.io.max.bytes.per.second`; `None`: no throttle.
fn rate(partitions: &Partitions) -> Option<i64> {
    let shared = &partitions.shared;
    let image = shared.image.load();
    let layers = image.broker_layers(shared.me, &shared.config.static_values);
    layers.set(RATE)?.trim().parse().ok().filter(|rate| *rate < i64::MAX)
}

/// What may be copied under the throttle: what was not used for half a second is forgone.
struct Pace {
    bytes: f64,
    at: Instant,
}

impl Pace {
    fn allows(&mut self, rate: i64, chunk: i64) -> bool {
        let (now, rate) = (Instant::now(), rate as f64);
        self.bytes = (self.bytes + (now - self.at).as_secs_f64() * rate).min(rate / 2.0);
        self.at = now;
        self.bytes >= (chunk as f64).min(rate / 4.0) && rate > 0.0
    }
}
