//! The chain of offsets: `log start ≤ last stable ≤ high watermark ≤ log end`, and `flushed ≤ log end`.

use ottla_protocol::ids::Offset;

/// Where a replica stands. See `docs/offsets.md` for who moves what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offsets {
    /// The first offset that may be read.
    pub log_start: Offset,
    /// Below it, records are on every member of the maximal ISR.
    pub high_watermark: Offset,
    /// Where the next record goes.
    pub log_end: Offset,
    /// Everything below has survived a successful flush.
    pub flushed: Offset,
}

impl Offsets {
    /// What `read_committed` may read: the high watermark, as long as there are no transactions.
    #[must_use]
    pub fn last_stable(&self) -> Offset {
        self.high_watermark
    }

    /// The chain holds: asserted after every step, in release builds too.
    ///
    /// # Panics
    /// If it does not: going on would serve or acknowledge what is not there.
    pub fn assert_chain(&self) {
        assert!(
            0 <= self.log_start
                && self.log_start <= self.last_stable()
                && self.last_stable() <= self.high_watermark
                && self.high_watermark <= self.log_end
                && self.flushed <= self.log_end,
            "the chain of offsets is broken: {self:?}"
        );
    }
}
