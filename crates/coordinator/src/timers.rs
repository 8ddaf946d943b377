//! Deadlines, each under a name.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use ottla_protocol::ids::TimestampMs;

use crate::{GroupName, MemberId};

/// What falls due.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Old offsets are looked for, in all groups.
    OffsetExpiry,
    /// Something of a classic group.
    Classic {
        /// The group.
        group: GroupName,
        /// What.
        timer: crate::classic::Timer,
    },
    /// A member of a consumer group has been silent for too long.
    ConsumerSession {
        /// The group.
        group: GroupName,
        /// The member.
        member: MemberId,
    },
    /// A member of a consumer group has not given up its partitions in time.
    ConsumerRebalance {
        /// The group.
        group: GroupName,
        /// The member.
        member: MemberId,
    },
    /// Anything else of a consumer group.
    Consumer {
        /// The group.
        group: GroupName,
        /// What.
        timer: crate::consumer::Timer,
    },
}

/// Deadlines. Moving one later, as a heartbeat does, only notes the new time: the queue learns it when the
/// old time comes.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    armed: HashMap<Timer, Armed>,
    /// At least one entry per armed timer, not later than its deadline; entries at another time than
    /// `queued_ms`, or of no timer, are void.
    queue: BinaryHeap<Reverse<(TimestampMs, Timer)>>,
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    deadline_ms: TimestampMs,
    queued_ms: TimestampMs,
}

impl Timers {
    /// Arms a timer, or moves it.
    pub(crate) fn set(&mut self, timer: Timer, deadline_ms: TimestampMs) {
        if let Some(armed) = self.armed.get_mut(&timer) {
            armed.deadline_ms = deadline_ms;
            if armed.queued_ms <= deadline_ms {
                return;
            }
            armed.queued_ms = deadline_ms;
        } else {
            self.armed.insert(timer.clone(), Armed { deadline_ms, queued_ms: deadline_ms });
        }
        self.queue.push(Reverse((deadline_ms, timer)));
    }

    /// Disarms a timer.
    pub(crate) fn cancel(&mut self, timer: &Timer) {
        self.armed.remove(timer);
    }

    /// When a timer falls due.
    pub(crate) fn deadline_ms(&self, timer: &Timer) -> Option<TimestampMs> {
        self.armed.get(timer).map(|armed| armed.deadline_ms)
    }

    /// No timer falls due before.
    pub(crate) fn next_ms(&self) -> Option<TimestampMs> {
        self.queue.peek().map(|Reverse((at_ms, _))| *at_ms)
    }

    /// The next timer that is due; it is disarmed.
    pub(crate) fn pop(&mut self, now_ms: TimestampMs) -> Option<Timer> {
        while let Some(Reverse((at_ms, _))) = self.queue.peek()
            && *at_ms <= now_ms
        {
            let Reverse((at_ms, timer)) = self.queue.pop()?;
            let Some(armed) = self.armed.get_mut(&timer).filter(|armed| armed.queued_ms == at_ms)
            else {
                continue;
            };
            if armed.deadline_ms <= now_ms {
                self.armed.remove(&timer);
                return Some(timer);
            }
            armed.queued_ms = armed.deadline_ms;
            self.queue.push(Reverse((armed.deadline_ms, timer)));
        }
        None
    }
}
