//! Clusters come up: of any shape, in any order, by file or by environment, by one command.

use std::process::Command;
use std::time::Instant;

use ottla_tests::{Cluster, Node, Output, free_ports, run, tool, wait};

fn topics(bootstrap: &str, args: &[&str]) -> Output {
    run(tool("kafka-topics").args(["--bootstrap-server", bootstrap]).args(args), "")
}

fn round_trip(bootstrap: &str, topic: &str) {
    let common = ["--bootstrap-server", bootstrap, "--topic", topic];
    let produce = ["--producer-property", "acks=all"];
    let _ = run(tool("kafka-console-producer").args(common).args(produce), "first\n").success();
    let read = ["--from-beginning", "--max-messages", "1", "--timeout-ms", "20000"];
    let read = run(tool("kafka-console-consumer").args(common).args(read), "").success();
    assert_eq!(read.out, "first\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_empty_nodes_make_a_replicated_topic_and_describe_it() {
    let begun = Instant::now();
    let cluster = Cluster::three().await;
    let bootstrap = cluster.bootstrap();
    let create = ["--create", "--topic", "first", "--partitions", "3", "--replication-factor", "3"];
    assert_eq!(topics(&bootstrap, &create).success().out, "Created topic first.\n");
    round_trip(&bootstrap, "first");
    println!("empty nodes → first record read back: {:?}", begun.elapsed());
    let described = topics(&bootstrap, &["--describe", "--topic", "first"]).success().out;
    let lines: Vec<_> = described.lines().collect();
    assert!(lines[0].starts_with("Topic: first\tTopicId: "), "{described}");
    assert!(lines[0].contains("\tPartitionCount: 3\tReplicationFactor: 3\t"), "{described}");
    assert_eq!(lines.len(), 4, "{described}");
    let mut leaders = Vec::new();
    for (index, line) in lines[1..].iter().enumerate() {
        let fields: Vec<_> = line.split('\t').collect();
        assert_eq!(fields[1..3], ["Topic: first", &format!("Partition: {index}")], "{line}");
        let value = |name: &str| {
            let found = fields.iter().find_map(|field| field.strip_prefix(name));
            found.unwrap_or_else(|| panic!("no {name}in {line}")).trim().to_owned()
        };
        let (leader, replicas) = (value("Leader: "), value("Replicas: "));
        assert!(replicas.starts_with(&leader) && value("Isr: ") == replicas, "{line}");
        leaders.push(leader);
    }
    leaders.sort();
    assert_eq!(leaders, ["1", "2", "3"], "leaderships are spread");
}

#[tokio::test(flavor = "multi_thread")]
async fn dedicated_controllers_work_too() {
    let mut cluster = Cluster::builder().dedicated_controllers().start().await;
    round_trip(&cluster.bootstrap(), "t");
    let active = cluster.active_controller().await;
    assert!((101..=103).contains(&active), "{active}");
    cluster.node(active).kill();
    let next = wait::until("another controller is active", async || {
        let active_now = cluster.active_controller().await;
        wait::check(active_now != active, active_now)
    })
    .await;
    assert!((101..=103).contains(&next), "{next}");
    round_trip(&cluster.bootstrap(), "u");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_start_in_any_order() {
    let mut cluster = Cluster::builder().build();
    for id in [3, 1, 2] {
        cluster.node(id).start();
        // The next one starts only when this one is up as far as it can be alone.
        wait::until(&format!("node {id} says something"), async || {
            wait::check(!cluster.node(id).log().is_empty(), ())
        })
        .await;
    }
    cluster.wait_until_ready().await;
    round_trip(&cluster.bootstrap(), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_configured_by_its_environment_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let ports = free_ports(2);
    let mut node = Node::new(1, dir.path(), ports[0], "");
    let listeners = format!("PLAINTEXT://:{},CONTROLLER://localhost:{}", ports[0], ports[1]);
    let advertised = format!("PLAINTEXT://localhost:{}", ports[0]);
    let id = "4L6g3nShT-eMCtK--X86sw";
    for (name, value) in [
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_LISTENERS", &listeners),
        ("KAFKA_ADVERTISED_LISTENERS", &advertised),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", &format!("1@localhost:{}", ports[1])),
        ("KAFKA_LOG_DIRS", "logs"),
        ("KAFKA_NUM_PARTITIONS", "5"),
        ("KAFKA_HEAP_OPTS", "-Xmx1G"),
        ("CLUSTER_ID", id),
    ] {
        node.env(name, value);
    }
    node.start();
    let bootstrap = format!("localhost:{}", ports[0]);
    wait::until("the topic is made", async || {
        node.assert_alive();
        let made = topics(&bootstrap, &["--create", "--if-not-exists", "--topic", "t"]);
        wait::check(made.status.success(), format!("{made:?}")).map(|_| ())
    })
    .await;
    let described = topics(&bootstrap, &["--describe", "--topic", "t"]).success().out;
    assert!(described.contains("PartitionCount: 5"), "{described}");
    let meta = std::fs::read_to_string(dir.path().join("logs/meta.properties")).expect("written");
    assert!(meta.contains(&format!("cluster.id={id}")), "{meta}");
    assert!(node.stop().success());
    assert!(!node.log().contains("ERROR"), "a stop that was asked for: {}", node.log());
}

#[test]
fn one_command_brings_a_cluster_up_breaks_it_and_takes_it_down() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("c");
    // Broker ports, and the controllers' a hundred above.
    let base = free_ports(103)[0];
    let cluster = |args: &[&str]| {
        let mut command: Command = tool("ottla");
        command.arg("cluster").args(args).arg("--dir").arg(&folder);
        run(&mut command, "")
    };
    let base_text = base.to_string();
    let wiped = Wipe(folder.clone());
    assert!(cluster(&["status"]).failure().err.contains("there is no cluster in"));

    let up = cluster(&["up", "3", "--base-port", &base_text]).success().out;
    let bootstrap = format!("localhost:{base},localhost:{},localhost:{}", base + 1, base + 2);
    assert!(up.starts_with("3 brokers ready in ") && up.contains(&bootstrap), "{up}");
    round_trip(&bootstrap, "t");

    let again = cluster(&["up"]).success().out;
    assert!(again.starts_with("3 brokers all were running"), "{again}");
    let other = dir.path().join("other");
    let mut clash = tool("ottla");
    clash.args(["cluster", "up", "1", "--base-port", &base_text, "--dir"]).arg(other);
    let clash = run(&mut clash, "").failure().err;
    assert!(clash.contains(&format!("port {base} is taken")), "{clash}");
    assert!(clash.contains("--base-port"), "{clash}");

    assert!(cluster(&["kill", "2"]).success().out.starts_with("node 2 killed"));
    assert!(cluster(&["kill", "2"]).failure().err.contains("cluster start 2"));
    assert!(cluster(&["kill", "9"]).failure().err.contains("there is no node 9"));
    let status = cluster(&["status"]).success().out;
    let line = |id: &str| {
        let found = status.lines().find(|line| line.starts_with(id));
        found.unwrap_or_else(|| panic!("{status}")).to_owned()
    };
    assert!(line("2 ").contains("down"), "{status}");
    assert!(line("1 ").contains("running") && line("1 ").contains("unfenced"), "{status}");
    assert_eq!(status.matches("active").count(), 1, "{status}");
    assert!(cluster(&["start", "2"]).success().out.starts_with("node 2 is ready after "));
    assert!(cluster(&["pause", "3"]).success().out.contains("paused"));
    assert!(cluster(&["status"]).success().out.contains("paused"));
    assert!(cluster(&["resume", "3"]).success().out.contains("runs on"));
    assert!(cluster(&["stop", "1"]).success().out.contains("stopped"));
    assert!(!cluster(&["logs", "1"]).success().out.is_empty());

    assert!(cluster(&["down"]).success().out.starts_with("2 nodes stopped"));
    let up = cluster(&["up"]).success().out;
    assert!(up.contains("on the data of before") && up.contains(&bootstrap), "{up}");
    let read = ["--bootstrap-server", &bootstrap, "--topic", "t", "--from-beginning"];
    let read = run(tool("kafka-console-consumer").args(read).args(["--max-messages", "1"]), "");
    assert_eq!(read.success().out, "first\n", "the same data resumes");
    assert!(cluster(&["wipe"]).success().out.contains("is gone"));
    assert!(!folder.exists());
    drop(wiped);
}

/// Kills what a failed test left running.
struct Wipe(std::path::PathBuf);

impl Drop for Wipe {
    fn drop(&mut self) {
        let _ = tool("ottla").args(["cluster", "wipe", "--dir"]).arg(&self.0).output();
    }
}

#[test]
fn verify_finds_nothing_wrong_while_a_leader_is_killed() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut cluster = runtime.block_on(Cluster::three());
    let bootstrap = cluster.bootstrap();
    let pid = cluster.node(1).pid().as_raw_nonzero().to_string();
    let kill = format!("kill -9 {pid} 2>/dev/null || true");
    let args = ["--bootstrap-server", &bootstrap, "--seconds", "6", "--kill-command", &kill];
    let output = run(tool("verify").args(args), "").success();
    println!("{}", output.out);
    cluster.node(1).kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_twenty_megabytes_is_replicated() {
    let cluster = Cluster::three().await;
    let bootstrap = cluster.bootstrap();
    let create = ["--create", "--topic", "large", "--replication-factor", "3"];
    let limit = ["--config", "max.message.bytes=40000000", "--config", "min.insync.replicas=3"];
    let _ = topics(&bootstrap, &[create.as_slice(), &limit].concat()).success();
    let common = ["--bootstrap-server", &bootstrap, "--topic", "large"];
    let record = "0123456789abcdef".repeat(20 << 16);
    let produce = ["--producer-property", "acks=all", "--producer-property"];
    let allow = ["max.request.size=40000000"];
    let _ = run(
        tool("kafka-console-producer").args(common).args(produce).args(allow),
        &format!("{record}\n"),
    )
    .success();
    let read = ["--from-beginning", "--max-messages", "1", "--timeout-ms", "30000"];
    let read = run(tool("kafka-console-consumer").args(common).args(read), "").success();
    assert!(read.out.trim_end() == record, "{} bytes came back", read.out.len());
}
