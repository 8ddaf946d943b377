//! One broker, by its Kafka port.

mod support;

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use ottla_protocol::api::{ApiKey, TABLE};
use ottla_protocol::messages::alter_configs_request::AlterConfigsResource as ReplacedResource;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_topic_partitions_request::TopicRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::*;
use ottla_protocol::record::{Compression, RecordBatchBuilder, decode_records};
use ottla_protocol::{ErrorCode, StrBytes, frame};
use ottla_rpc::replication::{FromFollower, Hello};
use support::controller::FakeController;
use support::{LIMIT, TestBroker, Wire, start};

/// As in the binary: the message crate allocates what a client announces, which costs nothing here as
/// long as it is not touched.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NONE: i16 = 0;

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

async fn one(settings: &str) -> (TestBroker, Wire) {
    let (_, controller) = FakeController::start().await;
    let broker = start(1, controller, settings).await;
    let wire = Wire::connect(broker.address).await;
    (broker, wire)
}

async fn create(wire: &mut Wire, name: &'static str, partitions: i32) -> uuid::Uuid {
    let topic = CreatableTopic::default()
        .with_name(text(name).into())
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let response = wire.call(7, &request).await;
    let created = &response.topics[0];
    assert_eq!(created.error_code, NONE, "{:?}", created.error_message);
    created.topic_id
}

fn batch(values: &[&str]) -> Bytes {
    let mut builder = RecordBatchBuilder::new(Compression::None);
    for value in values {
        builder.append(now_ms(), None, Some(value.as_bytes()), &[]);
    }
    builder.build().expect("small")
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_millis()).expect("fits")
}

fn produce(name: &'static str, partition: i32, acks: i16, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let topic =
        TopicProduceData::default().with_name(text(name).into()).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(10_000).with_topic_data(vec![topic])
}

fn fetch(name: &'static str, partition: i32, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let wanted = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(text(name).into()).with_partitions(vec![wanted]);
    FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic])
}

async fn produce_ok(wire: &mut Wire, name: &'static str, values: &[&str]) -> i64 {
    let response = wire.call(9, &produce(name, 0, -1, batch(values))).await;
    let answer = &response.responses[0].partition_responses[0];
    assert_eq!(answer.error_code, NONE, "{:?}", answer.error_message);
    answer.base_offset
}

fn values(records: Option<&Bytes>) -> Vec<String> {
    let records = decode_records(records.expect("never null")).expect("whole batches");
    let values = records.into_iter().map(|record| record.value.expect("a value"));
    values.map(|value| String::from_utf8(value.to_vec()).expect("text")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_produced_is_fetched() {
    let (_broker, mut wire) = one("").await;
    create(&mut wire, "t", 1).await;
    assert_eq!(produce_ok(&mut wire, "t", &["a", "b"]).await, 0);
    assert_eq!(produce_ok(&mut wire, "t", &["c"]).await, 2);
    let response = wire.call(12, &fetch("t", 0, 0, 1000)).await;
    let data = &response.responses[0].partitions[0];
    assert_eq!(data.error_code, NONE);
    assert_eq!(data.high_watermark, 3);
    assert_eq!(values(data.records.as_ref()), ["a", "b", "c"]);
    assert!(data.aborted_transactions.is_none());

    for (timestamp, offset) in [(-1, 3), (-2, 0), (0, 0), (-3, 2)] {
        let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(text("t").into())
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_topics(vec![topic]);
        let response = wire.call(7, &request).await;
        let listed = &response.topics[0].partitions[0];
        assert_eq!((listed.error_code, listed.offset), (NONE, offset), "{timestamp}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_known_by_id_and_ids_are_checked() {
    let (_broker, mut wire) = one("").await;
    let id = create(&mut wire, "t", 1).await;
    let mut request = produce("t", 0, 1, batch(&["a"]));
    request.topic_data[0].name = Default::default();
    request.topic_data[0].topic_id = id;
    let response = wire.call(13, &request).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, NONE);
    assert_eq!(response.responses[0].topic_id, id);

    let mut request = fetch("t", 0, 0, 1000);
    request.topics[0].topic = Default::default();
    request.topics[0].topic_id = uuid::Uuid::from_u128(77);
    let response = wire.call(17, &request).await;
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicId.code());
    request.topics[0].topic_id = id;
    let response = wire.call(17, &request).await;
    assert_eq!(values(response.responses[0].partitions[0].records.as_ref()), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_ends_when_something_is_written() {
    let (broker, mut wire) = one("").await;
    create(&mut wire, "t", 2).await;
    let mut reader = Wire::connect(broker.address).await;
    let begun = Instant::now();
    reader.send(12, &fetch("t", 0, 0, 600_000)).await;
    produce_ok(&mut wire, "t", &["a"]).await;
    let (_, response) = reader.receive::<FetchRequest>(12).await;
    assert_eq!(values(response.responses[0].partitions[0].records.as_ref()), ["a"]);
    assert!(begun.elapsed() < LIMIT);
    // Nothing comes: answered, empty but not null, when its time is over.
    let response = reader.call(12, &fetch("t", 1, 0, 50)).await;
    assert_eq!(response.responses[0].partitions[0].records, Some(Bytes::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_session_tells_only_news() {
    let (_broker, mut wire) = one("").await;
    create(&mut wire, "t", 1).await;
    produce_ok(&mut wire, "t", &["a"]).await;
    let full = wire.call(12, &fetch("t", 0, 0, 0).with_session_epoch(0)).await;
    assert_ne!(full.session_id, 0);
    assert_eq!(values(full.responses[0].partitions[0].records.as_ref()), ["a"]);
    let next = fetch("t", 0, 1, 0).with_session_id(full.session_id).with_session_epoch(1);
    let next = wire.call(12, &next).await;
    assert_eq!(next.error_code, NONE);
    assert!(next.responses.is_empty());
    produce_ok(&mut wire, "t", &["b"]).await;
    let mut again = fetch("t", 0, 1, 0).with_session_id(full.session_id).with_session_epoch(2);
    again.topics.clear();
    let again = wire.call(12, &again).await;
    assert_eq!(values(again.responses[0].partitions[0].records.as_ref()), ["b"]);
    let unknown = fetch("t", 0, 0, 0).with_session_id(full.session_id + 1).with_session_epoch(1);
    let unknown = wire.call(12, &unknown).await;
    assert_eq!(unknown.error_code, ErrorCode::FetchSessionIdNotFound.code());
}

#[tokio::test(flavor = "multi_thread")]
async fn produce_refuses_what_it_must() {
    let (broker, mut wire) = one("").await;
    create(&mut wire, "t", 1).await;
    let mut corrupt = BytesMut::from(&batch(&["a"])[..]);
    let last = corrupt.len() - 1;
    corrupt[last] ^= 1;
    let two = [batch(&["a"]), batch(&["b"])].concat();
    let huge = batch(&[&"x".repeat(2 << 20)]);
    let cases = [
        (produce("t", 0, 5, batch(&["a"])), ErrorCode::InvalidRequiredAcks),
        (produce("t", 9, 1, batch(&["a"])), ErrorCode::UnknownTopicOrPartition),
        (produce("u", 0, 1, batch(&["a"])), ErrorCode::UnknownTopicOrPartition),
        (produce("t", 0, 1, corrupt.freeze()), ErrorCode::CorruptMessage),
        (produce("t", 0, 1, two.into()), ErrorCode::InvalidRecord),
        (produce("t", 0, 1, huge), ErrorCode::MessageTooLarge),
    ];
    for (request, code) in cases {
        let response = wire.call(9, &request).await;
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!(
            ErrorCode::from_code(answer.error_code),
            Some(code),
            "{:?}",
            answer.error_message
        );
    }
    // Nothing of it is there, and acks=0 is not answered.
    wire.send(9, &produce("t", 0, 0, batch(&["a"]))).await;
    assert_eq!(produce_ok(&mut wire, "t", &["b"]).await, 1);
    // An error without an answer closes the connection.
    wire.send(9, &produce("u", 0, 0, batch(&["a"]))).await;
    assert_eq!(wire.receive_frame().await, None);
    drop(broker);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_creates_what_is_asked_for_unless_told_not_to() {
    let (broker, mut wire) = one("").await;
    let wanted = |name| MetadataRequestTopic::default().with_name(Some(text(name).into()));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![wanted("no")]))
        .with_allow_auto_topic_creation(false);
    let response = wire.call(12, &request).await;
    let code = response.topics[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicOrPartition.code());

    let request = MetadataRequest::default()
        .with_topics(Some(vec![wanted("yes"), wanted("not/legal")]))
        .with_allow_auto_topic_creation(true);
    let response = wire.call(12, &request).await;
    assert_eq!(response.topics[0].error_code, NONE);
    assert_eq!(response.topics[0].partitions[0].leader_id.0, 1);
    assert_eq!(response.topics[1].error_code, ErrorCode::InvalidTopicException.code());
    assert_eq!(response.controller_id.0, 1);
    assert_eq!(response.brokers[0].port, i32::from(broker.address.port()));
    let id = response.topics[0].topic_id;
    assert!(!id.is_nil());

    let by_id = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
    let response = wire.call(12, &MetadataRequest::default().with_topics(Some(vec![by_id]))).await;
    assert_eq!(response.topics[0].name.as_ref().expect("named").as_str(), "yes");
    let all = wire.call(1, &MetadataRequest::default().with_topics(None)).await;
    assert_eq!(all.topics.len(), 1);
    let none = wire.call(1, &MetadataRequest::default().with_topics(Some(vec![]))).await;
    assert!(none.topics.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_described_page_by_page() {
    let (_broker, mut wire) = one("").await;
    create(&mut wire, "a", 2).await;
    create(&mut wire, "b", 2).await;
    let mut request = DescribeTopicPartitionsRequest::default().with_response_partition_limit(3);
    let first = wire.call(0, &request).await;
    let counts: Vec<_> = first.topics.iter().map(|topic| topic.partitions.len()).collect();
    assert_eq!(counts, [2, 1]);
    let partition = &first.topics[0].partitions[0];
    assert!(partition.eligible_leader_replicas.is_some() && partition.last_known_elr.is_some());
    let cursor = first.next_cursor.expect("there is more");
    assert_eq!((cursor.topic_name.as_str(), cursor.partition_index), ("b", 1));
    request.cursor = Some(
        describe_topic_partitions_request::Cursor::default()
            .with_topic_name(cursor.topic_name)
            .with_partition_index(cursor.partition_index),
    );
    let rest = wire.call(0, &request).await;
    assert_eq!(rest.topics.len(), 1);
    assert_eq!(rest.topics[0].partitions[0].partition_index, 1);
    assert!(rest.next_cursor.is_none());
    let unknown = TopicRequest::default().with_name(text("x").into());
    let request = DescribeTopicPartitionsRequest::default()
        .with_response_partition_limit(10)
        .with_topics(vec![unknown]);
    let response = wire.call(0, &request).await;
    assert_eq!(response.topics[0].error_code, ErrorCode::UnknownTopicOrPartition.code());
}

#[tokio::test(flavor = "multi_thread")]
async fn configs_are_altered_and_described() {
    let (_broker, mut wire) = one("").await;
    create(&mut wire, "t", 1).await;
    let config = AlterableConfig::default()
        .with_name(text("retention.ms"))
        .with_config_operation(0)
        .with_value(Some(text("1234")));
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let response = wire.call(1, &request).await;
    assert_eq!(response.responses[0].error_code, NONE, "{:?}", response.responses[0].error_message);

    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configuration_keys(Some(vec![text("retention.ms")]));
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(true);
    let response = wire.call(4, &request).await;
    let configs = &response.results[0].configs;
    assert_eq!(configs.len(), 1);
    assert_eq!(configs[0].value.as_deref(), Some(&text("1234")).map(|t| &**t));
    assert_eq!(configs[0].config_source, 1);
    assert!(!configs[0].synonyms.is_empty());

    // AlterConfigs of old puts back what it does not name.
    let resource = ReplacedResource::default().with_resource_type(2).with_resource_name(text("t"));
    let replace = AlterConfigsRequest::default().with_resources(vec![resource]);
    assert_eq!(wire.call(2, &replace).await.responses[0].error_code, NONE);
    let response = wire.call(4, &request).await;
    assert_eq!(response.results[0].configs[0].config_source, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_refused_twice_and_deleted_once() {
    let (_broker, mut wire) = one("").await;
    let id = create(&mut wire, "t", 1).await;
    let topic = |name| {
        CreatableTopic::default()
            .with_name(text(name).into())
            .with_num_partitions(1)
            .with_replication_factor(1)
    };
    let bad_config =
        CreatableTopicConfig::default().with_name(text("no.such.key")).with_value(Some(text("1")));
    let topics = vec![
        topic("t"),
        topic("u").with_replication_factor(3),
        topic("v").with_configs(vec![bad_config]),
        topic("w"),
        topic("w"),
    ];
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000);
    let response = wire.call(7, &request).await;
    let codes: Vec<_> = response
        .topics
        .iter()
        .map(|topic| (topic.name.to_string(), ErrorCode::from_code(topic.error_code)))
        .collect();
    let expected = [
        ("t", ErrorCode::TopicAlreadyExists),
        ("u", ErrorCode::InvalidReplicationFactor),
        ("v", ErrorCode::InvalidConfig),
        ("w", ErrorCode::InvalidRequest),
    ];
    let expected = expected.map(|(name, code)| (name.to_owned(), Some(code)));
    assert_eq!(codes, expected);

    let by_id = DeleteTopicState::default().with_topic_id(id).with_name(None);
    let request = DeleteTopicsRequest::default().with_topics(vec![by_id]).with_timeout_ms(10_000);
    let response = wire.call(6, &request).await;
    assert_eq!(response.responses[0].error_code, NONE);
    let response = wire.call(6, &request).await;
    assert_eq!(response.responses[0].error_code, ErrorCode::UnknownTopicId.code());
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![text("t").into()])
        .with_timeout_ms(10_000);
    let response = wire.call(1, &request).await;
    assert_eq!(response.responses[0].error_code, ErrorCode::UnknownTopicOrPartition.code());
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_records_are_gone() {
    let (_broker, mut wire) = one("").await;
    create(&mut wire, "t", 1).await;
    produce_ok(&mut wire, "t", &["a"]).await;
    produce_ok(&mut wire, "t", &["b"]).await;
    let delete = |offset| {
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let topic = DeleteRecordsTopic::default()
            .with_name(text("t").into())
            .with_partitions(vec![partition]);
        DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000)
    };
    let response = wire.call(2, &delete(1)).await;
    assert_eq!(response.topics[0].partitions[0].low_watermark, 1);
    let response = wire.call(12, &fetch("t", 0, 0, 0)).await;
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::OffsetOutOfRange.code());
    let response = wire.call(2, &delete(9)).await;
    let code = response.topics[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::OffsetOutOfRange.code());
}

#[tokio::test(flavor = "multi_thread")]
async fn producer_ids_are_given_out_once() {
    let (_broker, mut wire) = one("").await;
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let first = wire.call(4, &request).await;
    let second = wire.call(4, &request).await;
    assert_eq!((first.error_code, first.producer_epoch), (NONE, 0));
    assert!(second.producer_id.0 > first.producer_id.0);
    let transactional =
        InitProducerIdRequest::default().with_transactional_id(Some(text("tx").into()));
    let response = wire.call(4, &transactional).await;
    assert_eq!(response.error_code, ErrorCode::CoordinatorNotAvailable.code());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_close_their_own_connection() {
    let (broker, mut wire) = one("").await;
    let frames: Vec<Vec<u8>> = vec![
        // Unknown key; a version of Produce that is announced but not served; one that is too high.
        header(1234, 0),
        header(ApiKey::Produce as i16, 2),
        header(ApiKey::Fetch as i16, 99),
        // Half a body; an array of 2^31 - 1 topics.
        [header(ApiKey::Fetch as i16, 4), vec![0; 3]].concat(),
        [header(ApiKey::Metadata as i16, 1), i32::MAX.to_be_bytes().to_vec()].concat(),
    ];
    for frame in frames {
        let mut bad = Wire::connect(broker.address).await;
        let length = i32::try_from(frame.len()).expect("small");
        bad.send_bytes(&length.to_be_bytes()).await;
        bad.send_bytes(&frame).await;
        assert_eq!(bad.receive_frame().await, None);
    }
    let response = wire.call(3, &api_versions()).await;
    assert_eq!(response.api_keys.len(), TABLE.len());
}

fn header(key: i16, version: i16) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(7);
    frame.put_i16(-1);
    if key == ApiKey::Fetch as i16 && version >= 12 || key == ApiKey::ApiVersions as i16 {
        // No tagged fields.
        frame.put_u8(0);
    }
    frame.to_vec()
}

fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(text("test"))
        .with_client_software_version(text("1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let (_broker, mut wire) = one("").await;
    let frame = header(ApiKey::ApiVersions as i16, 77);
    wire.send_bytes(&i32::try_from(frame.len()).expect("small").to_be_bytes()).await;
    wire.send_bytes(&frame).await;
    let body = wire.receive_frame().await.expect("an answer");
    let (correlation_id, response): (i32, ApiVersionsResponse) =
        frame::decode_response(0, body).expect("version 0");
    assert_eq!(correlation_id, 7);
    assert_eq!(response.error_code, ErrorCode::UnsupportedVersion.code());
    assert_eq!(response.api_keys.len(), 1);
    assert_eq!(response.api_keys[0].max_version, 4);
}

/// Sends an empty request of each served version of each row and decodes the answer.
macro_rules! answer_all {
    ($wire:ident, $($key:ident => $request:ident),* $(,)?) => {
        let mut answered = Vec::new();
        $(
            let row = TABLE.iter().find(|row| row.key == ApiKey::$key).expect("in the table");
            for version in row.served_min..=row.max {
                let request = $request::default();
                let sent = $wire.send(version, &request).await;
                let (correlation_id, _) = $wire.receive::<$request>(version).await;
                assert_eq!(correlation_id, sent, "{:?} version {version}", row.key);
            }
            answered.push(ApiKey::$key);
        )*
        answered.push(ApiKey::Produce);
        let missing: Vec<_> =
            TABLE.iter().map(|row| row.key).filter(|key| !answered.contains(key)).collect();
        assert!(missing.is_empty(), "not tried: {missing:?}");
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn every_announced_version_is_answered() {
    let (_broker, mut wire) = one("").await;
    // An empty Produce request has acks=0, which is not answered.
    for version in 3..=13 {
        let response = wire.call(version, &ProduceRequest::default().with_acks(1)).await;
        assert!(response.responses.is_empty());
    }
    answer_all!(wire,
        Fetch => FetchRequest,
        ListOffsets => ListOffsetsRequest,
        Metadata => MetadataRequest,
        FindCoordinator => FindCoordinatorRequest,
        ApiVersions => ApiVersionsRequest,
        CreateTopics => CreateTopicsRequest,
        DeleteTopics => DeleteTopicsRequest,
        DeleteRecords => DeleteRecordsRequest,
        InitProducerId => InitProducerIdRequest,
        OffsetForLeaderEpoch => OffsetForLeaderEpochRequest,
        DescribeConfigs => DescribeConfigsRequest,
        AlterConfigs => AlterConfigsRequest,
        CreatePartitions => CreatePartitionsRequest,
        ElectLeaders => ElectLeadersRequest,
        IncrementalAlterConfigs => IncrementalAlterConfigsRequest,
        DescribeQuorum => DescribeQuorumRequest,
        DescribeCluster => DescribeClusterRequest,
        DescribeTopicPartitions => DescribeTopicPartitionsRequest,
        OffsetCommit => OffsetCommitRequest,
        OffsetFetch => OffsetFetchRequest,
        JoinGroup => JoinGroupRequest,
        Heartbeat => HeartbeatRequest,
        LeaveGroup => LeaveGroupRequest,
        SyncGroup => SyncGroupRequest,
        DescribeGroups => DescribeGroupsRequest,
        ListGroups => ListGroupsRequest,
        DescribeLogDirs => DescribeLogDirsRequest,
        DeleteGroups => DeleteGroupsRequest,
        AlterPartitionReassignments => AlterPartitionReassignmentsRequest,
        ListPartitionReassignments => ListPartitionReassignmentsRequest,
        OffsetDelete => OffsetDeleteRequest,
        DescribeProducers => DescribeProducersRequest,
        UnregisterBroker => UnregisterBrokerRequest,
        AddRaftVoter => AddRaftVoterRequest,
        RemoveRaftVoter => RemoveRaftVoterRequest,
        ConsumerGroupHeartbeat => ConsumerGroupHeartbeatRequest,
        ConsumerGroupDescribe => ConsumerGroupDescribeRequest,
        AlterReplicaLogDirs => AlterReplicaLogDirsRequest,
        UpdateFeatures => UpdateFeaturesRequest,
        DescribeClientQuotas => DescribeClientQuotasRequest,
        AlterClientQuotas => AlterClientQuotasRequest,
        DescribeUserScramCredentials => DescribeUserScramCredentialsRequest,
        AlterUserScramCredentials => AlterUserScramCredentialsRequest,
        ListConfigResources => ListConfigResourcesRequest,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_finds_its_controllers_by_their_addresses_alone() {
    let (_, controller) = FakeController::start().await;
    let settings =
        format!("controller.quorum.voters=\ncontroller.quorum.bootstrap.servers={controller}");
    let broker = start(1, controller, &settings).await;
    let mut wire = Wire::connect(broker.address).await;
    create(&mut wire, "t", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_topics_survive_a_restart() {
    let (_, controller) = FakeController::start().await;
    let broker = start(1, controller, "").await;
    let mut wire = Wire::connect(broker.address).await;
    create(&mut wire, "t", 1).await;
    produce_ok(&mut wire, "t", &["a"]).await;
    let TestBroker { handle, dir, .. } = broker;
    tokio::time::timeout(LIMIT, handle.shutdown()).await.expect("stops");

    let config = support::config(1, controller, dir.path(), "");
    let handle = support::start_in(config).await;
    tokio::time::timeout(LIMIT, handle.ready()).await.expect("unfenced");
    let mut wire = Wire::connect(handle.addresses()[0].1).await;
    let deadline = Instant::now() + LIMIT;
    loop {
        let response = wire.call(12, &fetch("t", 0, 0, 100)).await;
        let data = &response.responses[0].partitions[0];
        if data.error_code == NONE {
            assert_eq!(values(data.records.as_ref()), ["a"]);
            break;
        }
        assert!(Instant::now() < deadline, "{:?}", ErrorCode::from_code(data.error_code));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_stays_connected_does_not_delay_the_stop() {
    // Connections that do not end are waited for a second. A busy machine may take so long once.
    let mut took = Vec::new();
    while took.len() < 3 {
        took.push(stop_with_a_follower().await);
        if took.last() < Some(&Duration::from_millis(900)) {
            return;
        }
    }
    panic!("it was waited for: {took:?}");
}

/// How long a broker takes to stop that a follower is connected to.
async fn stop_with_a_follower() -> Duration {
    let (broker, _wire) = one("").await;
    let (host, port) = (broker.address.ip().to_string(), broker.address.port());
    let channel = ottla_rpc::connect(&host, port, &ottla_rpc::ChannelOptions::default()).await;
    let hello = Hello {
        cluster_id: broker.handle.partitions().cluster_id().unwrap_or_default(),
        follower_id: 2,
        follower_epoch: 1,
        leader_id: 1,
    };
    let hello = FromFollower { hello: Some(hello), ..FromFollower::default() };
    let outbound = futures::stream::iter([hello]).chain(futures::stream::pending());
    let mut client = ottla_rpc::replication_client(channel.expect("connects"));
    let mut inbound = client.replicate(outbound).await.expect("a stream").into_inner();
    let begun = Instant::now();
    broker.handle.stop_now().await;
    let took = begun.elapsed();
    assert!(matches!(inbound.message().await, Ok(None)));
    took
}
