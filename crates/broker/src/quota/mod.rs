//! Client quotas: what a client may use a second, and what happens to one that uses more (KIP-13, 124, 219,
//! 599, 612).
//!
//! `precedence` (whose quota holds) and `ledger` over `bucket` (how much was used, how long to wait) decide,
//! and are pure. Here are the clock, the lock, and the quick way out where no quota is set. Every broker
//! keeps books of its own: a quota holds per broker, as in Kafka.

mod bucket;
mod ledger;
mod mute;
mod precedence;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ottla_config::NodeConfig;
use ottla_metadata::Image;
use ottla_metadata::quota::QuotaKey;
use parking_lot::Mutex;

use crate::metadata::Metadata;
use ledger::{Ledger, Reserves};
use precedence::{Limit, of_address, of_client};

pub(crate) use mute::Mute;
pub(crate) use precedence::Client;

/// Who a client is that nobody has authenticated, to Kafka.
pub(crate) const ANONYMOUS: &str = "ANONYMOUS";

/// The books of one broker.
pub(crate) struct Quotas {
    metadata: Arc<Metadata>,
    /// Of which keys there is a quota at all: a bit each.
    in_force: AtomicU8,
    since: Instant,
    ledger: Mutex<Ledger>,
    /// The addresses that have quotas of their own, with their names there.
    hosts: ArcSwap<HashMap<IpAddr, Arc<str>>>,
}

const fn bit(key: QuotaKey) -> u8 {
    1 << key as u8
}

impl Quotas {
    pub(crate) fn new(metadata: Arc<Metadata>, config: &NodeConfig) -> Self {
        Self {
            metadata,
            in_force: AtomicU8::new(0),
            since: Instant::now(),
            ledger: Mutex::new(Ledger::new(Reserves::of(config))),
            hosts: ArcSwap::default(),
        }
    }

    /// Notes which quotas there are.
    pub(crate) fn follow(&self, image: &Image, hosts: HashMap<IpAddr, Arc<str>>) {
        self.hosts.store(Arc::new(hosts));
        let keys = image.client_quotas().values().flat_map(|quotas| quotas.keys());
        self.in_force.store(keys.fold(0, |bits, key| bits | bit(*key)), Ordering::Relaxed);
    }

    /// Whether there is any quota at all: the one look that requests pay for where there is none.
    pub(crate) fn any(&self) -> bool {
        self.in_force.load(Ordering::Relaxed) != 0
    }

    /// Whether anybody has such a quota.
    fn limits(&self, key: QuotaKey) -> bool {
        self.in_force.load(Ordering::Relaxed) & bit(key) != 0
    }

    /// Notes what a client has used; how long it is to be muted for it.
    pub(crate) fn record(&self, key: QuotaKey, client: &Client, amount: f64) -> Duration {
        let Some(limit) = self.of_client(key, client) else { return Duration::ZERO };
        let wait_ms = self.ledger.lock().record(self.now_ms(), key, &limit, amount);
        Duration::from_millis(wait_ms)
    }

    /// The most that a client can use at once without being muted; `None`: anything.
    pub(crate) fn most(&self, key: QuotaKey, client: &Client) -> Option<f64> {
        let limit = self.of_client(key, client)?;
        Some(self.ledger.lock().most(key, &limit))
    }

    /// The permits of a client for changes; `None`: as many as it likes.
    pub(crate) fn mutations(&self, client: &Client) -> Option<Mutations<'_>> {
        let limit = self.of_client(QuotaKey::ControllerMutationRate, client)?;
        Some(Mutations { quotas: self, limit })
    }

    /// Notes a connection from an address; how long to wait before it is closed, if it is one too many.
    pub(crate) fn connected(&self, ip: IpAddr) -> Result<(), Duration> {
        let key = QuotaKey::ConnectionCreationRate;
        if !self.limits(key) {
            return Ok(());
        }
        let ip = ip.to_canonical();
        let hosts = self.hosts.load();
        let Some(limit) = of_address(&self.metadata.image(), ip, hosts.get(&ip)) else {
            return Ok(());
        };
        let taken = self.ledger.lock().take(self.now_ms(), key, &limit, 1.0);
        taken.map_err(Duration::from_millis)
    }

    fn of_client(&self, key: QuotaKey, client: &Client) -> Option<Limit> {
        if !self.limits(key) {
            return None;
        }
        of_client(&self.metadata.image(), key, client)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A client's permits for creating and deleting partitions.
pub(crate) struct Mutations<'a> {
    quotas: &'a Quotas,
    limit: Limit,
}

impl Mutations<'_> {
    const KEY: QuotaKey = QuotaKey::ControllerMutationRate;

    /// Takes permits; the error is how long there are none.
    pub(crate) fn take(&self, permits: usize) -> Result<(), Duration> {
        let now_ms = self.quotas.now_ms();
        let mut ledger = self.quotas.ledger.lock();
        let taken = ledger.take(now_ms, Self::KEY, &self.limit, permits as f64);
        taken.map_err(Duration::from_millis)
    }

    /// Gives permits back for what was not done.
    pub(crate) fn give_back(&self, permits: usize) {
        self.quotas.ledger.lock().give_back(Self::KEY, &self.limit, permits as f64);
    }

    /// Takes permits from a client that cannot be told to come back; how long it is to be muted.
    pub(crate) fn take_anyway(&self, permits: usize) -> Duration {
        let now_ms = self.quotas.now_ms();
        let mut ledger = self.quotas.ledger.lock();
        let wait_ms = ledger.record(now_ms, Self::KEY, &self.limit, permits as f64);
        Duration::from_millis(wait_ms)
    }
}
