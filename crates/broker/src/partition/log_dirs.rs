//! The log directories as they are found at start.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ottla_config::NodeConfig;
use ottla_log::{
    DeletedDir, FutureDir, LoadReport, Log, LogConfig, LogDir, MetaProperties, OpenOptions,
};
use ottla_protocol::ids::{TopicIdPartition, TopicPartition};

use super::registry::StartError;

/// Segment files kept open while not in use, per log directory; the active ones are not counted.
const MAX_OPEN_FILES: usize = 4096;

/// What is in them.
#[derive(Default)]
pub(super) struct LogDirs {
    pub(super) dirs: Vec<Arc<LogDir>>,
    pub(super) logs: HashMap<TopicIdPartition, Log>,
    pub(super) futures: Vec<FoundCopy>,
    /// Partition directories that could not be loaded: they are left alone.
    pub(super) unreadable: HashSet<TopicPartition>,
    pub(super) deleted: Vec<DeletedDir>,
    /// A log directory was of no cluster yet.
    pub(super) is_new: bool,
}

/// A copy that an interrupted move between log directories has left.
pub(super) struct FoundCopy {
    pub(super) id: TopicIdPartition,
    pub(super) to: Arc<LogDir>,
    pub(super) copy: FutureDir,
}

/// A partition that came to a directory by a move, of which the rest may still be in another one.
type Moved = (TopicPartition, Arc<LogDir>);

impl LogDirs {
    /// Locks the directories and loads every log in them. Blocking: seconds after an unclean stop.
    pub(super) fn load(config: &NodeConfig) -> Result<Self, StartError> {
        let mut found = Self::default();
        let mut moved = Vec::new();
        let mut futures = Vec::new();
        for path in &config.log_dirs {
            // A controller may have named the directory before; a cluster has not.
            let meta = MetaProperties::read(path).map_err(refuse)?;
            found.is_new |= meta.is_none_or(|meta| meta.cluster_id.is_none());
            let dir = LogDir::open(path, open_options(config)).map_err(refuse)?;
            let report = dir.load().map_err(refuse)?;
            if let Some(reason) = dir.failure() {
                return Err(StartError(reason.to_string()));
            }
            moved.extend(report.moved.iter().map(|name| (name.clone(), Arc::clone(&dir))));
            futures.extend(report.futures.iter().map(|copy| (Arc::clone(&dir), copy.clone())));
            found.take(report, &moved)?;
            found.dirs.push(dir);
        }
        // Of each partition there is one log left: a move has arrived.
        for (name, dir) in &moved {
            dir.settle_move(name).map_err(refuse)?;
        }
        found.take_futures(futures);
        Ok(found)
    }

    fn take(&mut self, report: LoadReport, moved: &[Moved]) -> Result<(), StartError> {
        for failure in report.failures {
            tracing::error!(path = %failure.path.display(), error = %failure.error,
                "a partition's log cannot be loaded and is left as it is");
            self.unreadable.insert(failure.topic_partition);
        }
        self.deleted.extend(report.deleted);
        for log in report.logs {
            let id = TopicIdPartition::new(log.topic_id(), log.topic_partition().partition);
            let log = match self.logs.remove(&id) {
                Some(other) => self.one_of(other, log, moved)?,
                None => log,
            };
            self.logs.insert(id, log);
        }
        Ok(())
    }

    /// Two directories hold the partition: a move had just arrived in one of them.
    fn one_of(&mut self, first: Log, second: Log, moved: &[Moved]) -> Result<Log, StartError> {
        let is_there = |log: &Log| {
            let there =
                |it: &&Moved| it.0 == *log.topic_partition() && Arc::ptr_eq(&it.1, log.dir());
            moved.iter().any(|it| there(&it))
        };
        let (stays, goes) = match (is_there(&first), is_there(&second)) {
            (true, false) => (first, second),
            (false, true) => (second, first),
            _ => {
                return Err(StartError(format!(
                    "partition {} is in {} and in {}: take one of them out of log.dirs",
                    first.topic_partition(),
                    first.dir().path().display(),
                    second.dir().path().display()
                )));
            }
        };
        let dir = Arc::clone(goes.dir());
        self.deleted.extend(dir.delete_many(vec![goes]).map_err(refuse)?);
        Ok(stays)
    }

    /// Copies of logs that are here; the others are nothing.
    fn take_futures(&mut self, futures: Vec<(Arc<LogDir>, FutureDir)>) {
        let ids: HashMap<&TopicPartition, TopicIdPartition> =
            self.logs.iter().map(|(id, log)| (log.topic_partition(), *id)).collect();
        for (to, copy) in futures {
            match ids.get(&copy.topic_partition) {
                Some(id) => self.futures.push(FoundCopy { id: *id, to, copy }),
                None => self.deleted.push(DeletedDir { path: copy.path }),
            }
        }
    }
}

fn refuse(error: impl std::fmt::Display) -> StartError {
    StartError(error.to_string())
}

fn open_options(config: &NodeConfig) -> OpenOptions {
    OpenOptions {
        node_id: config.node_id,
        cluster_id: config.cluster_id.clone(),
        recovery_threads: usize::try_from(config.num_recovery_threads_per_data_dir).unwrap_or(1),
        max_open_files: MAX_OPEN_FILES,
        config: LogConfig::default(),
    }
}
