//! Replicas move between the log directories of their brokers, and directories fail, under acks=all load;
//! nothing that was acknowledged is lost.

use std::path::PathBuf;

use ottla_tests::{Cluster, Ledger, Output, SmallDisk, run, tool, wait};

const TOPIC: &str = "moving";

/// A cluster of three whose brokers have two log directories each, and a topic of one partition.
struct Dirs {
    cluster: Cluster,
    dir: tempfile::TempDir,
}

impl Dirs {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self::within(dir).await
    }

    async fn within(dir: tempfile::TempDir) -> Self {
        let two = |id: i32| format!("{0}/{id}a,{0}/{id}b", dir.path().display()).into();
        let cluster = Cluster::builder().data((1..=3).map(two).collect()).start().await;
        let this = Self { cluster, dir };
        let create = ["--create", "--topic", TOPIC, "--replica-assignment", "1:2:3"];
        let _ = this.tool("kafka-topics", &create).success();
        this
    }

    fn tool(&self, name: &str, args: &[&str]) -> Output {
        let bootstrap = self.cluster.bootstrap();
        run(tool(name).args(["--bootstrap-server", &bootstrap]).args(args), "")
    }

    /// `1a`, `1b`, …
    fn path(&self, place: &str) -> PathBuf {
        self.dir.path().join(place)
    }

    /// A file that says into which directories the replicas go.
    fn plan(&self, places: [&str; 3]) -> PathBuf {
        let file = self.dir.path().join(format!("to-{}.json", places.join("-")));
        let dirs = places.map(|place| format!("\"{}\"", self.path(place).display()));
        let text = format!(
            r#"{{"version":1,"partitions":[{{"topic":"{TOPIC}","partition":0,"replicas":[1,2,3],"log_dirs":[{}]}}]}}"#,
            dirs.join(",")
        );
        std::fs::write(&file, text).expect("a file");
        file
    }

    fn reassign(&self, action: &str, places: [&str; 3], more: &[&str]) -> String {
        let plan = self.plan(places);
        let file = ["--reassignment-json-file", plan.to_str().expect("a plain name")];
        self.tool("kafka-reassign-partitions", &[&[action], &file[..], more].concat()).success().out
    }

    async fn arrive(&self, places: [&str; 3]) {
        wait::until(&format!("the replicas are in {places:?}"), async || {
            let said = self.reassign("--verify", places, &["--preserve-throttles"]);
            let done = (1..=3).all(|broker| {
                let done =
                    format!("Reassignment of replica {TOPIC}-0-{broker} completed successfully.");
                said.contains(&done)
            });
            wait::check(done, said).map(|_| ())
        })
        .await;
    }

    /// Where the replicas are on disk; of two places, the first.
    fn places(&self) -> [&'static str; 3] {
        let both = [("1a", "1b"), ("2a", "2b"), ("3a", "3b")];
        let name = format!("{TOPIC}-0");
        both.map(|(a, b)| if self.path(a).join(&name).exists() { a } else { b })
    }
}

fn others(places: [&str; 3]) -> [&'static str; 3] {
    [("1a", "1b"), ("2a", "2b"), ("3a", "3b")].map(|(a, b)| if places.contains(&a) { b } else { a })
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_move_while_they_are_written_and_their_brokers_are_killed() {
    let mut dirs = Dirs::new().await;
    let mut ledger = Ledger::start(&dirs.cluster.bootstrap(), TOPIC, &[]);
    ledger.wait_for_more(300);
    let home = dirs.places();
    let away = others(home);
    let crawl = ["--replica-alter-log-dirs-throttle", "1000"];
    let said = dirs.reassign("--execute", away, &crawl);
    let started = format!(
        "Successfully started moving log directory to {} for replica {TOPIC}-0 with broker 1 \n",
        dirs.path(away[0]).display()
    );
    assert!(said.contains(&started), "{said}");
    assert!(said.contains("The replica-alter-dir throttle limit was set to 1000 B/s\n"), "{said}");
    let said = dirs.reassign("--verify", away, &["--preserve-throttles"]);
    let going = format!("Reassignment of replica {TOPIC}-0-1 is still in progress.");
    assert!(said.contains(&going), "{said}");
    let described = dirs.tool("kafka-log-dirs", &["--describe", "--topic-list", TOPIC]).success();
    assert!(described.out.contains(r#""isFuture":true"#), "{}", described.out);

    // The leader dies in the middle, and goes on where it was.
    dirs.cluster.node(1).kill();
    ledger.wait_for_more(100);
    dirs.cluster.node(1).start();
    dirs.cluster.wait_until_ready().await;
    let said = dirs.reassign("--verify", away, &["--preserve-throttles"]);
    assert!(said.contains(&going), "{said}");
    let cancelled = dirs.reassign("--cancel", away, &["--preserve-throttles"]);
    assert!(cancelled.contains("Successfully started moving log directory"), "{cancelled}");
    dirs.arrive(home).await;

    // To and fro at full speed, with a kill at some moment of each move.
    let fast = ["--additional", "--replica-alter-log-dirs-throttle", "1000000000"];
    for (round, to) in [away, home, away, home].into_iter().enumerate() {
        dirs.reassign("--execute", to, &fast);
        let victim = i32::try_from(round % 3).expect("small") + 1;
        dirs.cluster.node(victim).kill();
        ledger.wait_for_more(20);
        dirs.cluster.node(victim).start();
        dirs.cluster.wait_until_ready().await;
        // What the kill came before is asked for again.
        dirs.reassign("--execute", to, &fast);
        dirs.arrive(to).await;
        // What they have left is removed a moment later.
        wait::until("the old directories are gone", async || {
            wait::check(dirs.places() == to, dirs.places()).map(|_| ())
        })
        .await;
        ledger.wait_for_more(20);
    }
    let report = ledger.finish();
    println!("{report:?}");
    report.assert_nothing_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_fails_takes_its_replicas_offline_and_not_the_broker() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: mounting a small disk needs root");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    // The first directory of each broker holds the metadata.
    let disk = SmallDisk::mount(dir.path().join("1b"), 8);
    let mut dirs = Dirs::within(dir).await;
    let mut ledger = Ledger::start(&dirs.cluster.bootstrap(), TOPIC, &[]);
    ledger.wait_for_more(50);
    let home = dirs.places();
    let there = ["1b", home[1], home[2]];
    dirs.reassign("--execute", there, &[]);
    dirs.arrive(there).await;
    disk.fill();
    ledger.wait_for_more(200);
    let error = r#""error":"org.apache.kafka.common.errors.KafkaStorageException""#;
    wait::until("the directory is out of service", async || {
        let args = ["--describe", "--broker-list", "1"];
        let said = dirs.tool("kafka-log-dirs", &args).success().out;
        wait::check(said.contains(error), said).map(|_| ())
    })
    .await;
    let admin = dirs.cluster.admin().await;
    wait::until("others lead and are in sync", async || {
        let described = admin.describe_topics(&[TOPIC.into()], 10).await;
        let topic = described.map_err(|error| error.to_string())?.remove(0);
        let partition = topic.map_err(|error| error.to_string())?.partitions.remove(0);
        let mut isr = partition.isr.clone();
        isr.sort_unstable();
        wait::check(isr == [2, 3] && partition.leader != Some(1), format!("{partition:?}"))
            .map(|_| ())
    })
    .await;
    // The broker serves on: what is new comes into the directory that is left.
    dirs.cluster.node(1).assert_alive();
    let create = ["--create", "--topic", "new", "--replica-assignment", "1"];
    let _ = dirs.tool("kafka-topics", &create).success();
    wait::until("the new topic is in the other directory", async || {
        wait::check(dirs.path("1a").join("new-0").exists(), ()).map(|_| ())
    })
    .await;
    ledger.wait_for_more(50);
    ledger.finish().assert_nothing_lost();
    let Dirs { cluster, dir } = dirs;
    drop(cluster);
    drop(disk);
    drop(dir);
}
