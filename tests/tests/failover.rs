//! A broker dies, hangs or leaves, under acks=all load; nothing that was acknowledged is lost.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use ottla_client::Admin;
use ottla_client::admin::PartitionDescription;
use ottla_tests::{Cluster, Ledger, Report, run, tool, wait};
use serde_json::Value;

/// A topic of one partition whose preferred leader is the first of `replicas`.
fn create(cluster: &Cluster, topic: &str, replicas: [i32; 3]) {
    let assignment = replicas.map(|id| id.to_string()).join(":");
    let bootstrap = cluster.bootstrap();
    let args = ["--bootstrap-server", &bootstrap, "--create", "--topic", topic];
    let args = [&args[..], &["--replica-assignment", &assignment]].concat();
    let _ = run(tool("kafka-topics").args(args), "").success();
}

/// Broker ids, `first` in front.
fn led_by(first: i32) -> [i32; 3] {
    let mut ids = [1, 2, 3];
    ids.sort_unstable_by_key(|id| (*id != first, *id));
    ids
}

async fn wait_until(
    admin: &Admin,
    topic: &str,
    what: &str,
    holds: impl Fn(&PartitionDescription) -> bool,
) {
    wait::until(&format!("{topic}-0 {what}"), async || {
        let described =
            admin.describe_topics(&[topic.into()], 10).await.map_err(|error| error.to_string())?;
        let topic = described.into_iter().next().ok_or("not there")?.map_err(|e| e.to_string())?;
        let partition = &topic.partitions[0];
        wait::check(holds(partition), format!("{partition:?}")).map(|_| ())
    })
    .await;
}

/// What is done to a node.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Kill,
    Pause,
    Stop,
}

/// Does `fault` to `victim` under load, brings it back, waits until it is in sync, and returns what the
/// ledger says.
async fn survive(cluster: &mut Cluster, leader: i32, victim: i32, fault: Fault) -> Report {
    let topic = "t";
    create(cluster, topic, led_by(leader));
    let admin = cluster.admin().await;
    // A client that waits a minute for a silent broker would hide how fast the cluster is.
    let settings: &[&str] = if fault == Fault::Pause { &["socket.timeout.ms=1000"] } else { &[] };
    let mut ledger = Ledger::start(&cluster.bootstrap(), topic, settings);
    ledger.wait_for_more(100);
    match fault {
        Fault::Kill => cluster.node(victim).kill(),
        Fault::Pause => cluster.node(victim).pause(),
        Fault::Stop => assert!(cluster.node(victim).stop().success()),
    }
    ledger.wait_for_more(300);
    match fault {
        Fault::Kill | Fault::Stop => cluster.node(victim).start(),
        Fault::Pause => cluster.node(victim).resume(),
    }
    wait_until(&admin, topic, "has all replicas in sync", |now| now.isr.len() == 3).await;
    ledger.wait_for_more(100);
    let report = ledger.finish();
    println!("{fault:?} of {victim}, leader {leader}: {report:?}");
    report.assert_nothing_lost();
    report
}

fn other_than(id: i32) -> i32 {
    id % 3 + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_is_killed() {
    let mut cluster = Cluster::three().await;
    let leader = other_than(cluster.active_controller().await);
    let report = survive(&mut cluster, leader, leader, Fault::Kill).await;
    assert!(report.longest_gap_ms < 3000.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_that_is_also_the_active_controller_is_killed() {
    let mut cluster = Cluster::three().await;
    let leader = cluster.active_controller().await;
    let report = survive(&mut cluster, leader, leader, Fault::Kill).await;
    assert!(report.longest_gap_ms < 3000.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_is_killed() {
    let mut cluster = Cluster::three().await;
    let leader = cluster.active_controller().await;
    let report = survive(&mut cluster, leader, other_than(leader), Fault::Kill).await;
    assert!(report.longest_gap_ms < 3000.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_controller_is_killed_and_leads_nothing() {
    let mut cluster = Cluster::three().await;
    let controller = cluster.active_controller().await;
    let leader = other_than(controller);
    let report = survive(&mut cluster, leader, controller, Fault::Kill).await;
    assert!(report.longest_gap_ms < 3000.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_is_paused() {
    let mut cluster = Cluster::three().await;
    let leader = other_than(cluster.active_controller().await);
    let report = survive(&mut cluster, leader, leader, Fault::Pause).await;
    assert!(report.longest_gap_ms < 6000.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_is_paused() {
    let mut cluster = Cluster::three().await;
    let leader = cluster.active_controller().await;
    let report = survive(&mut cluster, leader, other_than(leader), Fault::Pause).await;
    assert!(report.longest_gap_ms < 6000.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_controller_is_paused() {
    let mut cluster = Cluster::three().await;
    let controller = cluster.active_controller().await;
    let report = survive(&mut cluster, other_than(controller), controller, Fault::Pause).await;
    assert!(report.longest_gap_ms < 6000.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_is_stopped_in_order() {
    let mut cluster = Cluster::three().await;
    let leader = other_than(cluster.active_controller().await);
    let report = survive(&mut cluster, leader, leader, Fault::Stop).await;
    assert!(report.longest_gap_ms < 1500.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_controller_is_stopped_in_order_and_leads_too() {
    let mut cluster = Cluster::three().await;
    let leader = cluster.active_controller().await;
    let report = survive(&mut cluster, leader, leader, Fault::Stop).await;
    assert!(report.longest_gap_ms < 1500.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_is_stopped_in_order() {
    let mut cluster = Cluster::three().await;
    let leader = cluster.active_controller().await;
    let report = survive(&mut cluster, leader, other_than(leader), Fault::Stop).await;
    assert!(report.longest_gap_ms < 1500.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_came_back_leads_again_without_being_asked() {
    let mut cluster = Cluster::three().await;
    create(&cluster, "t", led_by(2));
    cluster.node(2).kill();
    let admin = cluster.admin().await;
    wait_until(&admin, "t", "has another leader", |now| now.leader.is_some_and(|id| id != 2)).await;
    cluster.node(2).start();
    wait_until(&admin, "t", "has all replicas in sync", |now| now.isr.len() == 3).await;
    // 15 s to settle and up to 5 s until the next look: these have a deadline of their own.
    wait_until(&admin, "t", "is led by broker 2", |now| now.leader == Some(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_tells_the_cause_of_a_failover() {
    let mut cluster = Cluster::three().await;
    let leader = other_than(cluster.active_controller().await);
    create(&cluster, "seen", led_by(leader));
    let mut watch = tool("ottla")
        .args(["watch", "--json", "--bootstrap-server", &cluster.bootstrap()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("watch starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let mut next = |event: &str| loop {
        let line = lines.next().expect("watch goes on").expect("text");
        let value: Value = serde_json::from_str(&line).expect("JSON");
        if value["event"] == event {
            return value;
        }
    };
    // The feed says who is active as soon as it is open.
    let _ = next("active_controller");
    cluster.node(leader).kill();
    let fenced = next("broker_fenced");
    assert_eq!(fenced["broker"], leader);
    assert_eq!(fenced["cause"], "connection closed, reconnect refused");
    let change = next("leader");
    assert_eq!((&change["topic"], &change["old"]), (&"seen".into(), &leader.into()));
    assert!(change["new_epoch"].as_i64() > change["old_epoch"].as_i64(), "{change}");
    assert!(change["unavailable_ms"].as_i64().is_some_and(|ms| ms < 3000), "{change}");
    watch.kill().expect("killed");
    watch.wait().expect("reaped");
}
