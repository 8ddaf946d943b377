//! The power of all three nodes is cut at once: what was not flushed is gone, what was acknowledged
//! is not.
//!
//! Each node keeps its data on an ext4 image of its own. All three processes are frozen under load,
//! the images copied: a copy holds what had reached the "disk", not what the page cache held. Then
//! the nodes start again from the copies.

use std::path::{Path, PathBuf};
use std::process::Command;

use ottla_tests::{Builder, Cluster, Ledger, run, tool, wait};
use tempfile::TempDir;

/// A mounted ext4 image; unmounted when dropped.
struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

fn shell(program: &str, args: &[&str]) {
    let _ = run(Command::new(program).args(args), "").success();
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

impl Disk {
    fn format(dir: &Path, name: &str) -> Self {
        let image = dir.join(format!("{name}.img"));
        shell("truncate", &["-s", "400M", utf8(&image)]);
        shell("mkfs.ext4", &["-q", "-F", utf8(&image)]);
        Self::mount(image, dir.join(name))
    }

    fn mount(image: PathBuf, mount: PathBuf) -> Self {
        std::fs::create_dir_all(&mount).expect("a mount point");
        // The journal is committed when somebody asks for it, not every five seconds.
        shell("mount", &["-o", "loop,commit=300", utf8(&image), utf8(&mount)]);
        Self { image, mount }
    }

    /// What has reached the disk so far.
    fn copy(&self) {
        shell("cp", &["--sparse=always", utf8(&self.image), utf8(&self.copied())]);
    }

    fn copied(&self) -> PathBuf {
        self.image.with_extension("copy")
    }

    /// The copy takes the place of the disk; what the page cache held beyond it is gone.
    fn lose_what_was_not_copied(self) -> Self {
        let (image, mount, copied) = (self.image.clone(), self.mount.clone(), self.copied());
        drop(self);
        std::fs::rename(copied, &image).expect("renamed");
        Self::mount(image, mount)
    }

    fn data(&self) -> PathBuf {
        self.mount.join("data")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.mount).status();
    }
}

fn may_mount() -> bool {
    let root = rustix::process::getuid().is_root();
    if !root {
        println!("skipped: mounting images needs root");
    }
    root
}

/// A cluster whose nodes have a disk each, and a topic "t" of three replicas.
struct Rig {
    cluster: Cluster,
    // After the cluster: a disk in use cannot be unmounted.
    disks: Vec<Disk>,
    _dir: TempDir,
}

impl Rig {
    async fn new(builder: Builder) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let disks: Vec<Disk> =
            ["one", "two", "three"].iter().map(|name| Disk::format(dir.path(), name)).collect();
        let folders = disks.iter().map(Disk::data).collect();
        let cluster = builder.data(folders).start().await;
        let bootstrap = cluster.bootstrap();
        let create = ["--bootstrap-server", &bootstrap, "--create", "--topic", "t"];
        let factor = ["--partitions", "1", "--replication-factor", "3"];
        let _ = run(tool("kafka-topics").args(create).args(factor), "").success();
        Self { cluster, disks, _dir: dir }
    }

    /// Cuts the power of all nodes and starts them again.
    async fn cut_power(&mut self) {
        for node in self.cluster.nodes() {
            node.pause();
        }
        self.disks.iter().for_each(Disk::copy);
        for node in self.cluster.nodes() {
            node.kill();
        }
        self.disks = self.disks.drain(..).map(Disk::lose_what_was_not_copied).collect();
        self.cluster.start_all();
        self.cluster.wait_until_ready().await;
    }

    async fn wait_until_all_in_sync(&self) {
        let bootstrap = self.cluster.bootstrap();
        let args =
            ["--bootstrap-server", &bootstrap, "--describe", "--under-replicated-partitions"];
        wait::until("all in sync", async || {
            let seen = run(tool("kafka-topics").args(args), "");
            wait::check(seen.out.trim().is_empty(), format!("{seen:?}")).map(|_| ())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_missing_after_a_power_cut_of_all_three() {
    if !may_mount() {
        return;
    }
    let mut rig = Rig::new(Cluster::builder()).await;
    let mut ledger = Ledger::start(&rig.cluster.bootstrap(), "t", &[]);
    for _ in 0..2 {
        ledger.wait_for_more(300);
        rig.cut_power().await;
    }
    ledger.wait_for_more(100);
    rig.wait_until_all_in_sync().await;
    let report = ledger.finish();
    println!("{report:?}");
    report.assert_nothing_lost();
}

/// With Kafka's setting, records are acknowledged from the page caches: the same cut takes them, and
/// the test above would see it.
#[tokio::test(flavor = "multi_thread")]
async fn the_rig_sees_what_is_lost_when_nothing_is_flushed() {
    if !may_mount() {
        return;
    }
    let builder = Cluster::builder().set("log.flush.interval.messages", "9223372036854775807");
    let mut rig = Rig::new(builder).await;
    let mut ledger = Ledger::start(&rig.cluster.bootstrap(), "t", &["enable.idempotence=false"]);
    ledger.wait_for_more(300);
    rig.cut_power().await;
    rig.wait_until_all_in_sync().await;
    let report = ledger.finish();
    println!("{report:?}");
    assert!(report.lost > 0, "{report:?}");
}
