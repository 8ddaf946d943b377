//! Deadlines of partitions that have one: a heap and a thread that sleeps until the first. A partition
//! without a lagging follower has none.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};

use ottla_replication::Input;
use parking_lot::{Condvar, Mutex};

use super::clock::Clock;
use super::flusher;
use super::replica::Partition;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Tick,
    Flush,
}

struct Timer {
    at_ms: i64,
    what: What,
    partition: Weak<Partition>,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at_ms == other.at_ms
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at_ms.cmp(&other.at_ms)
    }
}

/// The deadlines.
pub(super) struct Timers {
    clock: Clock,
    state: Mutex<State>,
    sooner: Condvar,
}

#[derive(Default)]
struct State {
    heap: BinaryHeap<Reverse<Timer>>,
    stop: bool,
}

impl Timers {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default(), sooner: Condvar::new() }
    }

    /// The replica looks again at this time.
    pub(super) fn tick_at(&self, at_ms: i64, partition: &Arc<Partition>) {
        self.add(Timer { at_ms, what: What::Tick, partition: Arc::downgrade(partition) });
    }

    /// What is written of the partition is flushed at this time.
    pub(super) fn flush_at(&self, at_ms: i64, partition: &Arc<Partition>) {
        self.add(Timer { at_ms, what: What::Flush, partition: Arc::downgrade(partition) });
    }

    fn add(&self, timer: Timer) {
        let mut state = self.state.lock();
        let first = state.heap.peek().is_none_or(|Reverse(first)| timer.at_ms < first.at_ms);
        state.heap.push(Reverse(timer));
        drop(state);
        if first {
            self.sooner.notify_one();
        }
    }

    pub(super) fn stop(&self) {
        self.state.lock().stop = true;
        self.sooner.notify_all();
    }

    /// Runs until stopped.
    pub(super) fn run(&self) {
        while let Some(timer) = self.next() {
            let Some(partition) = timer.partition.upgrade() else { continue };
            match timer.what {
                What::Tick => partition.step(Input::Tick),
                What::Flush => flusher::flush_by_time(&partition),
            }
        }
    }

    fn next(&self) -> Option<Timer> {
        let mut state = self.state.lock();
        loop {
            if state.stop {
                return None;
            }
            let now_ms = self.clock.now_ms();
            match state.heap.peek().map(|Reverse(first)| first.at_ms) {
                Some(at_ms) if at_ms <= now_ms => {
                    return state.heap.pop().map(|Reverse(first)| first);
                }
                Some(at_ms) => {
                    let _ = self.sooner.wait_until(&mut state, self.clock.instant(at_ms));
                }
                None => self.sooner.wait(&mut state),
            }
        }
    }
}
