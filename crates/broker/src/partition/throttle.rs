//! Replication throttles: what a leader sends to followers that are not in sync is held to
//! `leader.replication.throttled.rate` and to the follower's `follower.replication.throttled.rate`, for the
//! replicas that the topic names in `leader.` and `follower.replication.throttled.replicas` (KIP-73).
//!
//! The leader does all of it, since it is the leader that sends. A follower's rate is shared by the
//! brokers that it has throttled partitions from: each sends its part, which the metadata tells. A
//! follower in the ISR is never throttled, so that no throttle drives it out.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ottla_metadata::image::ConfigMap;
use ottla_metadata::{ConfigResource, Image, Topic};
use ottla_protocol::ids::{BrokerId, PartitionIndex, TopicName};
use parking_lot::Mutex;
use tokio::time::Instant;

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

/// What was not sent for so long is forgone: the most that can be sent at once.
const BURST: Duration = Duration::from_millis(500);
/// Nobody waits longer before looking again: the throttle may have been lifted.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// A throttled message carries what its rate allows in this time, within bounds.
const CHUNKS_PER_SECOND: u64 = 8;
const CHUNK_BYTES: std::ops::RangeInclusive<u64> = 16 << 10..=1 << 20;

/// The throttles of what this broker sends.
#[derive(Default)]
pub(super) struct Throttles {
    /// `None`: nothing is throttled.
    plan: ArcSwapOption<Plan>,
    buckets: Mutex<HashMap<Account, Bucket>>,
}

/// Whose bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Account {
    /// All that this broker sends as a leader.
    Leader,
    /// What it sends to this follower.
    Follower(BrokerId),
}

/// What the metadata says of throttles, as far as it concerns this broker.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// Bytes per second that it may send as a leader.
    leader_rate: Option<u64>,
    /// Bytes per second that it may send to a follower.
    follower_rates: HashMap<BrokerId, u64>,
    topics: HashMap<TopicName, Throttled>,
}

/// The throttled replicas of a topic.
#[derive(Debug, PartialEq, Eq)]
struct Throttled {
    leaders: Replicas,
    followers: Replicas,
}

#[derive(Debug, PartialEq, Eq)]
enum Replicas {
    All,
    These(HashSet<(PartitionIndex, BrokerId)>),
}

impl Replicas {
    /// `*`, or `partition:broker,…`; what is neither throttles nothing.
    fn parse(value: Option<&String>) -> Self {
        let value = value.map_or("", |value| value.trim());
        if value == "*" {
            return Self::All;
        }
        let item = |item: &str| {
            let (partition, broker) = item.trim().split_once(':')?;
            Some((partition.trim().parse().ok()?, broker.trim().parse().ok()?))
        };
        Self::These(value.split(',').filter_map(item).collect())
    }

    fn contain(&self, partition: PartitionIndex, broker: BrokerId) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(&(partition, broker)),
        }
    }
}

/// What holds of one partition's bytes to one follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    /// Accounts with their rates.
    accounts: Vec<(Account, u64)>,
}

impl Limit {
    /// How many bytes to read or send at once.
    pub(super) fn chunk(&self) -> usize {
        let rate = self.accounts.iter().map(|(_, rate)| *rate).min().unwrap_or(u64::MAX);
        let chunk = (rate / CHUNKS_PER_SECOND).clamp(*CHUNK_BYTES.start(), *CHUNK_BYTES.end());
        usize::try_from(chunk).unwrap_or(usize::MAX)
    }
}

/// Bytes that may be sent; negative: what was sent ahead of its time.
#[derive(Debug)]
struct Bucket {
    bytes: f64,
    at: Instant,
}

impl Bucket {
    fn fill(&mut self, rate: u64, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * rate as f64;
        self.bytes = (self.bytes + gained).min(BURST.as_secs_f64() * rate as f64);
        self.at = now;
    }
}

impl Throttles {
    /// The metadata is now `image`; `configs_changed` is whether any configuration is new in it.
    pub(super) fn follow(&self, me: BrokerId, image: &Image, configs_changed: bool) {
        if !configs_changed && self.plan.load().is_none() {
            return;
        }
        let plan = Plan::of(me, image);
        if plan.is_none() {
            self.buckets.lock().clear();
        }
        self.plan.store(plan.map(Into::into));
    }

    /// The limit of what goes to a follower that is not in sync; `None`: there is none.
    pub(super) fn limit(
        &self,
        me: BrokerId,
        topic: &TopicName,
        partition: PartitionIndex,
        follower: BrokerId,
    ) -> Option<Limit> {
        let plan = self.plan.load();
        let plan = plan.as_ref()?;
        let throttled = plan.topics.get(topic)?;
        let leader = plan.leader_rate.filter(|_| throttled.leaders.contain(partition, me));
        let rate = plan.follower_rates.get(&follower).copied();
        let rate = rate.filter(|_| throttled.followers.contain(partition, follower));
        let leader = leader.map(|rate| (Account::Leader, rate));
        let follower = rate.map(|rate| (Account::Follower(follower), rate));
        let accounts: Vec<_> = leader.into_iter().chain(follower).collect();
        (!accounts.is_empty()).then_some(Limit { accounts })
    }

    /// How long nothing may be sent under the limit; `None`: something may be sent now.
    pub(super) fn wait(&self, limit: &Limit, now: Instant) -> Option<Duration> {
        let mut buckets = self.buckets.lock();
        let wait = |(account, rate): &(Account, u64)| {
            let bucket = buckets.entry(*account).or_insert(Bucket { bytes: 0.0, at: now });
            bucket.fill(*rate, now);
            // Something to send for, not the first byte that is free.
            let wanted = limit.chunk() as f64 / 2.0;
            let missing = wanted.min(BURST.as_secs_f64() * *rate as f64) - bucket.bytes;
            let rate = (*rate).max(1) as f64;
            (missing > 0.0).then(|| MAX_WAIT.min(Duration::from_secs_f64(missing / rate)))
        };
        limit.accounts.iter().filter_map(wait).max()
    }

    /// So many bytes are sent under the limit.
    pub(super) fn charge(&self, limit: &Limit, bytes: usize) {
        let mut buckets = self.buckets.lock();
        for (account, _) in &limit.accounts {
            if let Some(bucket) = buckets.get_mut(account) {
                bucket.bytes -= bytes as f64;
            }
        }
    }
}

impl Plan {
    /// `None`: nothing is throttled.
    fn of(me: BrokerId, image: &Image) -> Option<Self> {
        let throttled = |resource: &ConfigResource, config: &ConfigMap| match resource {
            ConfigResource::Topic(name)
                if config.contains_key(LEADER_REPLICAS)
                    || config.contains_key(FOLLOWER_REPLICAS) =>
            {
                let leaders = Replicas::parse(config.get(LEADER_REPLICAS));
                let followers = Replicas::parse(config.get(FOLLOWER_REPLICAS));
                Some((name.clone(), Throttled { leaders, followers }))
            }
            _ => None,
        };
        let topics: HashMap<_, _> =
            image.configs().filter_map(|(resource, config)| throttled(resource, config)).collect();
        if topics.is_empty() {
            return None;
        }
        let senders = senders(image, &topics);
        let share = |(follower, leaders): (BrokerId, BTreeSet<BrokerId>)| {
            let rate = rate(image, follower, FOLLOWER_RATE)?;
            Some((follower, rate / leaders.len().max(1) as u64))
        };
        Some(Self {
            leader_rate: rate(image, me, LEADER_RATE),
            follower_rates: senders.into_iter().filter_map(share).collect(),
            topics,
        })
    }
}

/// A broker's own rate, else that of all brokers.
fn rate(image: &Image, broker: BrokerId, key: &str) -> Option<u64> {
    let own = image.config(&ConfigResource::Broker(broker)).get(key);
    own.or_else(|| image.config(&ConfigResource::ClusterDefault).get(key))?.trim().parse().ok()
}

/// From how many brokers each follower has throttled partitions that it is not in sync with.
fn senders(
    image: &Image,
    topics: &HashMap<TopicName, Throttled>,
) -> HashMap<BrokerId, BTreeSet<BrokerId>> {
    let mut senders: HashMap<BrokerId, BTreeSet<BrokerId>> = HashMap::new();
    let named = topics.iter().filter_map(|(name, it)| Some((image.topic_by_name(name)?, it)));
    for (topic, throttled) in named {
        let topic: &Topic = topic;
        for (index, partition) in &topic.partitions {
            let Some(leader) = partition.leader else { continue };
            let behind = partition.replicas.iter().filter(|id| !partition.isr.contains(id));
            for follower in behind.filter(|id| throttled.followers.contain(*index, **id)) {
                senders.entry(*follower).or_default().insert(leader);
            }
        }
    }
    senders
}

#[cfg(test)]
mod tests;
