use std::ffi::OsString;

use bytes::Bytes;
use ottla_client::{GroupOptions, GroupProtocol, StartAt};
use ottla_protocol::ids::TopicPartition;
use ottla_protocol::record::{Header, Record, TimestampType};

use super::formatter::Columns;
use super::options::{Misuse, Settings, settings};
use crate::properties::read_pairs;

fn record(key: Option<&'static str>, value: &'static str) -> Record {
    Record {
        offset: 0,
        timestamp: 1_795_255_288_062,
        timestamp_type: TimestampType::CreateTime,
        leader_epoch: 0,
        key: key.map(Bytes::from),
        value: Some(Bytes::from(value)),
        headers: vec![Header { key: "h".to_owned(), value: Some(Bytes::from("1")) }],
    }
}

fn line(record: &Record, properties: &[&str]) -> String {
    let formatter = Columns::new(&read_pairs(properties.iter().copied())).unwrap();
    let mut out = Vec::new();
    formatter.write(&mut out, &TopicPartition::new("one", 0), record).unwrap();
    String::from_utf8(out).unwrap()
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn lines_are_kafkas() {
    let first = record(Some("k1"), "v1");
    assert_eq!(line(&first, &[]), "v1\n");
    assert_eq!(
        line(
            &first,
            &[
                "print.key=true",
                "print.headers=true",
                "print.partition=true",
                "print.offset=true",
                "print.timestamp=true"
            ]
        ),
        "CreateTime:1795255288062\tPartition:0\tOffset:0\th:1\tk1\tv1\n"
    );
    assert_eq!(
        line(
            &first,
            &[
                "print.key=true",
                "print.headers=true",
                "print.epoch=true",
                "print.delivery=true",
                "key.separator=:"
            ]
        ),
        "Delivery:NOT_PRESENT:Epoch:NOT_PRESENT:h:1:k1:v1\n"
    );
    assert_eq!(line(&first, &["print.value=false", "print.key=true"]), "k1\n");
    let unkeyed = record(None, "z");
    assert_eq!(line(&unkeyed, &["print.key=true", "null.literal=NIL"]), "NIL\tz\n");
    assert_eq!(line(&first, &["print.value=false"]), "");
}

#[test]
fn what_a_record_lacks_is_said() {
    let mut bare = record(None, "v");
    bare.headers.clear();
    bare.timestamp = -1;
    assert_eq!(
        line(&bare, &["print.timestamp=true", "print.headers=true"]),
        "NO_TIMESTAMP\tNO_HEADERS\tv\n"
    );
}

#[test]
fn numbers_are_read_by_their_deserializer() {
    let long = "value.deserializer=org.apache.kafka.common.serialization.LongDeserializer";
    let mut record = record(None, "v1");
    let formatter = Columns::new(&read_pairs([long].into_iter())).unwrap();
    let error = formatter.write(&mut Vec::new(), &TopicPartition::new("one", 0), &record);
    assert_eq!(
        error.unwrap_err().thrown(),
        "org.apache.kafka.common.errors.SerializationException: Size of data received by \
         LongDeserializer is not 8"
    );
    record.value = Some(Bytes::copy_from_slice(&42_i64.to_be_bytes()));
    assert_eq!(line(&record, &[long]), "42\n");
}

fn given(line: &str) -> Result<Settings, String> {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    settings(&args).map_err(|misuse| match misuse {
        Misuse::NotCounted { error, .. } => error.thrown(),
        Misuse::Usage(message) | Misuse::Said(message) => message,
        Misuse::Failed(failure) | Misuse::NotConstructed(failure) => failure.thrown(),
        Misuse::Version => "version".to_owned(),
    })
}

#[test]
fn wrong_options_are_answered_as_by_kafka() {
    let server = "--bootstrap-server localhost:9092";
    for (rest, message) in [
        ("", "Exactly one of the following arguments is required: [topic], [include]"),
        (
            "--topic one --include one",
            "Exactly one of the following arguments is required: [topic], [include]",
        ),
        (
            "--topic one --partition 0 --offset -5",
            "The provided offset value '-5' is incorrect. Valid values are 'earliest', 'latest', or \
             a non-negative long.",
        ),
        ("--topic one --offset 0", "The partition is required when offset is specified."),
        (
            "--topic one --partition x",
            "Exception in thread \"main\" joptsimple.OptionArgumentConversionException: Cannot parse \
             argument 'x' of option partition",
        ),
        (
            "--topic one --partition 0 --offset 1 --from-beginning",
            "Options from-beginning and offset cannot be specified together.",
        ),
        ("--include one --partition 0", "The topic is required when partition is specified."),
        (
            "--topic one --group g --partition 0",
            "Options group and partition cannot be specified together.",
        ),
        (
            "--topic one --isolation-level chaos",
            "org.apache.kafka.common.config.ConfigException: Invalid value chaos for configuration \
             isolation.level: String must be one of: read_committed, read_uncommitted",
        ),
        ("--topic one --formatter no.such.Class", "no.such.Class"),
        (
            "--topic one --from-beginning --command-property auto.offset.reset=latest",
            "Can't simultaneously specify --from-beginning and 'auto.offset.reset=latest', please \
             remove one option",
        ),
        (
            "--topic one --group g --command-property group.id=h",
            "The group ids provided in different places (directly using '--group', via \
             '--consumer-property', or via '--consumer.config') do not match. Detected group ids: \
             'g', 'h'",
        ),
        (
            "--topic one --property a=b --formatter-property c=d",
            "Options --property and --formatter-property cannot be specified together.",
        ),
        ("--topic one --whitelist one", "whitelist is not a recognized option"),
    ] {
        assert_eq!(given(&format!("{server} {rest}")).unwrap_err(), message);
    }
    assert_eq!(
        given("--topic one").unwrap_err(),
        "Missing required argument \"[bootstrap-server]\""
    );
}

#[test]
fn reading_begins_where_it_is_told() {
    let line = "--bootstrap-server a:1 --topic t";
    let start = |rest: &str| given(&format!("{line} {rest}")).unwrap().start;
    assert_eq!(start(""), StartAt::Latest);
    assert_eq!(start("--from-beginning"), StartAt::Earliest);
    assert_eq!(start("--partition 0 --offset 7"), StartAt::Offset(7));
    assert_eq!(start("--partition 0 --offset EARLIEST"), StartAt::Earliest);
    assert_eq!(start("--command-property auto.offset.reset=earliest"), StartAt::Earliest);
}

#[test]
fn topics_are_read_in_a_group_and_partitions_are_not() {
    let group =
        |rest: &str| given(&format!("--bootstrap-server a:1 --topic t {rest}")).unwrap().group;
    assert_eq!(group("--partition 0"), None);
    let named = group("--group g").unwrap();
    assert_eq!(named, GroupOptions::of("g"));
    let made_up = group("").unwrap();
    let number = made_up.group_id.strip_prefix("console-consumer-").unwrap();
    assert!(number.parse::<u32>().unwrap() < 100_000);
    assert_eq!(made_up.auto_commit_interval_ms, None, "nobody comes back for these offsets");
    let tuned = group(
        "--command-property group.id=g --command-property group.protocol=CONSUMER \
         --command-property group.instance.id=i --command-property enable.auto.commit=false \
         --command-property session.timeout.ms=6000",
    )
    .unwrap();
    assert_eq!(tuned.group_id, "g");
    assert_eq!(tuned.protocol, GroupProtocol::Consumer);
    assert_eq!(tuned.instance_id.as_deref(), Some("i"));
    assert_eq!((tuned.auto_commit_interval_ms, tuned.session_timeout_ms), (None, 6000));
    assert_eq!(
        given("--bootstrap-server a:1 --topic t --command-property group.protocol=new")
            .unwrap_err(),
        "org.apache.kafka.common.config.ConfigException: Invalid value new for configuration \
         group.protocol: String must be one of (case insensitive): CLASSIC, CONSUMER"
    );
}

#[test]
fn records_of_kafkas_own_topics_become_objects() {
    use super::internal::Internal;
    let hex = |text: &str| -> Bytes {
        let digits: Vec<u8> = text.bytes().filter(|digit| *digit != b' ').collect();
        let pair =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    };
    let shown = |class: &str, key: &str, value: Option<&str>| {
        let record = Record { key: Some(hex(key)), value: value.map(hex), ..record(None, "") };
        let mut out = Vec::new();
        Internal::by_class(class).unwrap().write(&mut out, &record).unwrap();
        String::from_utf8(out).unwrap()
    };
    let key = "0001 0001 67 0003 6f6e65 00000000";
    let value = "0003 0000000000000003 00000000 0000 000001a200000000";
    let key_text = r#"{"type":1,"data":{"group":"g","topic":"one","partition":0}}"#;
    assert_eq!(
        shown("OffsetsMessageFormatter", key, Some(value)),
        format!(
            r#"{{"key":{key_text},"value":{{"version":3,"data":{{"offset":3,"leaderEpoch":0,"metadata":"","commitTimestamp":1795296329728}}}}}}"#
        )
    );
    assert_eq!(
        shown("OffsetsMessageFormatter", key, None),
        format!(r#"{{"key":{key_text},"value":null}}"#)
    );
    // Of another kind, and of none.
    assert_eq!(shown("GroupMetadataMessageFormatter", key, Some(value)), "");
    assert_eq!(shown("GroupMetadataMessageFormatter", "00ff", None), "");
    assert!(Internal::by_class("DefaultMessageFormatter").is_none());
}
