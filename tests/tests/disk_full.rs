//! The disk is full: the node says so in one sentence and ends; what was acknowledged is there once
//! there is room again.

use std::path::{Path, PathBuf};
use std::process::Command;

use ottla_tests::{Cluster, run, tool, wait};

/// A small disk; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        std::fs::create_dir_all(&at).expect("a mount point");
        let args = ["-t", "tmpfs", "-o", "size=48m", "none"];
        let _ = run(Command::new("mount").args(args).arg(&at), "").success();
        Self(at)
    }

    fn grow(&self) {
        let _ =
            run(Command::new("mount").args(["-o", "remount,size=200m"]).arg(&self.0), "").success();
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_node_with_a_sentence_and_loses_nothing() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: mounting a small disk needs root");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let disk = SmallDisk::mount(dir.path().join("disk"));
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

    disk.grow();
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
