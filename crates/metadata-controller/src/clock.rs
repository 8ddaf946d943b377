//! The two clocks: one that only goes forward, for what times out, and the wall's, for what is written.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ottla_protocol::ids::TimestampMs;

use crate::liveness::Millis;

/// A clock that only goes forward; its zero lies an hour before its start, so that what was earlier can be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

const START_MS: Millis = 3_600_000;

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(self) -> Millis {
        self.at(Instant::now())
    }

    /// The time of an instant, also of one before the start.
    pub(crate) fn at(self, instant: Instant) -> Millis {
        let millis = |duration: std::time::Duration| {
            Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
        };
        let after = millis(instant.saturating_duration_since(self.start));
        let before = millis(self.start.saturating_duration_since(instant));
        (START_MS + after).saturating_sub(before)
    }

    /// The same moment on the wall's clock.
    pub(crate) fn on_the_wall(self, at: Millis) -> TimestampMs {
        let ago = self.now().saturating_sub(at);
        wall_clock_ms() - TimestampMs::try_from(ago).unwrap_or(TimestampMs::MAX)
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn wall_clock_ms() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs::try_from(since.as_millis()).unwrap_or(TimestampMs::MAX)
}
