//! The records of `__consumer_offsets` as Kafka 4.3 writes and reads them.

use bytes::Bytes;
use ottla_coordinator::Record;
use ottla_coordinator::record::{
    AssignedPartitions, ClassicGroupValue, ClassicMemberMetadata, ClassicMemberValue,
    ConsumerGroupValue, ConsumerMemberValue, CurrentAssignmentValue, OffsetValue,
    RegularExpressionValue, TargetAssignmentValue, TargetMetadataValue,
};
use ottla_protocol::ids::{KafkaUuid, TopicId};
use proptest::prelude::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn topic_id() -> TopicId {
    "qt3_el6fSZG1LdblLws6ew".parse().expect("an id")
}

fn offset(value: Option<OffsetValue>) -> Record {
    Record::Offset { group: "g".into(), topic: "t".into(), partition: 3, value }
}

fn offset_value() -> OffsetValue {
    OffsetValue {
        offset: 42,
        leader_epoch: 7,
        metadata: "mé".into(),
        commit_timestamp_ms: 1000,
        expire_timestamp_ms: -1,
        topic_id: topic_id(),
    }
}

fn classic_value() -> ClassicGroupValue {
    ClassicGroupValue {
        protocol_type: "consumer".into(),
        generation: 5,
        protocol: Some("range".into()),
        leader: Some("m1".into()),
        current_state_timestamp_ms: 1000,
        members: vec![ClassicMemberValue {
            member_id: "m1".into(),
            group_instance_id: Some("i1".into()),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: 60_000,
            session_timeout_ms: 10_000,
            subscription: Bytes::from_static(&[1, 2]),
            assignment: Bytes::from_static(&[3]),
        }],
    }
}

fn classic(value: Option<ClassicGroupValue>) -> Record {
    Record::ClassicGroup { group: "g".into(), value }
}

fn partitions(partitions: &[i32], epochs: Option<&[i32]>) -> Vec<AssignedPartitions> {
    vec![AssignedPartitions {
        topic_id: topic_id(),
        partitions: partitions.to_vec(),
        assignment_epochs: epochs.map(<[i32]>::to_vec),
    }]
}

fn member(classic: Option<ClassicMemberMetadata>) -> ConsumerMemberValue {
    let is_classic = classic.is_some();
    let either = |classic, other| if is_classic { classic } else { other };
    ConsumerMemberValue {
        instance_id: either(Some("i".into()), None),
        rack_id: either(None, Some("r".into())),
        client_id: "c".into(),
        client_host: "/h".into(),
        subscribed_topic_names: if is_classic { vec![] } else { vec!["t".into(), "u".into()] },
        subscribed_topic_regex: either(Some("t.*".into()), None),
        rebalance_timeout_ms: 300,
        server_assignor: either(None, Some("range".into())),
        classic_member_metadata: classic,
    }
}

/// What is written: record, key, value.
fn written() -> Vec<(Record, &'static str, &'static str)> {
    let group = || "g".into();
    let id = || "m".into();
    let classic_member = ClassicMemberMetadata {
        session_timeout_ms: 10_000,
        supported_protocols: vec![("range".into(), Bytes::from_static(&[1, 2, 3]))],
    };
    let consumer = |epoch, metadata_hash| Record::ConsumerGroup {
        group: group(),
        value: Some(ConsumerGroupValue { epoch, metadata_hash }),
    };
    let of_member =
        |value| Record::ConsumerMember { group: group(), member: id(), value: Some(value) };
    let target = |assignment_timestamp_ms| Record::ConsumerTargetMetadata {
        group: group(),
        value: Some(TargetMetadataValue { assignment_epoch: 8, assignment_timestamp_ms }),
    };
    vec![
        (
            offset(Some(offset_value())),
            "000100016700017400000003",
            "0004000000000000002a00000007046dc3a900000000000003e8010010aaddff7a5e9f4991b52dd6e52f0b3a7b",
        ),
        (
            offset(Some(OffsetValue { topic_id: KafkaUuid::ZERO, ..offset_value() })),
            "000100016700017400000003",
            "0004000000000000002a00000007046dc3a900000000000003e800",
        ),
        (
            offset(Some(OffsetValue {
                expire_timestamp_ms: 2000,
                leader_epoch: -1,
                topic_id: KafkaUuid::ZERO,
                ..offset_value()
            })),
            "000100016700017400000003",
            "0001000000000000002a00036dc3a900000000000003e800000000000007d0",
        ),
        (
            classic(Some(classic_value())),
            "0002000167",
            "00030008636f6e73756d657200000005000572616e676500026d3100000000000003e80000000100026d3100026931000163000a2f3132372e302e302e310000ea60000027100000000201020000000103",
        ),
        (
            classic(Some(ClassicGroupValue {
                generation: 6,
                protocol: None,
                leader: None,
                members: vec![],
                ..classic_value()
            })),
            "0002000167",
            "00030008636f6e73756d657200000006ffffffff00000000000003e800000000",
        ),
        (consumer(9, 0), "0003000167", "00000000000900"),
        (consumer(9, 77), "0003000167", "000000000009010008000000000000004d"),
        (
            of_member(member(None)),
            "000500016700016d",
            "00000002720263032f680302740275000000012c0672616e676500",
        ),
        (
            of_member(member(Some(classic_member))),
            "000500016700016d",
            "00000269000263032f680104742e2a0000012c000100120100002710020672616e6765040102030000",
        ),
        (target(0), "0006000167", "00000000000800"),
        (target(99), "0006000167", "0000000000080100080000000000000063"),
        (
            Record::ConsumerTarget {
                group: group(),
                member: id(),
                value: Some(TargetAssignmentValue { topic_partitions: partitions(&[0, 2], None) }),
            },
            "000700016700016d",
            "000002aaddff7a5e9f4991b52dd6e52f0b3a7b0300000000000000020000",
        ),
        (
            Record::ConsumerCurrent {
                group: group(),
                member: id(),
                value: Some(CurrentAssignmentValue {
                    member_epoch: 4,
                    previous_member_epoch: 3,
                    state: 1,
                    assigned_partitions: partitions(&[1], Some(&[4])),
                    partitions_pending_revocation: partitions(&[2], None),
                }),
            },
            "000800016700016d",
            "000000000004000000030102aaddff7a5e9f4991b52dd6e52f0b3a7b0200000001010005020000000402aaddff7a5e9f4991b52dd6e52f0b3a7b02000000020000",
        ),
        (
            Record::ConsumerRegularExpression {
                group: group(),
                expression: "t.*".into(),
                value: Some(RegularExpressionValue {
                    topics: vec!["t".into()],
                    version: 12,
                    timestamp_ms: 34,
                }),
            },
            "00100001670003742e2a",
            "0000020274000000000000000c000000000000002200",
        ),
    ]
}

#[test]
fn records_are_written_and_read_as_kafka_does() {
    for (record, key, value) in written() {
        let (written_key, written_value) = record.encode();
        assert_eq!(hex(&written_key), key, "{record:?}");
        assert_eq!(hex(&written_value.unwrap()), value, "{record:?}");
        assert_eq!(Record::decode(&unhex(key), Some(&unhex(value))), Ok(Some(record)));
    }
}

#[test]
fn a_tombstone_has_a_key_and_no_value() {
    let records = [
        (offset(None), "000100016700017400000003"),
        (classic(None), "0002000167"),
        (Record::ConsumerPartitionMetadata { group: "g".into(), value: None }, "0004000167"),
    ];
    for (record, key) in records {
        assert!(record.is_tombstone());
        let (written_key, value) = record.encode();
        assert_eq!((hex(&written_key).as_str(), value), (key, None));
        assert_eq!(Record::decode(&unhex(key), None), Ok(Some(record)));
    }
}

#[test]
fn older_and_newer_versions_are_read() {
    let offsets = [
        ("0000000000000000002a00036dc3a900000000000003e8", -1, -1),
        ("0002000000000000002a00036dc3a900000000000003e8", -1, -1),
        ("0003000000000000002a0000000700036dc3a900000000000003e8", 7, -1),
    ];
    for (value, leader_epoch, expire_timestamp_ms) in offsets {
        let expected = OffsetValue {
            leader_epoch,
            expire_timestamp_ms,
            topic_id: KafkaUuid::ZERO,
            ..offset_value()
        };
        for key in ["000000016700017400000003", "000100016700017400000003"] {
            let read = Record::decode(&unhex(key), Some(&unhex(value)));
            assert_eq!(read, Ok(Some(offset(Some(expected.clone())))));
        }
    }
    let groups = [
        "00000008636f6e73756d657200000005000572616e676500026d310000000100026d31000163000a2f3132372e302e302e31000027100000000201020000000103",
        "00010008636f6e73756d657200000005000572616e676500026d310000000100026d31000163000a2f3132372e302e302e310000ea60000027100000000201020000000103",
        "00020008636f6e73756d657200000005000572616e676500026d3100000000000003e80000000100026d31000163000a2f3132372e302e302e310000ea60000027100000000201020000000103",
        "000409636f6e73756d6572000000050672616e6765036d3100000000000003e802036d3103693102630b2f3132372e302e302e310000ea600000271003010202030000",
    ];
    for (version, value) in [0, 1, 2, 4].into_iter().zip(groups) {
        let mut expected = classic_value();
        if version < 3 {
            expected.members[0].group_instance_id = None;
        }
        if version < 2 {
            expected.current_state_timestamp_ms = -1;
        }
        if version < 1 {
            expected.members[0].rebalance_timeout_ms = -1;
        }
        let read = Record::decode(&unhex("0002000167"), Some(&unhex(value)));
        assert_eq!(read, Ok(Some(classic(Some(expected)))), "version {version}");
    }
}

#[test]
fn unknown_kinds_are_passed_over_and_unknown_versions_are_errors() {
    assert_eq!(Record::decode(&unhex("00090001"), Some(&[])), Ok(None));
    assert_eq!(Record::decode(&unhex("7fff"), None), Ok(None));
    let newer = Record::decode(&unhex("0002000167"), Some(&unhex("0005")));
    assert_eq!(newer.unwrap_err().to_string(), "GroupMetadataValue has the unknown version 5");
}

#[test]
fn what_is_cut_off_is_damaged() {
    for (_, key, value) in written() {
        let (key, value) = (unhex(key), unhex(value));
        for length in 0..value.len() {
            assert!(Record::decode(&key, Some(&value[..length])).is_err(), "{}", hex(&value));
        }
        for length in 2..key.len() {
            assert!(Record::decode(&key[..length], Some(&value)).is_err(), "{}", hex(&key));
        }
    }
}

proptest! {
    /// Whatever somebody writes into the topic: an error at worst, and no room for what is not there.
    #[test]
    fn hostile_bytes_never_panic(
        kind in prop_oneof![0_i16..=8, Just(16)],
        key in prop::collection::vec(any::<u8>(), 0..40),
        version in 0_i16..6,
        value in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let key = [&kind.to_be_bytes()[..], &key].concat();
        let value = [&version.to_be_bytes()[..], &value].concat();
        let _ = Record::decode(&key, Some(&value));
    }
}
