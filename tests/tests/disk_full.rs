//! The disk is full: the node says so in one sentence and ends; what was acknowledged is there once
//! there is room again.

use ottla_tests::{Cluster, SmallDisk, run, tool, wait};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_node_with_a_sentence_and_loses_nothing() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: mounting a small disk needs root");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let disk = SmallDisk::mount(dir.path().join("disk"), 48);
    let data = disk.path().join("data");
    let mut cluster = Cluster::builder().brokers(1).data(vec![data]).start().await;
    let bootstrap = cluster.bootstrap();
    let common = ["--bootstrap-server", &bootstrap, "--topic", "t"];
    let _ = run(tool("kafka-console-producer").args(common), "kept\n").success();

    let lines = format!("{}\n", "x".repeat(999)).repeat(80_000);
    let settings = ["--producer-property", "delivery.timeout.ms=10000"];
    let filling = std::thread::spawn({
        let mut producer = tool("kafka-console-producer");
        producer.args(common).args(settings);
        move || run(&mut producer, &lines)
    });
    let status = cluster.node(1).wait();
    let log = cluster.node(1).log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(!log.contains("panic"), "{log}");
    let errors: Vec<_> = log.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    assert!(errors[0].contains("log.dir") && errors[0].contains("No space left"), "{errors:?}");
    let _ = filling.join().expect("the producer ends");

    disk.grow(200);
    cluster.start_all();
    cluster.wait_until_ready().await;
    wait::until("the first record is read", async || {
        let read = ["--from-beginning", "--max-messages", "1", "--timeout-ms", "5000"];
        let read = run(tool("kafka-console-consumer").args(common).args(read), "");
        wait::check(read.out == "kept\n", format!("{read:?}")).map(|_| ())
    })
    .await;
    drop(cluster);
}
