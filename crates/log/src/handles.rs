//! The open files of a log directory: opened when needed, a bounded number kept open.
//!
//! A segment holds a weak reference, the cache the strong one; whoever reads, writes or flushes holds a
//! strong one meanwhile, so that a file is never closed under its user. Which file goes when there are
//! too many is decided by the clock rule (second chance): a use sets a flag, no lock is taken.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// An open file and, for messages, its path when it was opened.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    used: AtomicBool,
    retired: AtomicBool,
}

impl OpenFile {
    fn new(file: File, path: PathBuf) -> Arc<Self> {
        let (used, retired) = (AtomicBool::new(true), AtomicBool::new(false));
        Arc::new(Self { file, path, used, retired })
    }

    /// A file that no cache knows.
    pub(crate) fn adopt(file: File, path: PathBuf) -> Arc<Self> {
        Self::new(file, path)
    }

    /// Creates or empties a file that no cache knows.
    pub(crate) fn create(path: PathBuf) -> io::Result<Arc<Self>> {
        Ok(Self::new(File::create(&path)?, path))
    }
}

/// A place for an open file: empty, or still open in the cache.
pub(crate) type Slot = Weak<OpenFile>;

/// The files of one log directory that are open although perhaps nobody uses them now.
#[derive(Debug)]
pub(crate) struct FileCache {
    capacity: usize,
    open: Mutex<VecDeque<Arc<OpenFile>>>,
}

impl FileCache {
    /// Keeps at most `capacity` files open.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), open: Mutex::new(VecDeque::new()) }
    }

    /// The open file of `slot`, opened for reading and writing if it is not open; `create` makes an
    /// empty one if there is none.
    pub(crate) fn get(
        &self,
        slot: &mut Slot,
        create: bool,
        path: impl FnOnce() -> PathBuf,
    ) -> io::Result<Arc<OpenFile>> {
        if let Some(open) = slot.upgrade() {
            open.used.store(true, Ordering::Relaxed);
            return Ok(open);
        }
        let path = path();
        let file =
            OpenOptions::new().read(true).write(true).create(create).truncate(false).open(&path);
        let open = OpenFile::new(file?, path);
        *slot = Arc::downgrade(&open);
        let evicted = self.insert(Arc::clone(&open));
        // Closed outside the cache's lock, unless somebody still uses it.
        drop(evicted);
        Ok(open)
    }

    fn insert(&self, file: Arc<OpenFile>) -> Option<Arc<OpenFile>> {
        let mut open = self.open.lock();
        let mut evicted = None;
        if open.len() >= self.capacity {
            // Each file gets one more chance at most: two rounds always find one to close.
            for _ in 0..=open.len() * 2 {
                let Some(oldest) = open.pop_front() else { break };
                if oldest.used.swap(false, Ordering::Relaxed) {
                    open.push_back(oldest);
                } else {
                    evicted = Some(oldest);
                    break;
                }
            }
        }
        open.push_back(file);
        evicted
    }

    /// Marks a file as not needed any more; [`FileCache::sweep`] closes it.
    pub(crate) fn retire(slot: &Slot) {
        if let Some(open) = slot.upgrade() {
            open.retired.store(true, Ordering::Relaxed);
        }
    }

    /// Closes the retired files, so that deleted ones give back their space.
    pub(crate) fn sweep(&self) {
        self.open.lock().retain(|file| !file.retired.load(Ordering::Relaxed));
    }

    /// How many files are kept open.
    pub(crate) fn len(&self) -> usize {
        self.open.lock().len()
    }
}
