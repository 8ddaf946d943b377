//! One directory of `log.dirs`: locked, identified, checkpointed.

mod bulk;
mod checkpoint;
mod future;
mod load;
mod meta;
#[cfg(test)]
mod tests;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use ottla_protocol::ids::{BrokerEpoch, BrokerId};
use parking_lot::Mutex;

pub use bulk::{DeletedDir, NewLog};
pub(crate) use checkpoint::{Checkpoints, Kind, SharedOffsets};
pub use future::{FutureDir, MAX_MOVABLE_NAME};
pub use load::{LoadFailure, LoadReport};
pub use meta::MetaProperties;

use crate::handles::FileCache;
use crate::{LogConfig, LogError};

const LOCK: &str = ".lock";

/// Why a log directory cannot be used at start. Each says which key to change.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the lock.
    #[error("log directory {} is in use by another process; stop it, or change log.dirs", path.display())]
    InUse { path: PathBuf },
    /// The directory belongs to another node or cluster.
    #[error("{} belongs to {key}={stored}, but this node has {key}={configured}; change {key} or log.dirs", path.display())]
    Mismatch { path: PathBuf, key: &'static str, stored: String, configured: String },
    /// A file of the directory cannot be understood.
    #[error("{} cannot be understood: {what}; repair it, or change log.dirs", path.display())]
    Unreadable { path: PathBuf, what: String },
    /// The directory cannot be read or written.
    #[error("cannot {action} {}: {source}; make it usable, or change log.dirs", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl OpenError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// How to open a log directory.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// This node's `node.id`.
    pub node_id: BrokerId,
    /// This node's cluster id, if it is known already; compared with the stored one.
    pub cluster_id: Option<String>,
    /// `num.recovery.threads.per.data.dir`: threads that load partitions at start, at least 1.
    pub recovery_threads: usize,
    /// The most files kept open while not in use.
    pub max_open_files: usize,
    /// The settings of loaded logs until [`Log::set_config`](crate::Log::set_config) is called.
    pub config: LogConfig,
}

/// One directory of `log.dirs`, locked by this process for as long as it or one of its logs lives.
#[derive(Debug)]
pub struct LogDir {
    path: PathBuf,
    options: OpenOptions,
    meta: Mutex<MetaProperties>,
    clean_shutdown_epoch: Option<BrokerEpoch>,
    /// Set when the partitions found at start have been loaded.
    loaded: AtomicBool,
    pub(crate) files: FileCache,
    pub(crate) checkpoints: Checkpoints,
    failure: OnceLock<Arc<str>>,
    /// Held for its lock; released when it is closed.
    _lock: File,
}

impl LogDir {
    /// Creates the directory if need be, locks it, checks or writes `meta.properties`, and reads and
    /// removes the clean-shutdown marker. Loads no partition yet.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Arc<Self>, OpenError> {
        fs::create_dir_all(path).map_err(|error| OpenError::io("create", path, error))?;
        let lock = lock(path)?;

        let node_id = options.node_id;
        let stored = MetaProperties::read(path)?;
        let is_new = stored.is_none();
        let mut meta = stored.unwrap_or_else(|| MetaProperties::new(node_id, None));
        meta.check(path, node_id, options.cluster_id.as_deref())?;
        if is_new || meta.cluster_id.is_none() && options.cluster_id.is_some() {
            meta.cluster_id = meta.cluster_id.or_else(|| options.cluster_id.clone());
            meta.store(path)?;
        }

        let checkpoints = Checkpoints::open(path)?;
        // Only now, when nothing can refuse the directory any more: a refused start changes nothing.
        let clean_shutdown_epoch = meta::take_clean_shutdown(path)
            .map_err(|error| OpenError::io("prepare", path, error))?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            files: FileCache::new(options.max_open_files),
            options,
            meta: Mutex::new(meta),
            clean_shutdown_epoch,
            loaded: AtomicBool::new(false),
            checkpoints,
            failure: OnceLock::new(),
            _lock: lock,
        }))
    }

    /// The directory's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `meta.properties` as it stands.
    #[must_use]
    pub fn meta(&self) -> MetaProperties {
        self.meta.lock().clone()
    }

    /// Stores the cluster id once it is known; refuses another than the stored one.
    pub fn set_cluster_id(&self, cluster_id: &str) -> Result<(), OpenError> {
        let mut meta = self.meta.lock();
        meta.check(&self.path, self.options.node_id, Some(cluster_id))?;
        if meta.cluster_id.is_none() {
            let known = MetaProperties { cluster_id: Some(cluster_id.to_owned()), ..meta.clone() };
            known.store(&self.path)?;
            *meta = known;
        }
        Ok(())
    }

    /// The broker epoch in the clean-shutdown marker that [`LogDir::open`] found and removed: `None`
    /// after an unclean stop or at the first start.
    #[must_use]
    pub fn clean_shutdown_epoch(&self) -> Option<BrokerEpoch> {
        self.clean_shutdown_epoch
    }

    /// How many files are open at the moment.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.files.len()
    }

    /// Writes `recovery-point-offset-checkpoint` from the logs' recovery points, if any has changed.
    /// To be called every minute or so, and when [`Flushed::checkpoint_due`](crate::Flushed) says so:
    /// it bounds the work after an unclean stop. Takes no partition's lock, but waits for the disk.
    pub fn checkpoint_recovery_points(&self) -> Result<(), LogError> {
        self.checkpoint(Kind::RecoveryPoint)
    }

    /// Writes `replication-offset-checkpoint` from what
    /// [`Log::set_high_watermark`](crate::Log::set_high_watermark) was told, if any has changed.
    pub fn checkpoint_high_watermarks(&self) -> Result<(), LogError> {
        self.checkpoint(Kind::HighWatermark)
    }

    /// Writes `log-start-offset-checkpoint`, if any log start has changed. To be called before
    /// DeleteRecords is answered, so that the log start never goes back.
    pub fn checkpoint_log_starts(&self) -> Result<(), LogError> {
        self.checkpoint(Kind::LogStart)
    }

    /// Writes `cleaner-offset-checkpoint`, if any log was compacted further.
    pub fn checkpoint_cleaned(&self) -> Result<(), LogError> {
        self.checkpoint(Kind::Cleaned)
    }

    fn checkpoint(&self, kind: Kind) -> Result<(), LogError> {
        self.usable()?;
        // Before all partitions are known, a file written would lack the rest.
        if !self.is_loaded() {
            return Ok(());
        }
        self.checkpoints.write(kind).map_err(|error| self.fail(&self.path, &error))
    }

    /// Writes the checkpoints and the clean-shutdown marker. Returns false and leaves the marker out
    /// if a log is not closed by [`Log::close`](crate::Log::close) or could not be loaded: the next
    /// start then checks the logs.
    pub fn close_clean(&self, broker_epoch: BrokerEpoch) -> Result<bool, LogError> {
        self.checkpoint_recovery_points()?;
        self.checkpoint_high_watermarks()?;
        self.checkpoint_log_starts()?;
        self.checkpoint_cleaned()?;
        if !self.is_loaded() || !self.checkpoints.all_closed() {
            return Ok(false);
        }
        let written = meta::write_clean_shutdown(&self.path, broker_epoch);
        written.map_err(|error| self.fail(&self.path, &error))?;
        Ok(true)
    }

    /// Why the directory is out of service, if a write or flush in it has failed.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<str>> {
        self.failure.get().cloned()
    }

    /// Puts the directory out of service for an error that did not do so by itself.
    pub fn take_out_of_service(&self, error: &LogError) {
        self.failure.get_or_init(|| {
            tracing::error!(dir = %self.path.display(), %error, "log directory out of service");
            error.to_string().into()
        });
    }

    fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Refuses once a write or flush has failed.
    pub(crate) fn usable(&self) -> Result<(), LogError> {
        match self.failure.get() {
            None => Ok(()),
            Some(reason) => {
                Err(LogError::StorageFailed { dir: self.path.clone(), reason: Arc::clone(reason) })
            }
        }
    }

    /// Puts the directory out of service: after a failed write or flush nobody knows what is on disk,
    /// and a second fsync that succeeds proves nothing about the bytes of the first. A full disk is no
    /// exception: other replicas have room, and the user must hear of it.
    pub(crate) fn fail(&self, path: &Path, error: &io::Error) -> LogError {
        let remedy = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room",
            _ => "repair the disk",
        };
        let reason = format!("writing {}: {error}: {remedy}, or change log.dirs", path.display());
        let reason: Arc<str> = reason.into();
        let reason = self.failure.get_or_init(|| {
            tracing::error!(dir = %self.path.display(), %reason, "log directory out of service");
            reason
        });
        LogError::StorageFailed { dir: self.path.clone(), reason: Arc::clone(reason) }
    }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK);
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| OpenError::io("write", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::io("lock", &path, error)),
    }
}
