//! What is done now and then for all partitions: retention, checkpoints, forgetting producers, removing
//! deleted files. One thread that sleeps in between.

use std::time::Duration;

use ottla_log::{DeletedDir, LogError, RetiredSegment};
use ottla_replication::Input;
use parking_lot::{Condvar, Mutex};

use super::clock::wall_ms;
use super::registry::Partitions;

/// How often producers that have expired are forgotten.
const EXPIRE_PRODUCERS_MS: i64 = 10 * 60 * 1000;
/// How often recovery points are written, beside when a segment has become durable.
const RECOVERY_POINTS_MS: i64 = 60 * 1000;
/// The longest sleep.
const MAX_SLEEP_MS: i64 = 60 * 1000;

#[derive(Default)]
pub(super) struct Upkeep {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    stop: bool,
    doomed: Vec<(i64, Doomed)>,
}

enum Doomed {
    Dir(DeletedDir),
    Segment(RetiredSegment),
}

impl Doomed {
    fn remove(self) -> Result<(), LogError> {
        match self {
            Self::Dir(dir) => dir.remove(),
            Self::Segment(segment) => segment.remove(),
        }
    }
}

impl Upkeep {
    /// Removes deleted partitions' files once `at_ms` (of the partitions' clock) is past.
    pub(super) fn remove_later(&self, dirs: Vec<DeletedDir>, at_ms: i64) {
        self.add(dirs.into_iter().map(|dir| (at_ms, Doomed::Dir(dir))));
    }

    /// Removes the files of segments that are not the log's any more, likewise.
    pub(super) fn remove_segments_later(&self, segments: Vec<RetiredSegment>, at_ms: i64) {
        self.add(segments.into_iter().map(|segment| (at_ms, Doomed::Segment(segment))));
    }

    fn add(&self, doomed: impl Iterator<Item = (i64, Doomed)>) {
        self.state.lock().doomed.extend(doomed);
        self.wake.notify_one();
    }

    pub(super) fn stop(&self) {
        self.state.lock().stop = true;
        self.wake.notify_all();
    }

    pub(super) fn run(&self, partitions: &Partitions) {
        let shared = &partitions.shared;
        let config = &shared.config;
        let mut jobs = [
            (config.replica_high_watermark_checkpoint_interval_ms, checkpoint as fn(&Partitions)),
            (RECOVERY_POINTS_MS, recovery_points),
            (config.log_retention_check_interval_ms, retain),
            (EXPIRE_PRODUCERS_MS, expire_producers),
        ]
        .map(|(every_ms, job)| (every_ms.max(1), shared.clock.now_ms(), job));
        loop {
            let now_ms = shared.clock.now_ms();
            for (every_ms, last_ms, job) in &mut jobs {
                if now_ms - *last_ms >= *every_ms {
                    *last_ms = now_ms;
                    job(partitions);
                }
            }
            for doomed in self.due(now_ms) {
                if let Err(error) = doomed.remove() {
                    tracing::warn!(%error, "cannot remove what was deleted");
                }
            }
            let next = jobs.iter().map(|(every_ms, last_ms, _)| last_ms + every_ms).min();
            if self.sleep(next.unwrap_or(i64::MAX), shared.clock.now_ms()) {
                return;
            }
        }
    }

    fn due(&self, now_ms: i64) -> Vec<Doomed> {
        let mut state = self.state.lock();
        state.doomed.extract_if(.., |(at_ms, _)| *at_ms <= now_ms).map(|(_, it)| it).collect()
    }

    /// Sleeps until the next job or removal; true: stop.
    fn sleep(&self, next_ms: i64, now_ms: i64) -> bool {
        let mut state = self.state.lock();
        let doomed_ms = state.doomed.iter().map(|(at_ms, _)| *at_ms).min();
        let next_ms = doomed_ms.map_or(next_ms, |at_ms| at_ms.min(next_ms));
        let sleep_ms = (next_ms - now_ms).clamp(0, MAX_SLEEP_MS);
        if !state.stop && sleep_ms > 0 {
            let sleep = Duration::from_millis(sleep_ms.unsigned_abs());
            let _ = self.wake.wait_for(&mut state, sleep);
        }
        state.stop
    }
}

fn for_each_dir(partitions: &Partitions, job: impl Fn(&ottla_log::LogDir) -> Result<(), LogError>) {
    for dir in partitions.disks.dirs.iter().filter(|dir| dir.failure().is_none()) {
        if let Err(error) = job(dir) {
            tracing::error!(%error, "cannot write a checkpoint");
            partitions.shared.note_failure(&error);
        }
    }
}

fn checkpoint(partitions: &Partitions) {
    for_each_dir(partitions, |dir| {
        dir.checkpoint_high_watermarks().and_then(|()| dir.checkpoint_log_starts())
    });
}

fn recovery_points(partitions: &Partitions) {
    for_each_dir(partitions, ottla_log::LogDir::checkpoint_recovery_points);
}

fn retain(partitions: &Partitions) {
    let shared = &partitions.shared;
    for partition in shared.all() {
        let now_ms = shared.clock.now_ms();
        let settings = partition.settings.load();
        let retired = partition.run(|state, after| {
            let high_watermark = state.replica.offsets().high_watermark;
            let Some(log) = state.log.as_mut() else { return Vec::new() };
            let retired = match log.apply_retention(wall_ms(), high_watermark) {
                Ok(retired) => retired,
                Err(error) => {
                    tracing::error!(?partition, %error, "cannot apply the retention");
                    super::append::note_failure(after, &error);
                    Vec::new()
                }
            };
            let log_start = log.log_start();
            state.step(now_ms, Input::LogStart(log_start));
            retired
        });
        if !retired.is_empty() {
            let at_ms = now_ms.saturating_add(settings.file_delete_delay_ms);
            partitions.disks.upkeep.remove_segments_later(retired, at_ms);
        }
    }
}

fn expire_producers(partitions: &Partitions) {
    let expiration_ms = partitions.shared.producer_id_expiration_ms();
    for partition in partitions.shared.all() {
        partition.look(|state| {
            state.replica.producers_mut().expire(wall_ms(), expiration_ms);
        });
    }
}
