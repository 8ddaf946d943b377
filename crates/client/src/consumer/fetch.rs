//! The network side of a consumer: one Fetch in flight per leader, sessionless.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, KafkaUuid, LeaderEpoch, Offset, TopicName, TopicPartition};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch_response::{NodeEndpoint, PartitionData};
use ottla_protocol::messages::{self, FetchRequest, FetchResponse};

use super::position::{Aborted, visible};
use super::{ConsumerOptions, Fetched, IsolationLevel, StartAt};
use crate::admin::{ListedOffset, OffsetSpec, Outcome, list_offsets_at};
use crate::client::{Client, Target};
use crate::error::{ApiError, ClientError};
use crate::metadata::Node;
use crate::options::HostPort;

/// Beyond the longest wait of a fetch, a broker gets this long to answer.
const FETCH_GRACE: Duration = Duration::from_secs(30);

/// Where a partition is being read.
struct Position {
    /// The next offset, once it is known.
    next: Option<Offset>,
    /// Where to begin while it is not.
    start: StartAt,
    last_epoch: LeaderEpoch,
    /// Counts the assignments, so that an answer to an earlier one is not mistaken for this one's.
    assigned: u64,
    in_flight: bool,
    attempts: u32,
    retry_at: Instant,
}

/// A partition in a request.
#[derive(Clone)]
struct Asked {
    partition: TopicPartition,
    assigned: u64,
    offset: Offset,
    leader_epoch: LeaderEpoch,
    last_epoch: LeaderEpoch,
}

enum Done {
    Fetched(Vec<Asked>, Result<(i16, FetchResponse), ClientError>),
    Listed(Vec<Asked>, Result<BTreeMap<TopicPartition, Outcome<ListedOffset>>, ClientError>),
}

pub(super) struct Fetcher {
    client: Client,
    options: ConsumerOptions,
    positions: BTreeMap<TopicPartition, Position>,
    assignments: u64,
    fetching: BTreeSet<BrokerId>,
    in_flight: FuturesUnordered<BoxFuture<'static, (BrokerId, Done)>>,
    ready: Vec<Fetched>,
}

impl Fetcher {
    pub(super) fn new(client: Client, options: ConsumerOptions) -> Self {
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

    pub(super) fn assign(&mut self, partition: TopicPartition, start: StartAt) {
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

    pub(super) fn unassign(&mut self, partition: &TopicPartition) {
        self.positions.remove(partition);
        self.ready.retain(|fetched| fetched.partition != *partition);
    }

    pub(super) fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.positions.keys()
    }

    pub(super) fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.positions.get(partition)?.next
    }

    pub(super) async fn poll(&mut self, limit: Duration) -> Result<Vec<Fetched>, ClientError> {
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

    fn on_done(&mut self, node: BrokerId, done: Done) -> Result<(), ClientError> {
        match done {
            Done::Listed(asked, listed) => {
                for one in &asked {
                    let answer = match &listed {
                        Ok(outcomes) => outcomes.get(&one.partition).cloned(),
                        Err(error) if error.is_retriable() => None,
                        Err(error) => return Err(error.clone()),
                    };
                    self.on_listed(one, answer)?;
                }
            }
            Done::Fetched(asked, answer) => {
                self.fetching.remove(&node);
                match answer {
                    Ok((version, response)) => self.on_fetched(&asked, version, &response)?,
                    Err(error) if error.is_retriable() => {
                        for one in &asked {
                            self.try_later(one);
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// The position that a question was about, unless it was moved meanwhile.
    fn answered(&mut self, asked: &Asked) -> Option<&mut Position> {
        let position = self.positions.get_mut(&asked.partition)?;
        if position.assigned != asked.assigned {
            return None;
        }
        position.in_flight = false;
        Some(position)
    }

    fn try_later(&mut self, asked: &Asked) {
        self.client.want_metadata();
        let options = self.client.options().clone();
        if let Some(position) = self.answered(asked) {
            position.attempts += 1;
            position.retry_at = Instant::now() + options.backoff(position.attempts);
        }
    }

    fn on_listed(
        &mut self,
        asked: &Asked,
        answer: Option<Outcome<ListedOffset>>,
    ) -> Result<(), ClientError> {
        match answer {
            Some(Ok(listed)) => {
                if let Some(position) = self.answered(asked) {
                    position.next = Some(listed.offset.max(0));
                    position.attempts = 0;
                }
                Ok(())
            }
            Some(Err(error)) if !error.is_retriable() => Err(error.into()),
            _ => {
                self.try_later(asked);
                Ok(())
            }
        }
    }

    fn on_fetched(
        &mut self,
        asked: &[Asked],
        version: i16,
        response: &FetchResponse,
    ) -> Result<(), ClientError> {
        let whole = ApiError::from_wire(response.error_code, None);
        let metadata = self.client.metadata();
        let mut answers: BTreeMap<(&str, i32), &PartitionData> = BTreeMap::new();
        for topic in &response.responses {
            let by_id = metadata.topic_name(KafkaUuid(topic.topic_id));
            let name = match by_id {
                Some(name) if version >= 13 => name,
                _ => topic.topic.as_str(),
            };
            for partition in &topic.partitions {
                answers.insert((name, partition.partition_index), partition);
            }
        }
        for one in asked {
            match answers.get(&(&*one.partition.topic, one.partition.partition)) {
                Some(data) if whole.is_none() => {
                    self.on_partition(one, data, &response.node_endpoints)?;
                }
                _ => self.try_later(one),
            }
        }
        Ok(())
    }

    fn on_partition(
        &mut self,
        asked: &Asked,
        data: &PartitionData,
        endpoints: &[NodeEndpoint],
    ) -> Result<(), ClientError> {
        let reset = self.options.offset_reset;
        let Some(error) = ApiError::from_wire(data.error_code, None) else {
            return self.on_records(asked, data);
        };
        match error.error_code() {
            ErrorCode::OffsetOutOfRange => {
                let Some(start) = reset else { return Err(error.into()) };
                if let Some(position) = self.answered(asked) {
                    position.next = None;
                    position.start = start;
                    position.last_epoch = -1;
                }
                Ok(())
            }
            code if code.is_retriable() => {
                let hint = &data.current_leader;
                let nodes = endpoints.iter().filter_map(|node| {
                    let address = HostPort {
                        host: node.host.to_string(),
                        port: u16::try_from(node.port).ok()?,
                    };
                    Some(Node { id: node.node_id.0, address, rack: None })
                });
                let (leader, epoch) = (hint.leader_id.0, hint.leader_epoch);
                let news =
                    leader >= 0 && self.client.hint_leader(&asked.partition, leader, epoch, nodes);
                if news {
                    let _ = self.answered(asked);
                } else {
                    self.try_later(asked);
                }
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    fn on_records(&mut self, asked: &Asked, data: &PartitionData) -> Result<(), ClientError> {
        let committed_only = self.options.isolation == IsolationLevel::ReadCommitted;
        let Some(position) = self.answered(asked) else { return Ok(()) };
        position.attempts = 0;
        if data.diverging_epoch.epoch >= 0 {
            // What was read last has been truncated since: go on from where the logs still agree.
            position.next = Some(asked.offset.min(data.diverging_epoch.end_offset));
            position.last_epoch = data.diverging_epoch.epoch;
            return Ok(());
        }
        let Some(bytes) = data.records.as_ref().filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        let aborted: Option<Vec<Aborted>> =
            data.aborted_transactions.as_ref().filter(|_| committed_only).map(|list| {
                let one = |abort: &messages::fetch_response::AbortedTransaction| Aborted {
                    first_offset: abort.first_offset,
                    producer_id: abort.producer_id.0,
                };
                list.iter().map(one).collect()
            });
        let run = visible(bytes, asked.offset, aborted.as_deref()).map_err(|error| ApiError {
            code: ErrorCode::CorruptMessage.code(),
            message: Some(format!("{} at offset {}: {error}", asked.partition, asked.offset)),
        })?;
        position.next = Some(run.next_offset);
        position.last_epoch = run.last_epoch.unwrap_or(position.last_epoch);
        if !run.records.is_empty() {
            self.ready.push(Fetched {
                partition: asked.partition.clone(),
                records: run.records,
                high_watermark: data.high_watermark,
            });
        }
        Ok(())
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
