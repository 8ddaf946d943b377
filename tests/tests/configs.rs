//! Settings that change while the nodes run: by strangers' clients, by Kafka's own tool and by ours, at
//! once, and for good.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use ottla_tests::{Cluster, Output, foreign, run, tool, wait};

fn configs(bootstrap: &str, args: &[&str]) -> Output {
    run(tool("kafka-configs").args(["--bootstrap-server", bootstrap]).args(args), "")
}

fn topics(bootstrap: &str, args: &[&str]) {
    let _ =
        run(tool("kafka-topics").args(["--bootstrap-server", bootstrap]).args(args), "").success();
}

/// Sends one record of so many bytes; whether it was taken. The tool's exit code is always 0.
fn send(bootstrap: &str, topic: &str, bytes: usize) -> bool {
    let args = ["--bootstrap-server", bootstrap, "--topic", topic];
    let args = [&args[..], &["--producer-property", "acks=all"]].concat();
    let line = "x".repeat(bytes) + "\n";
    run(tool("kafka-console-producer").args(args), &line).success().err.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_clients_describe_and_change_settings() {
    let cluster = Cluster::three().await;
    let mut script = foreign::python("configs.py");
    let output = run(script.arg(cluster.bootstrap()).arg("configured"), "").success();
    assert!(output.out.ends_with("ok\n"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_own_tool_prints_what_ours_prints() {
    let cluster = Cluster::three().await;
    let servers = cluster.bootstrap();
    topics(&servers, &["--create", "--topic", "t"]);
    for args in [
        &[
            "--alter",
            "--topic",
            "t",
            "--add-config",
            "cleanup.policy=[compact,delete],retention.ms=5",
        ],
        &["--describe", "--topic", "t", "--all"][..],
        &["--alter", "--topic", "t", "--delete-config", "retention.ms,no.such"],
        &["--alter", "--broker", "2", "--add-config", "log.cleaner.threads=2,no.such=1"],
        &["--alter", "--broker-defaults", "--add-config", "log.retention.ms=7200000"],
        &["--describe", "--entity-type", "brokers"],
        &["--describe", "--broker", "3", "--all"],
        &["--alter", "--group", "g", "--add-config", "consumer.session.timeout.ms=50000"],
        &["--describe", "--group", "g", "--all"],
        &[
            "--alter",
            "--client-metrics",
            "m",
            "--add-config",
            "match=[client_id=a.*],interval.ms=500",
        ],
        &["--describe", "--entity-type", "client-metrics"],
        &["--alter", "--broker-logger", "1", "--add-config", "kafka.server.KafkaApis=LOUD"],
        &["--describe", "--user", "alice"],
    ] {
        let mut command = foreign::java("kafka.admin.ConfigCommand");
        let theirs = run(command.args(["--bootstrap-server", &servers]).args(args), "");
        let ours = configs(&servers, args);
        assert_eq!(
            (ours.status.code(), &ours.out, said(&ours.err)),
            (theirs.status.code(), &theirs.out, said(&theirs.err)),
            "{args:?}: ours, then theirs"
        );
    }
}

/// Without Java's stack and its logger's lines.
fn said(err: &str) -> Vec<&str> {
    let is_other = |line: &&str| {
        line.is_empty()
            || line.starts_with(['\t', '['])
            || line.starts_with("Caused by")
            || line.starts_with("SLF4J")
    };
    err.lines().filter(|line| !is_other(line)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_follow_their_settings_at_once_and_after_a_restart() {
    let mut cluster = Cluster::three().await;
    let servers = cluster.bootstrap();
    topics(&servers, &["--create", "--topic", "t", "--partitions", "1"]);
    assert!(send(&servers, "t", 5_000), "no limit is near");
    let change = |args: &[&str]| {
        let _ = configs(&servers, &[&["--alter"], args].concat()).success();
    };
    change(&["--broker-defaults", "--add-config", "message.max.bytes=1000"]);
    wait::until("large records are refused", async || {
        wait::check(!send(&servers, "t", 5_000), "taken")
    })
    .await;
    change(&["--topic", "t", "--add-config", "max.message.bytes=10000"]);
    wait::until("the topic's own limit counts", async || {
        wait::check(send(&servers, "t", 5_000), "refused")
    })
    .await;
    change(&["--topic", "t", "--delete-config", "max.message.bytes"]);

    for node in cluster.nodes() {
        node.kill();
    }
    cluster.start_all();
    cluster.wait_until_ready().await;
    assert!(!send(&servers, "t", 5_000), "the cluster's limit is remembered");
    change(&["--broker-defaults", "--delete-config", "message.max.bytes"]);
    wait::until("there is no limit any more", async || {
        wait::check(send(&servers, "t", 5_000), "refused")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_retention_takes_old_segments_away() {
    let cluster = Cluster::builder().set("log.retention.check.interval.ms", "100").start().await;
    let servers = cluster.bootstrap();
    topics(&servers, &["--create", "--topic", "t", "--partitions", "1"]);
    let change = |args: &[&str]| {
        let _ = configs(&servers, &[&["--alter"], args].concat()).success();
    };
    change(&["--topic", "t", "--add-config", "segment.bytes=1048576"]);
    for _ in 0..6 {
        assert!(send(&servers, "t", 900_000));
    }
    let start = || {
        let args = ["--bootstrap-server", &servers, "--topic", "t", "--time", "-2"];
        run(tool("kafka-get-offsets").args(args), "").success().out
    };
    assert_eq!(start(), "t:0:0\n");
    change(&["--broker-defaults", "--add-config", "log.retention.ms=1"]);
    wait::until("old segments are gone", async || wait::check(start() != "t:0:0\n", start())).await;
}

/// Whether a broker keeps a connection that says nothing.
fn is_kept(address: &str) -> bool {
    use std::io::Read;
    let mut stream = TcpStream::connect(address).expect("the port is open");
    stream.set_read_timeout(Some(Duration::from_millis(1500))).expect("a timeout");
    !matches!(stream.read(&mut [0]), Ok(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_closed_but_replication_goes_on() {
    let mut cluster = Cluster::three().await;
    let servers = cluster.bootstrap();
    topics(
        &servers,
        &["--create", "--topic", "t", "--partitions", "1", "--replication-factor", "3"],
    );
    // Tools turn to the active controller's broker for much else.
    let active = cluster.active_controller().await;
    let (closed, killed) = (active % 3 + 1, (active + 1) % 3 + 1);
    let address = cluster.address(closed);
    assert!(is_kept(&address));
    let name = closed.to_string();
    let limit = ["--alter", "--broker", &name, "--add-config", "max.connections=0"];
    let _ = configs(&servers, &limit).success();
    wait::until("the broker takes nobody", async || wait::check(!is_kept(&address), "it does"))
        .await;

    // Its replica streams are not counted, not even new ones.
    cluster.node(killed).kill();
    cluster.node(killed).start();
    let others = format!("{},{}", cluster.address(active), cluster.address(killed));
    wait::until("all three replicas are in sync", async || {
        let args = ["--bootstrap-server", &others, "--describe", "--topic", "t"];
        let described = run(tool("kafka-topics").args(args), "");
        let isr = described.out.split("Isr: ").nth(1).unwrap_or_default();
        let isr = isr.split_whitespace().next().unwrap_or_default();
        wait::check(isr.split(',').count() == 3, described.out.clone())
    })
    .await;

    // Who is shut out can still undo it, by another broker.
    let undo = ["--alter", "--broker", &name, "--delete-config", "max.connections"];
    let _ = configs(&others, &undo).success();
    wait::until("the broker takes connections", async || wait::check(is_kept(&address), "none"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loggers_speak_up_and_fall_silent() {
    let mut cluster = Cluster::builder().brokers(1).start().await;
    let servers = cluster.bootstrap();
    let level = |level: &str| {
        let change = format!("kafka.network.SocketServer={level}");
        let args = ["--alter", "--broker-logger", "1", "--add-config", &change];
        let _ = configs(&servers, &args).success();
    };
    let lines = |cluster: &mut Cluster| cluster.node(1).log().matches("connection ended").count();
    assert_eq!(lines(&mut cluster), 0);
    level("DEBUG");
    wait::until("connections are logged", async || {
        topics(&servers, &["--list"]);
        wait::check(lines(&mut cluster) > 0, "not yet")
    })
    .await;
    let described = configs(&servers, &["--describe", "--broker-logger", "1"]).success().out;
    assert!(
        described.contains("  kafka.network.SocketServer=DEBUG sensitive=false"),
        "{described}"
    );
    level("ERROR");
    let before = lines(&mut cluster);
    let begun = Instant::now();
    topics(&servers, &["--list"]);
    // The line would have been written before the tool's next connection is answered.
    topics(&servers, &["--list"]);
    assert!(lines(&mut cluster) <= before + 1, "after {:?}", begun.elapsed());
}
