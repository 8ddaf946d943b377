use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{self, MetadataResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::*;

fn answer(id: u128, leader: i32, epoch: i32) -> MetadataResponse {
    let broker = |id: i32| {
        MetadataResponseBroker::default()
            .with_node_id(messages::BrokerId(id))
            .with_host(StrBytes::from_static_str("localhost"))
            .with_port(9091 + id)
    };
    let partition = MetadataResponsePartition::default()
        .with_leader_id(messages::BrokerId(leader))
        .with_leader_epoch(epoch);
    let topic = MetadataResponseTopic::default()
        .with_name(Some(messages::TopicName(StrBytes::from_static_str("t"))))
        .with_topic_id(KafkaUuid::from_bytes(id.to_be_bytes()).0)
        .with_partitions(vec![partition]);
    MetadataResponse::default()
        .with_brokers(vec![broker(1), broker(2), broker(3)])
        .with_controller_id(messages::BrokerId(2))
        .with_topics(vec![topic])
}

#[test]
fn an_older_leader_epoch_never_replaces_a_newer_one() {
    let mut metadata = Metadata::default();
    metadata.update(&answer(7, 2, 5), false);
    metadata.update(&answer(7, 1, 4), false);
    assert_eq!(metadata.leader("t", 0), Some((2, 5)));
    metadata.update(&answer(7, 3, 6), false);
    assert_eq!(metadata.leader("t", 0), Some((3, 6)));
}

#[test]
fn a_topic_made_again_starts_over() {
    let mut metadata = Metadata::default();
    metadata.update(&answer(7, 2, 5), false);
    metadata.update(&answer(8, 1, 0), false);
    assert_eq!(metadata.leader("t", 0), Some((1, 0)));
}

#[test]
fn a_leader_hint_counts_only_when_newer() {
    let mut metadata = Metadata::default();
    metadata.update(&answer(7, 2, 5), false);
    assert!(!metadata.hint_leader("t", 0, 1, 5));
    assert!(metadata.hint_leader("t", 0, 1, 6));
    assert!(!metadata.hint_leader("t", 0, 9, 7), "an unknown node is of no use");
    assert_eq!(metadata.leader("t", 0), Some((1, 6)));
}

#[test]
fn no_leader_and_errors_are_kept_apart() {
    let mut metadata = Metadata::default();
    metadata.update(&answer(7, NO_LEADER, 5), false);
    assert_eq!(metadata.leader("t", 0), None);
    let mut gone = answer(7, 1, 6);
    gone.topics[0].error_code = ErrorCode::UnknownTopicOrPartition.code();
    metadata.update(&gone, false);
    assert!(matches!(metadata.topic("t"), Some(Err(_))));
    assert!(metadata.topic("u").is_none());
    assert_eq!((metadata.controller, metadata.nodes.len()), (Some(2), 3));
}
