//! Copies of partitions that are to take the place of a log in another directory (KIP-113).
//!
//! A copy is built in `topic-partition.<unique>-future`. A crash at any moment leaves one log that counts:
//!
//! 1. While the copy's directory is called so, the log in the other directory counts.
//! 2. [`Log::replace`] gives it the partition's own name. From here on it counts, and whatever is still
//!    found in the other directory is void: the file `moved` says so, which is in it from the beginning.
//! 3. The other directory's log is deleted, durably; then `moved` is removed ([`LogDir::settle_move`]).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::ids::TopicPartition;

use super::{DeletedDir, LogDir, NewLog, meta};
use crate::files;
use crate::{Log, LogConfig, LogError};

/// The longest `topic-partition` whose copy has a name that a file system takes, in bytes.
pub const MAX_MOVABLE_NAME: usize = 255 - ".".len() - 32 - SUFFIX.len();

const SUFFIX: &str = "-future";
/// Says that the directory replaces any other of the same partition.
const MOVED: &str = "moved";

/// A copy that an interrupted move has left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FutureDir {
    /// Its directory.
    pub path: PathBuf,
    /// The partition it is a copy of.
    pub topic_partition: TopicPartition,
}

/// The partition in the name of a copy's directory.
pub(super) fn parse(name: &str) -> Option<TopicPartition> {
    let (partition, unique) = name.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    let is_unique = unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    files::parse_partition_dir(partition).filter(|_| is_unique)
}

/// Whether a partition's directory replaces any other one.
pub(super) fn is_moved(path: &Path) -> bool {
    path.join(MOVED).exists()
}

impl LogDir {
    /// Creates an empty copy, durably, which begins at offset 0. Its name must not be longer than
    /// [`MAX_MOVABLE_NAME`].
    pub fn create_future(self: &Arc<Self>, new: NewLog) -> Result<Log, LogError> {
        self.usable()?;
        let place = self.partition_path(&new.topic_partition);
        if place.exists() {
            return Err(LogError::AlreadyExists { path: place });
        }
        let name =
            files::renamed_partition_dir(&new.topic_partition, SUFFIX.trim_start_matches('-'));
        let path = self.path().join(&name);
        let created = self.create_dir(&new, path.clone())?;
        let moved = path.join(MOVED);
        File::create(&moved).map_err(|error| self.fail(&moved, &error))?;
        self.sync_created(&[created]).map_err(|error| self.fail(&path, &error))?;
        Ok(Log::new_future(Arc::clone(self), new, name))
    }

    /// Opens a copy that [`LogDir::load`] has found. Every batch in it is checked. Blocking.
    pub fn open_future(
        self: &Arc<Self>,
        found: &FutureDir,
        config: LogConfig,
    ) -> Result<Log, LogError> {
        self.usable()?;
        let unknown = |what: String| LogError::UnknownTopicId { path: found.path.clone(), what };
        let topic_id = meta::read_partition_metadata(&found.path).map_err(unknown)?;
        let topic_id =
            topic_id.ok_or_else(|| unknown("the file is missing or empty".to_owned()))?;
        if !is_moved(&found.path) {
            return Err(unknown(format!("an interrupted creation: {MOVED} is missing")));
        }
        let name = found.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let partition = found.topic_partition.clone();
        Log::open_future(Arc::clone(self), partition, topic_id, config, name.unwrap_or_default())
    }

    /// Gives a copy up: renames its directory to `…-delete`.
    pub fn remove_future(&self, log: Log) -> Result<Vec<DeletedDir>, LogError> {
        self.delete_many(vec![log])
    }

    /// Makes the name that [`Log::replace`] gave durable, and what the checkpoint files say of it.
    /// Blocking; afterwards the log that was replaced may be deleted.
    pub fn sync_move(&self) -> Result<(), LogError> {
        files::sync_dir(self.path()).map_err(|error| self.fail(self.path(), &error))?;
        self.checkpoint_recovery_points()?;
        self.checkpoint_high_watermarks()?;
        self.checkpoint_log_starts()
    }

    /// Ends a move to this directory: no other directory holds anything of the partition any more.
    pub fn settle_move(&self, partition: &TopicPartition) -> Result<(), LogError> {
        self.usable()?;
        let path = self.partition_path(partition);
        let removed = match fs::remove_file(path.join(MOVED)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            removed => removed,
        };
        let settled = removed.and_then(|()| files::sync_dir(&path));
        settled.map_err(|error| self.fail(&path, &error))
    }
}
