//! What was sent and how long it took. Pure.

use std::time::Duration;

/// Latencies beyond this number are sampled.
const SAMPLES: u64 = 500_000;

/// The whole test, or its steady part.
#[derive(Debug)]
pub(super) struct Stats {
    /// Every so many-th record's latency is kept.
    sampling: u64,
    latencies_ms: Vec<u32>,
    count: u64,
    bytes: u64,
    total_ms: u64,
    max_ms: u32,
    window: Window,
}

/// Since progress was printed last.
#[derive(Debug, Default)]
struct Window {
    count: u64,
    bytes: u64,
    total_ms: u64,
    max_ms: u32,
}

impl Stats {
    /// For so many records.
    pub(super) fn new(records: u64) -> Self {
        Self {
            sampling: records.div_ceil(SAMPLES).max(1),
            latencies_ms: Vec::new(),
            count: 0,
            bytes: 0,
            total_ms: 0,
            max_ms: 0,
            window: Window::default(),
        }
    }

    /// A record of so many bytes was acknowledged.
    pub(super) fn record(&mut self, latency: Duration, bytes: usize) {
        let latency_ms = u32::try_from(latency.as_millis()).unwrap_or(u32::MAX);
        let bytes = bytes as u64;
        if self.count.is_multiple_of(self.sampling) {
            self.latencies_ms.push(latency_ms);
        }
        self.count += 1;
        self.bytes += bytes;
        self.total_ms += u64::from(latency_ms);
        self.max_ms = self.max_ms.max(latency_ms);
        self.window.count += 1;
        self.window.bytes += bytes;
        self.window.total_ms += u64::from(latency_ms);
        self.window.max_ms = self.window.max_ms.max(latency_ms);
    }

    /// Progress since the last call, `elapsed` ago.
    pub(super) fn window(&mut self, elapsed: Duration) -> Option<String> {
        let Window { count, bytes, total_ms, max_ms } = std::mem::take(&mut self.window);
        if count == 0 {
            return None;
        }
        let seconds = elapsed.as_secs_f64();
        Some(format!(
            "{count} records sent, {:.1} records/sec ({:.2} MB/sec), {:.1} ms avg latency, {:.1} ms max \
             latency.",
            count as f64 / seconds,
            mebibytes(bytes) / seconds,
            total_ms as f64 / count as f64,
            f64::from(max_ms)
        ))
    }

    /// The whole; `what` is ` steady state` or nothing.
    pub(super) fn summary(&self, what: &str, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(0.001);
        let mut sorted = self.latencies_ms.clone();
        sorted.sort_unstable();
        let percentile =
            |share: f64| sorted.get((sorted.len() as f64 * share) as usize).copied().unwrap_or(0);
        let average = match self.count {
            0 => "NaN".to_owned(),
            count => format!("{:.2}", self.total_ms as f64 / count as f64),
        };
        format!(
            "{}{what} records sent, {:.6} records/sec ({:.2} MB/sec), {average} ms avg latency, {:.2} ms \
             max latency, {} ms 50th, {} ms 95th, {} ms 99th, {} ms 99.9th.",
            self.count,
            self.count as f64 / seconds,
            mebibytes(self.bytes) / seconds,
            f64::from(self.max_ms),
            percentile(0.5),
            percentile(0.95),
            percentile(0.99),
            percentile(0.999)
        )
    }

    /// How many records were acknowledged, and their bytes.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.count, self.bytes)
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}
