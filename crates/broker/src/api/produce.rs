//! Produce: append at once, answer when the required replicas have it.

use std::collections::BTreeMap;
use std::time::Instant;

use ottla_metadata::{Image, Topic};
use ottla_protocol::frame::RequestHeader;
use ottla_protocol::ids::{KafkaUuid, PartitionIndex, TopicIdPartition};
use ottla_protocol::messages::produce_request::PartitionProduceData;
use ottla_protocol::messages::produce_response::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use ottla_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla_protocol::record::{BatchHeader, Compression};
use ottla_protocol::{ErrorCode, Wire};
use tokio::time::timeout;

use super::dispatch::encode;
use super::error::{Coded, ack_code};
use super::{Context, lookup, millis, now_ms, text};
use crate::net::connection::{Refused, Reply};
use crate::partition::{AckGroup, AckToken, AppendOptions};

/// From this version on topics are named by id.
const BY_ID: i16 = 13;
/// From this version on the client understands zstd (KIP-110).
const ZSTD: i16 = 7;
/// From this version on the client understands leader hints (KIP-951).
const LEADER_HINTS: i16 = 10;
/// The client id by which Kafka knows a client that may write to internal topics.
const ADMIN_CLIENT: &str = "__admin_client";
/// In place of offsets and timestamps where there are none.
const NONE: i64 = -1;

pub(super) fn handle(
    context: &Context,
    header: RequestHeader,
    request: ProduceRequest,
) -> Result<Reply, Refused> {
    let begun = context.payer.as_ref().map(|_| Instant::now());
    let image = context.broker.metadata.snapshot();
    let ProduceRequest { acks, timeout_ms, topic_data, .. } = request;
    let shares = topic_data.iter().map(|topic| topic.partition_data.len()).sum();
    let (mut waits, tokens) = AckGroup::new(if acks == -1 { shares } else { 0 });
    let mut produce = Produce {
        context,
        image: &image,
        acks,
        may_write_internal: header.client_id.as_deref() == Some(ADMIN_CLIENT),
        now_ms: now_ms(),
        tokens: tokens.into_iter(),
        endpoints: BTreeMap::new(),
        failed: None,
    };
    let mut responses = Vec::with_capacity(topic_data.len());
    for topic in topic_data {
        let by_id = context.version >= BY_ID;
        let found = lookup::topic(&image, by_id, &topic.name, KafkaUuid(topic.topic_id));
        let partitions = topic.partition_data.into_iter();
        let partitions = partitions.map(|data| produce.partition(found, data)).collect();
        responses.push(
            TopicProduceResponse::default()
                .with_name(topic.name)
                .with_topic_id(topic.topic_id)
                .with_partition_responses(partitions),
        );
    }
    let Produce { endpoints, failed, .. } = produce;
    let mut response = ProduceResponse::default()
        .with_responses(responses)
        .with_node_endpoints(endpoints.into_values().collect());
    if let Some(payer) = &context.payer {
        // Nobody can tell a client without answers that its time is used up.
        let begun = begun.filter(|_| acks != 0);
        response.throttle(payer.produced(context.request_bytes, begun));
    }
    match acks {
        // A client that wants no answer learns of an error only by losing its connection.
        0 => match failed {
            Some(code) => Err(Refused(format!("a produce request with acks=0 failed: {code}"))),
            None => Ok(Reply::Nothing),
        },
        -1 => {
            let context = context.clone();
            Ok(Reply::Waiting(Box::pin(async move {
                // What is not complete by then is told apart share by share.
                let _ = timeout(millis(timeout_ms), waits.completed()).await;
                settle(&context, &waits, &mut response);
                Ok(Some(encode(&header, &response)?))
            })))
        }
        _ => Ok(Reply::Ready(encode(&header, &response)?)),
    }
}

/// One request, partition by partition.
struct Produce<'a> {
    context: &'a Context,
    image: &'a Image,
    acks: i16,
    /// Internal topics belong to the coordinators: of all clients only this one may write to them.
    may_write_internal: bool,
    now_ms: i64,
    /// One per partition of the request, in order, if acks=all.
    tokens: std::vec::IntoIter<AckToken>,
    /// Where the leaders are that were hinted at.
    endpoints: BTreeMap<i32, NodeEndpoint>,
    /// The first error.
    failed: Option<ErrorCode>,
}

impl Produce<'_> {
    fn partition(
        &mut self,
        topic: Result<&Topic, ErrorCode>,
        data: PartitionProduceData,
    ) -> PartitionProduceResponse {
        // Taken in any case: shares and partitions go in step.
        let token = self.tokens.next();
        let index = data.index;
        match self.append(topic, data, token) {
            Ok(response) => response,
            Err((code, message)) => {
                self.failed.get_or_insert(code);
                let mut response = failed(index, code).with_error_message(message.map(Into::into));
                if code == ErrorCode::NotLeaderOrFollower
                    && self.context.version >= LEADER_HINTS
                    && let Ok(topic) = topic
                {
                    let id = TopicIdPartition::new(topic.id, index);
                    hint(self.context, self.image, id, &mut response, &mut self.endpoints);
                }
                response
            }
        }
    }

    fn append(
        &self,
        topic: Result<&Topic, ErrorCode>,
        data: PartitionProduceData,
        token: Option<AckToken>,
    ) -> Result<PartitionProduceResponse, (ErrorCode, Option<String>)> {
        if !matches!(self.acks, -1..=1) {
            return Err((ErrorCode::InvalidRequiredAcks, None));
        }
        let topic = topic.map_err(|code| (code, None))?;
        if lookup::is_internal(&topic.name) && !self.may_write_internal {
            let message = format!("Cannot append to internal topic {}", topic.name);
            return Err((ErrorCode::InvalidTopicException, Some(message)));
        }
        let records = data.records.unwrap_or_default();
        if self.context.version < ZSTD && is_zstd(&records) {
            let message = format!("Produce requests below version {ZSTD} may not use zstd");
            return Err((ErrorCode::UnsupportedCompressionType, Some(message)));
        }
        let replica =
            lookup::replica(self.context, topic, data.index).map_err(|code| (code, None))?;
        let options =
            AppendOptions { acks_all: self.acks == -1, now_ms: self.now_ms, leader_epoch: None };
        let appended = replica
            .append(records, options, token)
            .map_err(|error| (error.code(), Some(error.to_string())))?;
        Ok(PartitionProduceResponse::default()
            .with_index(data.index)
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.log_append_time_ms)
            .with_log_start_offset(appended.log_start_offset))
    }
}

fn is_zstd(records: &[u8]) -> bool {
    BatchHeader::parse(records).is_ok_and(|header| header.compression() == Some(Compression::Zstd))
}

fn failed(index: PartitionIndex, code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(code.code())
        .with_base_offset(NONE)
        .with_log_append_time_ms(NONE)
        .with_log_start_offset(NONE)
}

/// Tells the client who leads instead.
fn hint(
    context: &Context,
    image: &Image,
    id: TopicIdPartition,
    response: &mut PartitionProduceResponse,
    endpoints: &mut BTreeMap<i32, NodeEndpoint>,
) {
    let Some(hint) = lookup::leader_hint(context, image, id) else { return };
    response.current_leader = LeaderIdAndEpoch::default()
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

/// Puts what became of each share into the response.
fn settle(context: &Context, waits: &AckGroup, response: &mut ProduceResponse) {
    let mut outcomes = waits.outcomes().into_iter();
    let image = context.broker.metadata.image();
    let mut endpoints = BTreeMap::new();
    for topic in &mut response.responses {
        let id = if context.version >= BY_ID {
            Some(KafkaUuid(topic.topic_id))
        } else {
            image.topic_by_name(&topic.name).map(|topic| topic.id)
        };
        for partition in &mut topic.partition_responses {
            let outcome = outcomes.next().flatten();
            let refused_before = partition.error_code != ErrorCode::None.code();
            let Some(code) = ack_code(outcome).filter(|_| !refused_before) else { continue };
            *partition = failed(partition.index, code);
            if code == ErrorCode::NotLeaderOrFollower
                && context.version >= LEADER_HINTS
                && let Some(id) = id
            {
                let id = TopicIdPartition::new(id, partition.index);
                hint(context, &image, id, partition, &mut endpoints);
            }
        }
    }
    response.node_endpoints.extend(endpoints.into_values());
}
