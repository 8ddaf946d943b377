use std::sync::Arc;

use ottla_metadata::record::RegisterBroker;
use ottla_metadata::{Batch, Image, Partition, Record};
use ottla_protocol::ids::{KafkaUuid, TopicIdPartition};

use crate::consumer::metadata_hash::{group_hash, topic_hash};

fn topic(image: &mut Vec<Record>, first: u8, name: &str, replicas: &[&[i32]]) {
    let mut bytes = [0; 16];
    for (byte, value) in bytes.iter_mut().zip(first..) {
        *byte = value;
    }
    let topic_id = KafkaUuid::from_bytes(bytes);
    image.push(Record::Topic { topic_id, name: name.into() });
    for (index, replicas) in (0..).zip(replicas) {
        image.push(Record::Partition {
            id: TopicIdPartition::new(topic_id, index),
            state: Partition {
                replicas: replicas.to_vec(),
                isr: Vec::new(),
                elr: Vec::new(),
                last_known_elr: Vec::new(),
                adding_replicas: Vec::new(),
                removing_replicas: Vec::new(),
                leader: None,
                leader_epoch: 0,
                partition_epoch: 0,
                leader_recovering: false,
            },
        });
    }
}

/// The numbers are of hash4j 0.22.0, the library that Kafka uses, over Kafka's layout.
#[test]
fn hashes_are_kafkas() {
    let mut records = Vec::new();
    for (broker_id, rack) in [(1, "rack0"), (2, "rack1"), (3, "rack2")] {
        records.push(Record::RegisterBroker(RegisterBroker {
            broker_id,
            incarnation_id: KafkaUuid::ZERO,
            broker_epoch: 1,
            endpoints: Vec::new(),
            rack: Some(Arc::from(rack)),
            inter_broker_listener: "PLAINTEXT".into(),
        }));
    }
    topic(&mut records, 1, "foo", &[&[2, 1], &[2, 3]]);
    topic(&mut records, 0x11, "bar", &[&[], &[], &[]]);
    topic(&mut records, 0x21, "big", &[&[] as &[i32]; 200]);
    let mut image = Image::default();
    let delta = image.replay_batch(1, &Batch { records, timestamp_ms: 0 });
    assert_eq!(delta.ignored, []);
    let hash = |topics: &[&str]| group_hash(&image, topics.iter().copied());
    assert_eq!(hash(&[]), 0);
    assert_eq!(hash(&["missing"]), 0);
    assert_eq!(hash(&["foo"]), -4_165_538_910_685_952_493);
    assert_eq!(hash(&["bar", "foo", "missing"]), -1_150_760_389_811_141_015);
    let topic = |name| topic_hash(&image, image.topic_by_name(name).unwrap());
    assert_eq!(topic("foo"), -7_881_643_745_322_667_710);
    assert_eq!(topic("bar"), -8_916_188_979_974_411_050);
    assert_eq!(topic("big"), -697_489_528_933_680_969);
}
