//! One timer for all shards: when each of them wants to be looked at again.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ottla_protocol::ids::{PartitionIndex, TimestampMs};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::clock::Clock;
use super::shard::Shard;

/// A timer that is so late shows that the process has stood still.
const STALL: Duration = Duration::from_secs(1);
/// Then what clients have sent meanwhile, heartbeats above all, is taken in before anybody's session ends.
const GRACE: Duration = Duration::from_millis(500);

/// A shard's place in the queue. Its leader epoch tells it from the shard before it.
type Due = (TimestampMs, PartitionIndex, i32);

#[derive(Default)]
pub(super) struct Timers {
    queue: Mutex<BTreeMap<Due, Weak<Shard>>>,
    sooner: Notify,
}

impl Timers {
    /// The shard is ticked at `at_ms` instead of at `before_ms`.
    pub(super) fn set(
        &self,
        shard: &Arc<Shard>,
        before_ms: Option<TimestampMs>,
        at_ms: TimestampMs,
    ) {
        let (partition, epoch) = (shard.partition_index(), shard.leader_epoch());
        let mut queue = self.queue.lock();
        if let Some(before_ms) = before_ms {
            queue.remove(&(before_ms, partition, epoch));
        }
        let due = (at_ms, partition, epoch);
        queue.insert(due, Arc::downgrade(shard));
        let first = queue.first_key_value().is_some_and(|(first, _)| *first == due);
        drop(queue);
        if first {
            self.sooner.notify_one();
        }
    }

    /// Ticks shards, for ever.
    pub(super) async fn run(&self, clock: Clock) {
        loop {
            match self.next() {
                None => self.sooner.notified().await,
                Some(at_ms) => {
                    let at = clock.instant(at_ms);
                    if at > Instant::now() {
                        tokio::select! {
                            () = sleep_until(at) => {}
                            () = self.sooner.notified() => continue,
                        }
                    }
                    if at.elapsed() > STALL {
                        tracing::warn!(late = ?at.elapsed(), "this process has stood still");
                        sleep(GRACE).await;
                    }
                    // The clock counts whole milliseconds.
                    for shard in self.due(clock.now_ms().max(at_ms)) {
                        shard.tick();
                    }
                    // Many shards may be due at once: connections are served in between.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn next(&self) -> Option<TimestampMs> {
        self.queue.lock().first_key_value().map(|((at_ms, ..), _)| *at_ms)
    }

    fn due(&self, now_ms: TimestampMs) -> Vec<Arc<Shard>> {
        let mut queue = self.queue.lock();
        let later = queue.split_off(&(now_ms.saturating_add(1), PartitionIndex::MIN, i32::MIN));
        let due = std::mem::replace(&mut *queue, later);
        due.into_values().filter_map(|shard| shard.upgrade()).collect()
    }
}
