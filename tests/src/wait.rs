//! Waiting for a condition, with a deadline.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(10);
/// Long enough for a slow, busy machine; a failing test waits so long, a passing one never.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `look` returns `Ok`, at most [`PATIENCE`]; fails the test with what it said last.
pub async fn until<T, E: Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut last = None;
    loop {
        // A look that hangs, because it asks somebody who is paused, is given up as well.
        match tokio::time::timeout(PATIENCE, look()).await {
            Ok(Ok(value)) => return value,
            Ok(Err(error)) => last = Some(format!("{error:?}")),
            Err(_) => {}
        }
        assert!(
            Instant::now() < deadline,
            "not within {} s: {what}; last seen: {}",
            PATIENCE.as_secs(),
            last.as_deref().unwrap_or("nothing")
        );
        tokio::time::sleep(POLL).await;
    }
}

/// `Ok` if `holds`, else `Err(seen)`: for [`until`].
pub fn check<T>(holds: bool, seen: T) -> Result<T, T> {
    if holds { Ok(seen) } else { Err(seen) }
}
