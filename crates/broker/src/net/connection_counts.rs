//! How many connections there may be, over all listeners and by client address, and how fast they may
//! come. The limits change while the broker runs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// `max.connections`.
    pub(crate) max: usize,
    /// `max.connections.per.ip`.
    pub(crate) max_per_ip: usize,
    /// `max.connections.per.ip.overrides`.
    pub(crate) overrides: HashMap<IpAddr, usize>,
    /// `max.connection.creation.rate`: new connections a second.
    pub(crate) creation_rate: u32,
}

/// How many connections are open.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionCounts(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    open: usize,
    by_ip: HashMap<IpAddr, usize>,
    limits: ConnectionLimits,
    /// Up to when the connections so far use up the rate.
    paid_until: Instant,
}

impl ConnectionCounts {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        let by_ip = HashMap::new();
        Self(Arc::new(Mutex::new(Counts { open: 0, by_ip, limits, paid_until: Instant::now() })))
    }

    /// Connections that are open stay, whatever the new limits are.
    pub(crate) fn set_limits(&self, limits: ConnectionLimits) {
        self.0.lock().limits = limits;
    }

    /// Room for one more connection from this address; the error names the key that forbids it.
    pub(super) fn take(&self, ip: IpAddr) -> Result<Slot, &'static str> {
        let ip = ip.to_canonical();
        let mut counts = self.0.lock();
        if counts.open >= counts.limits.max {
            return Err("max.connections");
        }
        let from_ip = counts.by_ip.get(&ip).copied().unwrap_or(0);
        let limits = &counts.limits;
        if from_ip >= limits.overrides.get(&ip).copied().unwrap_or(limits.max_per_ip) {
            return Err("max.connections.per.ip");
        }
        counts.by_ip.insert(ip, from_ip + 1);
        counts.open += 1;
        Ok(Slot { counts: self.clone(), ip })
    }

    /// How long to wait before the next connection is accepted, after one that came at `now`. A second's
    /// worth of connections may come at once.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        const BURST: Duration = Duration::from_secs(1);
        let mut counts = self.0.lock();
        let each = Duration::from_secs(1) / counts.limits.creation_rate.max(1);
        let floor = now.checked_sub(BURST).unwrap_or(now);
        counts.paid_until = counts.paid_until.max(floor) + each;
        counts.paid_until.saturating_duration_since(now).min(BURST)
    }
}

/// An open connection; gives its place back when dropped, also by a panic.
#[derive(Debug)]
pub(super) struct Slot {
    counts: ConnectionCounts,
    ip: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        counts.open -= 1;
        if let Some(from_ip) = counts.by_ip.get_mut(&self.ip) {
            *from_ip -= 1;
            if *from_ip == 0 {
                counts.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests;
