//! Clients that strangers wrote, against three real processes.

use std::process::Command;

use ottla_tests::{Cluster, Output, foreign, run, tool};

async fn passes(mut script: Command, topic: &str) {
    let cluster = Cluster::three().await;
    let output = run(script.arg(cluster.bootstrap()).arg(topic), "").success();
    assert!(output.out.ends_with("ok\n"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_python_administers_produces_and_reads() {
    passes(foreign::python("kafka_python.py"), "kafka-python").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn confluent_kafka_administers_produces_and_reads() {
    passes(foreign::python("confluent.py"), "confluent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aiokafka_administers_produces_and_reads() {
    passes(foreign::python("aio.py"), "aiokafka").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkajs_administers_and_produces() {
    passes(foreign::node("kafkajs.mjs"), "kafkajs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kcat_lists_produces_reads_and_finds_offsets_by_time() {
    let cluster = Cluster::three().await;
    let servers = cluster.bootstrap();
    let kcat = |args: &[&str], input: &str| {
        run(foreign::kcat().args(["-b", &servers]).args(args), input).success().out
    };
    let listed = kcat(&["-L"], "");
    assert!(listed.contains(" 3 brokers:"), "{listed}");
    kcat(&["-P", "-t", "cats", "-K:", "-z", "lz4", "-X", "acks=all"], "a:1\nb:2\nc:3\n");
    let read = kcat(&["-C", "-t", "cats", "-o", "beginning", "-e", "-q", "-K:"], "");
    let mut lines: Vec<_> = read.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a:1", "b:2", "c:3"]);
    let tail = kcat(&["-C", "-t", "cats", "-p", "0", "-o", "-1", "-e", "-q"], "");
    assert!(tail.lines().count() <= 1, "{tail}");
    let queried = kcat(&["-Q", "-t", "cats:0:-2"], "");
    assert!(queried.contains("cats [0] offset 0"), "{queried}");
}

/// A tool of Apache Kafka.
fn java(class: &str, args: &[&str], input: &str) -> Output {
    run(foreign::java(class).args(args), input)
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_own_tools_work_and_print_what_ours_print() {
    let cluster = Cluster::three().await;
    let servers = cluster.bootstrap();
    let server = ["--bootstrap-server", &servers];
    let theirs =
        |args: &[&str]| java("org.apache.kafka.tools.TopicCommand", &[&server, args].concat(), "");
    let ours = |args: &[&str]| run(tool("kafka-topics").args(server).args(args), "");

    let created =
        theirs(&["--create", "--topic", "j", "--partitions", "3", "--replication-factor", "3"]);
    assert_eq!(created.success().out, "Created topic j.\n");
    let same: &[&[&str]] = &[
        &["--list"],
        &["--describe", "--topic", "j"],
        &["--describe", "--topic", "missing"],
        &["--create", "--topic", "j"],
        &["--create", "--topic", "w", "--replication-factor", "7"],
        &["--create", "--topic", "w", "--config", "no.such.key=1"],
        &["--create", "--topic", "w", "--config", "retention.ms=soon"],
        &["--create", "--topic", "bad name"],
        &["--alter", "--topic", "j", "--partitions", "2"],
        &["--delete", "--topic", "missing"],
        &["--describe", "--under-replicated-partitions"],
    ];
    for args in same {
        let (theirs, ours) = (theirs(args), ours(args));
        assert_eq!(
            (ours.status.code(), &ours.out),
            (theirs.status.code(), &theirs.out),
            "{args:?}: ours, then theirs\n{}\n{}",
            ours.err,
            theirs.err
        );
    }

    let producer = "org.apache.kafka.tools.ConsoleProducer";
    let lines = "k1:hello1\nk2:hello2\nk3:hello3\n";
    let keyed = ["--topic", "j", "--reader-property", "parse.key=true"];
    let keyed = [&keyed[..], &["--reader-property", "key.separator=:"]].concat();
    let _ = java(producer, &[&server[..], &keyed].concat(), lines).success();
    let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    for partition in ["0", "1", "2"] {
        let args = ["--topic", "j", "--partition", partition, "--offset", "earliest"];
        let args = [&args[..], &["--timeout-ms", "3000"]].concat();
        let theirs = java(consumer, &[&server[..], &args].concat(), "");
        let ours = run(tool("kafka-console-consumer").args(server).args(&args), "");
        assert_eq!(ours.out, theirs.out, "{}\n{}", ours.err, theirs.err);
    }
    let quorum = "org.apache.kafka.tools.MetadataQuorumCommand";
    let status = java(quorum, &[&server[..], &["describe", "--status"]].concat(), "").success();
    assert!(status.out.contains("MaxFollowerLag:         0"), "{}", status.out);
    let replication =
        java(quorum, &[&server[..], &["describe", "--replication"]].concat(), "").success();
    assert_eq!(replication.out.matches("Follower").count(), 2, "{}", replication.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_dump_log_reads_our_segments() {
    let mut cluster = Cluster::builder().brokers(1).start().await;
    let servers = cluster.bootstrap();
    let produce = ["--bootstrap-server", &servers, "--topic", "d"];
    // Enough for entries in the indexes.
    let lines: String = (0..2000).map(|n| format!("line {n} {}\n", "x".repeat(100))).collect();
    let _ = run(tool("kafka-console-producer").args(produce), &lines).success();
    let data = cluster.node(1).dir().join("data/d-0");
    assert!(cluster.node(1).stop().success());
    let log = data.join("00000000000000000000.log");
    let log = log.to_str().expect("plain name");
    let args = ["--deep-iteration", "--print-data-log", "--files", log];
    let dumped = java("org.apache.kafka.tools.DumpLogSegments", &args, "").success().out;
    for expected in
        ["Log starting offset: 0", "payload: line 0 ", "payload: line 1999 ", "isvalid: true"]
    {
        assert!(dumped.contains(expected), "{expected}: {dumped}");
    }
    for name in ["00000000000000000000.index", "00000000000000000000.timeindex"] {
        let file = data.join(name);
        let file = file.to_str().expect("plain name");
        let checked =
            java("org.apache.kafka.tools.DumpLogSegments", &["--files", file], "").success();
        assert!(!checked.out.contains("Found "), "{}", checked.out);
    }
}
