//! Creating, deleting and setting aside partitions by the thousand: one sync for all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_protocol::ids::{TopicId, TopicPartition};

use super::{LogDir, meta};
use crate::files;
use crate::{Log, LogConfig, LogError};

/// Up to here each new file is synced by itself; beyond, one sync of the whole filesystem is cheaper
/// (0.06 s for 3,000 partitions where single syncs take 1 s), although it waits for others' bytes too.
pub(super) const SYNC_SINGLY: usize = 32;

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

/// A partition directory renamed to `…-delete`: gone for readers, still on disk.
#[derive(Debug)]
pub struct DeletedDir {
    /// The renamed directory.
    pub path: PathBuf,
}

impl DeletedDir {
    /// Removes the files. Blocking; takes no lock.
    pub fn remove(self) -> Result<(), LogError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(LogError::io("remove", &self.path, error))
            }
            _ => Ok(()),
        }
    }
}

impl LogDir {
    /// Creates partitions in bulk, durably: directory, `partition.metadata`, one sync for all. Either
    /// all are created or an error is returned; what an interrupted creation leaves behind is empty
    /// and is taken over by the next attempt.
    pub fn create_many(self: &Arc<Self>, logs: Vec<NewLog>) -> Result<Vec<Log>, LogError> {
        self.usable()?;
        assert!(self.is_loaded(), "partitions are loaded before others are created");
        let mut names = BTreeSet::new();
        for new in &logs {
            let known = self.checkpoints.is_registered(&new.topic_partition);
            if known || !names.insert(&new.topic_partition) {
                return Err(LogError::AlreadyExists {
                    path: self.partition_path(&new.topic_partition),
                });
            }
        }
        let stale = self.checkpoints.forget_stale(names.iter().copied());
        stale.map_err(|error| self.fail(self.path(), &error))?;

        let mut created = Vec::with_capacity(logs.len());
        for new in &logs {
            created.push(self.create_dir(new, self.partition_path(&new.topic_partition))?);
        }
        self.sync_created(&created).map_err(|error| self.fail(self.path(), &error))?;
        Ok(logs.into_iter().map(|new| Log::new_empty(Arc::clone(self), new)).collect())
    }

    pub(super) fn create_dir(
        &self,
        new: &NewLog,
        path: PathBuf,
    ) -> Result<(PathBuf, File), LogError> {
        match fs::create_dir(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !is_unused(&path, new.topic_id) {
                    return Err(LogError::AlreadyExists { path });
                }
            }
            Err(error) => return Err(self.fail(&path, &error)),
        }
        let file_path = path.join(meta::PARTITION_METADATA);
        let written = File::create(&file_path).and_then(|mut file| {
            file.write_all(meta::partition_metadata(new.topic_id).as_bytes())?;
            // The first segment too, so that the first flush need not sync the directory.
            File::create(files::offset_file(&path, 0, files::LOG))?;
            Ok(file)
        });
        match written {
            Ok(file) => Ok((path, file)),
            Err(error) => Err(self.fail(&file_path, &error)),
        }
    }

    pub(super) fn sync_created(&self, created: &[(PathBuf, File)]) -> io::Result<()> {
        if created.len() > SYNC_SINGLY {
            return self.sync_filesystem();
        }
        for (path, file) in created {
            file.sync_all()?;
            files::sync_dir(path)?;
        }
        files::sync_dir(self.path())
    }

    /// Syncs all of the filesystem that the directory is on.
    pub(super) fn sync_filesystem(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(self.path())?)?)
    }

    /// Renames the partitions' directories to `…-delete`, durably, one sync for all.
    pub fn delete_many(&self, logs: Vec<Log>) -> Result<Vec<DeletedDir>, LogError> {
        let renamed = self.rename_many(logs, "delete")?;
        Ok(renamed.into_iter().map(|path| DeletedDir { path }).collect())
    }

    /// Sets partitions aside that no topic of the cluster owns: renames their directories to
    /// `…-stray`, where they stay until someone removes them by hand. Returns the new paths.
    pub fn set_aside_many(&self, logs: Vec<Log>) -> Result<Vec<PathBuf>, LogError> {
        self.rename_many(logs, "stray")
    }

    pub(super) fn rename_many(
        &self,
        logs: Vec<Log>,
        suffix: &str,
    ) -> Result<Vec<PathBuf>, LogError> {
        self.usable()?;
        let mut renamed = Vec::with_capacity(logs.len());
        for log in &logs {
            log.retire_files();
            log.shared().gone.store(true, Ordering::Release);
            let from = log.path();
            let to = self.path().join(files::renamed_partition_dir(log.topic_partition(), suffix));
            fs::rename(&from, &to).map_err(|error| self.fail(&from, &error))?;
            renamed.push(to);
        }
        files::sync_dir(self.path()).map_err(|error| self.fail(self.path(), &error))?;
        let placed = logs.iter().filter(|log| !log.is_future());
        self.checkpoints.unregister(placed.map(Log::topic_partition));
        drop(logs);
        self.files.sweep();
        Ok(renamed)
    }

    /// The directory of a partition.
    pub(crate) fn partition_path(&self, partition: &TopicPartition) -> PathBuf {
        self.path().join(partition.to_string())
    }
}

/// Whether a directory is what an interrupted creation of this very partition leaves behind: no other
/// topic's, and without a single byte of log.
fn is_unused(path: &Path, topic_id: TopicId) -> bool {
    let same_topic = match meta::read_partition_metadata(path) {
        Ok(stored) => stored.is_none_or(|stored| stored == topic_id),
        Err(_) => false,
    };
    same_topic && !has_data(path)
}

/// Whether a partition directory holds anything besides `partition.metadata` and empty files. One that
/// cannot be listed counts as full.
pub(super) fn has_data(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else { return true };
    entries.into_iter().any(|entry| {
        let entry = entry.and_then(|entry| Ok((entry.file_name(), entry.metadata()?.len())));
        !entry.is_ok_and(|(name, len)| len == 0 || name == meta::PARTITION_METADATA)
    })
}
