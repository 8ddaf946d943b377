use std::sync::Arc;

use ottla_metadata::Endpoint;
use ottla_metadata::plan::brokers::Registration;
use ottla_metadata::proposal::{
    AlterClientQuota, AlterClientQuotas, AlterConfig, AlterConfigOp, AlterConfigResource,
    AlterConfigs, AlterPartition, AlterScramCredential, Assignment, CreatePartitions, CreateTopics,
    CreatedTopic, ElectLeaders, ElectionType, FeatureUpdate, GrowTopic, IsrMember, NewTopic,
    ProducerIdBlock, Proposal, Reassign, ReassignPartitions, Reply, ResourceType, UpdateFeatures,
    UpgradeType,
};
use ottla_metadata::quota::QuotaValue;
use ottla_metadata::record::ScramCredential;
use ottla_protocol::ids::TopicIdPartition;
use ottla_protocol::scram::ScramKeys;

use super::*;

fn id(byte: u8) -> KafkaUuid {
    KafkaUuid::from_bytes([byte; 16])
}

#[test]
fn proposals_survive_the_wire() {
    let keys = ScramKeys { stored_key: vec![2], server_key: vec![3] };
    let proposals = [
        Proposal::CreateTopics(CreateTopics {
            topics: vec![NewTopic {
                name: Arc::from("t"),
                partitions: 3,
                replication_factor: -1,
                assignments: vec![Assignment { partition: 0, replicas: vec![1, 2] }],
                configs: vec![("retention.ms".into(), Some("5".into())), ("x".into(), None)],
            }],
            validate_only: true,
        }),
        Proposal::DeleteTopics(vec![id(1), id(2)]),
        Proposal::CreatePartitions(CreatePartitions {
            topics: [None, Some(vec![]), Some(vec![vec![1, 2], vec![2, 3]])]
                .into_iter()
                .map(|assignments| GrowTopic { name: Arc::from("t"), partitions: 5, assignments })
                .collect(),
            validate_only: false,
        }),
        Proposal::AlterConfigs(AlterConfigs {
            resources: vec![AlterConfigResource {
                resource_type: ResourceType::Broker,
                name: String::new(),
                alters: [
                    AlterConfigOp::Set,
                    AlterConfigOp::Delete,
                    AlterConfigOp::Append,
                    AlterConfigOp::Subtract,
                ]
                .into_iter()
                .map(|op| AlterConfig { op, key: "k".into(), value: Some("v".into()) })
                .collect(),
                replace_all: true,
            }],
            validate_only: false,
        }),
        Proposal::AlterPartitions(vec![AlterPartition {
            id: TopicIdPartition::new(id(3), 7),
            leader_epoch: 4,
            partition_epoch: 5,
            new_isr: vec![IsrMember { broker_id: 1, broker_epoch: -1 }],
        }]),
        Proposal::AllocateProducerIds,
        Proposal::ElectLeaders(ElectLeaders {
            election_type: ElectionType::Unclean,
            partitions: vec![(Arc::from("t"), 0)],
        }),
        Proposal::ReassignPartitions(ReassignPartitions {
            allow_replication_factor_change: true,
            partitions: [None, Some(vec![]), Some(vec![3, 1])]
                .into_iter()
                .map(|replicas| Reassign { topic: Arc::from("t"), partition: 2, replicas })
                .collect(),
        }),
        Proposal::UnregisterBroker(3),
        Proposal::ReportOffline(vec![TopicIdPartition::new(id(3), 7)]),
        Proposal::AlterClientQuotas(AlterClientQuotas {
            entries: vec![AlterClientQuota {
                entity: vec![("user".into(), Some("u".into())), ("client-id".into(), None)],
                ops: vec![
                    ("producer_byte_rate".into(), Some(QuotaValue::new(1.5))),
                    ("x".into(), None),
                ],
            }],
            validate_only: true,
        }),
        Proposal::AlterScramCredentials(
            [None, Some(ScramCredential { salt: vec![1], keys, iterations: 4096 })]
                .into_iter()
                .map(|credential| AlterScramCredential {
                    user: "u".into(),
                    mechanism: 2,
                    credential,
                })
                .collect(),
        ),
        Proposal::UpdateFeatures(UpdateFeatures {
            updates: [
                UpgradeType::Upgrade,
                UpgradeType::SafeDowngrade,
                UpgradeType::UnsafeDowngrade,
            ]
            .map(|upgrade_type| FeatureUpdate { feature: "f".into(), level: 2, upgrade_type })
            .into(),
            validate_only: true,
        }),
    ];
    for proposal in proposals {
        assert_eq!(proposal_from_proto(proposal_to_proto(&proposal)), Ok(proposal));
    }
}

#[test]
fn replies_survive_the_wire() {
    let refusal = Refusal::new(ErrorCode::TopicAlreadyExists, "Topic 't' already exists.");
    let outcomes = vec![Ok(()), Err(refusal.clone())];
    let replies = [
        Reply::CreateTopics(vec![
            Ok(CreatedTopic { topic_id: id(9), partitions: 1, replication_factor: 3 }),
            Err(refusal.clone()),
        ]),
        Reply::DeleteTopics(outcomes.clone()),
        Reply::CreatePartitions(outcomes.clone()),
        Reply::AlterConfigs(outcomes.clone()),
        Reply::AlterPartitions(outcomes.clone()),
        Reply::AllocateProducerIds(Ok(ProducerIdBlock { first: 1000, count: 1000 })),
        Reply::AllocateProducerIds(Err(refusal.clone())),
        Reply::ElectLeaders(outcomes.clone()),
        Reply::ReassignPartitions(outcomes.clone()),
        Reply::AlterClientQuotas(outcomes.clone()),
        Reply::AlterScramCredentials(outcomes),
        Reply::UnregisterBroker(Ok(())),
        Reply::UnregisterBroker(Err(refusal.clone())),
        Reply::ReportOffline(Ok(())),
        Reply::ReportOffline(Err(refusal.clone())),
        Reply::UpdateFeatures(Ok(())),
        Reply::UpdateFeatures(Err(refusal)),
    ];
    for reply in replies {
        assert_eq!(reply_from_proto(reply_to_proto(&reply)), Ok(reply));
    }
}

#[test]
fn a_registration_survives_the_wire() {
    let registration = Registration {
        broker_id: 2,
        incarnation_id: id(5),
        endpoints: vec![Endpoint {
            listener: Arc::from("PLAINTEXT"),
            host: Arc::from("localhost"),
            port: 9092,
            security_protocol: Arc::from("PLAINTEXT"),
        }],
        rack: Some(Arc::from("r1")),
        inter_broker_listener: Arc::from("PLAINTEXT"),
        previous_broker_epoch: -1,
    };
    let request = registration_to_proto(&registration, "c");
    assert_eq!(registration_from_proto(request), Ok(registration));
}

#[test]
fn what_cannot_be_is_refused() {
    let short = proto::DeleteTopics { topic_ids: vec![Bytes::from_static(b"short")] };
    let refused = proposal_from_proto(proto::propose_request::Proposal::DeleteTopics(short));
    assert_eq!(
        refused.map_err(|error| error.to_string()),
        Err("DeleteTopics: field topic_ids holds 5 bytes".to_owned())
    );
}
