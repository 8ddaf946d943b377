//! What all committed records add up to.

mod broker;
mod partition;
mod replay;
mod snapshot;
mod topic;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use ottla_config::Layers;
use ottla_protocol::ids::{
    BrokerEpoch, BrokerId, MetadataOffset, TopicId, TopicIdPartition, TopicName,
};
use ottla_protocol::scram::ScramMechanism;

pub use broker::{Broker, Endpoint};
pub use partition::Partition;
pub use replay::Ignored;
pub use topic::Topic;

use crate::feature;
use crate::quota::{ClientQuotas, QuotaEntity};
use crate::record::{ConfigResource, ScramCredential};

/// Keys and values of one resource.
pub type ConfigMap = BTreeMap<String, String>;

static NO_CONFIG: ConfigMap = ConfigMap::new();
static NO_QUOTAS: ClientQuotas = ClientQuotas::new();

/// The cluster at one metadata offset. Cloning is cheap and shares everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    offset: MetadataOffset,
    cluster_id: Option<Arc<str>>,
    brokers: OrdMap<BrokerId, Arc<Broker>>,
    last_broker_epoch: BrokerEpoch,
    topics: OrdMap<TopicId, Topic>,
    topic_ids: OrdMap<TopicName, TopicId>,
    configs: OrdMap<ConfigResource, Arc<ConfigMap>>,
    next_producer_id: i64,
    feature_levels: OrdMap<Arc<str>, i16>,
    client_quotas: OrdMap<QuotaEntity, Arc<ClientQuotas>>,
    scram_credentials: OrdMap<(Arc<str>, ScramMechanism), Arc<ScramCredential>>,
}

impl Image {
    /// The image holds the effects of every batch up to and including this offset; 0: of none.
    #[must_use]
    pub fn offset(&self) -> MetadataOffset {
        self.offset
    }

    /// The cluster's id; `None` before the first record.
    #[must_use]
    pub fn cluster_id(&self) -> Option<&Arc<str>> {
        self.cluster_id.as_ref()
    }

    /// Every registered broker, fenced ones too, by id.
    #[must_use]
    pub fn brokers(&self) -> &OrdMap<BrokerId, Arc<Broker>> {
        &self.brokers
    }

    /// A registered broker, fenced or not.
    #[must_use]
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    /// The highest broker epoch ever given out.
    #[must_use]
    pub fn last_broker_epoch(&self) -> BrokerEpoch {
        self.last_broker_epoch
    }

    /// Brokers that serve: registered, unfenced (shutting down or not), by id.
    pub fn live_brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values().filter(|broker| !broker.fenced)
    }

    /// Whether the broker may lead and may join an ISR: registered, unfenced, not shutting down
    /// (KIP-841).
    #[must_use]
    pub fn is_active(&self, id: BrokerId) -> bool {
        self.brokers.get(&id).is_some_and(|broker| broker.is_active())
    }

    /// Every topic, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topic_ids.values().filter_map(|id| self.topics.get(id))
    }

    /// Whether the two images have the same topics, by name and id. May say no although they do.
    #[must_use]
    pub fn same_topics(&self, other: &Self) -> bool {
        self.topic_ids.ptr_eq(&other.topic_ids)
    }

    /// How many topics there are.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// A topic by id.
    #[must_use]
    pub fn topic(&self, id: TopicId) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// A topic by name.
    #[must_use]
    pub fn topic_by_name(&self, name: &str) -> Option<&Topic> {
        self.topic_ids.get(name).and_then(|id| self.topics.get(id))
    }

    /// A partition by its topic's id.
    #[must_use]
    pub fn partition(&self, id: TopicIdPartition) -> Option<&Arc<Partition>> {
        self.topics.get(&id.topic_id)?.partitions.get(&id.partition)
    }

    /// Every resource that has dynamic configuration.
    pub fn configs(&self) -> impl Iterator<Item = (&ConfigResource, &ConfigMap)> {
        self.configs.iter().map(|(resource, configs)| (resource, configs.as_ref()))
    }

    /// The dynamic configuration of a resource; empty if it has none.
    #[must_use]
    pub fn config(&self, resource: &ConfigResource) -> &ConfigMap {
        self.configs.get(resource).map_or(&NO_CONFIG, Arc::as_ref)
    }

    /// The dynamic configuration of a topic; empty if it has none.
    #[must_use]
    pub fn topic_config(&self, name: &TopicName) -> &ConfigMap {
        self.config(&ConfigResource::Topic(Arc::clone(name)))
    }

    /// The settings that all brokers share: their dynamic defaults over what `file` sets
    /// ([`ottla_config::NodeConfig::static_values`]).
    #[must_use]
    pub fn cluster_layers<'a>(&'a self, file: &'a ConfigMap) -> Layers<'a> {
        let cluster = Some(self.config(&ConfigResource::ClusterDefault));
        Layers { own: None, broker: None, cluster, file: Some(file) }
    }

    /// The settings of one broker: its dynamic ones over those that all brokers share.
    #[must_use]
    pub fn broker_layers<'a>(&'a self, broker: BrokerId, file: &'a ConfigMap) -> Layers<'a> {
        let broker = Some(self.config(&ConfigResource::Broker(broker)));
        Layers { broker, ..self.cluster_layers(file) }
    }

    /// The level of a feature that is in force; 0 of one that is not known.
    #[must_use]
    pub fn feature_level(&self, name: &str) -> i16 {
        let unsaid = || feature::named(name).map_or(0, |feature| feature.unsaid);
        self.feature_levels.get(name).copied().unwrap_or_else(unsaid)
    }

    /// Every entity that has quotas.
    #[must_use]
    pub fn client_quotas(&self) -> &OrdMap<QuotaEntity, Arc<ClientQuotas>> {
        &self.client_quotas
    }

    /// The quotas of an entity; empty if it has none.
    #[must_use]
    pub fn client_quotas_of(&self, entity: &QuotaEntity) -> &ClientQuotas {
        self.client_quotas.get(entity).map_or(&NO_QUOTAS, Arc::as_ref)
    }

    /// Every SCRAM credential, by user and mechanism.
    #[must_use]
    pub fn scram_credentials(&self) -> &OrdMap<(Arc<str>, ScramMechanism), Arc<ScramCredential>> {
        &self.scram_credentials
    }

    /// A user's credential under one mechanism.
    #[must_use]
    pub fn scram_credential(
        &self,
        user: &str,
        mechanism: ScramMechanism,
    ) -> Option<&Arc<ScramCredential>> {
        self.scram_credentials.get(&(Arc::from(user), mechanism))
    }

    /// The first producer id not yet given out.
    #[must_use]
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }
}
