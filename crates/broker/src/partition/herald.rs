//! Tells followers of offsets that moved when no data goes their way soon. Nobody waits for it, so it is
//! done for many partitions at once, some milliseconds later; while nothing moves, nothing runs.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::replica::Partition;
use super::session::Session;

/// How long news of offsets gather.
const GATHER: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(super) struct Herald {
    news: Mutex<Vec<(Arc<Session>, Arc<Partition>)>>,
    some: Notify,
}

impl Herald {
    /// `session` is to hear of the partition's offsets; once per partition until it has.
    pub(super) fn announce(&self, session: Arc<Session>, partition: &Arc<Partition>) {
        let mut news = self.news.lock();
        news.push((session, Arc::clone(partition)));
        let first = news.len() == 1;
        drop(news);
        if first {
            self.some.notify_one();
        }
    }

    pub(super) async fn run(&self, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.some.notified() => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            loop {
                tokio::time::sleep(GATHER).await;
                let news = std::mem::take(&mut *self.news.lock());
                if news.is_empty() {
                    break;
                }
                for (session, partition) in news {
                    session.push_ready(partition);
                }
            }
        }
    }
}
