//! The cleaner: threads that compact one log after another, the dirtiest first (`log.cleaner.*`). Each
//! replica compacts its own log. What cannot be compacted is left alone until the next start.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ottla_config::{DynamicNodeConfig, Layers};
use ottla_log::{Cleanable, Cleaning, CleaningLimits, LogError};
use ottla_metadata::ConfigResource;
use ottla_protocol::ids::TopicIdPartition;
use parking_lot::{Condvar, Mutex};

use super::append::note_failure;
use super::clock::wall_ms;
use super::registry::Partitions;
use super::replica::Partition;

/// The longest a thread sleeps at once when it is to be slow.
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// The threads' common state.
#[derive(Default)]
pub(super) struct Cleaner {
    stop: AtomicBool,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// The threads but the first.
    others: Vec<thread::JoinHandle<()>>,
    /// Being compacted, or not to be.
    busy: HashSet<TopicIdPartition>,
    /// Cannot be compacted.
    failed: HashSet<TopicIdPartition>,
}

/// What came of a cleaning.
enum Outcome {
    Done,
    /// The log changed meanwhile, or the disk is full: later again.
    Later,
    Failed(LogError),
}

impl Cleaner {
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        let others = std::mem::take(&mut self.state.lock().others);
        self.wake.notify_all();
        for thread in others {
            // A panic has been reported where it happened.
            let _ = thread.join();
        }
    }

    /// Keeps the cleaner off a log until [`Cleaner::release`]; false if it is being compacted.
    pub(super) fn hold(&self, id: TopicIdPartition) -> bool {
        self.state.lock().busy.insert(id)
    }

    pub(super) fn release(&self, id: TopicIdPartition) {
        self.state.lock().busy.remove(&id);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Compacts whatever is due until stopped. The first thread starts the others: their number may be
    /// raised while the broker runs.
    pub(super) fn run(&self, partitions: &Partitions, number: usize) {
        while !self.is_stopped() {
            let settings = settings(partitions);
            let threads = usize::try_from(settings.log_cleaner_threads).unwrap_or(0);
            if number == 0 {
                self.start_others(partitions, threads);
            }
            let worked = number < threads && self.clean_one(partitions, &settings, threads);
            if !worked {
                let backoff_ms = u64::try_from(settings.log_cleaner_backoff_ms).unwrap_or(0).max(1);
                let mut state = self.state.lock();
                if !self.is_stopped() {
                    let _ = self.wake.wait_for(&mut state, Duration::from_millis(backoff_ms));
                }
            }
        }
    }

    fn start_others(&self, partitions: &Partitions, threads: usize) {
        let mut state = self.state.lock();
        while state.others.len() + 1 < threads && !self.is_stopped() {
            let number = state.others.len() + 1;
            let partitions = partitions.clone();
            let started = thread::Builder::new()
                .name(format!("cleaner-{number}"))
                .spawn(move || partitions.disks.cleaner.run(&partitions, number));
            match started {
                Ok(thread) => state.others.push(thread),
                Err(error) => return tracing::error!(%error, "cannot start a cleaner thread"),
            }
        }
    }

    /// Compacts the dirtiest log that is due; false if there is none, or it has to wait.
    fn clean_one(
        &self,
        partitions: &Partitions,
        settings: &DynamicNodeConfig,
        threads: usize,
    ) -> bool {
        let Some(partition) = self.take_dirtiest(partitions) else { return false };
        let outcome = self.clean(partitions, &partition, settings, threads);
        let mut state = self.state.lock();
        state.busy.remove(&partition.id());
        match outcome {
            Outcome::Done => true,
            Outcome::Later => false,
            Outcome::Failed(error) => {
                tracing::error!(?partition, %error, "the log is not compacted any more");
                state.failed.insert(partition.id());
                true
            }
        }
    }

    fn take_dirtiest(&self, partitions: &Partitions) -> Option<Arc<Partition>> {
        let mut dirtiest: Option<(Cleanable, Arc<Partition>)> = None;
        for partition in partitions.all() {
            if !partition.settings.load().cleanup_policy.compact {
                continue;
            }
            let taken = |state: &State| {
                state.busy.contains(&partition.id()) || state.failed.contains(&partition.id())
            };
            if taken(&self.state.lock()) {
                continue;
            }
            let found = partition.look(|state| {
                let stable = state.replica.offsets().last_stable();
                state.log.as_mut().map_or(Ok(None), |log| log.cleanable(wall_ms(), stable))
            });
            match found {
                Ok(Some(found)) => {
                    let ratio = found.dirty_ratio();
                    if dirtiest.as_ref().is_none_or(|known| known.0.dirty_ratio() < ratio) {
                        dirtiest = Some((found, partition));
                    }
                }
                Ok(None) | Err(LogError::StorageFailed { .. }) => {}
                Err(error) => {
                    tracing::error!(?partition, %error, "the log is not compacted any more");
                    self.state.lock().failed.insert(partition.id());
                }
            }
        }
        let (_, partition) = dirtiest?;
        self.state.lock().busy.insert(partition.id()).then_some(partition)
    }

    fn clean(
        &self,
        partitions: &Partitions,
        partition: &Arc<Partition>,
        settings: &DynamicNodeConfig,
        threads: usize,
    ) -> Outcome {
        let begun = Instant::now();
        let mut pace = Pace {
            cleaner: self,
            bytes_per_second: settings.log_cleaner_io_max_bytes_per_second / threads.max(1) as f64,
            begun,
            bytes: 0,
        };
        match self.clean_log(partitions, partition, settings, threads, &mut pace) {
            Ok(cleaning) => {
                let (read_bytes, written_bytes) = cleaning.bytes();
                tracing::info!(
                    ?partition,
                    upto = cleaning.upto(),
                    keys = cleaning.keys(),
                    read_bytes,
                    written_bytes,
                    ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "compacted"
                );
                Outcome::Done
            }
            Err(LogError::Overtaken | LogError::StorageFailed { .. }) => Outcome::Later,
            Err(error @ LogError::Io { .. }) => {
                tracing::warn!(?partition, %error, "cannot compact for now");
                Outcome::Later
            }
            Err(error) => Outcome::Failed(error),
        }
    }

    fn clean_log(
        &self,
        partitions: &Partitions,
        partition: &Arc<Partition>,
        settings: &DynamicNodeConfig,
        threads: usize,
        pace: &mut Pace<'_>,
    ) -> Result<Cleaning, LogError> {
        let memory =
            settings.log_cleaner_dedupe_buffer_size / i64::try_from(threads).unwrap_or(1).max(1);
        let limits = CleaningLimits {
            dedupe_buffer_bytes: usize::try_from(memory).unwrap_or(0),
            load_factor: settings.log_cleaner_io_buffer_load_factor,
            io_buffer_bytes: usize::try_from(settings.log_cleaner_io_buffer_size).unwrap_or(0),
        };
        let (plan, dir) = partition.look(|state| {
            let stable = state.replica.offsets().last_stable();
            let producers = state.replica.producers().producers();
            let batches = producers.flat_map(|(_, producer)| &producer.batches);
            let remembered = batches.map(|batch| batch.last_offset).collect();
            let log = state.log.as_mut().ok_or(LogError::Overtaken)?;
            let plan =
                log.plan_cleaning(wall_ms(), stable, remembered)?.ok_or(LogError::Overtaken)?;
            Ok::<_, LogError>((plan, Arc::clone(log.dir())))
        })?;
        let mut go_on = |bytes: usize| pace.go_on(bytes);
        let mut cleaning = plan.index(&limits, &mut go_on)?;
        while let Some(segment) = cleaning.next_segment(&mut go_on)? {
            partition.swap(|log| log.begin_swap(&segment))?;
            self.synced(partition, segment.sync(&dir))?;
            let replaced = partition.swap(|log| log.finish_swap(&segment))?;
            self.synced(partition, segment.sync(&dir))?;
            let delay_ms = partition.settings.load().file_delete_delay_ms;
            let at_ms = partitions.shared.clock.now_ms().saturating_add(delay_ms);
            partitions.disks.upkeep.remove_segments_later(replaced, at_ms);
        }
        partition.swap(|log| {
            log.note_cleaned(&cleaning);
            Ok(())
        })?;
        self.synced(partition, dir.checkpoint_cleaned())?;
        Ok(cleaning)
    }

    fn synced(&self, partition: &Partition, result: Result<(), LogError>) -> Result<(), LogError> {
        result.inspect_err(|error| partition.shared.note_failure(error))
    }
}

impl Partition {
    fn swap<T>(
        self: &Arc<Self>,
        step: impl FnOnce(&mut ottla_log::Log) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        self.run(|state, after| {
            let log = state.log.as_mut().ok_or(LogError::Overtaken)?;
            step(log).inspect_err(|error| note_failure(after, error))
        })
    }
}

fn settings(partitions: &Partitions) -> DynamicNodeConfig {
    let shared = &partitions.shared;
    let image = shared.image.load();
    DynamicNodeConfig::of(&Layers {
        own: None,
        broker: Some(image.config(&ConfigResource::Broker(shared.me))),
        cluster: Some(image.config(&ConfigResource::ClusterDefault)),
        file: Some(&shared.config.static_values),
    })
}

/// Keeps a thread to its share of `log.cleaner.io.max.bytes.per.second`, and ends it at a stop.
struct Pace<'a> {
    cleaner: &'a Cleaner,
    bytes_per_second: f64,
    begun: Instant,
    bytes: usize,
}

impl Pace<'_> {
    fn go_on(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        loop {
            if self.cleaner.is_stopped() {
                return false;
            }
            let due_s = self.bytes as f64 / self.bytes_per_second.max(1.0);
            let ahead_s = due_s - self.begun.elapsed().as_secs_f64();
            let Ok(pause) = Duration::try_from_secs_f64(ahead_s) else { return true };
            if pause < Duration::from_millis(1) {
                return true;
            }
            thread::sleep(pause.min(MAX_PAUSE));
        }
    }
}
