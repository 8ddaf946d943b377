//! Records to and from the bytes of `proto/records.proto`.

mod access;

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ids::{KafkaUuid, NO_LEADER, TopicIdPartition};
use prost::Message;

use crate::image::{Endpoint, Partition};
use crate::proto;
use crate::record::{Batch, BrokerChange, ConfigResource, FenceCause, Record, RegisterBroker};

/// Bytes from the log, the feed or a snapshot that are not what this version writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Not a protobuf message of the expected kind.
    #[error("metadata record is not decodable: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// The record is of a kind that this version does not know: a newer version wrote it.
    #[error("metadata record of a kind this version does not know: upgrade this node")]
    UnknownRecord,
    /// A field holds what it cannot.
    #[error("metadata record {record}: field {field} holds {found}")]
    InvalidField {
        /// The record's kind.
        record: &'static str,
        /// The field.
        field: &'static str,
        /// What it holds.
        found: String,
    },
}

/// The bytes of one batch, as a raft entry holds them.
#[must_use]
pub fn encode_batch(batch: &Batch) -> Vec<u8> {
    proto::MetadataBatch::from(batch).encode_to_vec()
}

/// The batch of such bytes.
///
/// # Errors
/// [`CodecError`] when the bytes are damaged or from a newer version.
pub fn decode_batch(bytes: &[u8]) -> Result<Batch, CodecError> {
    proto::MetadataBatch::decode(bytes)?.try_into()
}

impl From<&Batch> for proto::MetadataBatch {
    fn from(batch: &Batch) -> Self {
        Self {
            records: batch.records.iter().map(Into::into).collect(),
            timestamp_ms: batch.timestamp_ms,
        }
    }
}

impl TryFrom<proto::MetadataBatch> for Batch {
    type Error = CodecError;

    fn try_from(message: proto::MetadataBatch) -> Result<Self, CodecError> {
        let records: Result<_, _> = message.records.into_iter().map(TryInto::try_into).collect();
        Ok(Self { records: records?, timestamp_ms: message.timestamp_ms })
    }
}

impl From<&Record> for proto::MetadataRecord {
    fn from(record: &Record) -> Self {
        use proto::metadata_record::Record as Message;
        let message = match record {
            Record::ClusterId(id) => {
                Message::ClusterId(proto::ClusterIdRecord { cluster_id: id.to_string() })
            }
            Record::RegisterBroker(broker) => Message::RegisterBroker(register_to_proto(broker)),
            Record::BrokerChange(change) => Message::BrokerChange(proto::BrokerChangeRecord {
                broker_id: change.broker_id,
                broker_epoch: change.broker_epoch,
                fenced: change.fenced,
                in_controlled_shutdown: change.in_controlled_shutdown,
                cause: proto::FenceCause::from(change.cause).into(),
                detected_at_ms: change.detected_at_ms,
            }),
            Record::OfflineReplicas { broker_id, broker_epoch, replicas } => {
                Message::OfflineReplicas(proto::OfflineReplicasRecord {
                    broker_id: *broker_id,
                    broker_epoch: *broker_epoch,
                    replicas: replicas.iter().map(Into::into).collect(),
                })
            }
            &Record::UnregisterBroker { broker_id, broker_epoch } => {
                Message::UnregisterBroker(proto::UnregisterBrokerRecord { broker_id, broker_epoch })
            }
            Record::Topic { topic_id, name } => Message::Topic(proto::TopicRecord {
                topic_id: uuid_to_proto(topic_id),
                name: name.to_string(),
            }),
            Record::RemoveTopic(topic_id) => {
                Message::RemoveTopic(proto::RemoveTopicRecord { topic_id: uuid_to_proto(topic_id) })
            }
            Record::Partition { id, state } => Message::Partition(partition_to_proto(*id, state)),
            Record::Config { resource, key, value } => {
                let (kind, name) = resource_to_proto(resource);
                Message::Config(proto::ConfigRecord {
                    resource: kind.into(),
                    name,
                    key: key.clone(),
                    value: value.clone(),
                })
            }
            &Record::ProducerIds { next_producer_id, broker_id, broker_epoch } => {
                Message::ProducerIds(proto::ProducerIdsRecord {
                    next_producer_id,
                    broker_id,
                    broker_epoch,
                })
            }
            Record::FeatureLevel { feature, level } => {
                Message::FeatureLevel(proto::FeatureLevelRecord {
                    feature: feature.to_string(),
                    level: (*level).into(),
                })
            }
            Record::ClientQuota { entity, key, value } => {
                Message::ClientQuota(access::quota_to_proto(entity, *key, *value))
            }
            Record::ScramCredential { user, mechanism, credential } => Message::ScramCredential(
                access::scram_to_proto(user, *mechanism, credential.as_ref()),
            ),
        };
        Self { record: Some(message) }
    }
}

impl TryFrom<proto::MetadataRecord> for Record {
    type Error = CodecError;

    fn try_from(message: proto::MetadataRecord) -> Result<Self, CodecError> {
        use proto::metadata_record::Record as Message;
        Ok(match message.record.ok_or(CodecError::UnknownRecord)? {
            Message::ClusterId(message) => Self::ClusterId(message.cluster_id.into()),
            Message::RegisterBroker(message) => Self::RegisterBroker(register_from_proto(message)?),
            Message::BrokerChange(message) => {
                let cause = proto::FenceCause::try_from(message.cause)
                    .map_err(|found| invalid("BrokerChange", "cause", found.0))?;
                Self::BrokerChange(BrokerChange {
                    broker_id: message.broker_id,
                    broker_epoch: message.broker_epoch,
                    fenced: message.fenced,
                    in_controlled_shutdown: message.in_controlled_shutdown,
                    cause: cause.into(),
                    detected_at_ms: message.detected_at_ms,
                })
            }
            Message::OfflineReplicas(message) => Self::OfflineReplicas {
                broker_id: message.broker_id,
                broker_epoch: message.broker_epoch,
                replicas: message
                    .replicas
                    .into_iter()
                    .map(TopicIdPartition::try_from)
                    .collect::<Result<_, _>>()?,
            },
            Message::UnregisterBroker(message) => Self::UnregisterBroker {
                broker_id: message.broker_id,
                broker_epoch: message.broker_epoch,
            },
            Message::Topic(message) => Self::Topic {
                topic_id: uuid_from_proto(&message.topic_id, "Topic", "topic_id")?,
                name: message.name.into(),
            },
            Message::RemoveTopic(message) => {
                Self::RemoveTopic(uuid_from_proto(&message.topic_id, "RemoveTopic", "topic_id")?)
            }
            Message::Partition(message) => partition_from_proto(message)?,
            Message::Config(message) => Self::Config {
                resource: resource_from_proto(message.resource, message.name)?,
                key: message.key,
                value: message.value,
            },
            Message::ProducerIds(message) => Self::ProducerIds {
                next_producer_id: message.next_producer_id,
                broker_id: message.broker_id,
                broker_epoch: message.broker_epoch,
            },
            Message::FeatureLevel(message) => Self::FeatureLevel {
                feature: message.feature.into(),
                level: i16::try_from(message.level)
                    .map_err(|_| invalid("FeatureLevel", "level", message.level))?,
            },
            Message::ClientQuota(message) => access::quota_from_proto(message)?,
            Message::ScramCredential(message) => access::scram_from_proto(message)?,
        })
    }
}

impl From<&TopicIdPartition> for proto::ReplicaKey {
    fn from(id: &TopicIdPartition) -> Self {
        Self { topic_id: uuid_to_proto(&id.topic_id), partition: id.partition }
    }
}

impl TryFrom<proto::ReplicaKey> for TopicIdPartition {
    type Error = CodecError;

    fn try_from(message: proto::ReplicaKey) -> Result<Self, CodecError> {
        let topic_id = uuid_from_proto(&message.topic_id, "ReplicaKey", "topic_id")?;
        Ok(Self::new(topic_id, message.partition))
    }
}

impl From<&Endpoint> for proto::BrokerEndpoint {
    fn from(endpoint: &Endpoint) -> Self {
        Self {
            listener: endpoint.listener.to_string(),
            host: endpoint.host.to_string(),
            port: endpoint.port.into(),
            security_protocol: endpoint.security_protocol.to_string(),
        }
    }
}

impl TryFrom<proto::BrokerEndpoint> for Endpoint {
    type Error = CodecError;

    fn try_from(message: proto::BrokerEndpoint) -> Result<Self, CodecError> {
        let port = u16::try_from(message.port)
            .map_err(|_| invalid("BrokerEndpoint", "port", message.port))?;
        Ok(Self {
            listener: message.listener.into(),
            host: message.host.into(),
            port,
            security_protocol: message.security_protocol.into(),
        })
    }
}

impl From<FenceCause> for proto::FenceCause {
    fn from(cause: FenceCause) -> Self {
        match cause {
            FenceCause::None => Self::None,
            FenceCause::ConnectionRefused => Self::ConnectionRefused,
            FenceCause::OtherIncarnation => Self::OtherIncarnation,
            FenceCause::SessionExpired => Self::SessionExpired,
            FenceCause::ControlledShutdown => Self::ControlledShutdown,
            FenceCause::RegisteredAgain => Self::RegisteredAgain,
        }
    }
}

impl From<proto::FenceCause> for FenceCause {
    fn from(message: proto::FenceCause) -> Self {
        match message {
            proto::FenceCause::None => Self::None,
            proto::FenceCause::ConnectionRefused => Self::ConnectionRefused,
            proto::FenceCause::OtherIncarnation => Self::OtherIncarnation,
            proto::FenceCause::SessionExpired => Self::SessionExpired,
            proto::FenceCause::ControlledShutdown => Self::ControlledShutdown,
            proto::FenceCause::RegisteredAgain => Self::RegisteredAgain,
        }
    }
}

fn register_to_proto(broker: &RegisterBroker) -> proto::RegisterBrokerRecord {
    proto::RegisterBrokerRecord {
        broker_id: broker.broker_id,
        incarnation_id: uuid_to_proto(&broker.incarnation_id),
        broker_epoch: broker.broker_epoch,
        endpoints: broker.endpoints.iter().map(Into::into).collect(),
        rack: broker.rack.as_deref().map(str::to_owned),
        inter_broker_listener: broker.inter_broker_listener.to_string(),
    }
}

fn register_from_proto(message: proto::RegisterBrokerRecord) -> Result<RegisterBroker, CodecError> {
    let endpoints: Result<_, _> = message.endpoints.into_iter().map(TryInto::try_into).collect();
    Ok(RegisterBroker {
        broker_id: message.broker_id,
        incarnation_id: uuid_from_proto(
            &message.incarnation_id,
            "RegisterBroker",
            "incarnation_id",
        )?,
        broker_epoch: message.broker_epoch,
        endpoints: endpoints?,
        rack: message.rack.map(Arc::from),
        inter_broker_listener: message.inter_broker_listener.into(),
    })
}

fn partition_to_proto(id: TopicIdPartition, state: &Partition) -> proto::PartitionRecord {
    proto::PartitionRecord {
        topic_id: uuid_to_proto(&id.topic_id),
        partition: id.partition,
        replicas: state.replicas.clone(),
        isr: state.isr.clone(),
        elr: state.elr.clone(),
        last_known_elr: state.last_known_elr.clone(),
        adding_replicas: state.adding_replicas.clone(),
        removing_replicas: state.removing_replicas.clone(),
        leader: state.leader.unwrap_or(NO_LEADER),
        leader_epoch: state.leader_epoch,
        partition_epoch: state.partition_epoch,
        leader_recovering: state.leader_recovering,
    }
}

fn partition_from_proto(message: proto::PartitionRecord) -> Result<Record, CodecError> {
    if message.partition < 0 {
        return Err(invalid("Partition", "partition", message.partition));
    }
    let topic_id = uuid_from_proto(&message.topic_id, "Partition", "topic_id")?;
    Ok(Record::Partition {
        id: TopicIdPartition::new(topic_id, message.partition),
        state: Partition {
            replicas: message.replicas,
            isr: message.isr,
            elr: message.elr,
            last_known_elr: message.last_known_elr,
            adding_replicas: message.adding_replicas,
            removing_replicas: message.removing_replicas,
            leader: (message.leader >= 0).then_some(message.leader),
            leader_epoch: message.leader_epoch,
            partition_epoch: message.partition_epoch,
            leader_recovering: message.leader_recovering,
        },
    })
}

fn resource_to_proto(resource: &ConfigResource) -> (proto::ConfigResource, String) {
    match resource {
        ConfigResource::Topic(name) => (proto::ConfigResource::Topic, name.to_string()),
        ConfigResource::ClusterDefault => (proto::ConfigResource::Broker, String::new()),
        ConfigResource::Broker(id) => (proto::ConfigResource::Broker, id.to_string()),
        ConfigResource::Group(name) => (proto::ConfigResource::Group, name.to_string()),
        ConfigResource::ClientMetrics(name) => {
            (proto::ConfigResource::ClientMetrics, name.to_string())
        }
    }
}

fn resource_from_proto(kind: i32, name: String) -> Result<ConfigResource, CodecError> {
    match proto::ConfigResource::try_from(kind) {
        Ok(proto::ConfigResource::Topic) => Ok(ConfigResource::Topic(name.into())),
        Ok(proto::ConfigResource::Broker) if name.is_empty() => Ok(ConfigResource::ClusterDefault),
        Ok(proto::ConfigResource::Broker) => match name.parse() {
            Ok(id) => Ok(ConfigResource::Broker(id)),
            Err(_) => Err(invalid("Config", "name", name)),
        },
        Ok(proto::ConfigResource::Group) => Ok(ConfigResource::Group(name.into())),
        Ok(proto::ConfigResource::ClientMetrics) => Ok(ConfigResource::ClientMetrics(name.into())),
        Ok(proto::ConfigResource::Unknown) | Err(_) => Err(invalid("Config", "resource", kind)),
    }
}

fn uuid_to_proto(id: &KafkaUuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

fn uuid_from_proto(
    bytes: &[u8],
    record: &'static str,
    field: &'static str,
) -> Result<KafkaUuid, CodecError> {
    KafkaUuid::from_slice(bytes)
        .ok_or_else(|| invalid(record, field, format!("{} bytes, not 16", bytes.len())))
}

fn invalid(record: &'static str, field: &'static str, found: impl ToString) -> CodecError {
    CodecError::InvalidField { record, field, found: found.to_string() }
}

#[cfg(test)]
mod tests;
