use std::sync::Arc;

use ottla_metadata::record::{BrokerChange, RegisterBroker};
use ottla_metadata::{Batch, FenceCause, Image, Record};
use ottla_protocol::ids::KafkaUuid;

use super::Metadata;

fn register() -> Record {
    Record::RegisterBroker(RegisterBroker {
        broker_id: 1,
        incarnation_id: KafkaUuid::from_bytes([1; 16]),
        broker_epoch: 1,
        endpoints: Vec::new(),
        rack: None,
        inter_broker_listener: "PLAINTEXT".into(),
    })
}

fn fenced(fenced: bool) -> Record {
    Record::BrokerChange(BrokerChange {
        broker_id: 1,
        broker_epoch: 1,
        fenced: Some(fenced),
        in_controlled_shutdown: None,
        cause: FenceCause::None,
        detected_at_ms: 0,
    })
}

#[test]
fn a_broker_that_served_is_shown_for_a_while() {
    let metadata = Metadata::new();
    let mut image = Image::default();
    let mut publish = |record| {
        let batch = Batch { records: vec![record], timestamp_ms: 0 };
        let delta = image.replay_batch(image.offset() + 1, &batch);
        metadata.publish(Arc::new(image.clone()), &delta);
        (metadata.is_just_fenced(1), metadata.is_unfenced(1, 1))
    };
    assert_eq!(publish(register()), (false, false), "it has not served yet");
    assert_eq!(publish(fenced(false)), (false, true));
    assert_eq!(publish(fenced(true)), (true, false));
    assert_eq!(publish(fenced(false)), (false, true));
}
