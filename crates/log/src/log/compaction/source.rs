//! The segments that are cleaned, read without the partition's lock.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use ottla_protocol::ids::Offset;
use rustix::fs::{Mode, OFlags};

use crate::LogError;
use crate::dir::SharedOffsets;
use crate::files::LOG;
use crate::handles::OpenFile;
use crate::log::scan::Scanner;

/// A closed segment as it was when the cleaning was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) base: Offset,
    pub(super) size: u32,
    /// Where the next segment begins.
    pub(super) end: Offset,
}

/// A partition's directory, held open, so that one that is renamed meanwhile is still the right one.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) dir: File,
    /// For messages.
    pub(super) path: std::path::PathBuf,
    pub(super) shared: Arc<SharedOffsets>,
    pub(super) truncations: u64,
}

impl Sources {
    /// The file name of a segment.
    pub(super) fn name(base: Offset, extension: &str) -> String {
        format!("{base:020}.{extension}")
    }

    /// Opens a segment for a walk. [`LogError::Overtaken`] if it is not there any more.
    pub(super) fn scan(&self, source: &Source) -> Result<Scanner, LogError> {
        self.check()?;
        let file = self.open(&Self::name(source.base, LOG), OFlags::RDONLY)?;
        Ok(Scanner::new(file, 0, source.size, source.base))
    }

    /// When a segment was last written to.
    pub(super) fn modified(&self, source: &Source) -> Option<SystemTime> {
        let file = self.open(&Self::name(source.base, LOG), OFlags::RDONLY).ok()?;
        file.file.metadata().and_then(|metadata| metadata.modified()).ok()
    }

    pub(super) fn open(&self, name: &str, flags: OFlags) -> Result<Arc<OpenFile>, LogError> {
        let path = self.path.join(name);
        let mode = Mode::from(0o644);
        match rustix::fs::openat(&self.dir, name, flags | OFlags::CLOEXEC, mode) {
            Ok(fd) => Ok(OpenFile::adopt(File::from(fd), path)),
            Err(rustix::io::Errno::NOENT) => Err(LogError::Overtaken),
            Err(error) => Err(LogError::io("open", &path, error.into())),
        }
    }

    /// Whether what was planned still stands.
    pub(super) fn check(&self) -> Result<(), LogError> {
        let overtaken = self.shared.gone.load(Ordering::Acquire)
            || self.shared.truncations.load(Ordering::Acquire) != self.truncations;
        if overtaken { Err(LogError::Overtaken) } else { Ok(()) }
    }
}
