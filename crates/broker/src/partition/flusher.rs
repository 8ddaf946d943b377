//! Group commit: a few threads per log directory, and a queue of partitions that have something to flush.
//! While one flush runs, appends gather for the next.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread;

use ottla_log::{LogDir, LogError};
use ottla_replication::Input;
use parking_lot::{Condvar, Mutex};

use super::append;
use super::replica::{FlushState, Partition};

/// Flushes of different partitions run side by side: the file system joins them in one commit.
const THREADS_PER_DIR: usize = 3;

/// The flusher threads of all log directories.
pub(super) struct Flusher {
    queues: HashMap<PathBuf, Arc<Queue>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

/// One log directory's queue.
pub(super) struct Queue {
    /// Weak: a stopped broker's directories are unlocked though a replica is still held somewhere.
    dir: Weak<LogDir>,
    state: Mutex<QueueState>,
    more: Condvar,
}

#[derive(Default)]
struct QueueState {
    dirty: VecDeque<Arc<Partition>>,
    stop: bool,
}

impl Flusher {
    pub(super) fn new(dirs: &[Arc<LogDir>]) -> Self {
        let queue = |dir: &Arc<LogDir>| Queue {
            dir: Arc::downgrade(dir),
            state: Mutex::default(),
            more: Condvar::new(),
        };
        let queues = dirs.iter().map(|dir| (dir.path().to_owned(), Arc::new(queue(dir)))).collect();
        Self { queues, threads: Mutex::default() }
    }

    pub(super) fn start(&self) -> std::io::Result<()> {
        let mut threads = self.threads.lock();
        for queue in self.queues.values() {
            for _ in 0..THREADS_PER_DIR {
                let queue = Arc::clone(queue);
                let builder = thread::Builder::new().name("flusher".to_owned());
                threads.push(builder.spawn(move || work(&queue))?);
            }
        }
        Ok(())
    }

    /// The queue of a log directory.
    pub(super) fn queue(&self, dir: &Arc<LogDir>) -> Option<Arc<Queue>> {
        self.queues.get(dir.path()).cloned()
    }

    /// Ends the threads once their queues are empty, and waits for them.
    pub(super) fn stop(&self) {
        for queue in self.queues.values() {
            queue.state.lock().stop = true;
            queue.more.notify_all();
        }
        for thread in self.threads.lock().drain(..) {
            // A panic has been reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Queue {
    /// The partition, whose flush state is busy, is to be flushed.
    pub(super) fn push(&self, partition: Arc<Partition>) {
        self.state.lock().dirty.push_back(partition);
        self.more.notify_one();
    }

    fn pop(&self) -> Option<Arc<Partition>> {
        let mut state = self.state.lock();
        loop {
            if let Some(partition) = state.dirty.pop_front() {
                return Some(partition);
            }
            if state.stop {
                return None;
            }
            self.more.wait(&mut state);
        }
    }
}

fn work(queue: &Queue) {
    while let Some(partition) = queue.pop() {
        match flush(&partition) {
            Ok(checkpoint_due) => {
                if checkpoint_due
                    && let Some(dir) = queue.dir.upgrade()
                    && let Err(error) = dir.checkpoint_recovery_points()
                {
                    tracing::error!(%error, "cannot write the recovery points");
                    partition.shared.note_failure(&error);
                }
            }
            Err(error) => {
                tracing::error!(?partition, %error, "a flush has failed");
                if let Some(dir) = queue.dir.upgrade() {
                    dir.take_out_of_service(&error);
                }
                partition.shared.storage_failed(&error.to_string());
            }
        }
    }
}

/// One flush of what there is now. What came meanwhile is queued again by the step that ends it.
fn flush(partition: &Arc<Partition>) -> Result<bool, LogError> {
    let plan = partition.look(|state| {
        let plan = state.log.as_mut().map_or(Ok(None), |log| log.flush_plan());
        if !matches!(plan, Ok(Some(_))) {
            state.flush = FlushState::Idle;
        }
        plan
    })?;
    let Some(plan) = plan else { return Ok(false) };
    let flushed = plan.flush();
    let now_ms = partition.shared.clock.now_ms();
    partition.run(|state, after| {
        state.flush = FlushState::Idle;
        match flushed {
            // A truncation came in between: the step plans again, if there is anything to flush.
            Err(LogError::Overtaken) => return Ok(false),
            Err(error) => {
                append::note_failure(after, &error);
                return Err(error);
            }
            Ok(()) => {}
        }
        let Some(log) = state.log.as_mut() else { return Ok(false) };
        let done = log.flushed(&plan);
        state.step(now_ms, Input::Flushed(done.flushed));
        Ok(done.checkpoint_due)
    })
}

/// Flushes because of `flush.ms`, if nothing else is about to.
pub(super) fn flush_by_time(partition: &Arc<Partition>) {
    let begins = partition.look(|state| {
        state.flush_scheduled = false;
        let begins = state.may_flush();
        if begins {
            state.flush = FlushState::Busy;
        }
        begins
    });
    if begins {
        partition.enqueue_flush();
    }
}

/// Ends a hold: whatever is not on disk is flushed.
pub(super) fn release(partition: &Arc<Partition>) {
    partition.look(|state| state.flush_held = false);
    flush_by_time(partition);
}

/// What a shutdown needs of a partition: its producers and bytes on disk. Takes the log out.
pub(super) fn close(partition: &Arc<Partition>) -> Result<(), LogError> {
    let log = partition.look(|state| {
        let snapshot = ottla_replication::producer_snapshot::encode(state.replica.producers());
        state.log.take().map(|mut log| {
            let written = log.write_producer_snapshot(log.log_end(), &snapshot);
            written.map(|()| log)
        })
    });
    match log {
        Some(log) => log?.close(),
        None => Ok(()),
    }
}
