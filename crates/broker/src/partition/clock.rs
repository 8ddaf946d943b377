//! The two clocks: a monotonic one for deadlines, the wall's for timestamps.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla_protocol::ids::TimestampMs;

/// Milliseconds since the partitions were opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// For deadlines and lags; never goes back.
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// The moment that `now_ms` shows as `at_ms`.
    pub(super) fn instant(&self, at_ms: i64) -> Instant {
        self.start + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0))
    }
}

/// Milliseconds since the Unix epoch.
pub(super) fn wall_ms() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
