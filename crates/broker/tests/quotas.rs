//! Quotas by a broker's Kafka port: who uses up more is told so, and not listened to for a while.

#[allow(dead_code, reason = "other tests use the rest")]
mod support;

use std::time::{Duration, Instant};

use ottla_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::describe_client_quotas_request::ComponentData;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::*;
use ottla_protocol::record::{Compression, RecordBatchBuilder};
use ottla_protocol::{ErrorCode, StrBytes};
use support::controller::FakeController;
use support::{LIMIT, TestBroker, Wire, start};

/// So that not much is allowed at once.
const SHORT: &str = "quota.window.num=2\ncontroller.quota.window.num=1";

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

async fn limited(kind: &'static str, key: &'static str, value: f64) -> (TestBroker, Wire) {
    let (_, controller) = FakeController::start().await;
    let broker = start(1, controller, SHORT).await;
    let mut wire = Wire::connect(broker.address).await;
    assert_eq!(create(&mut wire, 7, "t", 1).await, (0, 0));
    let entity = EntityData::default().with_entity_type(text(kind)).with_entity_name(None);
    let op = OpData::default().with_key(text(key)).with_value(value);
    let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![op]);
    let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
    let response = wire.call(1, &request).await;
    assert_eq!(response.entries[0].error_code, 0, "{:?}", response.entries[0].error_message);
    let all =
        ComponentData::default().with_entity_type(text(kind)).with_match_type(2).with_match(None);
    let request = DescribeClientQuotasRequest::default().with_components(vec![all]);
    let described = wire.call(1, &request).await.entries.expect("no error");
    assert_eq!((described[0].values[0].key.as_str(), described[0].values[0].value), (key, value));
    (broker, wire)
}

/// The topic's error, and the throttle time.
async fn create(wire: &mut Wire, version: i16, name: &'static str, partitions: i32) -> (i16, i32) {
    let topic = CreatableTopic::default()
        .with_name(text(name).into())
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let response = wire.call(version, &request).await;
    (response.topics[0].error_code, response.throttle_time_ms)
}

/// The throttle time of a produce request of so many bytes.
async fn produce(wire: &mut Wire, bytes: usize) -> i32 {
    let mut builder = RecordBatchBuilder::new(Compression::None);
    builder.append(1_700_000_000_000, None, Some(&vec![0; bytes]), &[]);
    let records = Some(builder.build().expect("small"));
    let data = PartitionProduceData::default().with_records(records);
    let topic =
        TopicProduceData::default().with_name(text("t").into()).with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic]);
    let response = wire.call(9, &request).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    response.throttle_time_ms
}

/// Bytes of records and the throttle time.
async fn fetch(wire: &mut Wire) -> (usize, i32) {
    let wanted = FetchPartition::default().with_partition_max_bytes(1000);
    let topic = FetchTopic::default().with_topic(text("t").into()).with_partitions(vec![wanted]);
    let request = FetchRequest::default()
        .with_max_wait_ms(1000)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic]);
    let response = wire.call(12, &request).await;
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    let records = partitions.filter_map(|partition| partition.records.as_ref());
    (records.map(bytes::Bytes::len).sum(), response.throttle_time_ms)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_is_told_and_then_muted() {
    let (_broker, mut wire) = limited("client-id", "producer_byte_rate", 1000.0).await;
    let deadline = Instant::now() + LIMIT;
    let (begun, throttle_time_ms) = loop {
        let begun = Instant::now();
        match produce(&mut wire, 700).await {
            0 => assert!(Instant::now() < deadline, "never throttled"),
            throttle_time_ms => break (begun, throttle_time_ms),
        }
    };
    let throttle = Duration::from_millis(u64::try_from(throttle_time_ms).expect("positive"));
    produce(&mut wire, 1).await;
    assert!(begun.elapsed() >= throttle, "{throttle:?} were to pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_told_and_then_muted() {
    let (_broker, mut wire) = limited("user", "consumer_byte_rate", 2000.0).await;
    produce(&mut wire, 800).await;
    let deadline = Instant::now() + LIMIT;
    // It reads the same batch again and again.
    let (begun, throttle_time_ms) = loop {
        let begun = Instant::now();
        let (fetched, throttle_time_ms) = fetch(&mut wire).await;
        assert!(fetched > 800, "{fetched} bytes");
        match throttle_time_ms {
            0 => assert!(Instant::now() < deadline, "never throttled"),
            throttle_time_ms => break (begun, throttle_time_ms),
        }
    };
    let throttle = Duration::from_millis(u64::try_from(throttle_time_ms).expect("positive"));
    fetch(&mut wire).await;
    assert!(begun.elapsed() >= throttle, "{throttle:?} were to pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_any_request_counts() {
    let (_broker, mut wire) = limited("user", "request_percentage", 1e-9).await;
    let deadline = Instant::now() + LIMIT;
    loop {
        match wire.call(12, &MetadataRequest::default()).await.throttle_time_ms {
            0 => assert!(Instant::now() < deadline, "never throttled"),
            throttle_time_ms => break assert!(throttle_time_ms <= 1000, "{throttle_time_ms}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_topics_are_refused_or_slowed_down() {
    let (broker, mut wire) = limited("user", "controller_mutation_rate", 2.0).await;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
    let mut names = names.into_iter();
    let refused = loop {
        let name = names.next().expect("refused sooner or later");
        match create(&mut wire, 7, name, 4).await {
            (0, 0) => {}
            (code, throttle_time_ms) => break (ErrorCode::from_code(code), throttle_time_ms > 0),
        }
    };
    assert_eq!(refused, (Some(ErrorCode::ThrottlingQuotaExceeded), true));
    // Who does not know of such refusals gets what it wants, and waits.
    let mut other = Wire::connect(broker.address).await;
    let (code, throttle_time_ms) = create(&mut other, 5, "old", 4).await;
    assert_eq!((code, throttle_time_ms > 0), (0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_closed() {
    let (broker, _wire) = limited("ip", "connection_creation_rate", 1.0).await;
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut wire = Wire::connect(broker.address).await;
        wire.send(3, &ApiVersionsRequest::default()).await;
        let answer = tokio::time::timeout(LIMIT, wire.receive_frame()).await;
        if answer.expect("an answer or an end").is_none() {
            break;
        }
        assert!(Instant::now() < deadline, "never refused");
    }
}
