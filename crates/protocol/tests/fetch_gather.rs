//! The gather encoder writes what the message crate writes.

use bytes::Bytes;
use ottla_protocol::encode_fetch_response;
use ottla_protocol::frame::{RequestHeader, encode_response};
use ottla_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
    PartitionData,
};
use ottla_protocol::messages::{BrokerId, FetchResponse, ProducerId, TopicName};
use proptest::prelude::*;
use uuid::Uuid;

fn header(api_version: i16) -> RequestHeader {
    RequestHeader { api_key: 1, api_version, correlation_id: 77, client_id: None, body_at: 0 }
}

fn joined(slices: &[Bytes]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.iter().copied()).collect()
}

prop_compose! {
    fn partition(version: i16)(
        index in 0i32..100,
        error_code in prop::sample::select(vec![0i16, 1, 6, 74]),
        offsets in (0i64..1000, 0i64..1000, 0i64..1000),
        aborted in prop::option::of(prop::collection::vec((0i64..9, 0i64..9), 0..3)),
        records in prop::option::of((any::<u8>(), prop::sample::select(vec![0usize, 10, 511, 512, 70_000]))),
        leader in prop::option::of((0i32..4, 0i32..9)),
        diverging in prop::option::of((0i32..4, 0i64..9)),
    ) -> PartitionData {
        let mut partition = PartitionData::default()
            .with_partition_index(index)
            .with_error_code(error_code)
            .with_high_watermark(offsets.0)
            .with_last_stable_offset(offsets.1)
            .with_log_start_offset(offsets.2)
            .with_records(records.map(|(byte, length)| Bytes::from(vec![byte; length])))
            .with_aborted_transactions(aborted.map(|list| {
                list.into_iter()
                    .map(|(id, first)| {
                        AbortedTransaction::default()
                            .with_producer_id(ProducerId(id))
                            .with_first_offset(first)
                    })
                    .collect()
            }));
        if version >= 12 {
            if let Some((id, epoch)) = leader {
                partition.current_leader = LeaderIdAndEpoch::default()
                    .with_leader_id(BrokerId(id))
                    .with_leader_epoch(epoch);
            }
            if let Some((epoch, end)) = diverging {
                partition.diverging_epoch =
                    EpochEndOffset::default().with_epoch(epoch).with_end_offset(end);
            }
        }
        partition
    }
}

fn response() -> impl Strategy<Value = (i16, FetchResponse)> {
    (4i16..=18).prop_flat_map(|version| {
        let topic =
            ("[a-z]{1,200}", any::<u128>(), prop::collection::vec(partition(version), 0..4));
        let topics = prop::collection::vec(topic, 0..4);
        let endpoints = prop::collection::vec((0i32..9, "[a-z]{1,20}", 0i32..65536), 0..3);
        (topics, endpoints, 0i32..9).prop_map(move |(topics, endpoints, throttle)| {
            let mut response = FetchResponse::default().with_throttle_time_ms(throttle);
            for (name, id, partitions) in topics {
                let mut topic = FetchableTopicResponse::default().with_partitions(partitions);
                if version >= 13 {
                    topic.topic_id = Uuid::from_u128(id);
                } else {
                    topic.topic = TopicName(name.into());
                }
                response.responses.push(topic);
            }
            if version >= 7 {
                response.error_code = 70;
                response.session_id = 5;
            }
            if version >= 16 {
                for (id, host, port) in endpoints {
                    let endpoint = NodeEndpoint::default()
                        .with_node_id(BrokerId(id))
                        .with_host(host.into())
                        .with_port(port)
                        .with_rack(Some("r".to_owned().into()));
                    response.node_endpoints.push(endpoint);
                }
            }
            (version, response)
        })
    })
}

proptest! {
    #[test]
    fn gathered_is_what_the_crate_encodes((version, response) in response()) {
        let header = header(version);
        let whole = encode_response(&header, &response).expect("the crate's encoding");
        let slices = encode_fetch_response(&header, &response).expect("the gathered encoding");
        prop_assert_eq!(joined(&slices), whole.to_vec());
    }
}

#[test]
fn large_records_are_shared_not_copied() {
    let records = Bytes::from(vec![7u8; 100_000]);
    let partition = PartitionData::default().with_records(Some(records.clone()));
    let topic = FetchableTopicResponse::default().with_partitions(vec![partition]);
    let response = FetchResponse::default().with_responses(vec![topic]);
    let slices = encode_fetch_response(&header(12), &response).expect("an encoding");
    assert!(slices.iter().any(|slice| slice.as_ptr() == records.as_ptr()));
}

#[test]
fn versions_that_fetch_lacks_are_errors() {
    let response = FetchResponse::default();
    assert!(encode_fetch_response(&header(3), &response).is_err());
    assert!(encode_fetch_response(&header(19), &response).is_err());
}
