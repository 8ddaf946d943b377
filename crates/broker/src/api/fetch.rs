//! Fetch: read what there is, or wait for it. A long poll is woken by the partitions it waits on; its
//! only timer is its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_metadata::Image;
use ottla_protocol::frame::RequestHeader;
use ottla_protocol::ids::{KafkaUuid, TopicIdPartition};
use ottla_protocol::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::record::{BatchHeader, Compression};
use ottla_protocol::{ErrorCode, encode_fetch_response};
use tokio::time::{Instant, timeout_at};

use super::error::fetch_code;
use super::fetch_session::{Begun, ConnectionSession, NO_SESSION, TopicKey, Wanted};
use super::payer::Payer;
use super::{Context, lookup, millis, text};
use crate::net::connection::{Refused, Reply};
use crate::partition::{Isolation, Partition, Read, ReadRequest, Reader};

/// From this version on topics are named by id.
const BY_ID: i16 = 13;
/// From this version on the client understands zstd (KIP-110).
const ZSTD: i16 = 10;
/// From this version on the client understands leader hints (KIP-951).
const LEADER_HINTS: i16 = 16;
/// From this version on a replica says that it is one by `replica_state`.
const REPLICA_STATE: i16 = 15;
/// A poll that is longer than this is answered, empty, after it.
const MAX_WAIT_MS: i32 = 300_000;
/// In place of an offset where there is none.
const NONE: i64 = -1;
const READ_COMMITTED: i8 = 1;

/// What a connection keeps from one fetch to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Polls {
    session: ConnectionSession,
    reader: Arc<Reader>,
}

pub(super) fn handle(
    context: Context,
    polls: &Polls,
    header: RequestHeader,
    request: FetchRequest,
) -> Result<Reply, Refused> {
    let replica_id = if context.version >= REPLICA_STATE {
        request.replica_state.replica_id
    } else {
        request.replica_id
    };
    if replica_id.0 >= 0 {
        return Err(Refused("brokers replicate over gRPC, not by Fetch".to_owned()));
    }
    let deadline = Instant::now() + millis(request.max_wait_ms.min(MAX_WAIT_MS));
    let max_bytes = request.max_bytes.clamp(0, context.broker.config.fetch_max_bytes) as usize;
    // More than a quota allows at once would have to wait in any case.
    let most = context.payer.as_ref().and_then(Payer::most_fetched).unwrap_or(usize::MAX);
    let wish = Wish {
        max_bytes: max_bytes.min(most),
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes).min(most),
        isolation: match request.isolation_level {
            READ_COMMITTED => Isolation::ReadCommitted,
            _ => Isolation::ReadUncommitted,
        },
    };
    let may_wait = request.max_wait_ms > 0 && wish.min_bytes > 0;
    let by_id = context.version >= BY_ID;
    let begun = match polls.session.begin(&context.broker.fetch_sessions, request, by_id) {
        Ok(begun) => begun,
        Err(code) => {
            let response = FetchResponse::default().with_error_code(code.code());
            return Ok(Reply::Ready(encode_fetch_response(&header, &response)?));
        }
    };
    let mut fetch =
        Fetch { context, polls: polls.clone(), header, begun, wish, spent: Duration::ZERO };
    let results = fetch.read();
    if !may_wait || fetch.is_enough(&results) || fetch.begun.wanted.is_empty() {
        return Ok(Reply::Ready(fetch.answer(results)?));
    }
    Ok(Reply::Waiting(Box::pin(async move {
        let results = fetch.wait(deadline).await;
        Ok(Some(fetch.answer(results)?))
    })))
}

#[derive(Debug, Clone, Copy)]
struct Wish {
    max_bytes: usize,
    min_bytes: usize,
    isolation: Isolation,
}

struct Fetch {
    context: Context,
    polls: Polls,
    header: RequestHeader,
    begun: Begun,
    wish: Wish,
    /// How long the thread was reading, if somebody pays for it.
    spent: Duration,
}

/// What one partition gave.
type Result1 = Result<Read, ErrorCode>;

impl Fetch {
    /// Reads every wanted partition once, in order, until the size is reached.
    fn read(&mut self) -> Vec<Result1> {
        let begun = self.context.payer.as_ref().map(|_| std::time::Instant::now());
        let results = self.read_all();
        if let Some(begun) = begun {
            self.spent += begun.elapsed();
        }
        results
    }

    fn read_all(&self) -> Vec<Result1> {
        let image = self.context.broker.metadata.image();
        let mut room = self.wish.max_bytes;
        let mut first = true;
        let wanted = self.begun.wanted.iter();
        wanted
            .map(|wanted| {
                let replica = self.replica(&image, wanted)?;
                let read = self.read_one(&replica, wanted, room, first)?;
                room = room.saturating_sub(read.records.len());
                first &= read.records.is_empty();
                Ok(read)
            })
            .collect()
    }

    fn replica(&self, image: &Image, wanted: &Wanted) -> Result<Arc<Partition>, ErrorCode> {
        let topic = match &wanted.topic {
            TopicKey::Name(name) => lookup::topic(image, false, name, KafkaUuid::ZERO),
            TopicKey::Id(id) => lookup::topic(image, true, "", *id),
        };
        lookup::replica(&self.context, topic?, wanted.partition)
    }

    fn read_one(&self, replica: &Partition, wanted: &Wanted, room: usize, first: bool) -> Result1 {
        let request = ReadRequest {
            offset: wanted.offset,
            max_bytes: wanted.max_bytes.min(room),
            at_least_one: first,
            current_leader_epoch: wanted.current_leader_epoch,
            last_fetched_epoch: wanted.last_fetched_epoch,
            isolation: self.wish.isolation,
        };
        let mut read =
            replica.read(request).map_err(|error| fetch_code(&error, self.context.version))?;
        if let Ok(batch) = BatchHeader::parse(&read.records) {
            if self.context.version < ZSTD && batch.compression() == Some(Compression::Zstd) {
                return Err(ErrorCode::UnsupportedCompressionType);
            }
            if batch.size_in_bytes() > read.records.len() {
                // Some clients choke on an answer without one whole batch.
                read.records = Bytes::new();
            }
        } else {
            read.records = Bytes::new();
        }
        Ok(read)
    }

    /// Must the client hear of this now? Errors do not wait.
    fn is_enough(&self, results: &[Result1]) -> bool {
        let mut bytes = 0;
        for result in results {
            match result {
                Ok(read) if read.diverging.is_none() => bytes += read.records.len(),
                Ok(_) | Err(_) => return true,
            }
        }
        bytes >= self.wish.min_bytes
    }

    async fn wait(&mut self, deadline: Instant) -> Vec<Result1> {
        loop {
            // First registered, then read: what comes in between wakes.
            let image = self.context.broker.metadata.snapshot();
            for wanted in &self.begun.wanted {
                if let Ok(replica) = self.replica(&image, wanted) {
                    replica.on_readable(&self.polls.reader);
                }
            }
            let results = self.read();
            if self.is_enough(&results) {
                return results;
            }
            if timeout_at(deadline, self.polls.reader.readable()).await.is_err() {
                return results;
            }
        }
    }

    fn answer(&mut self, results: Vec<Result1>) -> Result<Vec<Bytes>, Refused> {
        let throttle_time_ms = self.context.payer.as_ref().map_or(0, |payer| {
            let bytes = results.iter().flatten().map(|read| read.records.len()).sum();
            payer.fetched(bytes, self.spent)
        });
        let image = self.context.broker.metadata.snapshot();
        let mut endpoints = BTreeMap::new();
        let mut topics: Vec<FetchableTopicResponse> = Vec::new();
        let mut last_topic: Option<&TopicKey> = None;
        let tells = self.begun.session_id != NO_SESSION;
        for (wanted, result) in self.begun.wanted.iter().zip(results) {
            let data = match result {
                Ok(read) => self.data(wanted, read),
                Err(code) => self.failure(&image, wanted, code, &mut endpoints),
            };
            if tells && !self.polls.session.is_news(wanted, &data) && self.begun.incremental {
                continue;
            }
            if last_topic != Some(&wanted.topic) {
                last_topic = Some(&wanted.topic);
                let topic = FetchableTopicResponse::default();
                topics.push(match &wanted.topic {
                    TopicKey::Name(name) => topic.with_topic(name.clone().into()),
                    TopicKey::Id(id) => topic.with_topic_id(id.0),
                });
            }
            if let Some(topic) = topics.last_mut() {
                topic.partitions.push(data);
            }
        }
        let response = FetchResponse::default()
            .with_throttle_time_ms(throttle_time_ms)
            .with_session_id(self.begun.session_id)
            .with_responses(topics)
            .with_node_endpoints(endpoints.into_values().collect());
        Ok(encode_fetch_response(&self.header, &response)?)
    }

    fn data(&self, wanted: &Wanted, read: Read) -> PartitionData {
        let mut data = PartitionData::default()
            .with_partition_index(wanted.partition)
            .with_high_watermark(read.high_watermark)
            .with_last_stable_offset(read.last_stable_offset)
            .with_log_start_offset(read.log_start_offset)
            .with_preferred_read_replica((-1).into())
            // Null is "not asked for"; there are no transactions yet.
            .with_aborted_transactions(match self.wish.isolation {
                Isolation::ReadCommitted => Some(Vec::new()),
                Isolation::ReadUncommitted => None,
            })
            .with_records(Some(read.records));
        if let Some((epoch, end_offset)) = read.diverging {
            data.diverging_epoch =
                EpochEndOffset::default().with_epoch(epoch).with_end_offset(end_offset);
        }
        data
    }

    fn failure(
        &self,
        image: &Image,
        wanted: &Wanted,
        code: ErrorCode,
        endpoints: &mut BTreeMap<i32, NodeEndpoint>,
    ) -> PartitionData {
        let mut data = PartitionData::default()
            .with_partition_index(wanted.partition)
            .with_error_code(code.code())
            .with_high_watermark(NONE)
            .with_last_stable_offset(NONE)
            .with_log_start_offset(NONE)
            .with_preferred_read_replica((-1).into())
            .with_aborted_transactions(None)
            .with_records(Some(Bytes::new()));
        if self.context.version < LEADER_HINTS
            || !matches!(code, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch)
        {
            return data;
        }
        let topic = match &wanted.topic {
            TopicKey::Id(id) => Some(*id),
            TopicKey::Name(name) => image.topic_by_name(name).map(|topic| topic.id),
        };
        let id = topic.map(|topic| TopicIdPartition::new(topic, wanted.partition));
        if let Some(hint) = id.and_then(|id| lookup::leader_hint(&self.context, image, id)) {
            data.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(hint.leader.into())
                .with_leader_epoch(hint.leader_epoch);
            endpoints.entry(hint.leader).or_insert_with(|| {
                NodeEndpoint::default()
                    .with_node_id(hint.leader.into())
                    .with_host(text(&hint.endpoint.host))
                    .with_port(hint.endpoint.port.into())
                    .with_rack(hint.rack.as_deref().map(text))
            });
        }
        data
    }
}
