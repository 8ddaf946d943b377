use ottla_protocol::ids::KafkaUuid;

use super::{Limits, topics};
use crate::image::Image;
use crate::plan::brokers::{self, Registration};
use crate::proposal::{CreateTopics, NewTopic};
use crate::record::Batch;
use crate::{Endpoint, Plan};

fn one_broker() -> Image {
    let mut image = Image::default();
    let registration = Registration {
        broker_id: 1,
        incarnation_id: KafkaUuid::from_bytes([1; 16]),
        endpoints: vec![Endpoint {
            listener: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            security_protocol: "PLAINTEXT".into(),
        }],
        rack: None,
        inter_broker_listener: "PLAINTEXT".into(),
        previous_broker_epoch: -1,
    };
    let limits = Limits::default();
    let Plan { records, reply: epoch } =
        brokers::register(&image, &limits, &registration).expect("it is new");
    image.replay_batch(1, &Batch { records, timestamp_ms: 0 });
    let plan = brokers::unfence(&image, &limits, 1, epoch).expect("it is registered");
    image.replay_batch(2, &Batch { records: plan.records, timestamp_ms: 0 });
    image
}

fn topic(name: &str) -> NewTopic {
    NewTopic {
        name: name.into(),
        partitions: -1,
        replication_factor: -1,
        assignments: Vec::new(),
        configs: Vec::new(),
    }
}

#[test]
fn ids_that_tools_would_take_for_options_are_not_given_out() {
    let image = one_broker();
    // Every first letter, and so the reserved one, too.
    for first in 0..=u8::MAX {
        let seed = u128::from(first) << 120;
        let request = CreateTopics { topics: vec![topic("a"), topic("b")], validate_only: false };
        let plan = topics::create(&image, &Limits::default(), seed, &request);
        let ids: Vec<_> =
            plan.reply.iter().map(|topic| topic.as_ref().map(|t| t.topic_id)).collect();
        assert!(ids.iter().all(|id| id.as_ref().is_ok_and(|id| !id.is_reserved())), "{ids:?}");
        assert_ne!(ids[0], ids[1]);
    }
}

#[test]
fn an_id_that_a_topic_has_is_not_given_out_again() {
    let mut image = one_broker();
    for name in ["a", "b", "c"] {
        let request = CreateTopics { topics: vec![topic(name)], validate_only: false };
        let plan = topics::create(&image, &Limits::default(), 5, &request);
        image.replay_batch(3, &Batch { records: plan.records, timestamp_ms: 0 });
    }
    assert_eq!(image.topic_count(), 3);
}
