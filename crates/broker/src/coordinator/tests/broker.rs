//! One broker's partitions and coordinator, and a controller that is a list of committed batches.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_config::{NodeConfig, Properties};
use ottla_metadata::proposal::{AlterPartition, Outcome};
use ottla_metadata::record::{BrokerChange, RegisterBroker};
use ottla_metadata::{
    Batch, ConfigResource, FenceCause, Image, Partition as PartitionState, Record,
};
use ottla_protocol::ids::{BrokerId, KafkaUuid, TopicId, TopicIdPartition, TopicName};
use tokio::runtime::Handle;

use crate::coordinator::{GroupCoordinator, OFFSETS_TOPIC};
use crate::metadata::Metadata;
use crate::partition::{IsrProposer, Partition, Partitions, PartitionsOptions, ProposeError};

pub(super) const ME: BrokerId = 1;
/// A broker that never answers.
pub(super) const OTHER: BrokerId = 2;

/// ISRs change only by the test's hand.
struct NoProposer;

impl IsrProposer for NoProposer {
    fn propose_isr(
        &self,
        _: Vec<AlterPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Outcome>, ProposeError>> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn report_offline(
        &self,
        _: Vec<TopicIdPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<(), ProposeError>> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

pub(super) struct Broker {
    pub(super) coordinator: GroupCoordinator,
    partitions: Partitions,
    metadata: Arc<Metadata>,
    image: Image,
    dir: Option<tempfile::TempDir>,
}

impl Broker {
    /// A broker that leads nothing, with these settings on top.
    pub(super) async fn start(settings: &str) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), Image::default(), settings).await
    }

    async fn start_in(dir: tempfile::TempDir, image: Image, settings: &str) -> Self {
        let text = format!(
            "node.id={ME}\nlog.dirs={}\ngroup.initial.rebalance.delay.ms=0\n{settings}\n",
            dir.path().display()
        );
        let properties = Properties::parse(&text).expect("well-formed");
        let config = Arc::new(NodeConfig::resolve(&properties).expect("valid").0);
        let options = PartitionsOptions {
            config: Arc::clone(&config),
            incarnation_id: KafkaUuid::from_bytes([1; 16]),
            proposer: Arc::new(NoProposer),
            runtime: Handle::current(),
        };
        let partitions = tokio::task::spawn_blocking(|| Partitions::open(options))
            .await
            .expect("no panic")
            .expect("it opens");
        let metadata = Arc::new(Metadata::new());
        let coordinator = GroupCoordinator::new(
            config,
            Arc::clone(&metadata),
            partitions.clone(),
            Handle::current(),
        );
        coordinator.start();
        let mut broker = Self { coordinator, partitions, metadata, image, dir: Some(dir) };
        let epoch = broker.image.last_broker_epoch() + 10;
        broker.partitions.set_broker_epoch(epoch);
        let registrations = [ME, OTHER].map(|id| register(id, epoch + i64::from(id) - 1));
        broker.commit(registrations.into_iter().flatten().collect());
        broker
    }

    /// Stops in order and starts again with what is on disk.
    pub(super) async fn restart(mut self, settings: &str) -> Self {
        self.coordinator.stop();
        let partitions = self.partitions.clone();
        tokio::task::spawn_blocking(move || partitions.shutdown()).await.expect("no panic");
        let dir = self.dir.take().expect("it has one");
        let image = self.image.clone();
        drop(self);
        Self::start_in(dir, image, settings).await
    }

    /// Commits records and has everybody follow.
    pub(super) fn commit(&mut self, records: Vec<Record>) {
        let offset = self.image.offset() + 1;
        let delta = self.image.replay_batch(offset, &Batch { records, timestamp_ms: 0 });
        let image = Arc::new(self.image.clone());
        self.metadata.publish(Arc::clone(&image), &delta);
        self.partitions.apply(&image, &delta);
        self.metadata.applied(offset);
    }

    /// Creates a topic of so many partitions, led by this broker, with these replicas in sync.
    pub(super) fn create_topic(&mut self, name: &str, partitions: i32, replicas: &[BrokerId]) {
        let topic_id = topic_id(name);
        let mut records = vec![Record::Topic { topic_id, name: TopicName::from(name) }];
        for index in 0..partitions {
            let state = PartitionState {
                replicas: replicas.to_vec(),
                isr: replicas.to_vec(),
                leader: Some(ME),
                ..unled()
            };
            records.push(Record::Partition { id: TopicIdPartition::new(topic_id, index), state });
        }
        self.commit(records);
    }

    /// The groups' topic with one partition.
    pub(super) fn create_offsets_topic(&mut self, replicas: &[BrokerId]) {
        self.create_topic(OFFSETS_TOPIC, 1, replicas);
    }

    /// The groups' only partition changes as `change` says.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut PartitionState)) {
        let id = offsets_partition();
        let mut state = self.image.partition(id).map(|it| (**it).clone()).expect("it exists");
        change(&mut state);
        state.partition_epoch += 1;
        self.commit(vec![Record::Partition { id, state }]);
    }

    /// Sets `min.insync.replicas` of the groups' topic.
    pub(super) fn set_min_isr(&mut self, value: &str) {
        self.commit(vec![Record::Config {
            resource: ConfigResource::Topic(TopicName::from(OFFSETS_TOPIC)),
            key: "min.insync.replicas".to_owned(),
            value: Some(value.to_owned()),
        }]);
    }

    /// The groups' only partition.
    pub(super) fn partition(&self) -> Arc<Partition> {
        self.partitions.get(offsets_partition()).expect("it is a replica")
    }

    /// A replica of another topic.
    pub(super) fn replica(&self, topic: &str) -> Arc<Partition> {
        self.partitions.get(TopicIdPartition::new(topic_id(topic), 0)).expect("it is a replica")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.coordinator.stop();
        self.partitions.end_streams();
    }
}

fn unled() -> PartitionState {
    PartitionState {
        replicas: Vec::new(),
        isr: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        adding_replicas: Vec::new(),
        removing_replicas: Vec::new(),
        leader: None,
        leader_epoch: 0,
        partition_epoch: 0,
        leader_recovering: false,
    }
}

fn offsets_partition() -> TopicIdPartition {
    TopicIdPartition::new(topic_id(OFFSETS_TOPIC), 0)
}

fn topic_id(name: &str) -> TopicId {
    let mut bytes = [7; 16];
    bytes.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
    KafkaUuid::from_bytes(bytes)
}

fn register(broker_id: BrokerId, broker_epoch: i64) -> [Record; 2] {
    [
        Record::RegisterBroker(RegisterBroker {
            broker_id,
            incarnation_id: KafkaUuid::from_bytes([broker_id as u8; 16]),
            broker_epoch,
            endpoints: Vec::new(),
            rack: None,
            inter_broker_listener: "PLAINTEXT".into(),
        }),
        Record::BrokerChange(BrokerChange {
            broker_id,
            broker_epoch,
            fenced: Some(false),
            in_controlled_shutdown: None,
            cause: FenceCause::None,
            detected_at_ms: 0,
        }),
    ]
}

/// Waits until `done`, at most ten seconds.
pub(super) async fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
