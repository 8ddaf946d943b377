//! What everybody has used up, and how long they have to wait for it. Pure: the time is an argument.

use std::collections::HashMap;

use ottla_config::NodeConfig;
use ottla_metadata::quota::QuotaKey;

use super::bucket::{Bucket, capacity};
use super::precedence::{Bearer, Limit};

/// Books are looked over for those that are as good as new when there are twice as many as after the last
/// time, and this many at least.
const LOOKED_OVER_AT: usize = 1024;

/// For how long what is not used is kept, by the keys of Kafka's windows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reserves {
    /// All windows but the current one.
    pub(super) ms: u64,
    /// All windows of changes of topics.
    pub(super) mutation_ms: u64,
    /// One window: the longest that a client is shut out for what it could not know beforehand.
    pub(super) window_ms: u64,
}

impl Reserves {
    pub(super) fn of(config: &NodeConfig) -> Self {
        let positive = |number: i32| u64::try_from(number).unwrap_or(1).max(1);
        let window_ms = positive(config.quota_window_size_seconds) * 1000;
        let mutation_window_ms = positive(config.controller_quota_window_size_seconds) * 1000;
        Self {
            ms: window_ms * positive(config.quota_window_num.saturating_sub(1)),
            mutation_ms: mutation_window_ms * positive(config.controller_quota_window_num),
            window_ms,
        }
    }
}

/// The books.
#[derive(Debug)]
pub(super) struct Ledger {
    reserves: Reserves,
    buckets: HashMap<(QuotaKey, Bearer), Bucket>,
    look_over_at: usize,
}

impl Ledger {
    pub(super) fn new(reserves: Reserves) -> Self {
        Self { reserves, buckets: HashMap::new(), look_over_at: LOOKED_OVER_AT }
    }

    /// Notes what was used; for how many milliseconds nothing more is to be used.
    pub(super) fn record(&mut self, now_ms: u64, key: QuotaKey, limit: &Limit, amount: f64) -> u64 {
        let bucket = self.bucket(now_ms, key, limit);
        bucket.take(amount);
        let wait_ms = bucket.wait_ms(now_ms);
        self.bounded(key, wait_ms)
    }

    /// Takes what is asked for, or nothing while something is owed; the error is for how many
    /// milliseconds. More may be taken than there is.
    pub(super) fn take(
        &mut self,
        now_ms: u64,
        key: QuotaKey,
        limit: &Limit,
        amount: f64,
    ) -> Result<(), u64> {
        let bucket = self.bucket(now_ms, key, limit);
        match bucket.wait_ms(now_ms) {
            0 => {
                bucket.take(amount);
                Ok(())
            }
            wait_ms => Err(self.bounded(key, wait_ms)),
        }
    }

    /// Gives back what was not used.
    pub(super) fn give_back(&mut self, key: QuotaKey, limit: &Limit, amount: f64) {
        if let Some(bucket) = self.buckets.get_mut(&(key, limit.bearer.clone())) {
            bucket.take(-amount);
        }
    }

    /// The most that can be used at once without having to wait.
    pub(super) fn most(&self, key: QuotaKey, limit: &Limit) -> f64 {
        capacity(self.reserve_ms(key), limit.bound)
    }

    fn bucket(&mut self, now_ms: u64, key: QuotaKey, limit: &Limit) -> &mut Bucket {
        self.look_over(now_ms);
        let reserve_ms = self.reserve_ms(key);
        let new = || Bucket::full(reserve_ms, now_ms, limit.bound);
        let bucket = self.buckets.entry((key, limit.bearer.clone())).or_insert_with(new);
        bucket.set_bound(now_ms, limit.bound);
        bucket
    }

    fn reserve_ms(&self, key: QuotaKey) -> u64 {
        match key {
            QuotaKey::ControllerMutationRate => self.reserves.mutation_ms,
            QuotaKey::ConsumerByteRate
            | QuotaKey::ProducerByteRate
            | QuotaKey::RequestPercentage
            | QuotaKey::ConnectionCreationRate => self.reserves.ms,
        }
    }

    fn bounded(&self, key: QuotaKey, wait_ms: u64) -> u64 {
        match key {
            QuotaKey::RequestPercentage | QuotaKey::ConnectionCreationRate => {
                wait_ms.min(self.reserves.window_ms)
            }
            QuotaKey::ConsumerByteRate
            | QuotaKey::ProducerByteRate
            | QuotaKey::ControllerMutationRate => wait_ms,
        }
    }

    /// Names come from the network: books that are as good as new are closed.
    fn look_over(&mut self, now_ms: u64) {
        if self.buckets.len() >= self.look_over_at {
            self.buckets.retain(|_, bucket| !bucket.is_full(now_ms));
            self.look_over_at = LOOKED_OVER_AT.max(2 * self.buckets.len());
        }
    }
}

#[cfg(test)]
mod tests;
