//! The network side of a consumer: one Fetch in flight per leader, sessionless.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use ottla_protocol::ids::{BrokerId, KafkaUuid, LeaderEpoch, Offset, TopicName, TopicPartition};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::{self, FetchRequest, FetchResponse};

use super::{ConsumerOptions, Fetched, StartAt};
use crate::admin::{ListedOffset, OffsetSpec, Outcome, list_offsets_at};
use crate::client::{Client, Target};
use crate::error::ClientError;

/// Beyond the longest wait of a fetch, a broker gets this long to answer.
const FETCH_GRACE: Duration = Duration::from_secs(30);

/// Where a partition is being read.
pub(super) struct Position {
    /// The next offset, once it is known.
    pub(super) next: Option<Offset>,
    /// Where to begin while it is not.
    pub(super) start: StartAt,
    pub(super) last_epoch: LeaderEpoch,
    /// Counts the assignments, so that an answer to an earlier one is not mistaken for this one's.
    assigned: u64,
    in_flight: bool,
    pub(super) attempts: u32,
    retry_at: Instant,
}

/// A partition in a request.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) partition: TopicPartition,
    assigned: u64,
    pub(super) offset: Offset,
    leader_epoch: LeaderEpoch,
    last_epoch: LeaderEpoch,
}

pub(super) enum Done {
    Fetched(Vec<Asked>, Result<(i16, FetchResponse), ClientError>),
    Listed(Vec<Asked>, Result<BTreeMap<TopicPartition, Outcome<ListedOffset>>, ClientError>),
}

/// Reads partitions from their leaders.
pub(crate) struct Fetcher {
    pub(super) client: Client,
    pub(super) options: ConsumerOptions,
    positions: BTreeMap<TopicPartition, Position>,
    assignments: u64,
    pub(super) fetching: BTreeSet<BrokerId>,
    in_flight: FuturesUnordered<BoxFuture<'static, (BrokerId, Done)>>,
    pub(super) ready: Vec<Fetched>,
}

impl Fetcher {
    pub(crate) fn new(client: Client, options: ConsumerOptions) -> Self {
        Self {
            client,
            options,
            positions: BTreeMap::new(),
            assignments: 0,
            fetching: BTreeSet::new(),
            in_flight: FuturesUnordered::new(),
            ready: Vec::new(),
        }
    }

    pub(crate) fn assign(&mut self, partition: TopicPartition, start: StartAt) {
        self.client.follow_topic(&partition.topic, false);
        self.client.want_metadata();
        self.assignments += 1;
        let next = match start {
            StartAt::Offset(offset) => Some(offset),
            StartAt::Earliest | StartAt::Latest => None,
        };
        self.ready.retain(|fetched| fetched.partition != partition);
        let position = Position {
            next,
            start,
            last_epoch: -1,
            assigned: self.assignments,
            in_flight: false,
            attempts: 0,
            retry_at: Instant::now(),
        };
        self.positions.insert(partition, position);
    }

    /// Like [`Fetcher::assign`], from a committed offset; a log that was cut back since is noticed by the
    /// epoch of the last record before it, if that is known.
    pub(crate) fn resume(&mut self, partition: TopicPartition, offset: Offset, epoch: LeaderEpoch) {
        self.assign(partition.clone(), StartAt::Offset(offset));
        if let Some(position) = self.positions.get_mut(&partition) {
            position.last_epoch = epoch;
        }
    }

    /// Behind the last record of a partition that was handed out, with that record's leader epoch or -1.
    pub(crate) fn delivered(&self, partition: &TopicPartition) -> Option<(Offset, LeaderEpoch)> {
        let waiting = self.ready.iter().find(|fetched| fetched.partition == *partition);
        if let Some(first) = waiting.and_then(|fetched| fetched.records.first()) {
            return Some((first.offset, -1));
        }
        let position = self.positions.get(partition)?;
        Some((position.next?, position.last_epoch))
    }

    pub(crate) fn unassign(&mut self, partition: &TopicPartition) {
        self.positions.remove(partition);
        self.ready.retain(|fetched| fetched.partition != *partition);
    }

    pub(crate) fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.positions.keys()
    }

    pub(crate) fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.positions.get(partition)?.next
    }

    pub(crate) async fn poll(&mut self, limit: Duration) -> Result<Vec<Fetched>, ClientError> {
        let deadline = Instant::now() + limit;
        let mut changes = self.client.metadata_changes();
        loop {
            let retry_at = self.start_requests();
            if !self.ready.is_empty() {
                return Ok(std::mem::take(&mut self.ready));
            }
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
            let wakeup = retry_at.map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                Some((node, done)) = self.in_flight.next() => self.on_done(node, done)?,
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(wakeup.into()) => {}
            }
        }
    }

    /// Starts what can be asked now; returns when the next partition may be tried again.
    fn start_requests(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let mut retry_at: Option<Instant> = None;
        let mut lookups: BTreeMap<BrokerId, Vec<Asked>> = BTreeMap::new();
        let mut fetches: BTreeMap<BrokerId, Vec<Asked>> = BTreeMap::new();
        let metadata = self.client.metadata();
        let mut leaderless = false;
        for (partition, position) in &self.positions {
            if position.in_flight {
                continue;
            }
            if position.retry_at > now {
                retry_at = Some(retry_at.map_or(position.retry_at, |at| at.min(position.retry_at)));
                continue;
            }
            let Some((leader, epoch)) = metadata.leader(&partition.topic, partition.partition)
            else {
                leaderless = true;
                continue;
            };
            let asked = Asked {
                partition: partition.clone(),
                assigned: position.assigned,
                offset: position.next.unwrap_or(-1),
                leader_epoch: epoch,
                last_epoch: position.last_epoch,
            };
            if position.next.is_none() {
                lookups.entry(leader).or_default().push(asked);
            } else if !self.fetching.contains(&leader) {
                fetches.entry(leader).or_default().push(asked);
            }
        }
        for (node, asked) in lookups {
            self.start_lookup(node, asked);
        }
        for (node, asked) in fetches {
            self.fetching.insert(node);
            self.start_fetch(node, asked);
        }
        if leaderless {
            // The topic may come, or a leader; the pace is the backoff's.
            self.client.want_metadata();
            let soon = now + self.client.options().backoff(5);
            retry_at = Some(retry_at.map_or(soon, |at| at.min(soon)));
        }
        retry_at
    }

    fn mark(&mut self, asked: &[Asked]) {
        for one in asked {
            if let Some(position) = self.positions.get_mut(&one.partition) {
                position.in_flight = true;
            }
        }
    }

    fn start_lookup(&mut self, node: BrokerId, asked: Vec<Asked>) {
        self.mark(&asked);
        let client = self.client.clone();
        let isolation = self.options.isolation;
        let questions: Vec<(TopicPartition, OffsetSpec)> = asked
            .iter()
            .filter_map(|one| {
                let spec = match self.positions.get(&one.partition)?.start {
                    StartAt::Earliest => OffsetSpec::Earliest,
                    StartAt::Latest | StartAt::Offset(_) => OffsetSpec::Latest,
                };
                Some((one.partition.clone(), spec))
            })
            .collect();
        self.in_flight.push(Box::pin(async move {
            let listed = list_offsets_at(&client, node, &questions, isolation).await;
            (node, Done::Listed(asked, listed))
        }));
    }

    fn start_fetch(&mut self, node: BrokerId, asked: Vec<Asked>) {
        self.mark(&asked);
        let client = self.client.clone();
        let options = self.options.clone();
        self.in_flight.push(Box::pin(async move {
            let metadata = client.metadata();
            let wait = u64::try_from(options.fetch_max_wait_ms).unwrap_or(0);
            let limit = Duration::from_millis(wait) + FETCH_GRACE;
            let build = |version: i16| {
                let topics = asked.chunk_by(|a, b| a.partition.topic == b.partition.topic);
                let topics = topics.map(|run| fetch_topic(version, run, &metadata, &options));
                FetchRequest::default()
                    .with_max_wait_ms(options.fetch_max_wait_ms)
                    .with_min_bytes(options.fetch_min_bytes)
                    .with_max_bytes(options.fetch_max_bytes)
                    .with_isolation_level(options.isolation as i8)
                    .with_session_epoch(-1)
                    .with_topics(topics.collect())
            };
            let answer = client.request_within(Target::Node(node), limit, build).await;
            (node, Done::Fetched(asked, answer))
        }));
    }

    /// The position that a question was about, unless it was moved meanwhile.
    pub(super) fn answered(&mut self, asked: &Asked) -> Option<&mut Position> {
        let position = self.positions.get_mut(&asked.partition)?;
        if position.assigned != asked.assigned {
            return None;
        }
        position.in_flight = false;
        Some(position)
    }

    pub(super) fn try_later(&mut self, asked: &Asked) {
        self.client.want_metadata();
        let options = self.client.options().clone();
        if let Some(position) = self.answered(asked) {
            position.attempts += 1;
            position.retry_at = Instant::now() + options.backoff(position.attempts);
        }
    }
}

fn fetch_topic(
    version: i16,
    run: &[Asked],
    metadata: &crate::metadata::Metadata,
    options: &ConsumerOptions,
) -> FetchTopic {
    let name: &TopicName = &run[0].partition.topic;
    let partitions = run.iter().map(|one| {
        let partition = FetchPartition::default()
            .with_partition(one.partition.partition)
            .with_fetch_offset(one.offset)
            .with_partition_max_bytes(options.max_partition_fetch_bytes);
        let partition = if version >= 9 {
            partition.with_current_leader_epoch(one.leader_epoch)
        } else {
            partition
        };
        if version >= 12 { partition.with_last_fetched_epoch(one.last_epoch) } else { partition }
    });
    let topic = FetchTopic::default().with_partitions(partitions.collect());
    if version >= 13 {
        let id = match metadata.topic(name) {
            Some(Ok(info)) => info.id,
            _ => KafkaUuid::ZERO,
        };
        topic.with_topic_id(id.0)
    } else {
        topic.with_topic(messages::TopicName(name.to_string().into()))
    }
}
