use bytes::Bytes;
use ottla_protocol::ids::TopicPartition;

use super::{
    Subscription, decode_assignment, decode_subscription, encode_assignment, encode_subscription,
};

/// As a Java consumer of version 4.3 writes it, by its schema: version 3, one topic, no user data, one
/// owned topic with two partitions, generation 7, rack `r`.
const SUBSCRIPTION: &[u8] = b"\0\x03\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01\0\x01t\0\0\0\x02\
    \0\0\0\0\0\0\0\x01\0\0\0\x07\0\x01r";

#[test]
fn subscriptions_of_others_are_read() {
    let read = decode_subscription(&Bytes::from_static(SUBSCRIPTION)).unwrap();
    assert_eq!(read.topics.iter().map(|t| &**t).collect::<Vec<_>>(), ["t"]);
    assert_eq!(
        read.owned.into_iter().collect::<Vec<_>>(),
        [TopicPartition::new("t", 0), TopicPartition::new("t", 1)]
    );
    assert_eq!((read.generation, read.rack.as_deref()), (7, Some("r")));
    let oldest = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\x02xy");
    assert_eq!(decode_subscription(&oldest).unwrap().topics.len(), 1);
    let newer = [b"\0\x09", &SUBSCRIPTION[2..], b"appended later"].concat();
    assert_eq!(decode_subscription(&newer.into()).unwrap().rack.as_deref(), Some("r"));
}

#[test]
fn what_is_written_is_read_again() {
    let subscription = Subscription {
        topics: ["a".into(), "b".into()].into(),
        owned: [TopicPartition::new("a", 3)].into(),
        generation: 5,
        rack: None,
    };
    let bytes = encode_subscription(&subscription).unwrap();
    assert_eq!(decode_subscription(&bytes), Ok(subscription));
    let assignment =
        [TopicPartition::new("a", 0), TopicPartition::new("a", 2), TopicPartition::new("b", 1)]
            .into();
    let bytes = encode_assignment(&assignment).unwrap();
    assert_eq!(decode_assignment(&bytes), Ok(assignment));
    assert_eq!(decode_assignment(&Bytes::new()), Ok([].into()));
}

#[test]
fn damaged_bytes_are_errors_and_allocate_nothing() {
    for cut in 0..SUBSCRIPTION.len() {
        assert!(decode_subscription(&Bytes::from_static(&SUBSCRIPTION[..cut])).is_err(), "{cut}");
    }
    for bytes in [
        &b"\xff\xff\0\0\0\0"[..],
        b"\0\x03\x7f\xff\xff\xff",
        b"\0\x03\0\0\0\x01\xff\xff",
        b"\0\x03\0\0\0\x01\0\x01\xfe\0\0\0\0",
    ] {
        assert!(decode_assignment(&Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
    }
}
