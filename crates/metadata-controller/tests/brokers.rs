//! Brokers in session with the active controller: fenced and unfenced for what happens to their process.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::time::{Duration, Instant};

use ottla_metadata::Image;
use support::*;

fn live(image: &Image) -> Vec<i32> {
    image.live_brokers().map(|broker| broker.id).collect()
}

async fn with_brokers(ids: std::ops::RangeInclusive<i32>) -> (Cluster, Vec<Broker>) {
    let cluster = Cluster::started(3).await;
    let brokers: Vec<Broker> = ids.map(|id| Broker::start(id, &cluster)).collect();
    let all: Vec<i32> = brokers.iter().map(|broker| broker.id).collect();
    cluster.image(1, |image| live(image) == all).await;
    (cluster, brokers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_is_fenced_at_once() {
    let (cluster, mut brokers) = with_brokers(11..=13).await;
    brokers[1].kill();
    let killed = Instant::now();
    cluster.image(1, |image| live(image) == [11, 13]).await;
    let took = killed.elapsed();
    println!("fenced after {took:?}");
    assert!(took < Duration::from_millis(500), "long before the session timeout: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_active_controller_fences_who_died_with_its_predecessor() {
    let (mut cluster, mut brokers) = with_brokers(11..=13).await;
    let active = cluster.set("1").await;
    brokers[0].kill();
    cluster.kill(active);
    let killed = Instant::now();
    let survivor = cluster.alive()[0];
    cluster.image(survivor, |image| live(image) == [12, 13]).await;
    let took = killed.elapsed();
    println!("fenced after {took:?}");
    assert!(took < Duration::from_millis(1200), "{took:?}");
    // The others go on with the new one, unfenced all the while.
    tokio::time::sleep(Duration::from_millis(2000)).await;
    cluster.image(survivor, |image| live(image) == [12, 13]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_asks_may_stop_once_it_leads_nothing() {
    let (cluster, brokers) = with_brokers(11..=13).await;
    for name in ["a", "b", "c"] {
        cluster.propose(&create_topic(name, 3)).await;
    }
    brokers[2].leave();
    tokio::time::timeout(DEADLINE, brokers[2].shut_down.notified()).await.unwrap();
    let image = cluster.image(1, |image| live(image) == [11, 12]).await;
    for topic in image.topics() {
        let partition = &topic.partitions[&0];
        assert!(partition.leader.is_some_and(|leader| leader != 13), "{partition:?}");
        assert!(!partition.isr.contains(&13), "{partition:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_in_session_are_observers_of_the_quorum() {
    let (cluster, _brokers) = with_brokers(11..=12).await;
    let active = cluster.set("1").await;
    let observers = eventually("both are observers", || async {
        let request = ottla_rpc::controller::DescribeQuorumRequest {};
        let reply = cluster.client(active).describe_quorum(request).await.ok()?.into_inner();
        let ids: Vec<i32> = reply.observers.iter().map(|broker| broker.node_id).collect();
        (ids == [11, 12]).then_some(reply.observers)
    })
    .await;
    assert!(observers.iter().all(|broker| broker.last_fetch_timestamp_ms > 0), "{observers:?}");
}
