use std::sync::Arc;

use ottla_protocol::ids::{KafkaUuid, TopicId, TopicIdPartition};

use super::{Ignored, Image, Partition};
use crate::record::{Batch, BrokerChange, ConfigResource, FenceCause, Record};

fn id(byte: u8) -> TopicId {
    KafkaUuid::from_bytes([byte; 16])
}

fn topic(byte: u8, name: &str) -> Record {
    Record::Topic { topic_id: id(byte), name: name.into() }
}

fn partition(byte: u8, index: i32, leader: i32) -> Record {
    Record::Partition {
        id: TopicIdPartition::new(id(byte), index),
        state: Partition {
            replicas: vec![1, 2],
            isr: vec![1, 2],
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            adding_replicas: Vec::new(),
            removing_replicas: Vec::new(),
            leader: Some(leader),
            leader_epoch: leader,
            partition_epoch: leader,
            leader_recovering: false,
        },
    }
}

fn config(name: &str, value: Option<&str>) -> Record {
    Record::Config {
        resource: ConfigResource::Topic(name.into()),
        key: "retention.ms".to_owned(),
        value: value.map(str::to_owned),
    }
}

fn batch(records: impl IntoIterator<Item = Record>) -> Batch {
    Batch { records: records.into_iter().collect(), timestamp_ms: 9 }
}

#[test]
fn records_that_name_what_is_not_there_are_ignored_and_said() {
    let mut image = Image::default();
    let orphan = partition(1, 0, 1);
    let change = Record::BrokerChange(BrokerChange {
        broker_id: 4,
        broker_epoch: 2,
        fenced: Some(false),
        in_controlled_shutdown: None,
        cause: FenceCause::None,
        detected_at_ms: 0,
    });
    let delta = image.replay_batch(
        3,
        &batch([orphan, change, Record::RemoveTopic(id(1)), config("gone", Some("1"))]),
    );
    assert!(delta.is_empty());
    assert_eq!(
        delta.ignored,
        [
            Ignored::UnknownPartition(TopicIdPartition::new(id(1), 0)),
            Ignored::UnknownBroker { broker_id: 4, broker_epoch: 2 },
            Ignored::UnknownTopic(id(1)),
            Ignored::UnknownTopicName("gone".into()),
        ]
    );
    assert_eq!(image.offset(), 3);
}

#[test]
fn the_cluster_id_never_changes() {
    let mut image = Image::default();
    assert_eq!(image.replay(&Record::ClusterId("a".into())), Ok(()));
    assert!(image.replay(&Record::ClusterId("b".into())).is_err());
    assert_eq!(image.cluster_id().map(AsRef::as_ref), Some("a"));
}

#[test]
fn a_name_and_an_id_belong_to_one_topic() {
    let mut image = Image::default();
    image.replay_batch(1, &batch([topic(1, "a"), partition(1, 0, 1)]));
    assert!(image.replay(&topic(2, "a")).is_err());
    assert!(image.replay(&topic(1, "b")).is_err());
    assert_eq!(image.topic_by_name("a").map(|topic| topic.partitions.len()), Some(1));
}

#[test]
fn a_deleted_topic_takes_its_configuration_along() {
    let mut image = Image::default();
    image.replay_batch(1, &batch([topic(1, "a"), partition(1, 0, 1), config("a", Some("1"))]));
    let again = [Record::RemoveTopic(id(1)), topic(2, "a"), partition(2, 0, 1)];
    let delta = image.replay_batch(2, &batch(again));
    assert_eq!(delta.deleted_topics.keys().collect::<Vec<_>>(), [&id(1)]);
    assert_eq!(delta.created_topics.keys().collect::<Vec<_>>(), [&id(2)]);
    assert_eq!(delta.configs.len(), 1);
    assert!(image.topic_config(&"a".into()).is_empty());
}

#[test]
fn a_delta_has_the_state_before_the_batch_and_after_it() {
    let mut image = Image::default();
    image.replay_batch(1, &batch([topic(1, "a"), partition(1, 0, 1)]));
    let before = image.partition(TopicIdPartition::new(id(1), 0)).cloned();
    let delta = image.replay_batch(2, &batch([partition(1, 0, 2), partition(1, 0, 3)]));
    let changed = &delta.partitions[&TopicIdPartition::new(id(1), 0)];
    assert_eq!(changed.old, before);
    assert_eq!(changed.new.leader, Some(3));
    assert_eq!((delta.offset, delta.timestamp_ms), (2, 9));

    // What changes and changes back has not changed.
    let delta = image.replay_batch(3, &batch([partition(1, 0, 1), partition(1, 0, 3)]));
    assert!(delta.is_empty());
}

#[test]
fn a_copy_does_not_see_what_comes_later() {
    let mut image = Image::default();
    image.replay_batch(1, &batch([topic(1, "a"), partition(1, 0, 1)]));
    let copy = image.clone();
    let shared = copy.partition(TopicIdPartition::new(id(1), 0)).expect("it is there");
    assert!(
        image.partition(TopicIdPartition::new(id(1), 0)).is_some_and(|p| Arc::ptr_eq(p, shared)),
        "copies share"
    );
    image.replay_batch(2, &batch([partition(1, 0, 2), config("a", Some("5"))]));
    assert_eq!(shared.leader, Some(1));
    assert!(copy.topic_config(&"a".into()).is_empty());
}

#[test]
fn a_snapshot_keeps_the_counter_of_broker_epochs() {
    let mut image = Image::default();
    let gone = Record::UnregisterBroker { broker_id: 1, broker_epoch: 17 };
    assert_eq!(image.replay(&gone), Ok(()));
    let records: Vec<_> = image.records().collect();
    let (again, ignored) = Image::from_records(0, &records);
    assert_eq!((again.last_broker_epoch(), ignored), (17, Vec::new()));
}
