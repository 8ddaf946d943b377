//! The coordinator over a real partition: commits, leadership that comes and goes, clients that wait.

mod broker;

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, ME, OTHER, wait_for};
use bytes::Bytes;
use ottla_coordinator::{Caller, GroupError, Request, Response};
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::{JoinGroupRequest, OffsetCommitRequest, SyncGroupRequest};
use ottla_protocol::record::{Compression, RecordBatchBuilder};
use ottla_protocol::{ErrorCode, StrBytes};
use tokio::time::timeout;

use super::{CoordinatorError, GroupLag, Pending, Unavailable};
use crate::partition::AppendOptions;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn caller(api_version: i16) -> Caller {
    Caller { client_id: text("test"), client_host: Arc::from("/127.0.0.1"), api_version }
}

impl Broker {
    fn submit(&self, group: &str, version: i16, request: Request) -> Result<Pending, Unavailable> {
        self.coordinator.submit(group, caller(version), request, 100)
    }

    fn begin_commit(&self, group: &str, offset: i64) -> Result<Pending, Unavailable> {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(text("orders").into())
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(text(group).into())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        self.submit(group, 8, Request::OffsetCommit(request))
    }

    /// Commits, and waits for the answer; again while leadership is changing.
    async fn commit_offset(&self, group: &str, offset: i64) -> Result<ErrorCode, CoordinatorError> {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let answer = match self.begin_commit(group, offset) {
                Ok(pending) => committed(pending).await,
                Err(error) => Err(error.into()),
            };
            let changing = is_unavailable(&answer, Unavailable::Loading)
                || is_unavailable(&answer, Unavailable::NotCoordinator)
                || refused_with(&answer, ErrorCode::NotCoordinator);
            if !changing || tokio::time::Instant::now() > deadline {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn committed_offset(&self, group: &str) -> i64 {
        let wanted = OffsetFetchRequestGroup::default()
            .with_group_id(text(group).into())
            .with_member_epoch(-1)
            .with_topics(None);
        let request = Request::OffsetFetch { group: wanted, require_stable: false };
        let mut pending = self.submit(group, 8, request.clone());
        let deadline = tokio::time::Instant::now() + LIMIT;
        while let Err(Unavailable::Loading) = pending {
            assert!(tokio::time::Instant::now() < deadline, "it loads for ever");
            tokio::time::sleep(Duration::from_millis(2)).await;
            pending = self.submit(group, 8, request.clone());
        }
        match pending.expect("it coordinates").answer().await {
            Ok(Response::OffsetFetch(group)) => group
                .topics
                .first()
                .and_then(|topic| topic.partitions.first())
                .map_or(-1, |partition| partition.committed_offset),
            other => panic!("{other:?}"),
        }
    }

    fn join(&self, group: &str, member_id: &str) -> Pending {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(b"metadata"));
        let request = JoinGroupRequest::default()
            .with_group_id(text(group).into())
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_member_id(text(member_id))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        self.submit(group, 3, Request::JoinGroup(request)).expect("it coordinates")
    }
}

async fn committed(pending: Pending) -> Result<ErrorCode, CoordinatorError> {
    match timeout(LIMIT, pending.answer()).await.expect("an answer in time")? {
        Response::OffsetCommit(response) => {
            let code = response.topics[0].partitions[0].error_code;
            Ok(ErrorCode::from_code(code).expect("a code"))
        }
        other => panic!("{other:?}"),
    }
}

/// Was the commit refused with this code, as a whole or for its partition?
fn refused_with(answer: &Result<ErrorCode, CoordinatorError>, code: ErrorCode) -> bool {
    match answer {
        Ok(answered) => *answered == code,
        Err(CoordinatorError::Group(error)) => *error == GroupError::NotStored(code),
        Err(CoordinatorError::Unavailable(_)) => false,
    }
}

fn is_unavailable<T>(answer: &Result<T, CoordinatorError>, why: Unavailable) -> bool {
    matches!(answer, Err(CoordinatorError::Unavailable(it)) if *it == why)
}

async fn one() -> Broker {
    let mut broker = Broker::start("").await;
    broker.create_topic("orders", 1, &[ME]);
    broker.create_offsets_topic(&[ME]);
    broker
}

/// The offsets have a second replica, which is not in sync.
async fn leads_alone(settings: &str) -> Broker {
    let mut broker = Broker::start(settings).await;
    broker.create_topic("orders", 1, &[ME]);
    broker.create_offsets_topic(&[ME, OTHER]);
    broker.change(|state| state.isr = vec![ME]);
    broker
}

/// A commit that is in the log and waits for the other replica, and where the log ended before it.
async fn waiting_commit(broker: &Broker, offset: i64) -> (Pending, i64) {
    let ended_at = broker.partition().status().log_end_offset;
    let pending = broker.begin_commit("a", offset).expect("it coordinates");
    wait_for("the append", || broker.partition().status().log_end_offset > ended_at).await;
    (pending, ended_at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_outlives_the_coordinator() {
    let broker = one().await;
    for (group, offset) in [("a", 5), ("b", 7), ("a", 6)] {
        assert_eq!(broker.commit_offset(group, offset).await, Ok(ErrorCode::None));
    }
    assert_eq!(broker.committed_offset("a").await, 6);
    let mut broker = broker.restart("").await;
    assert_eq!(broker.committed_offset("a").await, 6);
    assert_eq!(broker.committed_offset("b").await, 7);
    // Elected anew, it loads anew.
    broker.change(|state| state.leader_epoch += 1);
    assert_eq!(broker.committed_offset("a").await, 6);
    assert_eq!(broker.commit_offset("a", 8).await, Ok(ErrorCode::None));
    assert_eq!(broker.committed_offset("a").await, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_lead_does_not_coordinate() {
    let mut broker = Broker::start("").await;
    let refused = broker.begin_commit("a", 1).err();
    assert_eq!(refused, Some(Unavailable::NotCoordinator));
    broker.create_topic("orders", 1, &[ME]);
    broker.create_offsets_topic(&[ME, OTHER]);
    broker.change(|state| state.isr = vec![ME]);
    assert_eq!(broker.commit_offset("a", 1).await, Ok(ErrorCode::None));
    broker.change(|state| {
        state.leader = Some(OTHER);
        state.leader_epoch += 1;
    });
    wait_for("the end", || broker.begin_commit("a", 1).err() == Some(Unavailable::NotCoordinator))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_waits_for_the_replicas_and_reads_do_not_see_what_waits() {
    let mut broker = leads_alone("").await;
    assert_eq!(broker.commit_offset("a", 1).await, Ok(ErrorCode::None));
    broker.change(|state| state.isr = vec![ME, OTHER]);
    let (first, ended_at) = waiting_commit(&broker, 2).await;
    // They gather behind it.
    let others: Vec<_> =
        (3..20).map(|offset| broker.begin_commit("a", offset).expect("it coordinates")).collect();
    assert_eq!(broker.committed_offset("a").await, 1);
    assert_eq!(broker.partition().status().log_end_offset, ended_at + 1);
    broker.change(|state| state.isr = vec![ME]);
    assert_eq!(committed(first).await, Ok(ErrorCode::None));
    for pending in others {
        assert_eq!(committed(pending).await, Ok(ErrorCode::None));
    }
    assert_eq!(broker.committed_offset("a").await, 19);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_one_epoch_is_appended_in_the_next() {
    let mut broker = leads_alone("").await;
    assert_eq!(broker.commit_offset("a", 1).await, Ok(ErrorCode::None));
    broker.change(|state| state.isr = vec![ME, OTHER]);
    let (in_the_log, ended_at) = waiting_commit(&broker, 2).await;
    let gathered = broker.begin_commit("a", 3).expect("it coordinates");
    // The same broker leads on, in another epoch.
    broker.change(|state| {
        state.leader_epoch += 1;
        state.isr = vec![ME];
    });
    // It may be seen to be committed before the end is seen.
    let answer = committed(in_the_log).await;
    let over = is_unavailable(&answer, Unavailable::NotCoordinator);
    assert!(over || answer == Ok(ErrorCode::None), "{answer:?}");
    let answer = committed(gathered).await;
    let over = is_unavailable(&answer, Unavailable::NotCoordinator);
    assert!(over || refused_with(&answer, ErrorCode::NotCoordinator), "{answer:?}");
    // What was in the log is committed by now, as it may be; what had only gathered never is.
    assert_eq!(broker.committed_offset("a").await, 2);
    assert_eq!(broker.partition().status().log_end_offset, ended_at + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_too_few_replicas_commits_are_refused_and_later_taken() {
    let mut broker = leads_alone("min.insync.replicas=2").await;
    let answer = broker.commit_offset("a", 1).await;
    assert!(refused_with(&answer, ErrorCode::CoordinatorNotAvailable), "{answer:?}");
    assert_eq!(broker.committed_offset("a").await, -1);
    broker.set_min_isr("1");
    assert_eq!(broker.commit_offset("a", 2).await, Ok(ErrorCode::None));
    assert_eq!(broker.committed_offset("a").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lacks_replicas_after_its_append_is_answered_when_they_are_back() {
    let mut broker = leads_alone("min.insync.replicas=1").await;
    assert_eq!(broker.commit_offset("a", 1).await, Ok(ErrorCode::None));
    broker.change(|state| state.isr = vec![ME, OTHER]);
    broker.set_min_isr("2");
    let (waits, _) = waiting_commit(&broker, 2).await;
    broker.change(|state| state.isr = vec![ME]);
    // It is in the log and may be committed yet; what comes now is not appended.
    let answer = broker.commit_offset("a", 3).await;
    assert!(refused_with(&answer, ErrorCode::CoordinatorNotAvailable), "{answer:?}");
    assert_eq!(broker.committed_offset("a").await, 1);
    broker.set_min_isr("1");
    assert_eq!(committed(waits).await, Ok(ErrorCode::None));
    assert_eq!(broker.committed_offset("a").await, 2);
    assert_eq!(broker.commit_offset("a", 4).await, Ok(ErrorCode::None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_fails_is_loaded_anew() {
    let broker = one().await;
    assert_eq!(broker.commit_offset("a", 1).await, Ok(ErrorCode::None));
    let shard = || broker.coordinator.inner.shards.read().get(&0).cloned();
    let first = shard().expect("it coordinates");
    let failing = Arc::clone(&first);
    // Either this task has the machine out when it panics, or one that brings it a commit.
    let _ = tokio::spawn(async move { failing.look(|_| panic!("on purpose")) }).await;
    let deadline = tokio::time::Instant::now() + LIMIT;
    while shard().is_none_or(|now| Arc::ptr_eq(&now, &first)) {
        assert!(tokio::time::Instant::now() < deadline, "it is not loaded anew");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(broker.commit_offset("a", 3).await, Ok(ErrorCode::None));
    assert_eq!(broker.committed_offset("a").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_waits_or_goes_holds_nobody_up() {
    let mut broker = one().await;
    assert_eq!(broker.commit_offset("other", 1).await, Ok(ErrorCode::None));
    let first = match timeout(LIMIT, broker.join("g", "").answer()).await.expect("in time") {
        Ok(Response::JoinGroup(response)) => response,
        other => panic!("{other:?}"),
    };
    assert_eq!((first.error_code, first.generation_id), (0, 1));
    let sync = SyncGroupRequest::default()
        .with_group_id(text("g").into())
        .with_generation_id(1)
        .with_member_id(first.member_id.clone());
    let synced = broker.submit("g", 3, Request::SyncGroup(sync)).expect("it coordinates");
    assert!(matches!(
        timeout(LIMIT, synced.answer()).await.expect("in time"),
        Ok(Response::SyncGroup(response)) if response.error_code == 0
    ));
    // The second waits for the first to join again, and others do not wait for it.
    let second = broker.join("g", "");
    assert_eq!(broker.commit_offset("other", 2).await, Ok(ErrorCode::None));
    let mut second = Box::pin(second.answer());
    assert!(futures::poll!(&mut second).is_pending());
    // The one that is gone is not answered; the first one's generation is complete without it once its
    // session has ended, or at once: in any case it is not blocked for ever.
    drop(second);
    let again = timeout(2 * LIMIT, broker.join("g", &first.member_id).answer()).await;
    assert!(matches!(
        again.expect("in time"),
        Ok(Response::JoinGroup(response)) if response.error_code == 0 && response.generation_id == 2
    ));
    // The leadership ends: who waits hears it.
    let waiting = broker.join("g", "");
    broker.change(|state| {
        state.leader = None;
        state.leader_epoch += 1;
    });
    let answer = timeout(LIMIT, waiting.answer()).await.expect("in time");
    assert!(is_unavailable(&answer, Unavailable::NotCoordinator), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_are_bounded() {
    let mut broker = leads_alone("").await;
    assert_eq!(broker.commit_offset("a", 1).await, Ok(ErrorCode::None));
    broker.change(|state| state.isr = vec![ME, OTHER]);
    let large = |offset: i64| {
        let request = OffsetCommitRequest::default()
            .with_group_id(text("a").into())
            .with_generation_id_or_member_epoch(-1)
            .with_retention_time_ms(offset);
        let request = Request::OffsetCommit(request);
        broker.coordinator.submit("a", caller(8), request, super::WAITING_BYTES / 2)
    };
    let _waits = broker.begin_commit("a", 2).expect("it coordinates");
    let held: Vec<_> = (0..3).map(large).collect();
    // Those without partitions are answered at once; what counts is that nothing is kept of them.
    drop(held);
    let one = broker.coordinator.submit(
        "a",
        caller(8),
        Request::DescribeGroup(text("a")),
        super::WAITING_BYTES * 2,
    );
    assert_eq!(one.err(), Some(Unavailable::Overloaded));
    assert!(broker.begin_commit("a", 3).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_is_known_from_the_high_watermarks_here() {
    let mut broker = one().await;
    broker.create_topic("elsewhere", 1, &[ME]);
    let mut batch = RecordBatchBuilder::new(Compression::None);
    for _ in 0..10 {
        batch.append(broker.coordinator.inner.shell.clock.now_ms(), None, Some(b"v"), &[]);
    }
    let options = AppendOptions {
        acks_all: false,
        now_ms: broker.coordinator.inner.shell.clock.now_ms(),
        leader_epoch: None,
    };
    broker.replica("orders").append(batch.build().expect("small"), options, None).expect("led");
    wait_for("the high watermark", || broker.replica("orders").status().high_watermark == 10).await;
    assert_eq!(broker.commit_offset("a", 4).await, Ok(ErrorCode::None));
    assert_eq!(broker.commit_offset("b", 12).await, Ok(ErrorCode::None));
    let lag = |group: &str, committed_offset, lag| GroupLag {
        group_id: Arc::from(group),
        topic: Arc::from("orders"),
        partition: 0,
        committed_offset,
        lag: Some(lag),
    };
    assert_eq!(broker.coordinator.lags().await, [lag("a", 4, 6), lag("b", 12, 0)]);
}
