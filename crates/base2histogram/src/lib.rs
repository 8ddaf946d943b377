//! What openraft counts its batches with, in 0.5 KiB.
//!
//! The published crate of this name fills 25 MiB of tables, for every resolution it knows, when the first
//! histogram is made, half of what an idle broker needs; openraft has no switch against it. Nothing here
//! reads these counts. This has the part of its interface that openraft names, with one bucket for each
//! power of two. Goes away with a release of openraft that makes no histograms unasked.

use std::fmt;
use std::marker::PhantomData;

/// One more than the bits of a value: a bucket for zero, then one for each highest bit.
const BUCKETS: usize = u64::BITS as usize + 1;

/// How often values of each power of two were recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: Box<[u64; BUCKETS]>,
    slots: PhantomData<T>,
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), slots: PhantomData }
    }
}

impl<T> Histogram<T> {
    /// Nothing recorded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value several times.
    pub fn record_n(&mut self, value: u64, count: u64) {
        let bits = u64::BITS - value.leading_zeros();
        self.counts[bits as usize] += count;
    }

    /// How many values were recorded.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The greatest value of the bucket that holds the value at `per_mille` of all; 0 if there is none.
    fn percentile(&self, per_mille: u64) -> u64 {
        let rank = (self.total() * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bits, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return if bits == 0 { 0 } else { u64::MAX >> (BUCKETS - 1 - bits) };
            }
        }
        0
    }

    /// The usual percentiles.
    #[must_use]
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total(),
            p0_1: self.percentile(1),
            p1: self.percentile(10),
            p5: self.percentile(50),
            p10: self.percentile(100),
            p50: self.percentile(500),
            p90: self.percentile(900),
            p99: self.percentile(990),
            p99_9: self.percentile(999),
        }
    }
}

/// Percentiles, each at most twice what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, p50, p90, p99, .. } = self;
        write!(f, "[samples: {samples}, P50: {p50}, P90: {p90}, P99: {p99}]")
    }
}

/// Histograms by name, a line each.
#[derive(Debug, Clone, Default)]
pub struct AsciiChart {
    lines: Vec<String>,
}

impl AsciiChart {
    /// No histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "as openraft calls it")]
    pub fn add(mut self, name: &str, histogram: Histogram) -> Self {
        self.lines.push(format!("{name}: {}", histogram.percentile_stats()));
        self
    }

    /// All of it.
    #[must_use]
    pub fn detailed(&self) -> String {
        self.lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn a_percentile_is_at_most_twice_what_it_was() {
        let mut histogram: Histogram = Histogram::new();
        assert_eq!(histogram.percentile_stats().p50, 0);
        for value in 0..=1000 {
            histogram.record(value);
        }
        histogram.record(u64::MAX);
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p0_1, stats.p50, stats.p90), (1002, 1, 511, 1023));
        assert_eq!(histogram.percentile(1000), u64::MAX);
    }
}
