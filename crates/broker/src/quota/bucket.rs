//! What may be used now: it comes at a steady rate, and is kept for a while. Pure: the time is an argument.

/// A store that fills up at `bound` a second, for `reserve_ms` at most.
///
/// Kafka adds up windows for all but changes of topics instead. A client that has used a lot at once is
/// let alone there as soon as that window is forgotten, and may do it again; here it gets its bound, no
/// more and no less (as KIP-599 has it for changes).
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    bound: f64,
    reserve_ms: u64,
    left: f64,
    filled_ms: u64,
}

impl Bucket {
    pub(super) fn full(reserve_ms: u64, now_ms: u64, bound: f64) -> Self {
        Self { bound, reserve_ms, left: capacity(reserve_ms, bound), filled_ms: now_ms }
    }

    /// From now on it fills up at another rate.
    pub(super) fn set_bound(&mut self, now_ms: u64, bound: f64) {
        self.fill(now_ms);
        self.bound = bound;
    }

    /// How many milliseconds it takes until nothing is owed; 0 if nothing is.
    pub(super) fn wait_ms(&mut self, now_ms: u64) -> u64 {
        self.fill(now_ms);
        // As many as an answer can name; what is negative is none.
        (-self.left / self.bound * 1000.0).round().clamp(0.0, f64::from(i32::MAX)) as u64
    }

    /// Takes something out, more than there is if need be; a negative amount is given back.
    pub(super) fn take(&mut self, amount: f64) {
        self.left -= amount;
    }

    /// Filled up: as good as new.
    pub(super) fn is_full(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        self.left >= capacity(self.reserve_ms, self.bound)
    }

    fn fill(&mut self, now_ms: u64) {
        let came = self.bound * now_ms.saturating_sub(self.filled_ms) as f64 / 1000.0;
        self.left = (self.left + came).min(capacity(self.reserve_ms, self.bound));
        self.filled_ms = now_ms;
    }
}

/// The most that there can be.
pub(super) fn capacity(reserve_ms: u64, bound: f64) -> f64 {
    reserve_ms as f64 / 1000.0 * bound
}
