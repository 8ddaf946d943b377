//! Producer snapshots: `<offset>.snapshot`, whose bytes are somebody else's.

use std::fs;
use std::io::Write;

use bytes::Bytes;
use ottla_protocol::ids::Offset;

use super::Log;
use crate::LogError;
use crate::files::{self, SNAPSHOT};
use crate::handles::OpenFile;

impl Log {
    /// Stores a producer snapshot for the state before `offset` as `<offset>.snapshot`; it becomes
    /// durable with the next flush.
    pub fn write_producer_snapshot(
        &mut self,
        offset: Offset,
        bytes: &[u8],
    ) -> Result<(), LogError> {
        self.dir.usable()?;
        let path = files::offset_file(&self.path(), offset, SNAPSHOT);
        let written = OpenFile::create(path.clone()).and_then(|open| {
            (&open.file).write_all(bytes)?;
            Ok(open)
        });
        let open = written.map_err(|error| {
            // Half a snapshot is none.
            let _ = fs::remove_file(&path);
            self.dir.fail(&path, &error)
        })?;
        self.unsynced_snapshots.push(open);
        if let Err(at) = self.snapshots.binary_search(&offset) {
            self.snapshots.insert(at, offset);
        }
        self.names_changed.bump();
        Ok(())
    }

    /// The latest producer snapshot and its offset. One that does not decode can be removed by
    /// [`Log::remove_producer_snapshot`], and the one before be asked for.
    pub fn latest_producer_snapshot(&self) -> Result<Option<(Offset, Bytes)>, LogError> {
        let Some(offset) = self.snapshots.last() else { return Ok(None) };
        let path = files::offset_file(&self.path(), *offset, SNAPSHOT);
        let bytes = fs::read(&path).map_err(|error| LogError::io("read", &path, error))?;
        Ok(Some((*offset, bytes.into())))
    }

    /// Removes a producer snapshot.
    pub fn remove_producer_snapshot(&mut self, offset: Offset) -> Result<(), LogError> {
        self.drop_snapshots(|candidate| candidate == offset)
    }

    /// Those of states that the log no longer reaches.
    pub(super) fn drop_snapshots_above(&mut self, log_end: Offset) -> Result<(), LogError> {
        self.drop_snapshots(|candidate| candidate > log_end)
    }

    /// Those that a rebuild would not begin with, since the log begins later.
    pub(super) fn drop_snapshots_below(&mut self, log_start: Offset) -> Result<(), LogError> {
        self.drop_snapshots(|candidate| candidate < log_start)
    }

    pub(super) fn drop_snapshots(
        &mut self,
        is_gone: impl Fn(Offset) -> bool,
    ) -> Result<(), LogError> {
        if !self.snapshots.iter().any(|offset| is_gone(*offset)) {
            return Ok(());
        }
        let path = self.path();
        for offset in self.snapshots.extract_if(.., |offset| is_gone(*offset)) {
            let path = files::offset_file(&path, offset, SNAPSHOT);
            files::remove_if_there(&path).map_err(|error| self.dir.fail(&path, &error))?;
        }
        self.names_changed.bump();
        Ok(())
    }
}
