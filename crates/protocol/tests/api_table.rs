//! Every announced version of every API really decodes, and answers really encode.

use bytes::Bytes;
use ottla_protocol::api::{self, ApiKey};
use ottla_protocol::frame::{
    RequestHeader, decode_request, decode_response, encode_request, encode_response, peek,
};
use ottla_protocol::messages::*;
use ottla_protocol::{Encodable, Request, Wire};

/// What a client of this version would send at least, through both directions.
fn exchange<R>(version: i16)
where
    R: Request + Default + PartialEq + std::fmt::Debug,
    R::Response: Default + PartialEq + std::fmt::Debug + Encodable,
{
    let sent = encode_request(7, Some("golden"), version, &R::default())
        .unwrap_or_else(|error| panic!("key {} version {version}: {error}", R::KEY));
    let frame = Bytes::from(sent).slice(4..);
    let header = peek(&frame).expect("a header");
    assert_eq!((header.api_key, header.api_version, header.correlation_id), (R::KEY, version, 7));
    assert_eq!(header.client_id.as_deref(), Some("golden"));
    let received: R = decode_request(&header, frame)
        .unwrap_or_else(|error| panic!("key {} version {version}: {error}", R::KEY));
    assert_eq!(received, R::default(), "key {} version {version}", R::KEY);

    let answer = encode_response(&header, &R::Response::default())
        .unwrap_or_else(|error| panic!("answer {} version {version}: {error}", R::KEY));
    let length = i32::from_be_bytes(answer[..4].try_into().expect("four bytes"));
    assert_eq!(length as usize, answer.len() - 4);
    let (correlation_id, received) =
        decode_response::<R::Response>(version, Bytes::from(answer).slice(4..))
            .unwrap_or_else(|error| panic!("answer {} version {version}: {error}", R::KEY));
    assert_eq!(correlation_id, 7);
    assert_eq!(received, R::Response::default(), "answer {} version {version}", R::KEY);

    // In a version that has no place for it, it is left out.
    let mut muted = R::Response::default();
    muted.throttle(77);
    encode_response(&header, &muted)
        .unwrap_or_else(|error| panic!("muted answer {} version {version}: {error}", R::KEY));
}

fn exchange_by_key(key: ApiKey, version: i16) {
    match key {
        ApiKey::Produce => exchange::<ProduceRequest>(version),
        ApiKey::Fetch => exchange::<FetchRequest>(version),
        ApiKey::ListOffsets => exchange::<ListOffsetsRequest>(version),
        ApiKey::Metadata => exchange::<MetadataRequest>(version),
        ApiKey::FindCoordinator => exchange::<FindCoordinatorRequest>(version),
        ApiKey::ApiVersions => exchange::<ApiVersionsRequest>(version),
        ApiKey::CreateTopics => exchange::<CreateTopicsRequest>(version),
        ApiKey::DeleteTopics => exchange::<DeleteTopicsRequest>(version),
        ApiKey::DeleteRecords => exchange::<DeleteRecordsRequest>(version),
        ApiKey::InitProducerId => exchange::<InitProducerIdRequest>(version),
        ApiKey::OffsetForLeaderEpoch => exchange::<OffsetForLeaderEpochRequest>(version),
        ApiKey::DescribeConfigs => exchange::<DescribeConfigsRequest>(version),
        ApiKey::AlterConfigs => exchange::<AlterConfigsRequest>(version),
        ApiKey::CreatePartitions => exchange::<CreatePartitionsRequest>(version),
        ApiKey::ElectLeaders => exchange::<ElectLeadersRequest>(version),
        ApiKey::IncrementalAlterConfigs => exchange::<IncrementalAlterConfigsRequest>(version),
        ApiKey::DescribeQuorum => exchange::<DescribeQuorumRequest>(version),
        ApiKey::DescribeCluster => exchange::<DescribeClusterRequest>(version),
        ApiKey::DescribeTopicPartitions => exchange::<DescribeTopicPartitionsRequest>(version),
        ApiKey::OffsetCommit => exchange::<OffsetCommitRequest>(version),
        ApiKey::OffsetFetch => exchange::<OffsetFetchRequest>(version),
        ApiKey::JoinGroup => exchange::<JoinGroupRequest>(version),
        ApiKey::Heartbeat => exchange::<HeartbeatRequest>(version),
        ApiKey::LeaveGroup => exchange::<LeaveGroupRequest>(version),
        ApiKey::SyncGroup => exchange::<SyncGroupRequest>(version),
        ApiKey::DescribeGroups => exchange::<DescribeGroupsRequest>(version),
        ApiKey::ListGroups => exchange::<ListGroupsRequest>(version),
        ApiKey::AlterReplicaLogDirs => exchange::<AlterReplicaLogDirsRequest>(version),
        ApiKey::DescribeLogDirs => exchange::<DescribeLogDirsRequest>(version),
        ApiKey::DeleteGroups => exchange::<DeleteGroupsRequest>(version),
        ApiKey::AlterPartitionReassignments => {
            exchange::<AlterPartitionReassignmentsRequest>(version)
        }
        ApiKey::ListPartitionReassignments => {
            exchange::<ListPartitionReassignmentsRequest>(version)
        }
        ApiKey::OffsetDelete => exchange::<OffsetDeleteRequest>(version),
        ApiKey::DescribeProducers => exchange::<DescribeProducersRequest>(version),
        ApiKey::UnregisterBroker => exchange::<UnregisterBrokerRequest>(version),
        ApiKey::AddRaftVoter => exchange::<AddRaftVoterRequest>(version),
        ApiKey::RemoveRaftVoter => exchange::<RemoveRaftVoterRequest>(version),
        ApiKey::ConsumerGroupHeartbeat => exchange::<ConsumerGroupHeartbeatRequest>(version),
        ApiKey::ConsumerGroupDescribe => exchange::<ConsumerGroupDescribeRequest>(version),
        ApiKey::DescribeClientQuotas => exchange::<DescribeClientQuotasRequest>(version),
        ApiKey::AlterClientQuotas => exchange::<AlterClientQuotasRequest>(version),
        ApiKey::DescribeUserScramCredentials => {
            exchange::<DescribeUserScramCredentialsRequest>(version)
        }
        ApiKey::AlterUserScramCredentials => exchange::<AlterUserScramCredentialsRequest>(version),
        ApiKey::UpdateFeatures => exchange::<UpdateFeaturesRequest>(version),
        ApiKey::ListConfigResources => exchange::<ListConfigResourcesRequest>(version),
        other => panic!("{other:?} is in the table but not in this test"),
    }
}

#[test]
fn every_served_version_decodes_and_answers() {
    for row in api::TABLE {
        for version in row.served_min..=row.max {
            exchange_by_key(row.key, version);
        }
    }
}

#[test]
fn the_table_is_sorted_and_consistent() {
    assert!(api::TABLE.windows(2).all(|pair| (pair[0].key as i16) < (pair[1].key as i16)));
    for row in api::TABLE {
        assert!(0 <= row.min && row.min <= row.served_min && row.served_min <= row.max);
        assert_eq!(api::row(row.key as i16), Some(row));
        assert!(!row.serves(row.served_min - 1) && !row.serves(row.max + 1));
    }
    assert_eq!(api::row(-1), None);
    assert_eq!(api::row(36), None);
}

#[test]
fn only_produce_announces_what_it_does_not_serve() {
    for row in api::TABLE {
        let differs = row.min != row.served_min;
        assert_eq!(differs, row.key == ApiKey::Produce, "{:?}", row.key);
    }
}

#[test]
fn an_api_versions_answer_has_the_oldest_header() {
    let header = RequestHeader {
        api_key: ApiKey::ApiVersions as i16,
        api_version: 4,
        correlation_id: 9,
        client_id: None,
        body_at: 0,
    };
    let answer = encode_response(&header, &ApiVersionsResponse::default()).expect("an answer");
    // Length, correlation id, and then at once the error code: no tag byte between.
    assert_eq!(&answer[4..10], &[0, 0, 0, 9, 0, 0]);
}
