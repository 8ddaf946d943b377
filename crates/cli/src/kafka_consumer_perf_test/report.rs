//! The figures as lines. Times are printed in UTC.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::console::civil;

/// What was read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// How figures are printed.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) detailed: bool,
    pub(super) interval: Duration,
    pub(super) date_format: String,
}

pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

/// A figure a second; none in no time.
fn rate(figure: f64, time: Duration) -> f64 {
    let seconds = time.as_millis() as f64 / 1000.0;
    if seconds > 0.0 { figure / seconds } else { 0.0 }
}

impl Report {
    pub(super) fn header(&self) -> &'static str {
        if self.detailed {
            "time, threadId, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
             rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
        } else {
            "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
             rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
        }
    }

    /// One line for the time since `window`.
    pub(super) fn progress(
        &self,
        totals: Totals,
        (since, before): (Instant, Totals),
        joining: Duration,
        begun: Instant,
    ) -> String {
        let elapsed = since.elapsed();
        let records = (totals.records - before.records) as f64;
        let bytes = mebibytes(totals.bytes - before.bytes);
        // The time spent joining that falls into the window.
        let joined_after = since.saturating_duration_since(begun);
        let rebalance = joining.saturating_sub(joined_after).min(elapsed);
        let fetch = elapsed.saturating_sub(rebalance);
        format!(
            "{}, 0, {:.4}, {:.4}, {}, {:.4}, {}, {}, {:.4}, {:.4}",
            self.time(now_ms()),
            mebibytes(totals.bytes),
            rate(bytes, elapsed),
            totals.records,
            rate(records, elapsed),
            rebalance.as_millis(),
            fetch.as_millis(),
            rate(bytes, fetch),
            rate(records, fetch)
        )
    }

    /// The line for the whole.
    pub(super) fn summary(
        &self,
        totals: Totals,
        started_ms: u64,
        elapsed: Duration,
        joining: Duration,
    ) -> String {
        let bytes = mebibytes(totals.bytes);
        let records = totals.records as f64;
        let fetch = elapsed.saturating_sub(joining);
        let ended_ms = started_ms + u64::try_from(elapsed.as_millis()).unwrap_or(0);
        format!(
            "{}, {}, {bytes:.4}, {:.4}, {}, {:.4}, {}, {}, {:.4}, {:.4}",
            self.time(started_ms),
            self.time(ended_ms),
            rate(bytes, elapsed),
            totals.records,
            rate(records, elapsed),
            joining.as_millis(),
            fetch.as_millis(),
            rate(bytes, fetch),
            rate(records, fetch)
        )
    }

    /// A time in Java's letters, of which those of date and time of day are known.
    fn time(&self, ms: u64) -> String {
        let (seconds, millis) = (ms / 1000, ms % 1000);
        let (year, month, day) = civil(u128::from(seconds / 86_400));
        let time = seconds % 86_400;
        let mut text = String::new();
        let mut rest = self.date_format.as_str();
        while let Some(letter) = rest.chars().next() {
            let run = rest.chars().take_while(|next| *next == letter).count();
            let number = match letter {
                'y' => Some(year),
                'M' => Some(month),
                'd' => Some(day),
                'H' => Some(u128::from(time / 3600)),
                'm' => Some(u128::from(time / 60 % 60)),
                's' => Some(u128::from(time % 60)),
                'S' => Some(u128::from(millis)),
                _ => None,
            };
            let end = run * letter.len_utf8();
            match number {
                Some(number) => text += &format!("{number:0run$}"),
                None => text += rest.get(..end).unwrap_or_default(),
            }
            rest = rest.get(end..).unwrap_or_default();
        }
        text
    }
}

/// What this consumer counts, in the form of Kafka's metrics.
pub(super) fn metrics(totals: Totals) -> String {
    let tags = "{client-id=perf-consumer-client}";
    let rows = [
        ("app-info:version", env!("CARGO_PKG_VERSION").to_owned()),
        ("consumer-fetch-manager-metrics:bytes-consumed-total", format!("{}.000", totals.bytes)),
        (
            "consumer-fetch-manager-metrics:records-consumed-total",
            format!("{}.000", totals.records),
        ),
    ];
    let names: Vec<String> = rows.iter().map(|(name, _)| format!("{name}:{tags}")).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let mut text = format!("\n{:width$}   Value\n", "Metric Name");
    for (name, (_, value)) in names.iter().zip(&rows) {
        text += &format!("{name:width$} : {value}\n");
    }
    text
}
