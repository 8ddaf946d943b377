//! An image as records, and back.

use std::sync::Arc;

use ottla_protocol::ids::{MetadataOffset, TopicIdPartition};

use super::{Broker, Ignored, Image, Topic};
use crate::record::{BrokerChange, ConfigResource, FenceCause, Record, RegisterBroker};

/// Stands for nobody in records that name a broker.
const NOBODY: i32 = -1;

impl Image {
    /// The records that add up to this image: a snapshot's content. The offset is not among them.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let cluster_id = self.cluster_id.iter().cloned().map(Record::ClusterId);
        // The counter of broker epochs, in case its last holder is not registered any more.
        let epochs = (self.last_broker_epoch > 0).then_some(Record::UnregisterBroker {
            broker_id: NOBODY,
            broker_epoch: self.last_broker_epoch,
        });
        let producer_ids = (self.next_producer_id > 0).then_some(Record::ProducerIds {
            next_producer_id: self.next_producer_id,
            broker_id: NOBODY,
            broker_epoch: -1,
        });
        cluster_id
            .chain(epochs)
            .chain(self.brokers.values().flat_map(|broker| broker_records(broker)))
            .chain(self.topics().flat_map(topic_records))
            .chain(self.configs.iter().flat_map(|(resource, configs)| {
                configs.iter().map(|(key, value)| config_record(resource, key, value))
            }))
            .chain(producer_ids)
            .chain(
                self.feature_levels.iter().map(|(feature, &level)| Record::FeatureLevel {
                    feature: feature.clone(),
                    level,
                }),
            )
            .chain(self.client_quotas.iter().flat_map(|(entity, quotas)| {
                quotas.iter().map(|(&key, &value)| Record::ClientQuota {
                    entity: entity.clone(),
                    key,
                    value: Some(value),
                })
            }))
            .chain(self.scram_credentials.iter().map(|((user, mechanism), credential)| {
                Record::ScramCredential {
                    user: Arc::clone(user),
                    mechanism: *mechanism,
                    credential: Some(credential.as_ref().clone()),
                }
            }))
    }

    /// The image that a snapshot's records add up to, with the records that made no sense.
    #[must_use]
    pub fn from_records<'a>(
        offset: MetadataOffset,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> (Self, Vec<Ignored>) {
        let mut image = Self::default();
        let ignored = records.into_iter().filter_map(|record| image.replay(record).err()).collect();
        image.offset = offset;
        (image, ignored)
    }
}

fn broker_records(broker: &Broker) -> impl Iterator<Item = Record> {
    let register = Record::RegisterBroker(RegisterBroker {
        broker_id: broker.id,
        incarnation_id: broker.incarnation_id,
        broker_epoch: broker.epoch,
        endpoints: broker.endpoints.clone(),
        rack: broker.rack.clone(),
        inter_broker_listener: broker.inter_broker_listener.clone(),
    });
    let standing = Record::BrokerChange(BrokerChange {
        broker_id: broker.id,
        broker_epoch: broker.epoch,
        fenced: Some(broker.fenced),
        in_controlled_shutdown: Some(broker.in_controlled_shutdown),
        cause: FenceCause::None,
        detected_at_ms: 0,
    });
    let offline = (!broker.offline_replicas.is_empty()).then(|| Record::OfflineReplicas {
        broker_id: broker.id,
        broker_epoch: broker.epoch,
        replicas: broker.offline_replicas.iter().copied().collect(),
    });
    [register, standing].into_iter().chain(offline)
}

fn topic_records(topic: &Topic) -> impl Iterator<Item = Record> + '_ {
    let created = Record::Topic { topic_id: topic.id, name: topic.name.clone() };
    std::iter::once(created).chain(topic.partitions.iter().map(|(&index, state)| {
        Record::Partition {
            id: TopicIdPartition::new(topic.id, index),
            state: state.as_ref().clone(),
        }
    }))
}

fn config_record(resource: &ConfigResource, key: &str, value: &str) -> Record {
    Record::Config {
        resource: resource.clone(),
        key: key.to_owned(),
        value: Some(value.to_owned()),
    }
}
