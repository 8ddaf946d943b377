//! How much memory the requests that wait may take, and the records that wait for their append.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all shards of a broker share.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    limit: usize,
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), limit: limit_bytes })
    }

    /// So many bytes, or `None` if they are not left.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let charge = self.charge(bytes);
        (self.used.load(Ordering::Relaxed) <= self.limit).then_some(charge)
    }

    /// So many bytes, whatever is left: for what cannot be refused any more.
    pub(super) fn charge(self: &Arc<Self>, bytes: usize) -> Charge {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Charge { budget: Arc::clone(self), bytes }
    }
}

impl Charge {
    /// Adds to it what cannot be refused any more.
    pub(super) fn add(&mut self, bytes: usize) {
        self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_free_again() {
        let budget = Budget::new(100);
        let first = budget.take(60).expect("it is empty");
        assert!(budget.take(60).is_none());
        let mut second = budget.take(40).expect("so much is left");
        second.add(10);
        assert!(budget.take(1).is_none());
        drop((first, second));
        assert!(budget.take(100).is_some());
    }
}
