use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::{ErrorCode, StrBytes};

use super::{Begun, ConnectionSession, NO_SESSION, Slots};

fn request(session_id: i32, epoch: i32, partitions: &[(i32, i64)]) -> FetchRequest {
    let partitions = partitions.iter().map(|(partition, offset)| {
        FetchPartition::default().with_partition(*partition).with_fetch_offset(*offset)
    });
    let topic = FetchTopic::default()
        .with_topic(StrBytes::from_static_str("t").into())
        .with_partitions(partitions.collect());
    let topics = if topic.partitions.is_empty() { vec![] } else { vec![topic] };
    FetchRequest::default()
        .with_session_id(session_id)
        .with_session_epoch(epoch)
        .with_topics(topics)
}

fn offsets(begun: &Begun) -> Vec<(i32, i64)> {
    let mut offsets: Vec<_> =
        begun.wanted.iter().map(|wanted| (wanted.partition, wanted.offset)).collect();
    offsets.sort_unstable();
    offsets
}

#[test]
fn a_session_remembers_what_is_not_named_again() {
    let slots = Arc::new(Slots::new(1));
    let session = ConnectionSession::default();
    let full = session.begin(&slots, request(0, 0, &[(0, 5), (1, 7)]), false).expect("full");
    assert!(!full.incremental);
    assert_ne!(full.session_id, NO_SESSION);

    let next = session.begin(&slots, request(full.session_id, 1, &[(1, 9)]), false).expect("next");
    assert!(next.incremental);
    assert_eq!(offsets(&next), [(0, 5), (1, 9)]);

    let forgotten = ForgottenTopic::default()
        .with_topic(StrBytes::from_static_str("t").into())
        .with_partitions(vec![0]);
    let forget = request(full.session_id, 2, &[(2, 0)]).with_forgotten_topics_data(vec![forgotten]);
    let last = session.begin(&slots, forget, false).expect("last");
    assert_eq!(offsets(&last), [(1, 9), (2, 0)]);
}

#[test]
fn a_session_is_refused_by_id_epoch_and_kind_of_topic() {
    let slots = Arc::new(Slots::new(1));
    let session = ConnectionSession::default();
    let begun = session.begin(&slots, request(0, 0, &[(0, 0)]), false).expect("full");
    let id = begun.session_id;
    let code = |request, by_id| session.begin(&slots, request, by_id).expect_err("refused");
    assert_eq!(code(request(id + 1, 1, &[]), false), ErrorCode::FetchSessionIdNotFound);
    assert_eq!(code(request(id, 2, &[]), false), ErrorCode::InvalidFetchSessionEpoch);
    assert_eq!(code(request(id, 1, &[]), true), ErrorCode::FetchSessionTopicIdError);
    assert!(session.begin(&slots, request(id, 1, &[]), false).is_ok());
}

#[test]
fn sessions_are_bounded_and_give_their_slots_back() {
    let slots = Arc::new(Slots::new(1));
    let first = ConnectionSession::default();
    let second = ConnectionSession::default();
    let full = || request(0, 0, &[(0, 0)]);
    assert_ne!(first.begin(&slots, full(), false).expect("first").session_id, NO_SESSION);
    assert_eq!(second.begin(&slots, full(), false).expect("second").session_id, NO_SESSION);
    drop(first);
    assert_ne!(second.begin(&slots, full(), false).expect("again").session_id, NO_SESSION);
    // A final request ends the session.
    let last = second.begin(&slots, request(0, -1, &[(0, 0)]), false).expect("final");
    assert_eq!(last.session_id, NO_SESSION);
    assert_eq!(slots.free.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn only_news_is_told() {
    let slots = Arc::new(Slots::new(1));
    let session = ConnectionSession::default();
    let begun = session.begin(&slots, request(0, 0, &[(0, 0)]), false).expect("full");
    let wanted = &begun.wanted[0];
    let data = PartitionData::default().with_high_watermark(3).with_records(Some(Bytes::new()));
    assert!(session.is_news(wanted, &data), "never told before");
    assert!(!session.is_news(wanted, &data));
    assert!(session.is_news(wanted, &data.clone().with_high_watermark(4)));
    let failed = PartitionData::default().with_error_code(ErrorCode::NotLeaderOrFollower.code());
    assert!(session.is_news(wanted, &failed));
    assert!(session.is_news(wanted, &failed), "an error is told each time");
    assert!(session.is_news(wanted, &data), "and so is its end");
}
