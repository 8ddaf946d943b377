//! Nodes go and come back with their data.

use ottla_tests::{Cluster, Ledger, run, tool, wait};

fn create(cluster: &Cluster, topic: &str, partitions: &str) {
    let bootstrap = cluster.bootstrap();
    let args = ["--bootstrap-server", &bootstrap, "--create", "--topic", topic];
    let args = [&args[..], &["--partitions", partitions, "--replication-factor", "3"]].concat();
    let _ = run(tool("kafka-topics").args(args), "").success();
}

async fn wait_until_all_in_sync(cluster: &Cluster) {
    wait::until("every partition has all its replicas in sync", async || {
        let bootstrap = cluster.bootstrap();
        let args =
            ["--bootstrap-server", &bootstrap, "--describe", "--under-replicated-partitions"];
        let seen = run(tool("kafka-topics").args(args), "");
        let none = seen.status.success() && seen.out.trim().is_empty();
        wait::check(none, format!("{seen:?}")).map(|_| ())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_in_turn_is_restarted_in_order_under_load() {
    let mut cluster = Cluster::three().await;
    create(&cluster, "t", "1");
    let mut ledger = Ledger::start(&cluster.bootstrap(), "t", &[]);
    for id in 1..=3 {
        assert!(cluster.node(id).stop().success());
        ledger.wait_for_more(50);
        cluster.node(id).start();
        cluster.wait_until_ready().await;
        wait_until_all_in_sync(&cluster).await;
    }
    ledger.finish().assert_nothing_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_are_stopped_in_order_and_come_back() {
    let mut cluster = Cluster::three().await;
    create(&cluster, "t", "1");
    create(&cluster, "many", "300");
    let mut ledger = Ledger::start(&cluster.bootstrap(), "t", &[]);
    ledger.wait_for_more(100);
    for id in 1..=3 {
        cluster.node(id).signal(rustix::process::Signal::TERM);
    }
    for id in 1..=3 {
        assert!(cluster.node(id).wait().success(), "{}", cluster.node(id).log());
    }
    cluster.start_all();
    cluster.wait_until_ready().await;
    wait_until_all_in_sync(&cluster).await;
    ledger.wait_for_more(100);
    ledger.finish().assert_nothing_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_are_killed_at_once_and_come_back() {
    let mut cluster = Cluster::three().await;
    create(&cluster, "t", "1");
    create(&cluster, "many", "300");
    let mut ledger = Ledger::start(&cluster.bootstrap(), "t", &[]);
    for _ in 0..2 {
        ledger.wait_for_more(100);
        for node in cluster.nodes() {
            node.kill();
        }
        cluster.start_all();
        cluster.wait_until_ready().await;
        wait_until_all_in_sync(&cluster).await;
    }
    ledger.wait_for_more(100);
    ledger.finish().assert_nothing_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_settings_and_ids_outlive_a_restart() {
    let mut cluster = Cluster::three().await;
    let bootstrap = cluster.bootstrap();
    let topics = |args: &[&str]| {
        let server = ["--bootstrap-server", &bootstrap];
        run(tool("kafka-topics").args(server).args(args), "").success().out
    };
    topics(&["--create", "--topic", "kept", "--partitions", "5", "--config", "retention.ms=77777"]);
    topics(&["--create", "--topic", "gone"]);
    topics(&["--delete", "--topic", "gone"]);
    let before = topics(&["--describe", "--topic", "kept"]);
    let id = cluster.admin().await.describe_cluster(false).await.expect("answers").id;
    for node in cluster.nodes() {
        node.kill();
    }
    cluster.start_all();
    cluster.wait_until_ready().await;
    wait_until_all_in_sync(&cluster).await;
    assert_eq!(topics(&["--list"]), "kept\n");
    // Leaders may have moved, and wander back; the rest stands as it was.
    let settled = |text: &str| {
        let heading = text.lines().next().unwrap_or_default().to_owned();
        assert!(heading.contains("retention.ms=77777"), "{text}");
        heading
    };
    assert_eq!(settled(&topics(&["--describe", "--topic", "kept"])), settled(&before));
    assert_eq!(cluster.admin().await.describe_cluster(false).await.expect("answers").id, id);
}
