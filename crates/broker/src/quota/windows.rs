//! How much of something there was a second, over Kafka's windows. Pure: the time is an argument.

use std::collections::VecDeque;

/// Over what time a rate is measured: `quota.window.num` windows of `quota.window.size.seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Windows {
    /// How many, at least 1; the last of them is the current one.
    pub(super) count: u64,
    /// How long each is, in milliseconds, at least 1.
    pub(super) length_ms: u64,
}

impl Windows {
    pub(super) fn of(count: i32, length_seconds: i32) -> Self {
        let positive = |number: i32| u64::try_from(number).unwrap_or(1).max(1);
        Self { count: positive(count), length_ms: positive(length_seconds).saturating_mul(1000) }
    }

    pub(super) fn span_ms(self) -> u64 {
        self.count.saturating_mul(self.length_ms)
    }
}

/// What there was, window by window.
#[derive(Debug, Clone, Default)]
pub(super) struct Rate {
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone)]
struct Sample {
    start_ms: u64,
    last_ms: u64,
    sum: f64,
}

impl Rate {
    /// Adds to the current window; a negative amount takes back.
    pub(super) fn record(&mut self, windows: Windows, now_ms: u64, amount: f64) {
        self.forget(windows, now_ms);
        match self.samples.back_mut() {
            Some(sample) if now_ms.saturating_sub(sample.start_ms) < windows.length_ms => {
                sample.sum += amount;
                sample.last_ms = now_ms;
            }
            _ => self.samples.push_back(Sample { start_ms: now_ms, last_ms: now_ms, sum: amount }),
        }
    }

    /// By how many milliseconds the measured time would have to be longer for the rate to be `bound` a
    /// second; 0 if it is not above.
    pub(super) fn excess_ms(&mut self, windows: Windows, now_ms: u64, bound: f64) -> u64 {
        self.forget(windows, now_ms);
        let measured_ms = self.measured_ms(windows, now_ms);
        let sum: f64 = self.samples.iter().map(|sample| sample.sum).sum();
        let excess_ms = sum * 1000.0 / bound - measured_ms as f64;
        millis(excess_ms)
    }

    /// Nothing is left that counts: as good as new.
    pub(super) fn is_blank(&mut self, windows: Windows, now_ms: u64) -> bool {
        self.forget(windows, now_ms);
        self.samples.is_empty()
    }

    /// Windows stay as long as something of them lies within the span.
    fn forget(&mut self, windows: Windows, now_ms: u64) {
        while let Some(oldest) = self.samples.front()
            && now_ms.saturating_sub(oldest.last_ms) >= windows.span_ms()
        {
            self.samples.pop_front();
        }
    }

    /// From the start of the oldest window until now. Windows that are missing of all but the current one
    /// count as silent.
    fn measured_ms(&self, windows: Windows, now_ms: u64) -> u64 {
        let start_ms = self.samples.front().map_or(now_ms, |oldest| oldest.start_ms);
        let elapsed_ms = now_ms.saturating_sub(start_ms);
        let missing = (windows.count - 1).saturating_sub(elapsed_ms / windows.length_ms);
        elapsed_ms.saturating_add(missing.saturating_mul(windows.length_ms)).max(1)
    }
}

/// Permits that come at a steady rate, and are kept for `windows` at most (KIP-599).
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    permits: f64,
    filled_ms: u64,
}

impl Bucket {
    pub(super) fn full(windows: Windows, now_ms: u64, bound: f64) -> Self {
        Self { permits: capacity(windows, bound), filled_ms: now_ms }
    }

    /// Fills up, and tells how long until there are permits again; 0 if there are.
    pub(super) fn wait_ms(&mut self, windows: Windows, now_ms: u64, bound: f64) -> u64 {
        let elapsed_ms = now_ms.saturating_sub(self.filled_ms);
        let came = bound * elapsed_ms as f64 / 1000.0;
        self.permits = (self.permits + came).min(capacity(windows, bound));
        self.filled_ms = now_ms;
        millis(-self.permits / bound * 1000.0)
    }

    /// Takes permits, more than there are if need be; a negative amount gives back.
    pub(super) fn take(&mut self, permits: f64) {
        self.permits -= permits;
    }

    /// Filled up: as good as new.
    pub(super) fn is_full(&mut self, windows: Windows, now_ms: u64, bound: f64) -> bool {
        self.wait_ms(windows, now_ms, bound);
        self.permits >= capacity(windows, bound)
    }
}

fn capacity(windows: Windows, bound: f64) -> f64 {
    windows.span_ms() as f64 / 1000.0 * bound
}

/// Whole milliseconds, as many as an answer can name; what is negative, or no number, is none.
fn millis(ms: f64) -> u64 {
    ms.round().clamp(0.0, f64::from(i32::MAX)) as u64
}
