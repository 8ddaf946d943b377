//! Putting a cleaned segment in the place of those that it covers, so that a crash at any moment leaves
//! either the old ones or the new one.
//!
//! 1. `N.log.cleaned` and its indexes are written and synced. A crash: recovery removes them.
//! 2. Under the lock they are renamed to `….swap`, the log last; the directory is synced. From here on
//!    recovery goes forward: it removes what `N.log.swap` covers and renames it.
//! 3. Under the lock the old files are renamed to `….deleted` and the new ones to their names, the log
//!    last; the directory is synced.
//!
//! A truncation or a retention between 2 and 3 takes the swap back first, durably.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_protocol::ids::Offset;

use super::{CLEANED, CleanedSegment, SWAP};
use crate::LogError;
use crate::files::{self, INDEX, LOG, TIME_INDEX};
use crate::handles::OpenFile;
use crate::log::Log;
use crate::log::retention::RetiredSegment;
use crate::log::scan::Scanner;
use crate::log::segment::Segment;

/// The batches' file comes last: it is the one that decides.
const IN_ORDER: [&str; 3] = [INDEX, TIME_INDEX, LOG];

fn path_of(dir: &Path, base: Offset, extension: &str, suffix: &str) -> PathBuf {
    files::offset_file(dir, base, extension).with_added_extension(suffix)
}

impl CleanedSegment {
    /// The offset at which the segment begins.
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        self.sources.first().map_or(0, |first| first.base)
    }

    fn end(&self) -> Offset {
        self.sources.last().map_or(0, |last| last.end)
    }

    /// Makes what [`Log::begin_swap`] or [`Log::finish_swap`] did to the directory durable. Blocking;
    /// takes no lock. A failure puts the log directory out of service.
    pub fn sync(&self, log_dir: &crate::LogDir) -> Result<(), LogError> {
        self.files.sync_all().map_err(|error| log_dir.fail(log_dir.path(), &error))
    }
}

impl Log {
    /// The first step of a swap. [`LogError::Overtaken`] if the log has changed since the plan; the new
    /// segment's files are removed then.
    pub fn begin_swap(&mut self, cleaned: &CleanedSegment) -> Result<(), LogError> {
        self.dir.usable()?;
        let (path, base) = (self.path(), cleaned.base_offset());
        if self.place_of(cleaned).is_none() || self.swapping.is_some() {
            for extension in IN_ORDER {
                let file = path_of(&path, base, extension, CLEANED);
                files::remove_if_there(&file)
                    .map_err(|error| LogError::io("remove", &file, error))?;
            }
            return Err(LogError::Overtaken);
        }
        self.swapping = Some(base);
        for extension in IN_ORDER {
            let from = path_of(&path, base, extension, CLEANED);
            let to = path_of(&path, base, extension, SWAP);
            fs::rename(&from, &to).map_err(|error| self.dir.fail(&from, &error))?;
        }
        Ok(())
    }

    /// The last step, after [`CleanedSegment::sync`], and to be followed by it. What was replaced is
    /// still on disk. [`LogError::Overtaken`] if the log has changed since the first step; the swap was
    /// taken back then.
    pub fn finish_swap(
        &mut self,
        cleaned: &CleanedSegment,
    ) -> Result<Vec<RetiredSegment>, LogError> {
        self.dir.usable()?;
        let base = cleaned.base_offset();
        let Some(place) = self.place_of(cleaned).filter(|_| self.swapping == Some(base)) else {
            self.abandon_swap()?;
            return Err(LogError::Overtaken);
        };
        let path = self.path();
        let mut retired = Vec::with_capacity(cleaned.sources.len());
        for segment in &self.closed[place..place + cleaned.sources.len()] {
            let gone = RetiredSegment::retire(segment, &path);
            retired.push(gone.map_err(|(file, error)| self.dir.fail(&file, &error))?);
        }
        for extension in IN_ORDER {
            let from = path_of(&path, base, extension, SWAP);
            let to = files::offset_file(&path, base, extension);
            fs::rename(&from, &to).map_err(|error| self.dir.fail(&from, &error))?;
        }
        self.swapping = None;
        let mut segment = Segment::new(base, cleaned.size);
        segment.max_timestamp = Some(cleaned.max_timestamp);
        self.closed.splice(place..place + cleaned.sources.len(), [segment]);
        self.dir.files.sweep();
        let end = cleaned.end();
        self.drop_snapshots(|offset| base < offset && offset < end)?;
        Ok(retired)
    }

    /// Where the segments are that it covers, if all of them are as they were.
    fn place_of(&self, cleaned: &CleanedSegment) -> Option<usize> {
        if cleaned.truncations != self.shared.truncations.load(Ordering::Acquire) {
            return None;
        }
        let base = cleaned.base_offset();
        let place = self.closed.binary_search_by_key(&base, |segment| segment.base_offset).ok()?;
        let covered = self.closed.get(place..place + cleaned.sources.len())?;
        let same = covered.iter().zip(&cleaned.sources).all(|(segment, source)| {
            segment.base_offset == source.base && segment.size == source.size
        });
        same.then_some(place)
    }

    /// Takes back a swap that has begun, durably: the segments that it covers are about to change.
    pub(in crate::log) fn abandon_swap(&mut self) -> Result<(), LogError> {
        let Some(base) = self.swapping.take() else { return Ok(()) };
        let path = self.path();
        // The log first: without it the rest is nothing.
        for extension in IN_ORDER.into_iter().rev() {
            let file = path_of(&path, base, extension, SWAP);
            files::remove_if_there(&file).map_err(|error| self.dir.fail(&file, &error))?;
        }
        files::sync_dir(&path).map_err(|error| self.dir.fail(&path, &error))
    }
}

/// Before a log is opened: removes what a cleaning left half done, and carries on with a swap that had
/// begun. Does nothing, and does it again, if it is interrupted.
pub(in crate::log) fn complete_swaps(dir: &Path) -> Result<(), LogError> {
    let unlisted = |error| LogError::io("list", dir, error);
    let mut swaps = Vec::new();
    let mut leftovers = Vec::new();
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(unlisted)? {
        let name = entry.map_err(unlisted)?.file_name();
        let Some((base, extension)) = name.to_str().and_then(files::parse_offset_file) else {
            continue;
        };
        match extension.split_once('.') {
            None if extension == LOG => segments.push(base),
            Some((LOG, SWAP)) => swaps.push(base),
            Some((_, CLEANED)) => leftovers.push((base, dir.join(&name), false)),
            Some((_, SWAP)) => leftovers.push((base, dir.join(&name), true)),
            _ => {}
        }
    }
    for base in &swaps {
        complete(dir, *base, &segments)?;
    }
    let mut changed = !swaps.is_empty();
    for (base, path, is_index) in leftovers {
        if is_index && !swaps.contains(&base) {
            // Which segment the index in place belongs to, the old or the new one, nobody knows now:
            // it is built again when it is needed.
            for extension in [INDEX, TIME_INDEX] {
                remove(&files::offset_file(dir, base, extension))?;
            }
        }
        remove(&path)?;
        changed = true;
    }
    if changed {
        files::sync_dir(dir).map_err(|error| LogError::io("sync", dir, error))?;
    }
    Ok(())
}

fn complete(dir: &Path, base: Offset, segments: &[Offset]) -> Result<(), LogError> {
    let swap = path_of(dir, base, LOG, SWAP);
    let end = end_of(&swap, base)?;
    tracing::info!(path = %swap.display(), end, "carrying on with a compaction");
    for covered in segments.iter().filter(|covered| (base..end).contains(*covered)) {
        for extension in [INDEX, TIME_INDEX, LOG] {
            // The one of the same name is replaced.
            if *covered != base || extension != LOG {
                remove(&files::offset_file(dir, *covered, extension))?;
            }
        }
    }
    for extension in IN_ORDER {
        let from = path_of(dir, base, extension, SWAP);
        match fs::rename(&from, files::offset_file(dir, base, extension)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && extension != LOG => {}
            renamed => renamed.map_err(|error| LogError::io("rename", &from, error))?,
        }
        if extension == TIME_INDEX {
            // The log's name goes last, and says that the rest is done.
            files::sync_dir(dir).map_err(|error| LogError::io("sync", dir, error))?;
        }
    }
    Ok(())
}

/// The offset behind a segment.
fn end_of(path: &Path, base: Offset) -> Result<Offset, LogError> {
    let opened = fs::File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (len, file) = opened.map_err(|error| LogError::io("open", path, error))?;
    let size = u32::try_from(len).unwrap_or(u32::MAX);
    let file = OpenFile::adopt(file, path.to_owned());
    let mut scanner = Scanner::new(Arc::clone(&file), 0, size, base);
    let mut end = base;
    while let Some(found) = scanner.next().map_err(|error| error.damage(&file))? {
        end = found.header.next_offset();
    }
    Ok(end)
}

fn remove(path: &Path) -> Result<(), LogError> {
    files::remove_if_there(path).map_err(|error| LogError::io("remove", path, error))
}
