//! Wishes for new facts, and the answers: the typed side of `Propose` in `proto/controller.proto`.
//!
//! An answer says taken or refused; the new state itself comes by the feed.

use std::fmt;

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{
    BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, TopicId, TopicIdPartition,
    TopicName,
};

use crate::quota::QuotaValue;
use crate::record::ScramCredential;

/// Why a wish was not granted: Kafka's number and, where it has one, Kafka's sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// Kafka's number; never `None`.
    pub code: ErrorCode,
    /// What a user reads.
    pub message: String,
}

impl Refusal {
    /// A refusal in its own words.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A refusal in the code's standard words.
    #[must_use]
    pub fn plain(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// What became of one item of a request.
pub type Outcome = Result<(), Refusal>;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposer {
    /// The broker that asks for itself; -1: it passes a client's wish on, or a tool asks.
    pub broker_id: BrokerId,
    /// Its registration; -1 with a `broker_id` of -1.
    pub broker_epoch: BrokerEpoch,
}

impl Proposer {
    /// A tool.
    pub const TOOL: Self = Self { broker_id: -1, broker_epoch: -1 };
}

/// A wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// CreateTopics.
    CreateTopics(CreateTopics),
    /// DeleteTopics, by id.
    DeleteTopics(Vec<TopicId>),
    /// CreatePartitions.
    CreatePartitions(CreatePartitions),
    /// IncrementalAlterConfigs and AlterConfigs.
    AlterConfigs(AlterConfigs),
    /// AlterPartition: the proposer's wish, as leader, for other in-sync sets.
    AlterPartitions(Vec<AlterPartition>),
    /// AllocateProducerIds.
    AllocateProducerIds,
    /// ElectLeaders.
    ElectLeaders(ElectLeaders),
    /// AlterPartitionReassignments.
    ReassignPartitions(ReassignPartitions),
    /// UnregisterBroker.
    UnregisterBroker(BrokerId),
    /// All replicas of the proposer that are in log directories out of service.
    ReportOffline(Vec<TopicIdPartition>),
    /// UpdateFeatures.
    UpdateFeatures(UpdateFeatures),
    /// AlterClientQuotas.
    AlterClientQuotas(AlterClientQuotas),
    /// AlterUserScramCredentials.
    AlterScramCredentials(Vec<AlterScramCredential>),
}

/// The answer to the wish of the same name. Lists are in the order of the request's items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// See [`CreatedTopic`].
    CreateTopics(Vec<Result<CreatedTopic, Refusal>>),
    /// One outcome per topic.
    DeleteTopics(Vec<Outcome>),
    /// One outcome per topic.
    CreatePartitions(Vec<Outcome>),
    /// One outcome per resource.
    AlterConfigs(Vec<Outcome>),
    /// One outcome per partition.
    AlterPartitions(Vec<Outcome>),
    /// The block, or why there is none.
    AllocateProducerIds(Result<ProducerIdBlock, Refusal>),
    /// One outcome per partition.
    ElectLeaders(Vec<Outcome>),
    /// One outcome per partition.
    ReassignPartitions(Vec<Outcome>),
    /// Whether it is known now.
    ReportOffline(Outcome),
    /// Whether it is gone.
    UnregisterBroker(Outcome),
    /// Whether all levels are in force.
    UpdateFeatures(Outcome),
    /// One outcome per entity.
    AlterClientQuotas(Vec<Outcome>),
    /// One outcome per alteration.
    AlterScramCredentials(Vec<Outcome>),
}

/// The replicas of one partition, chosen by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The partition.
    pub partition: PartitionIndex,
    /// Its replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
}

/// Topics to create.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateTopics {
    /// The topics.
    pub topics: Vec<NewTopic>,
    /// Check only.
    pub validate_only: bool,
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: TopicName,
    /// How many partitions; -1: the default (also with assignments).
    pub partitions: i32,
    /// How many replicas; -1: the default (also with assignments).
    pub replication_factor: i32,
    /// Replicas chosen by hand; empty: placed by the controller.
    pub assignments: Vec<Assignment>,
    /// Keys and values.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic that was created (or would be).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id; zero when it was only checked.
    pub topic_id: TopicId,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas each.
    pub replication_factor: i32,
}

/// Topics to grow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreatePartitions {
    /// The topics.
    pub topics: Vec<GrowTopic>,
    /// Check only.
    pub validate_only: bool,
}

/// A topic to grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrowTopic {
    /// Its name.
    pub name: TopicName,
    /// How many partitions it shall have in all.
    pub partitions: i32,
    /// The replicas of the added partitions, in order; `None`: placed by the controller. (On the
    /// wire an empty list of a client that did ask for assignments is not `None`.)
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// Configuration to change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlterConfigs {
    /// The resources.
    pub resources: Vec<AlterConfigResource>,
    /// Check only.
    pub validate_only: bool,
}

/// The kinds of resources that have configuration here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceType {
    /// A topic, by name.
    Topic,
    /// A broker, by id; with an empty name all of them.
    Broker,
    /// A group, by name.
    Group,
    /// A subscription to clients' metrics, by name.
    ClientMetrics,
}

/// Changes to one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterConfigResource {
    /// Its kind.
    pub resource_type: ResourceType,
    /// Its name, as the client wrote it.
    pub name: String,
    /// The changes.
    pub alters: Vec<AlterConfig>,
    /// AlterConfigs of old: what is not named goes back to its default.
    pub replace_all: bool,
}

/// What to do to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlterConfigOp {
    /// Set its value.
    Set,
    /// Back to its default.
    Delete,
    /// Add to a list.
    Append,
    /// Take from a list.
    Subtract,
}

/// A change to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterConfig {
    /// What to do.
    pub op: AlterConfigOp,
    /// The key.
    pub key: String,
    /// The value, where `op` needs one.
    pub value: Option<String>,
}

/// A leader's wish for another in-sync set: a compare-and-set on both epochs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterPartition {
    /// The partition.
    pub id: TopicIdPartition,
    /// The leader epoch the wish was made in.
    pub leader_epoch: LeaderEpoch,
    /// The partition epoch the wish was made on.
    pub partition_epoch: PartitionEpoch,
    /// The wanted set, the leader included.
    pub new_isr: Vec<IsrMember>,
}

/// A wanted member of an in-sync set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IsrMember {
    /// The broker.
    pub broker_id: BrokerId,
    /// The registration in which it caught up; -1: not known, not checked (KIP-903).
    pub broker_epoch: BrokerEpoch,
}

/// Consecutive producer ids for one broker to hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The first.
    pub first: i64,
    /// How many.
    pub count: i32,
}

/// Which election is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElectionType {
    /// Back to the preferred leader, if it is in sync.
    Preferred,
    /// Any live replica, should there be no leader: may lose records.
    Unclean,
}

/// Elections to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectLeaders {
    /// Which.
    pub election_type: ElectionType,
    /// Where.
    pub partitions: Vec<(TopicName, PartitionIndex)>,
}

/// Partitions to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReassignPartitions {
    /// The target may have more or fewer replicas than the partition.
    pub allow_replication_factor_change: bool,
    /// The partitions.
    pub partitions: Vec<Reassign>,
}

/// A partition to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassign {
    /// Its topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionIndex,
    /// Where to, the preferred leader first; `None`: not at all, what is under way is cancelled.
    pub replicas: Option<Vec<BrokerId>>,
}

/// Which way a feature's level may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpgradeType {
    /// Up.
    Upgrade,
    /// Down, if no metadata is lost by it.
    SafeDowngrade,
    /// Down in any case.
    UnsafeDowngrade,
}

/// Feature levels to set, all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFeatures {
    /// The levels.
    pub updates: Vec<FeatureUpdate>,
    /// Check only.
    pub validate_only: bool,
}

/// A feature level to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureUpdate {
    /// The feature.
    pub feature: String,
    /// The level.
    pub level: i16,
    /// Which way it may go.
    pub upgrade_type: UpgradeType,
}

/// Quotas to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterClientQuotas {
    /// The entities.
    pub entries: Vec<AlterClientQuota>,
    /// Check only.
    pub validate_only: bool,
}

/// Changes to the quotas of one entity, as the client wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterClientQuota {
    /// The entity: kinds and names; `None` is the default of all names.
    pub entity: Vec<(String, Option<String>)>,
    /// Quotas by Kafka's names; `None` takes one away.
    pub ops: Vec<(String, Option<QuotaValue>)>,
}

/// A change of a user's SCRAM credential, as the client wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterScramCredential {
    /// The user.
    pub user: String,
    /// The mechanism's number.
    pub mechanism: i8,
    /// What is to be kept of the password; `None` takes the credential away.
    pub credential: Option<ScramCredential>,
}
