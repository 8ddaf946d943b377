//! One directory of `log.dirs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, Offset, TopicId, TopicPartition};

use crate::{Log, LogConfig, LogError};

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
    #[error("{}: {what}", path.display())]
    Unreadable { path: PathBuf, what: String },
    /// The directory cannot be read or written.
    #[error("cannot {action} {}: {source}; make it writable, or change log.dirs", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

/// `meta.properties`: whose directory this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    /// `cluster.id`; none until the first leader of the quorum has minted it.
    pub cluster_id: Option<String>,
    /// `node.id`.
    pub node_id: BrokerId,
    /// `directory.id`: names this directory for ever (KIP-858).
    pub directory_id: KafkaUuid,
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
    /// The most segment files kept open while not in use.
    pub max_open_files: usize,
    /// The settings of logs until [`Log::set_config`] is called.
    pub config: LogConfig,
}

/// A partition to create.
#[derive(Debug, Clone)]
pub struct NewLog {
    /// Its name: the directory's name.
    pub topic_partition: TopicPartition,
    /// Its topic's id, stored in `partition.metadata` before the first append.
    pub topic_id: TopicId,
    /// Its settings.
    pub config: LogConfig,
}

/// What [`LogDir::load`] found.
#[derive(Debug)]
pub struct LoadReport {
    /// The partitions, ready for use, in the order of their names.
    pub logs: Vec<Log>,
    /// Partition directories that could not be loaded; they are left as they are.
    pub failures: Vec<LoadFailure>,
    /// Directories whose deletion an earlier run began: remove them when there is time.
    pub deleted: Vec<DeletedDir>,
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

/// A partition directory renamed to `…-delete`: gone for readers, still on disk.
#[derive(Debug)]
pub struct DeletedDir {
    /// The renamed directory.
    pub path: PathBuf,
}

impl DeletedDir {
    /// Removes the files. Blocking; takes no lock.
    pub fn remove(self) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }
}

/// One directory of `log.dirs`, locked by this process for as long as it or one of its logs lives.
#[derive(Debug)]
pub struct LogDir {
    path: PathBuf,
}

impl LogDir {
    /// Creates the directory if need be, locks it, checks or writes `meta.properties`, and reads and
    /// removes the clean-shutdown marker. Loads no partition yet.
    pub fn open(_path: &Path, _options: OpenOptions) -> Result<Arc<Self>, OpenError> {
        unimplemented!("skeleton")
    }

    /// The directory's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `meta.properties` as it stands.
    #[must_use]
    pub fn meta(&self) -> MetaProperties {
        unimplemented!("skeleton")
    }

    /// Stores the cluster id once it is known; refuses another than the stored one.
    pub fn set_cluster_id(&self, _cluster_id: &str) -> Result<(), OpenError> {
        unimplemented!("skeleton")
    }

    /// The broker epoch in the clean-shutdown marker that [`LogDir::open`] found and removed: `None`
    /// after an unclean stop or at the first start.
    #[must_use]
    pub fn clean_shutdown_epoch(&self) -> Option<BrokerEpoch> {
        unimplemented!("skeleton")
    }

    /// Loads every partition, in parallel; call once. After an unclean stop each log is checked from
    /// its recovery point on.
    pub fn load(self: &Arc<Self>) -> Result<LoadReport, LogError> {
        unimplemented!("skeleton")
    }

    /// Creates partitions in bulk, durably: directory, `partition.metadata`, one sync for all. Either
    /// all are created or an error is returned; what an interrupted creation leaves behind is empty
    /// and is taken over by the next attempt.
    pub fn create_many(self: &Arc<Self>, _logs: Vec<NewLog>) -> Result<Vec<Log>, LogError> {
        unimplemented!("skeleton")
    }

    /// Renames the partitions' directories to `…-delete`, durably, one sync for all.
    pub fn delete_many(&self, _logs: Vec<Log>) -> Result<Vec<DeletedDir>, LogError> {
        unimplemented!("skeleton")
    }

    /// Sets partitions aside that no topic of the cluster owns: renames their directories to
    /// `…-stray`, where they stay until someone removes them by hand.
    pub fn set_aside_many(&self, _logs: Vec<Log>) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// Writes `recovery-point-offset-checkpoint` from the logs' recovery points, if any has changed.
    /// To be called every minute or so, and when [`Flushed::checkpoint_due`](crate::Flushed) says so:
    /// it bounds the work after an unclean stop.
    pub fn checkpoint_recovery_points(&self) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// Writes `replication-offset-checkpoint` from what [`Log::set_high_watermark`] was told, if any
    /// has changed.
    pub fn checkpoint_high_watermarks(&self) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// Writes `log-start-offset-checkpoint`, if any log start has changed. To be called before
    /// DeleteRecords is answered, so that the log start never goes back.
    pub fn checkpoint_log_starts(&self) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// Writes the checkpoints and the clean-shutdown marker. Refused (by an error) if a log is not
    /// closed by [`Log::close`] or could not be loaded: the next start then checks the logs.
    pub fn close_clean(&self, _broker_epoch: BrokerEpoch) -> Result<(), LogError> {
        unimplemented!("skeleton")
    }

    /// Why the directory is out of service, if a write or flush in it has failed.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<str>> {
        unimplemented!("skeleton")
    }
}

#[allow(dead_code, reason = "skeleton")]
type Unused = Offset;
