//! Loading every partition of a directory at start, by a bounded number of threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ottla_protocol::ids::TopicPartition;
use parking_lot::Mutex;

use super::{DeletedDir, FutureDir, LogDir, bulk, future, meta};
use crate::files;
use crate::{Log, LogError};

/// The directory of the metadata log, which is not ours.
const METADATA_LOG: &str = "__cluster_metadata-0";

/// What [`LogDir::load`] found.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// The partitions, ready for use, in the order of their names.
    pub logs: Vec<Log>,
    /// Partition directories that could not be loaded; they are left as they are.
    pub failures: Vec<LoadFailure>,
    /// Directories whose deletion an earlier run began: remove them when there is time.
    pub deleted: Vec<DeletedDir>,
    /// Copies that an interrupted move has left behind.
    pub futures: Vec<FutureDir>,
    /// Partitions that came here by a move: whatever another directory holds of them is void. To be told to
    /// [`LogDir::settle_move`] once that is gone.
    pub moved: Vec<TopicPartition>,
}

/// A partition directory that could not be loaded.
#[derive(Debug)]
pub struct LoadFailure {
    /// The directory.
    pub path: PathBuf,
    /// The partition, as the directory's name says.
    pub topic_partition: TopicPartition,
    /// Why.
    pub error: LogError,
}

impl LogDir {
    /// Loads every partition, in parallel; call once. After an unclean stop each log is checked from
    /// its recovery point on, cut at its last whole batch and flushed.
    pub fn load(self: &Arc<Self>) -> Result<LoadReport, LogError> {
        self.usable()?;
        let mut report = LoadReport::default();
        let mut found = Vec::new();
        let unlisted = |error| LogError::io("list", self.path(), error);
        for entry in fs::read_dir(self.path()).map_err(unlisted)? {
            let entry = entry.map_err(unlisted)?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if name.ends_with("-delete") && name.contains('.') {
                report.deleted.push(DeletedDir { path: entry.path() });
            } else if let Some(future) = future::parse(name) {
                report.futures.push(FutureDir { path: entry.path(), topic_partition: future });
            } else if name == METADATA_LOG {
                // The quorum's own, where both share a directory.
            } else if let Some(partition) = files::parse_partition_dir(name) {
                found.push((partition, entry.path()));
            }
        }
        found.sort();

        let loaded = self.load_in_parallel(&found);
        for ((topic_partition, path), outcome) in found.into_iter().zip(loaded) {
            if future::is_moved(&path) {
                report.moved.push(topic_partition.clone());
            }
            match outcome {
                Ok(Some(log)) => report.logs.push(log),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(partition = %topic_partition, %error, "cannot load");
                    self.checkpoints.register_unloaded(&topic_partition);
                    report.failures.push(LoadFailure { path, topic_partition, error });
                }
            }
        }
        self.flush_recovered(&mut report.logs)?;
        self.files.sweep();
        self.loaded.store(true, Ordering::Release);
        self.checkpoint_recovery_points()?;
        Ok(report)
    }

    fn load_in_parallel(
        self: &Arc<Self>,
        found: &[(TopicPartition, PathBuf)],
    ) -> Vec<Result<Option<Log>, LogError>> {
        let next = AtomicUsize::new(0);
        let outcomes: Vec<_> = found.iter().map(|_| Mutex::new(Ok(None))).collect();
        let work = || {
            while let Some(((partition, path), outcome)) = {
                let number = next.fetch_add(1, Ordering::Relaxed);
                found.get(number).zip(outcomes.get(number))
            } {
                *outcome.lock() = self.load_one(partition, path);
            }
        };
        thread::scope(|scope| {
            let helpers = self.options.recovery_threads.min(found.len() / 64 + 1).saturating_sub(1);
            for _ in 0..helpers {
                scope.spawn(work);
            }
            work();
        });
        outcomes.into_iter().map(Mutex::into_inner).collect()
    }

    /// Flushes what recovery has accepted: until now it may be in the page cache only.
    fn flush_recovered(&self, logs: &mut [Log]) -> Result<(), LogError> {
        let unflushed = logs.iter_mut().filter(|log| log.is_unflushed());
        let mut unflushed: Vec<&mut Log> = unflushed.collect();
        if unflushed.len() <= bulk::SYNC_SINGLY {
            return unflushed.into_iter().try_for_each(Log::flush_all);
        }
        for log in &unflushed {
            log.write_epochs_unsynced()?;
        }
        self.sync_filesystem().map_err(|error| self.fail(self.path(), &error))?;
        for log in &mut unflushed {
            log.all_flushed();
        }
        Ok(())
    }

    fn load_one(
        self: &Arc<Self>,
        partition: &TopicPartition,
        path: &Path,
    ) -> Result<Option<Log>, LogError> {
        let unknown = |what: String| LogError::UnknownTopicId { path: path.to_owned(), what };
        match meta::read_partition_metadata(path) {
            Ok(Some(topic_id)) => {
                let config = self.options.config;
                Log::open(
                    Arc::clone(self),
                    partition.clone(),
                    topic_id,
                    config,
                    self.clean_shutdown_epoch.is_some(),
                )
                .map(Some)
            }
            // An interrupted creation, or not ours at all: nothing to load, nothing to remove.
            Ok(None) if !bulk::has_data(path) => Ok(None),
            Ok(None) => Err(unknown("the file is missing or empty".to_owned())),
            Err(what) => Err(unknown(what)),
        }
    }
}
