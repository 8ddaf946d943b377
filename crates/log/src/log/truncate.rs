//! Truncation: the end of the log goes back. Durable when it returns.
//!
//! The order matters: first plans made before are overtaken, then the stored recovery point is lowered
//! (or recovery would trust bytes that replace the old ones without having reached the disk), then the
//! newest files go first, so that what a crash leaves is always a log.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering;

use ottla_protocol::ids::Offset;

use super::Log;
use super::scan::Scanner;
use super::segment::{Indexes, Segment};
use crate::LogError;
use crate::files::{self, INDEX, LOG, TIME_INDEX};

impl Log {
    /// Removes everything from `offset` on, durably; the leader epochs too. An offset inside a batch
    /// removes that batch whole. Returns the new log end, which is behind the last batch that is left. At the log end only epochs that have no record
    /// go, above it nothing does; below the first segment: as [`Log::truncate_fully_and_start_at`].
    pub fn truncate_to(&mut self, offset: Offset) -> Result<Offset, LogError> {
        self.dir.usable()?;
        if offset >= self.log_end {
            if self.epochs.truncate_from_end(offset) {
                self.epochs_changed.bump();
            }
            return Ok(self.log_end);
        }
        let first = self.segments().next().map_or(0, |segment| segment.base_offset);
        if offset < first {
            self.truncate_fully_and_start_at(offset)?;
            return Ok(offset);
        }
        let number = self.segment_number(offset);
        let (end, position) = self.batch_boundary(number, offset)?;
        self.go_back_to(end)?;

        let path = self.path();
        self.remove_segments_behind(&path, number)?;
        self.shorten_active(position)?;
        self.shorten_index_files(&path, end)?;
        self.indexes = None;
        self.log_end = end;
        self.shared.log_start.fetch_min(end, Ordering::AcqRel);
        if self.epochs.truncate_from_end(end) {
            self.epochs_changed.bump();
        }
        self.drop_snapshots_above(end)?;
        Ok(end)
    }

    /// Removes everything and begins again, empty, at `offset`, durably.
    pub fn truncate_fully_and_start_at(&mut self, offset: Offset) -> Result<(), LogError> {
        self.dir.usable()?;
        // While files are missing, nothing is promised to be there.
        self.go_back_to(0)?;
        let path = self.path();
        self.remove_segments_behind(&path, 0)?;
        self.active.retire();
        for extension in [LOG, INDEX, TIME_INDEX] {
            self.remove(&self.active.path(&path, extension))?;
        }
        self.dir.files.sweep();
        self.drop_snapshots_above(-1)?;
        self.sync_names(&path)?;

        self.create_segment_file(offset)?;
        self.sync_names(&path)?;
        self.active = Segment::new(offset, 0);
        self.indexes = Some(Indexes::new(offset));
        (self.log_end, self.flushed) = (offset, offset);
        self.epochs.clear();
        self.epochs_changed.bump();
        self.shared.log_start.store(offset, Ordering::Release);
        self.shared.high_watermark.store(offset, Ordering::Release);
        self.shared.recovery_point.store(offset, Ordering::Release);
        Ok(())
    }

    /// The end of the last batch that is wholly below `offset`: its offset and position.
    fn batch_boundary(&mut self, number: usize, offset: Offset) -> Result<(Offset, u32), LogError> {
        // From a batch that is wholly below, if the index names one.
        let start = self.position_before(number, offset - 1)?;
        let file = self.log_file(number)?;
        let segment = self.closed.get(number).unwrap_or(&self.active);
        let (base, size) = (segment.base_offset, segment.size);
        let mut boundary = (base, 0);
        let mut scanner = Scanner::new(file, start, size, base);
        loop {
            match scanner.next() {
                Ok(Some(found)) if found.header.next_offset() > offset => return Ok(boundary),
                Ok(Some(found)) => boundary = (found.header.next_offset(), found.end()),
                Ok(None) => return Ok((self.segment_end(number), size)),
                Err(error) => return Err(error.damage(&scanner.file)),
            }
        }
    }

    /// Everything from `end` on is about to go.
    fn go_back_to(&mut self, end: Offset) -> Result<(), LogError> {
        self.abandon_swap()?;
        self.shared.truncations.fetch_add(1, Ordering::AcqRel);
        self.flushed = self.flushed.min(end);
        self.shared.recovery_point.fetch_min(end, Ordering::AcqRel);
        self.shared.high_watermark.fetch_min(end, Ordering::AcqRel);
        self.shared.cleaned.fetch_min(end, Ordering::AcqRel);
        let lowered = self.dir.checkpoints.lower(&self.partition);
        lowered.map_err(|error| self.dir.fail(self.dir.path(), &error))
    }

    /// Removes the segments behind the one of this number, which becomes the active one; newest first.
    pub(super) fn remove_segments_behind(
        &mut self,
        path: &Path,
        number: usize,
    ) -> Result<(), LogError> {
        if number >= self.closed.len() {
            return Ok(());
        }
        while number < self.closed.len() {
            self.active.retire();
            for extension in [TIME_INDEX, INDEX, LOG] {
                self.remove(&self.active.path(path, extension))?;
            }
            if let Some(before) = self.closed.pop() {
                self.active = before;
            }
        }
        // The indexes of a closed segment were opened as files; from now on they live in memory.
        self.active.retire();
        self.indexes = None;
        self.dir.files.sweep();
        self.sync_names(path)
    }

    fn remove(&self, path: &Path) -> Result<(), LogError> {
        files::remove_if_there(path).map_err(|error| self.dir.fail(path, &error))
    }

    /// Cuts the active segment's file, durably.
    pub(super) fn shorten_active(&mut self, size: u32) -> Result<(), LogError> {
        let file = self.log_file(self.closed.len())?;
        let cut = file.file.set_len(size.into()).and_then(|()| file.file.sync_data());
        cut.map_err(|error| self.dir.fail(&file.path, &error))?;
        self.active.size = size;
        Ok(())
    }

    /// Drops the entries from `end` on out of the active segment's index files; what is not in them is
    /// found again when the indexes are next loaded.
    fn shorten_index_files(&mut self, path: &Path, end: Offset) -> Result<(), LogError> {
        let base = self.active.base_offset;
        let cut = Indexes::read_sound(path, &self.active, u32::MAX).and_then(|stored| {
            let Some((mut offsets, mut times)) = stored else { return Ok(()) };
            offsets.truncate_to(base, end)?;
            times.truncate_to(base, end)?;
            for (extension, len) in [(INDEX, offsets.bytes.len()), (TIME_INDEX, times.bytes.len())]
            {
                let file = File::options().write(true).open(self.active.path(path, extension))?;
                file.set_len(len as u64)?;
            }
            Ok(())
        });
        cut.map_err(|error| self.dir.fail(path, &error))
    }
}
