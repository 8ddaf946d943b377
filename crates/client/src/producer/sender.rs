//! The task that carries a producer's batches to the brokers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use ottla_protocol::ids::{BrokerId, KafkaUuid, LeaderEpoch, TopicPartition};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::PartitionProduceResponse;
use ottla_protocol::messages::{
    self, InitProducerIdRequest, ProduceRequest, ProduceResponse, init_producer_id_response,
};
use ottla_protocol::{ErrorCode, StrBytes};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::batches::{Answer, Batches, Identity, Millis, OutboundRequest, Token};
use super::{Acknowledged, Acks, ProduceError, ProducerOptions, ProducerRecord};
use crate::client::{Client, Target};
use crate::error::{ApiError, ClientError};
use crate::metadata::Node;
use crate::options::HostPort;

/// What the sender is asked to do.
pub(super) enum Command {
    Append(Box<Append>),
    Flush(oneshot::Sender<()>),
}

/// A record with its place.
pub(super) struct Append {
    pub(super) partition: TopicPartition,
    pub(super) record: ProducerRecord,
    pub(super) answer: oneshot::Sender<Result<Acknowledged, ProduceError>>,
    pub(super) room: OwnedSemaphorePermit,
}

/// Starts the task of a producer.
pub(super) fn start(
    client: Client,
    options: Arc<ProducerOptions>,
) -> mpsc::UnboundedSender<Command> {
    let (commands, queue) = mpsc::unbounded_channel();
    let backoff = client.options().clone();
    let retry_backoff =
        move |attempt| backoff.backoff(attempt).as_millis().try_into().unwrap_or(Millis::MAX);
    let sender = Sender {
        batches: Batches::new(Arc::clone(&options), retry_backoff),
        client,
        options,
        started: Instant::now(),
        next_token: 1,
        waiting: BTreeMap::new(),
        flushes: Vec::new(),
        in_flight: FuturesUnordered::new(),
        asking_identity: false,
        identity_attempts: 0,
    };
    tokio::spawn(sender.run(queue));
    commands
}

/// What comes back from the network.
enum Done {
    Produced(OutboundRequest, Vec<LeaderEpoch>, Result<ProduceResponse, ClientError>),
    Identity(Result<init_producer_id_response::InitProducerIdResponse, ClientError>),
}

struct Sender {
    client: Client,
    options: Arc<ProducerOptions>,
    batches: Batches,
    started: Instant,
    next_token: Token,
    waiting: BTreeMap<Token, Waiting>,
    flushes: Vec<(Token, oneshot::Sender<()>)>,
    in_flight: FuturesUnordered<BoxFuture<'static, Done>>,
    asking_identity: bool,
    identity_attempts: u32,
}

struct Waiting {
    answer: oneshot::Sender<Result<Acknowledged, ProduceError>>,
    /// Given back when the record's fate is known.
    _room: OwnedSemaphorePermit,
}

impl Sender {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Command>) {
        let mut changes = self.client.metadata_changes();
        let mut commands = Vec::new();
        let mut open = true;
        loop {
            self.send_what_is_due();
            self.tell_fates();
            if !open && self.batches.is_empty() {
                return;
            }
            let wakeup =
                self.batches.next_wakeup().map(|at| self.started + Duration::from_millis(at));
            let asleep = async {
                match wakeup {
                    // What is due but cannot leave waits for an answer or for metadata; not for time.
                    Some(at) if at > Instant::now() => tokio::time::sleep_until(at.into()).await,
                    Some(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                count = queue.recv_many(&mut commands, 1024), if open => {
                    if count == 0 {
                        open = false;
                        self.batches.flush(self.next_token);
                    }
                    for command in commands.drain(..) {
                        self.on_command(command);
                    }
                }
                Some(done) = self.in_flight.next() => self.on_done(done),
                _ = changes.changed() => {}
                () = asleep => {}
            }
        }
    }

    fn now(&self) -> Millis {
        self.started.elapsed().as_millis().try_into().unwrap_or(Millis::MAX)
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Append(append) => {
                let Append { partition, record, answer, room } = *append;
                let token = self.next_token;
                self.next_token += 1;
                let timestamp = record.timestamp.unwrap_or_else(wall_clock_ms);
                self.batches.append(self.now(), partition, timestamp, &record, token);
                self.waiting.insert(token, Waiting { answer, _room: room });
            }
            Command::Flush(done) => {
                let upto = self.next_token - 1;
                self.batches.flush(upto);
                self.flushes.push((upto, done));
            }
        }
    }

    fn send_what_is_due(&mut self) {
        if self.batches.wants_identity() && !self.asking_identity {
            self.asking_identity = true;
            let client = self.client.clone();
            let pause = match self.identity_attempts {
                0 => Duration::ZERO,
                attempt => client.options().backoff(attempt),
            };
            self.in_flight.push(Box::pin(async move {
                tokio::time::sleep(pause).await;
                let request = InitProducerIdRequest::default()
                    .with_transactional_id(None)
                    .with_transaction_timeout_ms(i32::MAX)
                    .with_producer_id(messages::ProducerId(-1))
                    .with_producer_epoch(-1);
                Done::Identity(client.request(Target::Any, &request).await)
            }));
        }
        let metadata = self.client.metadata();
        let leader = |p: &TopicPartition| metadata.leader(&p.topic, p.partition);
        for request in self.batches.drain(self.now(), leader) {
            let epochs: Vec<LeaderEpoch> = request
                .batches
                .iter()
                .map(|outbound| leader(&outbound.partition).map_or(-1, |(_, epoch)| epoch))
                .collect();
            let (client, options) = (self.client.clone(), Arc::clone(&self.options));
            self.in_flight.push(Box::pin(async move {
                let result = produce(&client, &options, &request).await;
                Done::Produced(request, epochs, result)
            }));
        }
        if self.batches.is_stalled(leader) {
            self.client.want_metadata();
        }
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Identity(result) => self.on_identity(result),
            Done::Produced(request, epochs, result) => {
                self.batches.request_ended(request.node);
                let now = self.now();
                for (outbound, epoch) in request.batches.iter().zip(epochs) {
                    let from = (request.node, epoch);
                    let answer = match &result {
                        Ok(response) => self.judge(response, &outbound.partition),
                        Err(error) => {
                            self.client.want_metadata();
                            let sent = !error.is_definite();
                            Answer::Failed { sent, reason: error.to_string() }
                        }
                    };
                    self.batches.on_answer(now, &outbound.partition, &outbound.batch, from, answer);
                }
            }
        }
    }

    fn on_identity(
        &mut self,
        result: Result<init_producer_id_response::InitProducerIdResponse, ClientError>,
    ) {
        self.asking_identity = false;
        let error = match result {
            Ok(response) => match ApiError::from_wire(response.error_code, None) {
                None => {
                    self.identity_attempts = 0;
                    self.batches.set_identity(Identity {
                        producer_id: response.producer_id.0,
                        producer_epoch: response.producer_epoch,
                    });
                    return;
                }
                Some(error) => error,
            },
            Err(ClientError::Api(error)) => error,
            Err(error) => ApiError {
                code: match error {
                    ClientError::Unsupported { .. } => ErrorCode::UnsupportedVersion.code(),
                    _ => ErrorCode::NetworkException.code(),
                },
                message: Some(error.to_string()),
            },
        };
        self.identity_attempts += 1;
        if !error.is_retriable() {
            self.batches.refuse_identity(&error);
        }
    }

    /// The answer for one partition of a Produce request; takes in a hint at the new leader.
    fn judge(&self, response: &ProduceResponse, place: &TopicPartition) -> Answer {
        if self.options.acks == Acks::None {
            return Answer::Written { base_offset: -1, log_append_time: -1 };
        }
        let Some(partition) = self.find(response, place) else {
            let reason = "the broker's answer leaves the partition out".to_owned();
            return Answer::Failed { sent: true, reason };
        };
        // The first record that the broker names says more than the batch's own message.
        let of_record = partition.record_errors.first();
        let of_record = of_record.and_then(|record| record.batch_index_error_message.as_ref());
        let message = of_record.or(partition.error_message.as_ref()).map(StrBytes::as_str);
        let Some(error) = ApiError::from_wire(partition.error_code, message) else {
            return Answer::Written {
                base_offset: partition.base_offset,
                log_append_time: partition.log_append_time_ms,
            };
        };
        let hint = &partition.current_leader;
        let news = hint.leader_id.0 >= 0 && {
            let nodes = response.node_endpoints.iter().filter_map(|node| {
                Some(Node {
                    id: node.node_id.0,
                    address: HostPort {
                        host: node.host.to_string(),
                        port: u16::try_from(node.port).ok()?,
                    },
                    rack: node.rack.as_ref().map(|rack| rack.to_string()),
                })
            });
            self.client.hint_leader(place, hint.leader_id.0, hint.leader_epoch, nodes)
        };
        if !news {
            self.client.want_metadata();
        }
        Answer::Refused(error)
    }

    fn find<'a>(
        &self,
        response: &'a ProduceResponse,
        place: &TopicPartition,
    ) -> Option<&'a PartitionProduceResponse> {
        let metadata = self.client.metadata();
        let topic = response.responses.iter().find(|topic| {
            topic.name.as_str() == &*place.topic
                || metadata.topic_name(KafkaUuid(topic.topic_id)) == Some(&place.topic)
        })?;
        topic.partition_responses.iter().find(|p| p.index == place.partition)
    }

    fn tell_fates(&mut self) {
        for (token, fate) in self.batches.take_fates() {
            if let Some(waiting) = self.waiting.remove(&token) {
                // Whoever does not wait for the answer does not want it.
                let _ = waiting.answer.send(fate);
            }
        }
        let oldest = self.waiting.first_key_value().map_or(Token::MAX, |(token, _)| *token);
        for (_, done) in self.flushes.extract_if(.., |(upto, _)| *upto < oldest) {
            let _ = done.send(());
        }
    }
}

async fn produce(
    client: &Client,
    options: &ProducerOptions,
    request: &OutboundRequest,
) -> Result<ProduceResponse, ClientError> {
    let limit = Duration::from_millis(options.request_timeout_ms);
    let metadata = client.metadata();
    let build = |version: i16| {
        let topics = request.batches.chunk_by(|a, b| a.partition.topic == b.partition.topic);
        let topics = topics.map(|run| {
            let name = &run[0].partition.topic;
            let id = match metadata.topic(name) {
                Some(Ok(info)) => info.id,
                _ => KafkaUuid::ZERO,
            };
            let data = run.iter().map(|outbound| {
                PartitionProduceData::default()
                    .with_index(outbound.partition.partition)
                    .with_records(Some(outbound.batch.clone()))
            });
            let topic = TopicProduceData::default().with_partition_data(data.collect());
            if version >= 13 {
                topic.with_topic_id(id.0)
            } else {
                topic.with_name(messages::TopicName(StrBytes::from_string(name.to_string())))
            }
        });
        ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(options.acks as i16)
            .with_timeout_ms(i32::try_from(options.request_timeout_ms).unwrap_or(i32::MAX))
            .with_topic_data(topics.collect())
    };
    if options.acks == Acks::None {
        client.send_unanswered(request.node, build).await?;
        return Ok(ProduceResponse::default());
    }
    let target = Target::Node(request.node as BrokerId);
    client.request_within(target, limit, build).await.map(|(_, response)| response)
}

fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
