//! How many connections there may be, by listener, by client address and in all, and how fast they may
//! come. The limits change while the broker runs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// This much of a rate may be used up at once.
const BURST: Duration = Duration::from_secs(1);

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
    /// `listener.name.NAME.max.connections`, by NAME in small letters.
    pub(crate) listener_max: HashMap<String, usize>,
    /// `listener.name.NAME.max.connection.creation.rate`, likewise.
    pub(crate) listener_rates: HashMap<String, u32>,
}

/// How many connections are open.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionCounts(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    open: usize,
    by_ip: HashMap<IpAddr, usize>,
    by_listener: HashMap<Arc<str>, usize>,
    limits: ConnectionLimits,
    /// Up to when the connections so far use up the rate, in all and by listener.
    paid_until: Instant,
    listener_paid_until: HashMap<Arc<str>, Instant>,
}

impl ConnectionCounts {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self(Arc::new(Mutex::new(Counts {
            open: 0,
            by_ip: HashMap::new(),
            by_listener: HashMap::new(),
            limits,
            paid_until: Instant::now(),
            listener_paid_until: HashMap::new(),
        })))
    }

    /// Connections that are open stay, whatever the new limits are.
    pub(crate) fn set_limits(&self, limits: ConnectionLimits) {
        self.0.lock().limits = limits;
    }

    /// Room for one more connection from this address to a listener (its name in small letters); the
    /// error names the key that forbids it.
    pub(super) fn take(&self, listener: &Arc<str>, ip: IpAddr) -> Result<Slot, &'static str> {
        let ip = ip.to_canonical();
        let mut counts = self.0.lock();
        let limits = &counts.limits;
        if counts.open >= limits.max {
            return Err("max.connections");
        }
        let of_listener = counts.by_listener.get(listener).copied().unwrap_or(0);
        if limits.listener_max.get(&**listener).is_some_and(|max| of_listener >= *max) {
            return Err("listener.name.….max.connections");
        }
        let from_ip = counts.by_ip.get(&ip).copied().unwrap_or(0);
        if from_ip >= limits.overrides.get(&ip).copied().unwrap_or(limits.max_per_ip) {
            return Err("max.connections.per.ip");
        }
        counts.by_ip.insert(ip, from_ip + 1);
        counts.by_listener.insert(Arc::clone(listener), of_listener + 1);
        counts.open += 1;
        Ok(Slot { counts: self.clone(), listener: Arc::clone(listener), ip })
    }

    /// How long to wait before the next connection to a listener is accepted, after one that came at
    /// `now`.
    pub(super) fn pause(&self, listener: &Arc<str>, now: Instant) -> Duration {
        let mut counts = self.0.lock();
        let counts = &mut *counts;
        let in_all = pay(&mut counts.paid_until, counts.limits.creation_rate, now);
        let Some(rate) = counts.limits.listener_rates.get(&**listener) else { return in_all };
        let begun = now.checked_sub(BURST).unwrap_or(now);
        let paid_until = counts.listener_paid_until.entry(Arc::clone(listener)).or_insert(begun);
        in_all.max(pay(paid_until, *rate, now))
    }
}

fn pay(paid_until: &mut Instant, rate: u32, now: Instant) -> Duration {
    let floor = now.checked_sub(BURST).unwrap_or(now);
    *paid_until = (*paid_until).max(floor) + Duration::from_secs(1) / rate.max(1);
    paid_until.saturating_duration_since(now).min(BURST)
}

/// An open connection; gives its place back when dropped, also by a panic.
#[derive(Debug)]
pub(super) struct Slot {
    counts: ConnectionCounts,
    listener: Arc<str>,
    ip: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        counts.open -= 1;
        if let Some(of_listener) = counts.by_listener.get_mut(&self.listener) {
            *of_listener -= 1;
        }
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
