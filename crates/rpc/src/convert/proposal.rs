//! Wishes.

use std::sync::Arc;

use ottla_metadata::proposal::{
    AlterConfig, AlterConfigOp, AlterConfigResource, AlterConfigs, AlterPartition, Assignment,
    CreatePartitions, CreateTopics, ElectLeaders, ElectionType, FeatureUpdate, GrowTopic,
    IsrMember, NewTopic, Proposal, Reassign, ReassignPartitions, ResourceType, UpdateFeatures,
    UpgradeType,
};
use ottla_metadata::proto as records;
use ottla_protocol::ids::TopicIdPartition;

use super::access;
use super::{InvalidField, id_from_proto, id_to_proto};
use crate::controller as proto;
use crate::controller::propose_request::Proposal as Wire;

/// A wish, as it travels.
#[must_use]
pub fn proposal_to_proto(proposal: &Proposal) -> Wire {
    match proposal {
        Proposal::CreateTopics(request) => Wire::CreateTopics(proto::CreateTopics {
            topics: request.topics.iter().map(new_topic_to_proto).collect(),
            validate_only: request.validate_only,
        }),
        Proposal::DeleteTopics(ids) => Wire::DeleteTopics(proto::DeleteTopics {
            topic_ids: ids.iter().map(id_to_proto).collect(),
        }),
        Proposal::CreatePartitions(request) => Wire::CreatePartitions(proto::CreatePartitions {
            topics: request.topics.iter().map(grow_topic_to_proto).collect(),
            validate_only: request.validate_only,
        }),
        Proposal::AlterConfigs(request) => Wire::AlterConfigs(proto::AlterConfigs {
            resources: request.resources.iter().map(resource_to_proto).collect(),
            validate_only: request.validate_only,
        }),
        Proposal::AlterPartitions(partitions) => Wire::AlterPartitions(proto::AlterPartitions {
            partitions: partitions.iter().map(alter_partition_to_proto).collect(),
        }),
        Proposal::AllocateProducerIds => Wire::AllocateProducerIds(proto::AllocateProducerIds {}),
        Proposal::ElectLeaders(request) => Wire::ElectLeaders(elect_leaders_to_proto(request)),
        Proposal::ReassignPartitions(request) => {
            Wire::ReassignPartitions(proto::ReassignPartitions {
                allow_replication_factor_change: request.allow_replication_factor_change,
                partitions: request.partitions.iter().map(reassign_to_proto).collect(),
            })
        }
        &Proposal::UnregisterBroker(broker_id) => {
            Wire::UnregisterBroker(proto::UnregisterBroker { broker_id })
        }
        Proposal::ReportOffline(replicas) => Wire::ReportOffline(proto::ReportOffline {
            replicas: replicas.iter().map(Into::into).collect(),
        }),
        Proposal::UpdateFeatures(request) => Wire::UpdateFeatures(proto::UpdateFeatures {
            updates: request.updates.iter().map(feature_to_proto).collect(),
            validate_only: request.validate_only,
        }),
        Proposal::AlterClientQuotas(request) => {
            Wire::AlterClientQuotas(access::quotas_to_proto(request))
        }
        Proposal::AlterScramCredentials(alterations) => {
            Wire::AlterScramCredentials(access::scram_to_proto(alterations))
        }
    }
}

/// A wish that came in.
///
/// # Errors
/// [`InvalidField`].
pub fn proposal_from_proto(proposal: Wire) -> Result<Proposal, InvalidField> {
    Ok(match proposal {
        Wire::CreateTopics(request) => Proposal::CreateTopics(CreateTopics {
            topics: request.topics.into_iter().map(new_topic_from_proto).collect(),
            validate_only: request.validate_only,
        }),
        Wire::DeleteTopics(request) => Proposal::DeleteTopics(
            request
                .topic_ids
                .iter()
                .map(|id| id_from_proto("DeleteTopics", "topic_ids", id))
                .collect::<Result<_, _>>()?,
        ),
        Wire::CreatePartitions(request) => Proposal::CreatePartitions(CreatePartitions {
            topics: request.topics.into_iter().map(grow_topic_from_proto).collect(),
            validate_only: request.validate_only,
        }),
        Wire::AlterConfigs(request) => Proposal::AlterConfigs(AlterConfigs {
            resources: request
                .resources
                .into_iter()
                .map(resource_from_proto)
                .collect::<Result<_, _>>()?,
            validate_only: request.validate_only,
        }),
        Wire::AlterPartitions(request) => Proposal::AlterPartitions(
            request
                .partitions
                .into_iter()
                .map(alter_partition_from_proto)
                .collect::<Result<_, _>>()?,
        ),
        Wire::AllocateProducerIds(_) => Proposal::AllocateProducerIds,
        Wire::ElectLeaders(request) => Proposal::ElectLeaders(elect_leaders_from_proto(request)?),
        Wire::ReassignPartitions(request) => Proposal::ReassignPartitions(ReassignPartitions {
            allow_replication_factor_change: request.allow_replication_factor_change,
            partitions: request.partitions.into_iter().map(reassign_from_proto).collect(),
        }),
        Wire::UnregisterBroker(request) => Proposal::UnregisterBroker(request.broker_id),
        Wire::ReportOffline(request) => Proposal::ReportOffline(
            request
                .replicas
                .into_iter()
                .map(TopicIdPartition::try_from)
                .collect::<Result<_, _>>()
                .map_err(|_| InvalidField {
                    message: "ReportOffline",
                    field: "replicas",
                    found: "a topic id that is none".to_owned(),
                })?,
        ),
        Wire::UpdateFeatures(request) => Proposal::UpdateFeatures(UpdateFeatures {
            updates: request
                .updates
                .into_iter()
                .map(feature_from_proto)
                .collect::<Result<_, _>>()?,
            validate_only: request.validate_only,
        }),
        Wire::AlterClientQuotas(request) => {
            Proposal::AlterClientQuotas(access::quotas_from_proto(request))
        }
        Wire::AlterScramCredentials(request) => {
            Proposal::AlterScramCredentials(access::scram_from_proto(request)?)
        }
    })
}

fn new_topic_to_proto(topic: &NewTopic) -> proto::NewTopic {
    proto::NewTopic {
        name: topic.name.to_string(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        assignments: topic
            .assignments
            .iter()
            .map(|assignment| proto::Assignment {
                partition: assignment.partition,
                replicas: assignment.replicas.clone(),
            })
            .collect(),
        configs: topic
            .configs
            .iter()
            .map(|(key, value)| proto::ConfigEntry { key: key.clone(), value: value.clone() })
            .collect(),
    }
}

fn new_topic_from_proto(topic: proto::NewTopic) -> NewTopic {
    NewTopic {
        name: Arc::from(topic.name),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        assignments: topic
            .assignments
            .into_iter()
            .map(|assignment| Assignment {
                partition: assignment.partition,
                replicas: assignment.replicas,
            })
            .collect(),
        configs: topic.configs.into_iter().map(|entry| (entry.key, entry.value)).collect(),
    }
}

fn grow_topic_to_proto(topic: &GrowTopic) -> proto::GrowTopic {
    let assignments = topic.assignments.as_deref().unwrap_or_default();
    proto::GrowTopic {
        name: topic.name.to_string(),
        partitions: topic.partitions,
        assignments: assignments
            .iter()
            .zip(0..)
            .map(|(replicas, partition)| proto::Assignment {
                partition,
                replicas: replicas.clone(),
            })
            .collect(),
        by_hand: topic.assignments.is_some(),
    }
}

fn grow_topic_from_proto(topic: proto::GrowTopic) -> GrowTopic {
    let by_hand = topic.by_hand || !topic.assignments.is_empty();
    let assignments = topic.assignments.into_iter().map(|assignment| assignment.replicas).collect();
    GrowTopic {
        name: Arc::from(topic.name),
        partitions: topic.partitions,
        assignments: by_hand.then_some(assignments),
    }
}

fn resource_to_proto(resource: &AlterConfigResource) -> proto::AlterConfigResource {
    let kind = match resource.resource_type {
        ResourceType::Topic => records::ConfigResource::Topic,
        ResourceType::Broker => records::ConfigResource::Broker,
        ResourceType::Group => records::ConfigResource::Group,
        ResourceType::ClientMetrics => records::ConfigResource::ClientMetrics,
    };
    proto::AlterConfigResource {
        resource: kind.into(),
        name: resource.name.clone(),
        alters: resource
            .alters
            .iter()
            .map(|alter| proto::AlterConfig {
                op: match alter.op {
                    AlterConfigOp::Set => proto::AlterConfigOp::Set,
                    AlterConfigOp::Delete => proto::AlterConfigOp::Delete,
                    AlterConfigOp::Append => proto::AlterConfigOp::Append,
                    AlterConfigOp::Subtract => proto::AlterConfigOp::Subtract,
                }
                .into(),
                key: alter.key.clone(),
                value: alter.value.clone(),
            })
            .collect(),
        replace_all: resource.replace_all,
    }
}

fn resource_from_proto(
    resource: proto::AlterConfigResource,
) -> Result<AlterConfigResource, InvalidField> {
    let resource_type = match resource.resource() {
        records::ConfigResource::Topic => ResourceType::Topic,
        records::ConfigResource::Broker => ResourceType::Broker,
        records::ConfigResource::Group => ResourceType::Group,
        records::ConfigResource::ClientMetrics => ResourceType::ClientMetrics,
        records::ConfigResource::Unknown => {
            return Err(InvalidField::new("AlterConfigResource", "resource", resource.resource));
        }
    };
    Ok(AlterConfigResource {
        resource_type,
        name: resource.name,
        alters: resource.alters.into_iter().map(alter_from_proto).collect::<Result<_, _>>()?,
        replace_all: resource.replace_all,
    })
}

fn alter_from_proto(alter: proto::AlterConfig) -> Result<AlterConfig, InvalidField> {
    let op = match proto::AlterConfigOp::try_from(alter.op) {
        Ok(proto::AlterConfigOp::Set) => AlterConfigOp::Set,
        Ok(proto::AlterConfigOp::Delete) => AlterConfigOp::Delete,
        Ok(proto::AlterConfigOp::Append) => AlterConfigOp::Append,
        Ok(proto::AlterConfigOp::Subtract) => AlterConfigOp::Subtract,
        Err(_) => return Err(InvalidField::new("AlterConfig", "op", alter.op)),
    };
    Ok(AlterConfig { op, key: alter.key, value: alter.value })
}

fn alter_partition_to_proto(partition: &AlterPartition) -> proto::AlterPartition {
    proto::AlterPartition {
        topic_id: id_to_proto(&partition.id.topic_id),
        partition: partition.id.partition,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        new_isr: partition
            .new_isr
            .iter()
            .map(|member| proto::IsrMember {
                broker_id: member.broker_id,
                broker_epoch: member.broker_epoch,
            })
            .collect(),
    }
}

fn alter_partition_from_proto(
    partition: proto::AlterPartition,
) -> Result<AlterPartition, InvalidField> {
    let topic_id = id_from_proto("AlterPartition", "topic_id", &partition.topic_id)?;
    Ok(AlterPartition {
        id: TopicIdPartition::new(topic_id, partition.partition),
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        new_isr: partition
            .new_isr
            .into_iter()
            .map(|member| IsrMember {
                broker_id: member.broker_id,
                broker_epoch: member.broker_epoch,
            })
            .collect(),
    })
}

fn elect_leaders_to_proto(request: &ElectLeaders) -> proto::ElectLeaders {
    proto::ElectLeaders {
        election_type: match request.election_type {
            ElectionType::Preferred => proto::ElectionType::Preferred,
            ElectionType::Unclean => proto::ElectionType::Unclean,
        }
        .into(),
        partitions: request
            .partitions
            .iter()
            .map(|(topic, partition)| proto::ElectLeader {
                topic: topic.to_string(),
                partition: *partition,
            })
            .collect(),
    }
}

fn elect_leaders_from_proto(request: proto::ElectLeaders) -> Result<ElectLeaders, InvalidField> {
    let election_type = match proto::ElectionType::try_from(request.election_type) {
        Ok(proto::ElectionType::Preferred) => ElectionType::Preferred,
        Ok(proto::ElectionType::Unclean) => ElectionType::Unclean,
        Err(_) => {
            return Err(InvalidField::new("ElectLeaders", "election_type", request.election_type));
        }
    };
    Ok(ElectLeaders {
        election_type,
        partitions: request
            .partitions
            .into_iter()
            .map(|item| (Arc::from(item.topic), item.partition))
            .collect(),
    })
}

fn reassign_to_proto(wish: &Reassign) -> proto::Reassign {
    proto::Reassign {
        topic: wish.topic.to_string(),
        partition: wish.partition,
        target: wish.replicas.clone().map(|broker_ids| proto::Replicas { broker_ids }),
    }
}

fn reassign_from_proto(wish: proto::Reassign) -> Reassign {
    Reassign {
        topic: Arc::from(wish.topic),
        partition: wish.partition,
        replicas: wish.target.map(|target| target.broker_ids),
    }
}

fn feature_to_proto(update: &FeatureUpdate) -> proto::FeatureUpdate {
    proto::FeatureUpdate {
        feature: update.feature.clone(),
        level: update.level.into(),
        upgrade_type: match update.upgrade_type {
            UpgradeType::Upgrade => proto::UpgradeType::Upgrade,
            UpgradeType::SafeDowngrade => proto::UpgradeType::SafeDowngrade,
            UpgradeType::UnsafeDowngrade => proto::UpgradeType::UnsafeDowngrade,
        }
        .into(),
    }
}

fn feature_from_proto(update: proto::FeatureUpdate) -> Result<FeatureUpdate, InvalidField> {
    let upgrade_type = match proto::UpgradeType::try_from(update.upgrade_type) {
        Ok(proto::UpgradeType::Upgrade) => UpgradeType::Upgrade,
        Ok(proto::UpgradeType::SafeDowngrade) => UpgradeType::SafeDowngrade,
        Ok(proto::UpgradeType::UnsafeDowngrade) => UpgradeType::UnsafeDowngrade,
        Err(_) => {
            return Err(InvalidField::new("FeatureUpdate", "upgrade_type", update.upgrade_type));
        }
    };
    let level = i16::try_from(update.level)
        .map_err(|_| InvalidField::new("FeatureUpdate", "level", update.level))?;
    Ok(FeatureUpdate { feature: update.feature, level, upgrade_type })
}
