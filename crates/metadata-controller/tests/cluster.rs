//! Three controllers over real gRPC: how they come to be, go on, and come back.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use ottla_metadata::proposal::Reply;
use ottla_metadata_controller::ControllerError;
use ottla_rpc::controller as proto;
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn three_empty_controllers_elect_and_commit_quickly() {
    let mut cluster = Cluster::new(3);
    cluster.start_all().await;
    let started = Instant::now();
    cluster.set("1").await;
    let took = started.elapsed();
    println!("first commit after {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    // All three feed the same, and know the cluster's id.
    let mut ids = Vec::new();
    for id in 1..=3 {
        let image = cluster.image(id, |image| has_retention(image, "1")).await;
        ids.push(image.cluster_id().unwrap().to_string());
    }
    assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 22), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_controller_is_a_quorum() {
    let mut cluster = Cluster::started(1).await;
    assert_eq!(cluster.set("5").await, 1);
    cluster.stop(1).await;
    cluster.start(1).await;
    cluster.image(1, |image| has_retention(image, "5")).await;
    assert_eq!(cluster.set("6").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_names_the_active_controller() {
    let cluster = Cluster::started(3).await;
    let active = cluster.set("1").await;
    let follower = if active == 1 { 2 } else { 1 };
    cluster.image(follower, |image| has_retention(image, "1")).await;
    let request = proto::ProposeRequest {
        broker_id: -1,
        proposal: Some(ottla_rpc::convert::proposal_to_proto(&set_retention("2"))),
        ..proto::ProposeRequest::default()
    };
    let refused = cluster.client(follower).propose(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    assert_eq!(ottla_rpc::status::leader_hint(&refused), Some(active));
    let described = cluster.client(active).describe_quorum(proto::DescribeQuorumRequest {}).await;
    let described = described.unwrap().into_inner();
    assert_eq!((described.leader_id, described.voters.len()), (active, 3));
    assert!(described.high_watermark > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn survivors_take_over_at_once_when_the_active_one_is_killed() {
    let mut cluster = Cluster::started(3).await;
    let mut gaps = Vec::new();
    for round in 0..4 {
        let active = cluster.set(&round.to_string()).await;
        for id in cluster.alive() {
            cluster.image(id, |image| has_retention(image, &round.to_string())).await;
        }
        // Presence is mutual once every controller has seen every other; the first round is for that.
        cluster.kill(active);
        let killed = Instant::now();
        let next = cluster.set("9").await;
        gaps.push(killed.elapsed());
        assert_ne!(next, active);
        cluster.start(active).await;
        cluster.image(active, |image| has_retention(image, "9")).await;
    }
    println!("gaps: {gaps:?}");
    gaps.sort();
    assert!(gaps[1] < Duration::from_millis(400), "{gaps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_survives_the_restart_of_all() {
    let mut cluster = Cluster::started(3).await;
    cluster.set("7").await;
    for id in 1..=3 {
        cluster.kill(id);
    }
    cluster.start_all().await;
    let started = Instant::now();
    cluster.set("8").await;
    println!("restarted in {:?}", started.elapsed());
    let image = cluster.image(1, |image| has_retention(image, "8")).await;
    assert!(image.cluster_id().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stops_hands_over_first() {
    // Without it raft's timers decide, which takes longer each time; a busy machine may once.
    let mut took = Vec::new();
    while took.len() < 3 {
        let mut cluster = Cluster::started(3).await;
        let active = cluster.set("1").await;
        cluster.stop(active).await;
        let stopped = Instant::now();
        cluster.set("2").await;
        took.push(stopped.elapsed());
        if took.last() < Some(&Duration::from_millis(300)) {
            return;
        }
    }
    panic!("it was not handed over: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_bring_a_late_controller_up() {
    let mut cluster = Cluster::new(3);
    for id in 1..=3 {
        let mut options = cluster.options(id);
        options.snapshot_entries = 50;
        cluster.start_with(id, options).await.unwrap();
    }
    let active = cluster.set("0").await;
    let late = if active == 3 { 2 } else { 3 };
    cluster.kill(late);
    for value in 1..=300 {
        cluster.set(&value.to_string()).await;
    }
    let mut options = cluster.options(late);
    options.snapshot_entries = 50;
    cluster.start_with(late, options.clone()).await.unwrap();
    cluster.image(late, |image| has_retention(image, "300")).await;
    // And once more from its own snapshot.
    cluster.kill(late);
    cluster.start_with(late, options).await.unwrap();
    cluster.image(late, |image| has_retention(image, "300")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_voter_comes_back_without_a_vote_until_it_has_caught_up() {
    let mut cluster = Cluster::started(3).await;
    let active = cluster.set("1").await;
    let wiped = if active == 3 { 2 } else { 3 };
    cluster.image(wiped, |image| has_retention(image, "1")).await;
    cluster.kill(wiped);
    cluster.set("2").await;
    fs::remove_dir_all(cluster.data(wiped)).unwrap();
    cluster.start(wiped).await;
    cluster.image(wiped, |image| has_retention(image, "2")).await;
    // Then it counts again: with it and one other there is a majority.
    let other = (1..=3).find(|id| ![active, wiped].contains(id)).unwrap();
    cluster.kill(other);
    cluster.set("3").await;
    cluster.image(wiped, |image| has_retention(image, "3")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_majority_over_existing_data_is_refused() {
    let mut cluster = Cluster::started(3).await;
    cluster.set("1").await;
    for id in 1..=3 {
        cluster.image(id, |image| has_retention(image, "1")).await;
    }
    for id in 1..=3 {
        cluster.kill(id);
    }
    for id in [1, 2] {
        let data = cluster.data(id);
        eventually("the data can go", || async { fs::remove_dir_all(&data).ok() }).await;
    }
    cluster.start_all().await;
    for id in [1, 2] {
        let failure = cluster.failure(id).await;
        let expected =
            matches!(*failure, ControllerError::EmptyMajority { empty: 2, voters: 3, holder: 3 });
        assert!(expected, "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_of_another_cluster_is_refused() {
    let mut cluster = Cluster::new(3);
    for id in [1, 2] {
        let mut options = cluster.options(id);
        options.cluster_id = Some("ours".to_owned());
        cluster.start_with(id, options).await.unwrap();
    }
    let mut options = cluster.options(3);
    options.cluster_id = Some("theirs".to_owned());
    cluster.start_with(3, options).await.unwrap();
    let failure = cluster.failure(3).await.to_string();
    assert!(failure.contains("theirs") && failure.contains("ours"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_told_cluster_id_is_taken_and_kept() {
    let mut cluster = Cluster::new(1);
    let mut options = cluster.options(1);
    options.cluster_id = Some("my-cluster".to_owned());
    cluster.start_with(1, options.clone()).await.unwrap();
    let image = cluster.image(1, |image| image.cluster_id().is_some()).await;
    assert_eq!(image.cluster_id().map(|id| &**id), Some("my-cluster"));
    cluster.stop(1).await;
    options.cluster_id = Some("another".to_owned());
    cluster.start_with(1, options).await.unwrap();
    let failure = cluster.failure(1).await.to_string();
    assert!(failure.contains("my-cluster") && failure.contains("another"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_cannot_work_says_why() {
    let mut cluster = Cluster::started(1).await;
    let taken = cluster.options(1);
    let error = ottla_metadata_controller::Controller::start(taken).await.unwrap_err();
    assert!(matches!(error, ControllerError::Listen { .. }), "{error}");
    let mut in_use = cluster.options(1);
    in_use.listen[0].port = 0;
    let error = ottla_metadata_controller::Controller::start(in_use).await.unwrap_err();
    assert!(matches!(error, ControllerError::InUse { .. }), "{error}");
    cluster.stop(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_created_once_brokers_are_there() {
    let cluster = Cluster::started(3).await;
    let _brokers: Vec<Broker> = (11..=13).map(|id| Broker::start(id, &cluster)).collect();
    let active = cluster.set("1").await;
    cluster.image(active, |image| image.live_brokers().count() == 3).await;
    let (_, reply) = cluster.propose(&create_topic("t", 3)).await;
    let Reply::CreateTopics(created) = reply else { panic!("{reply:?}") };
    assert_eq!(created[0].as_ref().unwrap().replication_factor, 3);
    let image = cluster.image(active, |image| image.topic_by_name("t").is_some()).await;
    assert_eq!(image.topic_by_name("t").unwrap().partitions[&0].isr.len(), 3);
}
