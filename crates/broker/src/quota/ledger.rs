//! What everybody has used up, and how long they have to wait for it. Pure: the time is an argument.

use std::collections::HashMap;

use ottla_metadata::quota::QuotaKey;

use super::precedence::{Bearer, Limit};
use super::windows::{Bucket, Rate, Windows};

/// Books are looked over for those that are as good as new when there are twice as many as after the last
/// time, and this many at least.
const LOOKED_OVER_AT: usize = 1024;

/// The books.
#[derive(Debug)]
pub(super) struct Ledger {
    windows: Windows,
    mutation_windows: Windows,
    rates: HashMap<(QuotaKey, Bearer), Rate>,
    buckets: HashMap<Bearer, (Bucket, f64)>,
    look_over_at: usize,
}

impl Ledger {
    pub(super) fn new(windows: Windows, mutation_windows: Windows) -> Self {
        Self {
            windows,
            mutation_windows,
            rates: HashMap::new(),
            buckets: HashMap::new(),
            look_over_at: LOOKED_OVER_AT,
        }
    }

    /// Notes what was used; for how many milliseconds nothing more is to be used.
    pub(super) fn record(
        &mut self,
        now_ms: u64,
        key: QuotaKey,
        limit: &Limit,
        amount: f64,
    ) -> u64 {
        self.look_over(now_ms);
        let windows = self.windows;
        let rate = self.rates.entry((key, limit.bearer.clone())).or_default();
        rate.record(windows, now_ms, amount);
        let wait_ms = rate.excess_ms(windows, now_ms, limit.bound);
        match key {
            QuotaKey::ConsumerByteRate | QuotaKey::ProducerByteRate => wait_ms,
            // As in Kafka: what cannot be known beforehand does not shut a client out for long.
            QuotaKey::RequestPercentage
            | QuotaKey::ConnectionCreationRate
            | QuotaKey::ControllerMutationRate => wait_ms.min(windows.length_ms),
        }
    }

    /// Takes back what turned out not to be used.
    pub(super) fn unrecord(&mut self, now_ms: u64, key: QuotaKey, limit: &Limit, amount: f64) {
        if let Some(rate) = self.rates.get_mut(&(key, limit.bearer.clone())) {
            rate.record(self.windows, now_ms, -amount);
        }
    }

    /// The most that can be used at once without having to wait.
    pub(super) fn most(&self, limit: &Limit) -> f64 {
        let seconds = self.windows.length_ms as f64 / 1000.0;
        limit.bound * (self.windows.count.saturating_sub(1).max(1)) as f64 * seconds
    }

    /// Takes permits for changes, all of them or none; the error is for how many milliseconds there are
    /// none. More may be taken than there are left.
    pub(super) fn take(&mut self, now_ms: u64, limit: &Limit, permits: f64) -> Result<(), u64> {
        self.look_over(now_ms);
        let windows = self.mutation_windows;
        let (bucket, bound) = self
            .buckets
            .entry(limit.bearer.clone())
            .or_insert_with(|| (Bucket::full(windows, now_ms, limit.bound), limit.bound));
        *bound = limit.bound;
        match bucket.wait_ms(windows, now_ms, limit.bound) {
            0 => {
                bucket.take(permits);
                Ok(())
            }
            wait_ms => Err(wait_ms),
        }
    }

    /// Gives permits back.
    pub(super) fn give_back(&mut self, limit: &Limit, permits: f64) {
        if let Some((bucket, _)) = self.buckets.get_mut(&limit.bearer) {
            bucket.take(-permits);
        }
    }

    /// Takes permits whether there are any or not; for how many milliseconds there are none then.
    pub(super) fn take_anyway(&mut self, now_ms: u64, limit: &Limit, permits: f64) -> u64 {
        if self.take(now_ms, limit, permits).is_err()
            && let Some((bucket, _)) = self.buckets.get_mut(&limit.bearer)
        {
            bucket.take(permits);
        }
        let bucket = self.buckets.get_mut(&limit.bearer);
        bucket.map_or(0, |(bucket, _)| bucket.wait_ms(self.mutation_windows, now_ms, limit.bound))
    }

    /// Names come from the network: books that are as good as new are closed.
    fn look_over(&mut self, now_ms: u64) {
        if self.rates.len() + self.buckets.len() < self.look_over_at {
            return;
        }
        let (windows, mutation_windows) = (self.windows, self.mutation_windows);
        self.rates.retain(|_, rate| !rate.is_blank(windows, now_ms));
        self.buckets
            .retain(|_, (bucket, bound)| !bucket.is_full(mutation_windows, now_ms, *bound));
        self.look_over_at = LOOKED_OVER_AT.max(2 * (self.rates.len() + self.buckets.len()));
    }
}

#[cfg(test)]
mod tests;
