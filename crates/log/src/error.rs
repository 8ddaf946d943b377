//! What can go wrong with a log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::ids::{Offset, TopicPartition};

/// Why an operation on a log was refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The offset lies outside the log.
    #[error("offset {requested} is out of range: the log holds {log_start} to {log_end}")]
    OffsetOutOfRange { requested: Offset, log_start: Offset, log_end: Offset },
    /// The bytes given are not whole, well-formed batches that continue the log. Nothing was written.
    #[error("{partition}: the batches do not continue the log at offset {log_end}: {what}")]
    InvalidBatches { partition: TopicPartition, log_end: Offset, what: String },
    /// A write or a flush failed, now or before: nothing in this directory can be trusted to be
    /// stored any more, and everything is refused until a restart. The reason names the file.
    #[error("{reason}")]
    StorageFailed { dir: PathBuf, reason: Arc<str> },
    /// Bytes that were stored before do not read back as they should. Nothing was changed.
    #[error("{} is damaged at position {position}: {what}", path.display())]
    Damaged { path: PathBuf, position: u64, what: String },
    /// Reading failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: Arc<io::Error> },
    /// The log was truncated, deleted or otherwise changed while a plan was carried out, or it was given
    /// up: make a new plan.
    #[error("the log has changed in the meantime")]
    Overtaken,
    /// The directory of the partition exists already, under this or another topic id.
    #[error("{} exists already", path.display())]
    AlreadyExists { path: PathBuf },
    /// The partition's directory holds data but no readable `partition.metadata`.
    #[error("{} holds data but no readable partition.metadata: {what}", path.display())]
    UnknownTopicId { path: PathBuf, what: String },
}

impl LogError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }
}
