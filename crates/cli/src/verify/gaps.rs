//! Times without an acknowledgement. Pure.

/// Milliseconds since the run began.
pub(super) type Millis = f64;

/// A time without an acknowledgement.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub(super) struct Gap {
    /// How long it was.
    pub(super) ms: Millis,
    /// When it began, from the start of the run.
    pub(super) from_ms: Millis,
}

/// The longest gap that ends after `after` and begins before `before`. `acks` rise; the end of the run
/// closes the last gap.
pub(super) fn longest(acks: &[Millis], end: Millis, after: Millis, before: Millis) -> Gap {
    let ends = acks.iter().skip(1).copied().chain([end]);
    acks.iter()
        .zip(ends)
        .filter(|(begin, close)| *close > after && **begin < before)
        .map(|(begin, close)| Gap { ms: (close - begin).max(0.0), from_ms: *begin })
        .max_by(|a, b| a.ms.total_cmp(&b.ms))
        .unwrap_or(Gap { ms: end - after, from_ms: after })
}

/// The longest gap around each break: from it to the next one.
pub(super) fn after_each(acks: &[Millis], end: Millis, breaks: &[Millis]) -> Vec<Gap> {
    let until = breaks.iter().skip(1).copied().chain([end]);
    breaks.iter().zip(until).map(|(at, until)| longest(acks, end, *at, until)).collect()
}

/// The value below which half of the gaps lie.
pub(super) fn median(gaps: &[Gap]) -> Option<Millis> {
    let mut sorted: Vec<Millis> = gaps.iter().map(|gap| gap.ms).collect();
    sorted.sort_by(Millis::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests;
