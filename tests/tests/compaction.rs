//! Compaction over three real processes, written and read by strangers' clients.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ottla_tests::{Cluster, foreign, run, tool, wait};

const TOPIC: &str = "latest";
const MIB: u64 = 1 << 20;

fn script(cluster: &Cluster, args: &[&str]) -> String {
    let mut command = foreign::python("compaction.py");
    let output = run(command.arg(cluster.bootstrap()).arg(TOPIC).args(args), "").success();
    assert!(output.out.ends_with("ok\n"), "{output:?}");
    output.out
}

fn partition(cluster: &mut Cluster, id: i32) -> PathBuf {
    cluster.node(id).dir().join("data").join(format!("{TOPIC}-0"))
}

/// The segments of a partition, by name.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    found.sort();
    found
}

async fn wait_until_small(cluster: &mut Cluster) {
    for id in 1..=3 {
        let dir = partition(cluster, id);
        wait::until(&format!("broker {id} compacts"), async || {
            let size = |path: &PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
            let bytes: u64 = segments(&dir).iter().map(size).sum();
            wait::check(bytes > 0 && bytes < 2 * MIB, bytes).map(|_| ())
        })
        .await;
    }
}

async fn wait_until_in_sync(cluster: &Cluster) {
    wait::until("all replicas are in sync", async || {
        let bootstrap = cluster.bootstrap();
        let args = ["--bootstrap-server", &bootstrap, "--describe", "--topic", TOPIC];
        let seen = run(tool("kafka-topics").args(args), "").out;
        let isr = seen.split("Isr: ").nth(1).and_then(|rest| rest.split('\t').next());
        let all = isr.is_some_and(|isr| isr.split(',').count() == 3);
        wait::check(all, seen).map(|_| ())
    })
    .await;
}

/// The last value of each key, and how many records there are, as Kafka's own tool reads the files; it
/// checks the indexes too.
fn dumped(dir: &Path) -> (BTreeMap<String, String>, usize) {
    let logs = segments(dir);
    let with_indexes = |log: &PathBuf| {
        ["log", "index", "timeindex"].map(|extension| log.with_extension(extension))
    };
    let files: Vec<_> = logs
        .iter()
        .flat_map(with_indexes)
        .filter(|path| path.exists())
        .map(|path| path.to_str().expect("a plain name").to_owned())
        .collect();
    let mut command = foreign::java("org.apache.kafka.tools.DumpLogSegments");
    command.args(["--deep-iteration", "--print-data-log", "--files", &files.join(",")]);
    let out = run(&mut command, "").success().out;
    assert!(!out.contains("Found ") && !out.contains("mismatch"), "{out}");
    let mut latest = BTreeMap::new();
    let mut count = 0;
    for line in out.lines() {
        assert!(!line.contains("isvalid: false"), "{line}");
        if let Some((_, record)) = line.split_once(" key: ") {
            let (key, value) = record.split_once(" payload: ").unwrap_or((record, "(none)"));
            latest.insert(key.to_owned(), value.to_owned());
            count += 1;
        }
    }
    (latest, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_value_of_each_key_survives_compaction_and_kills() {
    let mut cluster = Cluster::builder()
        .set("log.cleaner.backoff.ms", "50")
        .set("log.segment.delete.delay.ms", "100")
        .start()
        .await;
    let bootstrap = cluster.bootstrap();
    let mut create =
        vec!["--bootstrap-server", &bootstrap, "--create", "--topic", TOPIC, "--partitions", "1"];
    create.extend(["--replication-factor", "3"]);
    for config in [
        "cleanup.policy=compact",
        "segment.bytes=1048576",
        "min.cleanable.dirty.ratio=0.01",
        "delete.retention.ms=100",
    ] {
        create.extend(["--config", config]);
    }
    let _ = run(tool("kafka-topics").args(&create), "").success();

    // Some 10 MB, most of it superseded, while one broker after the other is killed and comes back.
    script(&cluster, &["write", "0", "30"]);
    for (victim, first) in [(1, 30), (2, 60), (3, 90)] {
        let mut write = foreign::python("compaction.py");
        let (first, last) = (first.to_string(), (first + 30).to_string());
        write.args([&cluster.bootstrap(), TOPIC, "write", &first, &last]);
        let written = tokio::task::spawn_blocking(move || run(&mut write, "").success());
        let dir = partition(&mut cluster, victim);
        let before = segments(&dir).len();
        wait::until("a new segment or a compaction", async || {
            wait::check(segments(&dir).len() != before, before).map(|_| ())
        })
        .await;
        cluster.node(victim).kill();
        if victim == 3 {
            // It comes back with nothing, and follows a log with gaps.
            std::fs::remove_dir_all(&dir).expect("its log is lost");
        }
        cluster.node(victim).start();
        cluster.wait_until_ready().await;
        let written = written.await.expect("no panic");
        assert!(written.out.ends_with("ok\n"), "{written:?}");
        wait_until_in_sync(&cluster).await;
    }
    wait_until_small(&mut cluster).await;
    let read = script(&cluster, &["read", "120"]);
    let count: usize = read.split(' ').next().and_then(|it| it.parse().ok()).expect("a count");
    assert!(count < 4_000, "{count} of 12,000 records are left");

    // Once more, now that nothing is written: the same for each replica, and for Kafka's own tool.
    for id in 1..=3 {
        cluster.node(id).signal(rustix::process::Signal::TERM);
    }
    for id in 1..=3 {
        assert!(cluster.node(id).wait().success(), "{}", cluster.node(id).log());
    }
    let dumps: Vec<_> = (1..=3).map(|id| dumped(&partition(&mut cluster, id))).collect();
    for (latest, count) in &dumps {
        let values: BTreeMap<_, _> =
            latest.iter().filter(|(_, value)| !value.starts_with("(none)")).collect();
        assert_eq!(values.len(), 100 - 100_usize.div_ceil(7), "{:?}", latest.keys());
        assert!(values.values().all(|value| value.starts_with("119 ")), "{count} records");
    }
    cluster.start_all();
    cluster.wait_until_ready().await;
    wait_until_in_sync(&cluster).await;
    script(&cluster, &["read", "120"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_a_key_are_refused_as_kafka_refuses_them() {
    let cluster = Cluster::builder().brokers(1).start().await;
    let servers = cluster.bootstrap();
    let create = ["--bootstrap-server", &servers, "--create", "--topic", TOPIC];
    let compact = ["--config", "cleanup.policy=compact"];
    let _ = run(tool("kafka-topics").args(create).args(compact), "").success();
    let kcat = ["-b", &servers, "-P", "-t", TOPIC, "-X", "acks=all"];
    let refused = run(foreign::kcat().args(kcat), "no key\n");
    let told = format!("{}{}", refused.out, refused.err);
    assert!(told.contains("Broker failed to validate record"), "{told}");
    let _ = run(foreign::kcat().args(kcat).args(["-K:"]), "a:1\n").success();
}
