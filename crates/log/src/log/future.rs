//! A copy takes the place of the log that it is a copy of (see `dir::future`).
//!
//! What was on disk of the old log is on disk in the copy before; what is appended later counts as flushed
//! only once the copy's new name is on disk too, which the flush sees to.

use std::fs;
use std::sync::atomic::Ordering;

use super::Log;
use crate::LogError;

impl Log {
    /// It is a copy that has not taken its place yet.
    #[must_use]
    pub fn is_future(&self) -> bool {
        self.future_name.is_some()
    }

    /// Takes the place of `current`, which holds the same batches up to the same end and is not to be
    /// written any more. A rename, and nothing is flushed: see [`LogDir::sync_move`](crate::LogDir::sync_move).
    /// Plans that were made of `current` are overtaken. Nothing has changed after an error;
    /// [`LogError::Overtaken`]: the copy is not one of all that `current` holds, or less of it is on disk.
    pub fn replace(&mut self, current: &Log) -> Result<(), LogError> {
        self.dir.usable()?;
        let whole = self.log_end == current.log_end && self.log_start() <= current.log_start();
        if !whole || self.flushed < current.flushed || self.topic_id != current.topic_id {
            return Err(LogError::Overtaken);
        }
        let (from, to) = (self.path(), self.dir.partition_path(&self.partition));
        fs::rename(&from, to).map_err(|error| LogError::io("rename", &from, error))?;
        self.future_name = None;
        self.renamed = true;
        self.config = current.config;
        self.epochs = current.epochs.clone();
        self.epochs_changed.bump();
        let truncations = current.shared.truncations.load(Ordering::Acquire);
        self.shared.truncations.store(truncations + 1, Ordering::Release);
        self.shared.log_start.store(current.log_start(), Ordering::Release);
        self.shared.high_watermark.store(current.high_watermark(), Ordering::Release);
        self.register();
        Ok(())
    }
}
