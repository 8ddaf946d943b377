//! The only writer of an image.

use std::sync::Arc;

use imbl::OrdMap;
use ottla_protocol::ids::{
    BrokerEpoch, BrokerId, MetadataOffset, TopicId, TopicIdPartition, TopicName,
};

use super::{Broker, Image, Topic};
use crate::delta::{Delta, Touched};
use crate::record::{Batch, BrokerChange, ConfigResource, Record, RegisterBroker};

/// A committed record that had nothing to act on. Replay goes on without it; whoever replays logs it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// The cluster has another id already.
    #[error("record ignored: the cluster's id is {has}, and cannot become {offered}")]
    OtherClusterId {
        /// The id that stays.
        has: Arc<str>,
        /// The id in the record.
        offered: Arc<str>,
    },
    /// A record names a topic that is not there.
    #[error("record ignored: there is no topic with id {0}")]
    UnknownTopic(TopicId),
    /// A record configures a topic that is not there.
    #[error("record ignored: there is no topic named '{0}' to configure")]
    UnknownTopicName(TopicName),
    /// A record creates a topic whose name or id is taken.
    #[error(
        "record ignored: topic '{name}' cannot be created with id {topic_id}: one of them is taken"
    )]
    TopicExists {
        /// The name.
        name: TopicName,
        /// The id.
        topic_id: TopicId,
    },
    /// A partition record names a topic that is not there.
    #[error("record ignored: partition {} of a topic that is not there ({})", .0.partition, .0.topic_id)]
    UnknownPartition(TopicIdPartition),
    /// A record names a registration that is not there.
    #[error("record ignored: broker {broker_id} is not registered with epoch {broker_epoch}")]
    UnknownBroker {
        /// The broker.
        broker_id: BrokerId,
        /// The registration.
        broker_epoch: BrokerEpoch,
    },
}

impl Image {
    /// Takes one committed record in. Cannot fail: what a record names and is not there is ignored,
    /// and said.
    ///
    /// # Errors
    /// [`Ignored`] is a diagnostic: the record had no effect, and replay goes on.
    pub fn replay(&mut self, record: &Record) -> Result<(), Ignored> {
        match record {
            Record::ClusterId(id) => self.replay_cluster_id(id),
            Record::RegisterBroker(broker) => {
                self.replay_register(broker);
                Ok(())
            }
            Record::BrokerChange(change) => self.replay_broker_change(change),
            Record::OfflineReplicas { broker_id, broker_epoch, replicas } => {
                let broker = self.registered_mut(*broker_id, *broker_epoch)?;
                broker.offline_replicas = Arc::new(replicas.iter().copied().collect());
                Ok(())
            }
            &Record::UnregisterBroker { broker_id, broker_epoch } => {
                // Also the form in which a snapshot keeps the counter, for a broker that is nobody:
                // that the registration is gone is true either way.
                self.last_broker_epoch = self.last_broker_epoch.max(broker_epoch);
                if self.brokers.get(&broker_id).is_some_and(|broker| broker.epoch == broker_epoch) {
                    self.brokers.remove(&broker_id);
                }
                Ok(())
            }
            Record::Topic { topic_id, name } => self.replay_topic(*topic_id, name),
            Record::RemoveTopic(topic_id) => {
                let topic = self.topics.remove(topic_id).ok_or(Ignored::UnknownTopic(*topic_id))?;
                self.topic_ids.remove(&topic.name);
                self.configs.remove(&ConfigResource::Topic(topic.name));
                Ok(())
            }
            Record::Partition { id, state } => {
                let topic =
                    self.topics.get_mut(&id.topic_id).ok_or(Ignored::UnknownPartition(*id))?;
                topic.partitions.insert(id.partition, Arc::new(state.clone()));
                self.forget_offline(*id, &state.replicas);
                Ok(())
            }
            Record::Config { resource, key, value } => {
                self.replay_config(resource, key, value.as_deref())
            }
            Record::ProducerIds { next_producer_id, .. } => {
                self.next_producer_id = self.next_producer_id.max(*next_producer_id);
                Ok(())
            }
            Record::FeatureLevel { feature, level } => {
                self.feature_levels.insert(Arc::clone(feature), *level);
                Ok(())
            }
            Record::ClientQuota { entity, key, value } => {
                let mut quotas = self.client_quotas_of(entity).clone();
                match value {
                    Some(value) => quotas.insert(*key, *value),
                    None => quotas.remove(key),
                };
                if quotas.is_empty() {
                    self.client_quotas.remove(entity);
                } else {
                    self.client_quotas.insert(entity.clone(), Arc::new(quotas));
                }
                Ok(())
            }
            Record::ScramCredential { user, mechanism, credential } => {
                let key = (Arc::clone(user), *mechanism);
                match credential {
                    Some(it) => self.scram_credentials.insert(key, Arc::new(it.clone())),
                    None => self.scram_credentials.remove(&key),
                };
                Ok(())
            }
        }
    }

    /// Takes one committed batch in, and says what it changed.
    pub fn replay_batch(&mut self, offset: MetadataOffset, batch: &Batch) -> Delta {
        let old = self.clone();
        let mut touched = Touched::default();
        let mut ignored = Vec::new();
        for record in &batch.records {
            match self.replay(record) {
                Ok(()) => touched.add(&old, record),
                Err(diagnostic) => ignored.push(diagnostic),
            }
        }
        self.offset = offset;
        let mut delta = touched.compare(&old, self);
        delta.timestamp_ms = batch.timestamp_ms;
        delta.ignored = ignored;
        delta
    }

    fn replay_cluster_id(&mut self, id: &Arc<str>) -> Result<(), Ignored> {
        match &self.cluster_id {
            Some(has) if has != id => {
                Err(Ignored::OtherClusterId { has: Arc::clone(has), offered: Arc::clone(id) })
            }
            _ => {
                self.cluster_id = Some(Arc::clone(id));
                Ok(())
            }
        }
    }

    fn replay_register(&mut self, broker: &RegisterBroker) {
        self.last_broker_epoch = self.last_broker_epoch.max(broker.broker_epoch);
        self.brokers.insert(
            broker.broker_id,
            Arc::new(Broker {
                id: broker.broker_id,
                epoch: broker.broker_epoch,
                incarnation_id: broker.incarnation_id,
                endpoints: broker.endpoints.clone(),
                rack: broker.rack.clone(),
                inter_broker_listener: Arc::clone(&broker.inter_broker_listener),
                fenced: true,
                in_controlled_shutdown: false,
                offline_replicas: Arc::default(),
            }),
        );
    }

    fn registered_mut(
        &mut self,
        broker_id: BrokerId,
        broker_epoch: BrokerEpoch,
    ) -> Result<&mut Broker, Ignored> {
        let broker = self.brokers.get_mut(&broker_id);
        let broker = broker.filter(|broker| broker.epoch == broker_epoch);
        broker.map(Arc::make_mut).ok_or(Ignored::UnknownBroker { broker_id, broker_epoch })
    }

    /// A replica that has gone from a broker, and may come back, is not offline any more.
    fn forget_offline(&mut self, id: TopicIdPartition, replicas: &[BrokerId]) {
        let gone = |broker: &&Arc<Broker>| {
            broker.offline_replicas.contains(&id) && !replicas.contains(&broker.id)
        };
        let gone: Vec<BrokerId> = self.brokers.values().filter(gone).map(|it| it.id).collect();
        for broker in gone {
            if let Some(broker) = self.brokers.get_mut(&broker) {
                Arc::make_mut(&mut Arc::make_mut(broker).offline_replicas).remove(&id);
            }
        }
    }

    fn replay_broker_change(&mut self, change: &BrokerChange) -> Result<(), Ignored> {
        let broker = self.registered_mut(change.broker_id, change.broker_epoch)?;
        broker.fenced = change.fenced.unwrap_or(broker.fenced);
        broker.in_controlled_shutdown =
            change.in_controlled_shutdown.unwrap_or(broker.in_controlled_shutdown);
        Ok(())
    }

    fn replay_topic(&mut self, topic_id: TopicId, name: &TopicName) -> Result<(), Ignored> {
        if self.topics.contains_key(&topic_id) || self.topic_ids.contains_key(name) {
            return Err(Ignored::TopicExists { name: Arc::clone(name), topic_id });
        }
        self.topic_ids.insert(Arc::clone(name), topic_id);
        self.topics.insert(
            topic_id,
            Topic { id: topic_id, name: Arc::clone(name), partitions: OrdMap::new() },
        );
        Ok(())
    }

    fn replay_config(
        &mut self,
        resource: &ConfigResource,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), Ignored> {
        if let ConfigResource::Topic(name) = resource
            && !self.topic_ids.contains_key(name)
        {
            return Err(Ignored::UnknownTopicName(Arc::clone(name)));
        }
        let mut configs = self.config(resource).clone();
        match value {
            Some(value) => configs.insert(key.to_owned(), value.to_owned()),
            None => configs.remove(key),
        };
        if configs.is_empty() {
            self.configs.remove(resource);
        } else {
            self.configs.insert(resource.clone(), Arc::new(configs));
        }
        Ok(())
    }
}
