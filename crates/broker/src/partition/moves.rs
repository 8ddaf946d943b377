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
use std::time::{Duration, Instant};

use ottla_log::{DeletedDir, FutureDir, Log, LogDir, LogError};
use ottla_protocol::ids::{Offset, TopicIdPartition};
use parking_lot::{Condvar, Mutex};

use self::copying::{Copy, Step};
use super::registry::Partitions;
use super::replica::Partition;

mod copying;
mod exchange;

/// Bytes of one read while a copy catches up.
const CHUNK_BYTES: usize = 1 << 20;
/// Before what could not be done is tried again.
const PAUSE: Duration = Duration::from_millis(20);
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

impl Partitions {
    /// Goes on with the moves between log directories that an earlier life of the broker had begun.
    pub(super) fn resume_moves(&self) {
        for found in self.disks.futures.lock().drain(..) {
            let moving = self.get(found.id).filter(|partition| {
                let place =
                    partition.look(|state| state.log.as_ref().map(|log| Arc::clone(log.dir())));
                place.is_some_and(|place| !Arc::ptr_eq(&place, &found.to))
            });
            if moving.is_some() && self.disks.moves.get(found.id).is_none() {
                self.disks.moves.begin(found.id, found.to, Some(found.copy));
            } else {
                let copy = DeletedDir { path: found.copy.path };
                self.disks.upkeep.remove_later(vec![copy], 0);
            }
        }
    }
}

enum Advance {
    /// Something was done.
    On(Copy),
    /// Nothing can be done at the moment.
    Later(Copy),
    /// It is there, or it will not come.
    Ended,
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
    let opened =
        copy.map_or_else(|| copying::open(&partition, moving).transpose(), |copy| Some(Ok(copy)));
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
    match copying::step(&partition, &mut copy, usize::try_from(chunk).unwrap_or(CHUNK_BYTES)) {
        Ok(Step::Copied(bytes)) => {
            pace.bytes -= bytes as f64;
            Advance::On(copy)
        }
        Ok(Step::Whole) => exchange::exchange(partitions, &partition, copy),
        Ok(Step::Gone) => {
            give_up(partitions, copy.log);
            Advance::Ended
        }
        Err(error) => failed(partitions, &partition, &error, Some(copy)),
    }
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
