//! For how long nothing is read from a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Shared between a connection and those who answer its requests. One atomic look where nothing is muted.
#[derive(Debug, Clone)]
pub(crate) struct Mute {
    begun: Instant,
    /// Milliseconds after `begun`.
    until_ms: Arc<AtomicU64>,
}

impl Mute {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), until_ms: Arc::default() }
    }

    /// Mutes from now on; a longer mute that is in force stays.
    pub(crate) fn extend(&self, throttle: Duration) {
        if !throttle.is_zero() {
            let until = self.begun.elapsed().saturating_add(throttle).as_millis();
            self.until_ms.fetch_max(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Until when, if it is still to come.
    pub(crate) fn until(&self) -> Option<Instant> {
        let until_ms = self.until_ms.load(Ordering::Relaxed);
        if until_ms == 0 {
            return None;
        }
        let until = self.begun.checked_add(Duration::from_millis(until_ms))?;
        if until <= Instant::now() {
            // What another request has set in between is longer, and stays.
            let _ =
                self.until_ms.compare_exchange(until_ms, 0, Ordering::Relaxed, Ordering::Relaxed);
            return None;
        }
        Some(until)
    }
}
