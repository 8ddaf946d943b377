//! Percentiles of what was measured.

use serde_json::{Value, json};

/// The value below which `share` (0..=1) of the sorted samples lie.
pub(crate) fn percentile(sorted: &[u64], share: f64) -> u64 {
    if sorted.is_empty() {
        return 0;
    }
    let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len());
    sorted.get(rank - 1).copied().unwrap_or(0)
}

/// p50, p99, p99.9 and the largest of samples in microseconds, as milliseconds.
pub(crate) fn latency(mut samples_us: Vec<u64>) -> Value {
    samples_us.sort_unstable();
    let ms = |share| percentile(&samples_us, share) as f64 / 1000.0;
    json!({"n": samples_us.len(), "p50_ms": ms(0.5), "p99_ms": ms(0.99), "p999_ms": ms(0.999),
        "max_ms": ms(1.0)})
}
