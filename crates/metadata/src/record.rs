//! The durable facts of the cluster, typed. `codec` maps them to and from `proto/records.proto`.

use std::sync::Arc;

use ottla_protocol::ids::{
    BrokerEpoch, BrokerId, KafkaUuid, TimestampMs, TopicId, TopicIdPartition, TopicName,
};
use ottla_protocol::scram::{ScramKeys, ScramMechanism};

use crate::image::{Endpoint, Partition};
use crate::quota::{QuotaEntity, QuotaKey, QuotaValue};

/// One committed fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The cluster's id. The first record of a cluster; never changes.
    ClusterId(Arc<str>),
    /// A broker's registration. It starts fenced.
    RegisterBroker(RegisterBroker),
    /// A registered broker is fenced, unfenced, or begins its controlled shutdown.
    BrokerChange(BrokerChange),
    /// All replicas of a registered broker that are in log directories out of service.
    OfflineReplicas {
        /// The broker.
        broker_id: BrokerId,
        /// Its registration: another one knows of none.
        broker_epoch: BrokerEpoch,
        /// The replicas.
        replicas: Vec<TopicIdPartition>,
    },
    /// A registration is gone.
    UnregisterBroker {
        /// The broker.
        broker_id: BrokerId,
        /// The registration that is gone.
        broker_epoch: BrokerEpoch,
    },
    /// A topic was created; its partitions follow in the same batch.
    Topic {
        /// The id of this life of the topic.
        topic_id: TopicId,
        /// Its name.
        name: TopicName,
    },
    /// A topic and its partitions are gone, and with them its configuration.
    RemoveTopic(TopicId),
    /// The whole new state of one partition.
    Partition {
        /// Which.
        id: TopicIdPartition,
        /// Its state from here on.
        state: Partition,
    },
    /// One key of one resource.
    Config {
        /// Whose.
        resource: ConfigResource,
        /// The key.
        key: String,
        /// Its value from here on; `None` removes the key.
        value: Option<String>,
    },
    /// A block of producer ids was given out.
    ProducerIds {
        /// The first id not yet given out.
        next_producer_id: i64,
        /// Who got the block.
        broker_id: BrokerId,
        /// Under which registration.
        broker_epoch: BrokerEpoch,
    },
    /// A feature's level from here on.
    FeatureLevel {
        /// The feature.
        feature: Arc<str>,
        /// Its level.
        level: i16,
    },
    /// One quota of one entity.
    ClientQuota {
        /// Whose.
        entity: QuotaEntity,
        /// Of what.
        key: QuotaKey,
        /// How much from here on; `None` removes it.
        value: Option<QuotaValue>,
    },
    /// A user's credential under one mechanism.
    ScramCredential {
        /// The user.
        user: Arc<str>,
        /// The mechanism.
        mechanism: ScramMechanism,
        /// What is kept of the password from here on; `None` removes it.
        credential: Option<ScramCredential>,
    },
}

/// Records that are committed, and replayed, all or none: one raft entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The facts, in order.
    pub records: Vec<Record>,
    /// When the active controller made the batch.
    pub timestamp_ms: TimestampMs,
}

/// A broker's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterBroker {
    /// The broker.
    pub broker_id: BrokerId,
    /// Drawn anew at each start of the process.
    pub incarnation_id: KafkaUuid,
    /// Names this registration.
    pub broker_epoch: BrokerEpoch,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// Its rack (`broker.rack`).
    pub rack: Option<Arc<str>>,
    /// The listener by which brokers and controllers reach it.
    pub inter_broker_listener: Arc<str>,
}

/// A change of a registered broker's standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerChange {
    /// The broker.
    pub broker_id: BrokerId,
    /// The registration that changes; a change of another one is void.
    pub broker_epoch: BrokerEpoch,
    /// Fenced from here on, or not; `None`: as before.
    pub fenced: Option<bool>,
    /// In controlled shutdown from here on, or not; `None`: as before.
    pub in_controlled_shutdown: Option<bool>,
    /// Why it was fenced.
    pub cause: FenceCause,
    /// When the cause was first seen; 0 if unknown.
    pub detected_at_ms: TimestampMs,
}

/// Why a broker was fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FenceCause {
    /// It was not fenced, or nobody said why.
    #[default]
    None,
    /// Its session's connection closed, and a reconnect was refused.
    ConnectionRefused,
    /// Its session's connection closed, and another incarnation answered the reconnect.
    OtherIncarnation,
    /// It was silent for `broker.session.timeout.ms`.
    SessionExpired,
    /// It asked to stop, and its leaderships have been handed over.
    ControlledShutdown,
    /// It registered again.
    RegisteredAgain,
}

/// What has dynamic configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConfigResource {
    /// A topic, by name.
    Topic(TopicName),
    /// All brokers: the cluster-wide default (Kafka's broker resource with an empty name).
    ClusterDefault,
    /// One broker.
    Broker(BrokerId),
    /// A group, by name; it need not exist.
    Group(Arc<str>),
    /// A subscription to clients' metrics, by name; its settings are all there is of it.
    ClientMetrics(Arc<str>),
}

/// What is kept of a user's password under one mechanism.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// Drawn for this password.
    pub salt: Vec<u8>,
    /// What logins are judged by.
    pub keys: ScramKeys,
    /// How often the password was hashed.
    pub iterations: i32,
}
