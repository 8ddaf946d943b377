//! The time that groups live by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ottla_protocol::ids::TimestampMs;
use tokio::time::Instant;

/// The wall's time as it was at the start, and what has passed since: it can be compared with timestamps
/// in the log, and yet no correction of the wall's clock ends a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
    start_ms: TimestampMs,
}

impl Clock {
    pub(super) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Self { start: Instant::now(), start_ms }
    }

    /// Milliseconds since the Unix epoch.
    pub(super) fn now_ms(&self) -> TimestampMs {
        let elapsed = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.start_ms.saturating_add(elapsed)
    }

    /// The moment that `now_ms` shows as `at_ms`; the start, for one before it.
    pub(super) fn instant(&self, at_ms: TimestampMs) -> Instant {
        let after_start = u64::try_from(at_ms.saturating_sub(self.start_ms)).unwrap_or(0);
        // What lies beyond a year is looked at again then.
        self.start + Duration::from_millis(after_start.min(365 * 24 * 3_600_000))
    }
}
