//! Flushing: what has been appended becomes durable, and with it the leader epochs: recovery trusts their
//! file for all that lies below the recovery point.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_protocol::ids::Offset;

use super::Log;
use super::epochs::LEADER_EPOCH_CHECKPOINT;
use crate::dir::SharedOffsets;
use crate::files;
use crate::handles::OpenFile;
use crate::{LogDir, LogError};

/// A flush, ready to be carried out without the partition's lock. One at a time per log.
#[derive(Debug)]
pub struct FlushPlan {
    dir: Arc<LogDir>,
    shared: Arc<SharedOffsets>,
    truncations: u64,
    upto: Offset,
    /// The active segment when the plan was made: those before it are durable after the flush.
    active_base: Offset,
    files: Vec<Arc<OpenFile>>,
    /// Snapshots among the files.
    snapshots: usize,
    /// Open, so that a directory renamed meanwhile is still the right one.
    names: Option<(File, u32)>,
    epochs: Option<(String, u32)>,
    /// The log's directory has a new name.
    renamed: bool,
}

/// What a flush achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Everything below is on disk. Never beyond the log end.
    pub flushed: Offset,
    /// A whole segment has become durable: call [`LogDir::checkpoint_recovery_points`] soon.
    pub checkpoint_due: bool,
}

impl FlushPlan {
    /// The log end when the plan was made: what a flush makes durable.
    #[must_use]
    pub fn upto(&self) -> Offset {
        self.upto
    }

    /// Flushes the files, then the directory if files are new. Blocking; takes no lock. A failure puts
    /// the whole log directory out of service; [`LogError::Overtaken`] says that the log was deleted.
    pub fn flush(&self) -> Result<(), LogError> {
        self.dir.usable()?;
        for open in &self.files {
            if let Err(error) = open.file.sync_data() {
                return Err(self.dir.fail(&open.path, &error));
            }
        }
        let result = match (&self.names, &self.epochs) {
            (Some((names, _)), Some((text, _))) => {
                files::replace_at(names, LEADER_EPOCH_CHECKPOINT, text.as_bytes())
            }
            (Some((names, _)), None) => names.sync_all(),
            (None, _) => Ok(()),
        };
        let result = result
            .and_then(|()| if self.renamed { files::sync_dir(self.dir.path()) } else { Ok(()) });
        result.map_err(|error| {
            if self.shared.gone.load(Ordering::Acquire) {
                return LogError::Overtaken;
            }
            self.dir.fail(self.dir.path(), &error)
        })
    }
}

impl Log {
    /// Plans the flush of everything appended so far; `None` if all of it is on disk.
    pub fn flush_plan(&mut self) -> Result<Option<FlushPlan>, LogError> {
        self.plan_flush(false)
    }

    fn plan_flush(&mut self, everything: bool) -> Result<Option<FlushPlan>, LogError> {
        self.dir.usable()?;
        let closed_dirty = self.closed.iter().any(|segment| segment.dirty);
        let clean = self.flushed == self.log_end
            && !closed_dirty
            && self.names_changed.is_synced()
            && self.unsynced_snapshots.is_empty()
            && !self.renamed;
        // Epochs that have no record yet can wait for one.
        let write_epochs = !self.epochs_changed.is_synced() && (everything || !clean);
        if clean && !write_epochs {
            return Ok(None);
        }

        let path = self.path();
        let mut files = self.unsynced_snapshots.clone();
        let snapshots = files.len();
        for number in 0..self.closed.len() {
            if self.closed[number].dirty {
                files.push(self.log_file(number)?);
                let (offsets, times) = self.stored_indexes(number)?;
                files.extend([offsets.file, times.file]);
            }
        }
        if self.log_end > self.flushed.max(self.active.base_offset) {
            files.push(self.log_file(self.closed.len())?);
        }
        let names = if write_epochs || !self.names_changed.is_synced() {
            let opened = File::open(&path).map_err(|error| LogError::io("open", &path, error))?;
            Some((opened, self.names_changed.made))
        } else {
            None
        };
        Ok(Some(FlushPlan {
            dir: Arc::clone(&self.dir),
            shared: Arc::clone(&self.shared),
            truncations: self.shared.truncations.load(Ordering::Acquire),
            upto: self.log_end,
            active_base: self.active.base_offset,
            files,
            snapshots,
            names,
            epochs: write_epochs.then(|| (self.epochs.render(), self.epochs_changed.made)),
            renamed: self.renamed,
        }))
    }

    /// Takes note that `plan` was carried out. A plan that a truncation has overtaken counts for
    /// nothing: compare [`Flushed::flushed`] with the log end and plan again.
    pub fn flushed(&mut self, plan: &FlushPlan) -> Flushed {
        let mut checkpoint_due = false;
        if plan.truncations == self.shared.truncations.load(Ordering::Acquire) {
            self.flushed = self.flushed.max(plan.upto);
            for segment in &mut self.closed {
                if segment.base_offset < plan.active_base {
                    checkpoint_due |= segment.dirty;
                    segment.dirty = false;
                }
            }
            if let Some((_, version)) = &plan.names {
                self.names_changed.synced = *version;
            }
            if let Some((_, version)) = &plan.epochs {
                self.epochs_changed.synced = *version;
            }
            self.renamed &= !plan.renamed;
            self.unsynced_snapshots.drain(..plan.snapshots.min(self.unsynced_snapshots.len()));
            self.shared.recovery_point.store(self.flushed, Ordering::Release);
        }
        Flushed { flushed: self.flushed, checkpoint_due }
    }

    /// Flushes here and now: plan, flush, note. For shutdown and tests.
    pub fn flush(&mut self) -> Result<Flushed, LogError> {
        match self.flush_plan()? {
            Some(plan) => {
                plan.flush()?;
                Ok(self.flushed(&plan))
            }
            None => Ok(Flushed { flushed: self.flushed, checkpoint_due: false }),
        }
    }

    /// Whether something that recovery found or changed is not known to be on disk.
    pub(crate) fn is_unflushed(&self) -> bool {
        self.flushed < self.log_end
            || !self.epochs_changed.is_synced()
            || !self.names_changed.is_synced()
            || self.closed.iter().any(|segment| segment.dirty)
    }

    /// Writes the leader epochs for a sync of the whole filesystem that follows. Should that not be
    /// reached, recovery begins where it began now, and a file that is torn counts as none.
    pub(crate) fn write_epochs_unsynced(&self) -> Result<(), LogError> {
        if self.epochs_changed.is_synced() {
            return Ok(());
        }
        let path = self.path().join(LEADER_EPOCH_CHECKPOINT);
        let written = std::fs::write(&path, self.epochs.render());
        written.map_err(|error| self.dir.fail(&path, &error))
    }

    /// Takes note that the whole filesystem was synced.
    pub(crate) fn all_flushed(&mut self) {
        self.flushed = self.log_end;
        self.closed.iter_mut().for_each(|segment| segment.dirty = false);
        self.epochs_changed.synced = self.epochs_changed.made;
        self.names_changed.synced = self.names_changed.made;
        self.unsynced_snapshots.clear();
        self.shared.recovery_point.store(self.flushed, Ordering::Release);
    }

    /// Flushes everything, the leader epochs too.
    pub(crate) fn flush_all(&mut self) -> Result<(), LogError> {
        if let Some(plan) = self.plan_flush(true)? {
            plan.flush()?;
            self.flushed(&plan);
        }
        Ok(())
    }
}
