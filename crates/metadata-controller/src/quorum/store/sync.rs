//! Group commit: one thread makes everything durable that was written before it was asked.
//!
//! sled's `flush` alone is no fsync on Linux, so the file is synced as well. A sync that fails is never
//! tried again: from then on every caller gets the error, and the quorum stops.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// Called once what was written before is durable, or will never be.
type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// A handle to the thread; it ends when this is dropped.
pub(super) struct SyncThread {
    jobs: Option<Sender<Done>>,
    thread: Option<JoinHandle<()>>,
}

impl SyncThread {
    pub(super) fn start(db: sled::Db, file: File) -> io::Result<Self> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("quorum-sync".to_owned())
            .spawn(move || run(&queue, || sync(&db, &file)))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// `done` is called, on the thread, once everything written so far is durable.
    pub(super) fn submit(&self, done: impl FnOnce(io::Result<()>) + Send + 'static) {
        if let Some(jobs) = &self.jobs
            && let Err(rejected) = jobs.send(Box::new(done))
        {
            (rejected.0)(Err(stopped()));
        }
    }

    /// Waits until everything written so far is durable.
    pub(super) async fn wait(&self) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.submit(move |result| {
            // Whoever waited may have gone.
            let _ = sender.send(result);
        });
        receiver.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for SyncThread {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already failed whoever waited.
            let _ = thread.join();
        }
    }
}

fn run(queue: &Receiver<Done>, mut sync: impl FnMut() -> io::Result<()>) {
    let mut failed: Option<io::Error> = None;
    while let Ok(first) = queue.recv() {
        let waiting: Vec<Done> = std::iter::once(first).chain(queue.try_iter()).collect();
        if failed.is_none() {
            failed = sync().err();
        }
        for done in waiting {
            done(failed.as_ref().map_or(Ok(()), |error| {
                Err(io::Error::new(error.kind(), format!("syncing the quorum's log: {error}")))
            }));
        }
    }
}

fn sync(db: &sled::Db, file: &File) -> io::Result<()> {
    db.flush().map_err(io::Error::from)?;
    file.sync_data()
}

fn stopped() -> io::Error {
    io::Error::other("the quorum's sync thread has stopped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_is_never_tried_again() {
        let (jobs, queue) = channel::<Done>();
        let (results, seen) = channel();
        for _ in 0..2 {
            let results = results.clone();
            jobs.send(Box::new(move |result| results.send(result.is_ok()).unwrap())).unwrap();
        }
        drop((jobs, results));
        let mut tries = 0;
        run(&queue, || {
            tries += 1;
            Err(io::Error::other("disk gone"))
        });
        assert_eq!(seen.iter().collect::<Vec<_>>(), [false, false]);
        assert_eq!(tries, 1);
    }
}
