//! Three brokers' partitions in one process: real logs, real gRPC, and a controller that is a list of
//! committed batches.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_config::{NodeConfig, Properties};
use ottla_metadata::proposal::{AlterPartition, Outcome};
use ottla_metadata::record::{BrokerChange, RegisterBroker};
use ottla_metadata::{Batch, ConfigResource, Delta, Endpoint, FenceCause, Image, Record};
use ottla_protocol::ids::{BrokerId, KafkaUuid, TopicIdPartition, TopicName};
use ottla_protocol::record::{
    Compression, ProducerFields, RecordBatchBuilder, batches, decode_records,
};
use ottla_rpc::Connections;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::partition::{
    AckGroup, AckOutcome, AppendError, AppendOptions, Appended, Isolation, IsrProposer, Partition,
    Partitions, PartitionsOptions, ProposeError, ReadRequest,
};

const TOPIC: &str = "orders";

/// The committed batches, and who follows them.
#[derive(Default)]
pub(super) struct Controller {
    image: Mutex<Image>,
    brokers: Mutex<Vec<(BrokerId, Partitions)>>,
}

impl Controller {
    /// Commits records and has every broker follow.
    pub(super) fn commit(&self, records: Vec<Record>) {
        let (image, delta) = {
            let mut image = self.image.lock();
            let offset = image.offset() + 1;
            let delta = image.replay_batch(offset, &Batch { records, timestamp_ms: 0 });
            (Arc::new(image.clone()), delta)
        };
        for (_, partitions) in self.brokers.lock().clone() {
            partitions.apply(&image, &delta);
        }
    }

    fn state(&self) -> ottla_metadata::Partition {
        self.image.lock().partition(id()).map(|it| (**it).clone()).expect("the topic exists")
    }

    /// The partition changes as `change` says.
    pub(super) fn change(&self, change: impl FnOnce(&mut ottla_metadata::Partition)) {
        let mut state = self.state();
        change(&mut state);
        state.partition_epoch += 1;
        self.commit(vec![Record::Partition { id: id(), state }]);
    }

    pub(super) fn leader(&self) -> Option<BrokerId> {
        self.state().leader
    }

    pub(super) fn isr(&self) -> Vec<BrokerId> {
        self.state().isr
    }

    pub(super) fn set(&self, key: &str, value: &str) {
        self.commit(vec![Record::Config {
            resource: ConfigResource::Topic(TopicName::from(TOPIC)),
            key: key.to_owned(),
            value: Some(value.to_owned()),
        }]);
    }
}

impl Controller {
    /// A broker's own setting.
    pub(super) fn set_for_broker(&self, broker: BrokerId, key: &str, value: &str) {
        self.commit(vec![Record::Config {
            resource: ConfigResource::Broker(broker),
            key: key.to_owned(),
            value: Some(value.to_owned()),
        }]);
    }
}

struct Proposer(Arc<Controller>, BrokerId);

impl IsrProposer for Proposer {
    fn propose_isr(
        &self,
        wishes: Vec<AlterPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Outcome>, ProposeError>> + Send + '_>> {
        Box::pin(async move {
            let controller = Arc::clone(&self.0);
            let done = tokio::task::spawn_blocking(move || {
                for wish in &wishes {
                    let state = controller.state();
                    if state.partition_epoch == wish.partition_epoch {
                        let isr = wish.new_isr.iter().map(|member| member.broker_id).collect();
                        controller.change(|state| state.isr = isr);
                    }
                }
                wishes.iter().map(|_| Ok(())).collect()
            });
            done.await.map_err(|error| ProposeError(error.to_string()))
        })
    }

    fn report_offline(
        &self,
        replicas: Vec<TopicIdPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<(), ProposeError>> + Send + '_>> {
        Box::pin(async move {
            let (controller, me) = (Arc::clone(&self.0), self.1);
            let done = tokio::task::spawn_blocking(move || {
                let image = controller.image.lock().clone();
                let broker_epoch = image.broker(me).map_or(-1, |broker| broker.epoch);
                let proposer = ottla_metadata::Proposer { broker_id: me, broker_epoch };
                let plan = ottla_metadata::plan::brokers::report_offline(
                    &image,
                    &ottla_metadata::Limits::default(),
                    proposer,
                    &replicas,
                );
                controller.commit(plan.expect("registered").records);
            });
            done.await.map_err(|error| ProposeError(error.to_string()))
        })
    }
}

pub(super) fn id() -> TopicIdPartition {
    TopicIdPartition::new(KafkaUuid::from_bytes([7; 16]), 0)
}

/// One broker's partitions, and its gRPC server.
pub(super) struct Broker {
    pub(super) partitions: Partitions,
    stop: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

impl Broker {
    pub(super) fn partition(&self) -> Arc<Partition> {
        self.partitions.get(id()).expect("it is a replica")
    }
}

pub(super) struct Cluster {
    pub(super) controller: Arc<Controller>,
    dir: tempfile::TempDir,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self { controller: Arc::default(), dir: tempfile::tempdir().expect("a directory") }
    }

    pub(super) fn log_dir(&self, broker: BrokerId) -> std::path::PathBuf {
        self.dir.path().join(broker.to_string())
    }

    /// Brings a broker up under `epoch`.
    pub(super) async fn start(&self, broker_id: BrokerId, epoch: i64) -> Broker {
        self.start_with(broker_id, epoch, "").await
    }

    /// The same, with these settings.
    pub(super) async fn start_with(&self, broker_id: BrokerId, epoch: i64, more: &str) -> Broker {
        let config = node_config(broker_id, &self.log_dir(broker_id), more);
        let options = PartitionsOptions {
            config: Arc::new(config),
            incarnation_id: KafkaUuid::from_bytes([broker_id as u8; 16]),
            proposer: Arc::new(Proposer(Arc::clone(&self.controller), broker_id)),
            runtime: tokio::runtime::Handle::current(),
        };
        let partitions = tokio::task::spawn_blocking(|| Partitions::open(options))
            .await
            .expect("no panic")
            .expect("it opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (connections, incoming) = Connections::channel(16);
        let (stop, stopped) = oneshot::channel::<()>();
        let service = ottla_rpc::replication_server(partitions.replication_service());
        let server = tokio::spawn(async move {
            let accept = tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    if connections.send(stream).await.is_err() {
                        return;
                    }
                }
            });
            let router = ottla_rpc::server_builder().add_service(service);
            let stopped = async {
                let _ = stopped.await;
            };
            let _ = ottla_rpc::serve_with_incoming(router, incoming, stopped).await;
            accept.abort();
        });
        partitions.set_broker_epoch(epoch);
        self.controller.brokers.lock().push((broker_id, partitions.clone()));
        self.controller.commit(vec![
            Record::ClusterId("cluster".into()),
            Record::RegisterBroker(RegisterBroker {
                broker_id,
                incarnation_id: KafkaUuid::from_bytes([broker_id as u8; 16]),
                broker_epoch: epoch,
                endpoints: vec![Endpoint {
                    listener: "PLAINTEXT".into(),
                    host: "127.0.0.1".into(),
                    port,
                    security_protocol: "PLAINTEXT".into(),
                }],
                rack: None,
                inter_broker_listener: "PLAINTEXT".into(),
            }),
            Record::BrokerChange(BrokerChange {
                broker_id,
                broker_epoch: epoch,
                fenced: Some(false),
                in_controlled_shutdown: None,
                cause: FenceCause::None,
                detected_at_ms: 0,
            }),
        ]);
        Broker { partitions, stop, server }
    }

    /// Stops a broker: in order, or as if it had been killed.
    pub(super) async fn stop(&self, broker_id: BrokerId, broker: Broker, clean: bool) {
        self.controller.brokers.lock().retain(|(id, _)| *id != broker_id);
        let _ = broker.stop.send(());
        let partitions = broker.partitions;
        tokio::task::spawn_blocking(move || {
            if clean {
                partitions.shutdown();
            } else {
                partitions.stop();
                partitions.forget();
            }
        })
        .await
        .expect("no panic");
        broker.server.await.expect("no panic");
    }

    /// Creates the topic: one partition on all three, led by 1.
    pub(super) fn create_topic(&self) {
        let state = ottla_metadata::Partition {
            replicas: vec![1, 2, 3],
            isr: vec![1, 2, 3],
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            adding_replicas: Vec::new(),
            removing_replicas: Vec::new(),
            leader: Some(1),
            leader_epoch: 0,
            partition_epoch: 0,
            leader_recovering: false,
        };
        self.controller.commit(vec![
            Record::ClusterId("cluster".into()),
            Record::Topic { topic_id: id().topic_id, name: TopicName::from(TOPIC) },
            Record::Partition { id: id(), state },
        ]);
    }

    /// The controller fences a broker.
    pub(super) fn fence(&self, broker_id: BrokerId, broker_epoch: i64) {
        self.controller.commit(vec![Record::BrokerChange(BrokerChange {
            broker_id,
            broker_epoch,
            fenced: Some(true),
            in_controlled_shutdown: None,
            cause: FenceCause::None,
            detected_at_ms: 0,
        })]);
    }

    pub(super) fn delete_topic(&self) {
        self.controller.commit(vec![Record::RemoveTopic(id().topic_id)]);
    }
}

fn node_config(broker_id: BrokerId, log_dir: &Path, more: &str) -> NodeConfig {
    let text = format!(
        "node.id={broker_id}\nlog.dirs={}\nreplica.lag.time.max.ms=1000\n{more}",
        log_dir.display()
    );
    let properties = Properties::parse(&text).expect("well-formed");
    NodeConfig::resolve(&properties).expect("valid").0
}

/// A batch of one record; idempotent if `sequence` is given.
pub(super) fn batch(value: &[u8], sequence: Option<i32>) -> Bytes {
    let mut builder = RecordBatchBuilder::new(Compression::None);
    if let Some(base_sequence) = sequence {
        builder =
            builder.producer(ProducerFields { producer_id: 9, producer_epoch: 0, base_sequence });
    }
    builder.append(now_ms(), None, Some(value), &[]);
    builder.build().expect("small")
}

fn now_ms() -> i64 {
    super::super::clock::wall_ms()
}

pub(super) fn acks(all: bool) -> AppendOptions {
    AppendOptions { acks_all: all, now_ms: now_ms(), leader_epoch: None }
}

/// Appends with acks=all and waits for the outcome.
pub(super) async fn produce(
    partition: &Arc<Partition>,
    records: Bytes,
) -> Result<(Appended, AckOutcome), AppendError> {
    let (mut group, mut tokens) = AckGroup::new(1);
    let appended = partition.append(records, acks(true), tokens.pop())?;
    tokio::time::timeout(Duration::from_secs(10), group.completed()).await.expect("an outcome");
    let outcome = group.outcomes().pop().flatten().expect("completed");
    Ok((appended, outcome))
}

/// Everything that may be read of a compacted log: offset, key and value.
pub(super) fn read_keys(partition: &Partition) -> Vec<(i64, String, String)> {
    let mut found = Vec::new();
    let mut offset = 0;
    loop {
        let request = ReadRequest {
            offset,
            max_bytes: 1 << 20,
            at_least_one: true,
            current_leader_epoch: None,
            last_fetched_epoch: None,
            isolation: Isolation::ReadUncommitted,
        };
        let read = partition.read(request).expect("readable");
        let Some(last) = batches(&read.records).filter_map(Result::ok).last() else { return found };
        offset = last.header.next_offset();
        let text = |bytes: &Option<Bytes>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or(b"-")).into_owned()
        };
        let records = decode_records(&read.records).expect("well-formed");
        found.extend(records.iter().map(|it| (it.offset, text(&it.key), text(&it.value))));
    }
}

/// A batch of one record with a key; idempotent if `sequence` is given.
pub(super) fn keyed(key: &str, value: Option<&str>, sequence: Option<i32>) -> Bytes {
    let mut builder = RecordBatchBuilder::new(Compression::None);
    if let Some(base_sequence) = sequence {
        builder =
            builder.producer(ProducerFields { producer_id: 9, producer_epoch: 0, base_sequence });
    }
    builder.append(now_ms(), Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    builder.build().expect("small")
}

/// Everything that may be read, as text.
pub(super) fn read_all(partition: &Partition) -> Vec<String> {
    let mut values = Vec::new();
    let mut offset = 0;
    loop {
        let request = ReadRequest {
            offset,
            max_bytes: 1 << 20,
            at_least_one: true,
            current_leader_epoch: None,
            last_fetched_epoch: None,
            isolation: Isolation::ReadUncommitted,
        };
        let read = partition.read(request).expect("readable");
        let records = decode_records(&read.records).expect("well-formed");
        let Some(last) = records.last() else { return values };
        offset = last.offset + 1;
        let text = |bytes: &Bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(32)]).into();
        values.extend(records.iter().filter_map(|record| record.value.as_ref().map(text)));
    }
}

/// Waits until `done`, at most ten seconds.
pub(super) async fn wait_for(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// An empty image's delta: nothing.
pub(super) fn nothing() -> Delta {
    Delta::default()
}
