//! Partitions move under acks=all load while brokers and controllers die; nothing that was acknowledged is
//! lost, and a move completes or can be cancelled.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ottla_client::Admin;
use ottla_client::admin::PartitionDescription;
use ottla_tests::{Cluster, Ledger, Output, foreign, run, tool, wait};

const TOPIC: &str = "moving";
/// So little per second that a move of the ledger's records never ends.
const CRAWL: &str = "1000";
/// So much that nothing is held back.
const FULL_SPEED: &str = "1000000000";
/// Records of the ledger that take longer than any test at a crawl.
const BACKLOG: u64 = 800;

/// A cluster of four brokers with a topic of one partition, and its tools.
struct Move {
    cluster: Cluster,
    admin: Admin,
}

impl Move {
    async fn of(replicas: &str) -> Self {
        Self::in_cluster(Cluster::builder().brokers(4).start().await, replicas).await
    }

    async fn in_cluster(cluster: Cluster, replicas: &str) -> Self {
        let admin = cluster.admin().await;
        let this = Self { cluster, admin };
        let _ = this
            .tool("kafka-topics", &["--create", "--topic", TOPIC, "--replica-assignment", replicas])
            .success();
        this
    }

    fn tool(&self, name: &str, args: &[&str]) -> Output {
        let bootstrap = self.cluster.bootstrap();
        run(tool(name).args(["--bootstrap-server", &bootstrap]).args(args), "")
    }

    fn reassign(&self, args: &[&str]) -> Output {
        self.tool("kafka-reassign-partitions", args)
    }

    /// A file that says where the partition goes.
    fn plan(&self, replicas: &str) -> PathBuf {
        let path = self.cluster.dir().join(format!("to-{replicas}.json"));
        let text = format!(
            r#"{{"version":1,"partitions":[{{"topic":"{TOPIC}","partition":0,"replicas":[{replicas}]}}]}}"#
        );
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Begins a move; `throttle` in bytes per second.
    fn execute(&self, replicas: &str, throttle: Option<&str>, more: &[&str]) {
        let plan = self.plan(replicas);
        let mut args = vec!["--execute", "--reassignment-json-file", path(&plan)];
        args.extend(throttle.into_iter().flat_map(|rate| ["--throttle", rate]));
        args.extend(more);
        let output = self.reassign(&args).success();
        let started = format!("Successfully started partition reassignment for {TOPIC}-0\n");
        assert!(output.out.ends_with(&started), "{}", output.out);
    }

    /// Ends a move that is at a crawl.
    fn speed_up(&self, replicas: &str) {
        self.execute(replicas, Some(FULL_SPEED), &["--additional"]);
    }

    fn verify(&self, replicas: &str) -> String {
        let plan = self.plan(replicas);
        self.reassign(&["--verify", "--reassignment-json-file", path(&plan)]).success().out
    }

    fn list(&self) -> String {
        self.reassign(&["--list"]).success().out
    }

    async fn partition(&self) -> Result<PartitionDescription, String> {
        let described = self.admin.describe_topics(&[TOPIC.into()], 10).await;
        let topic = described.map_err(|error| error.to_string())?.into_iter().next();
        let topic = topic.ok_or("not there")?.map_err(|error| error.to_string())?;
        topic.partitions.into_iter().next().ok_or_else(|| "no partition".to_owned())
    }

    async fn until(&self, what: &str, holds: impl Fn(&PartitionDescription) -> bool) {
        wait::until(&format!("{TOPIC}-0 {what}"), async || {
            let partition = self.partition().await?;
            wait::check(holds(&partition), format!("{partition:?}")).map(|_| ())
        })
        .await;
    }

    /// Waits until the partition is on these replicas alone, all in sync and led by one of them.
    async fn until_on(&self, replicas: &[i32]) {
        self.until(&format!("is on {replicas:?}"), |now| {
            let in_sync = now.isr.len() == replicas.len();
            let led = now.leader.is_some_and(|leader| replicas.contains(&leader));
            now.replicas == replicas && in_sync && led
        })
        .await;
        wait::until("nothing moves", async || {
            let listed = self.list();
            wait::check(listed == "No partition reassignments found.\n", listed).map(|_| ())
        })
        .await;
    }
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().expect("a plain name")
}

/// Moves `1,2,3` to `4,3,2` at a crawl, kills a node in the middle, and lets the move end: with the node
/// if it is to hold the partition afterwards, without it if not.
async fn a_node_is_killed_in_the_middle(choose: impl AsyncFn(&Move) -> i32) {
    let mut moving = Move::of("1:2:3").await;
    let mut ledger = Ledger::start(&moving.cluster.bootstrap(), TOPIC, &[]);
    ledger.wait_for_more(BACKLOG);
    moving.execute("4,3,2", Some(CRAWL), &[]);
    assert!(
        moving.list().contains(&format!("{TOPIC}-0: replicas: 4,3,2,1. adding: 4. removing: 1."))
    );
    let victim = choose(&moving).await;
    println!("victim: {victim}");
    moving.cluster.node(victim).kill();
    ledger.wait_for_more(200);
    // Under another leader the throttle begins anew: by now the move may even have ended.
    println!("{}", moving.list());
    moving.cluster.node(victim).start();
    moving.cluster.wait_until_ready().await;
    moving.speed_up("4,3,2");
    moving.until_on(&[4, 3, 2]).await;
    ledger.wait_for_more(200);
    let verified = moving.verify("4,3,2");
    assert!(verified.contains(&format!("Reassignment of partition {TOPIC}-0 is completed.\n")));
    assert!(
        verified.contains("Clearing broker-level throttles on brokers 1,2,3,4\n"),
        "{verified}"
    );
    let report = ledger.finish();
    println!("{report:?}");
    report.assert_nothing_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_that_is_to_go_is_killed() {
    a_node_is_killed_in_the_middle(async |_| 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_that_is_to_come_is_killed() {
    a_node_is_killed_in_the_middle(async |_| 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_controller_is_killed() {
    a_node_is_killed_in_the_middle(async |moving| moving.cluster.active_controller().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_to_a_dead_broker_is_cancelled() {
    let mut moving = Move::of("1:2:3").await;
    let mut ledger = Ledger::start(&moving.cluster.bootstrap(), TOPIC, &[]);
    ledger.wait_for_more(BACKLOG);
    moving.execute("4,3", Some(CRAWL), &[]);
    moving.cluster.node(4).kill();
    ledger.wait_for_more(200);
    let plan = moving.plan("4,3");
    let cancel = ["--cancel", "--preserve-throttles", "--reassignment-json-file", path(&plan)];
    let cancelled = moving.reassign(&cancel).success().out;
    assert_eq!(
        cancelled,
        format!(
            "Successfully cancelled partition reassignment for: {TOPIC}-0\n\
             None of the specified partition moves are active."
        )
    );
    // The target came first, so its order stays.
    moving.until_on(&[3, 1, 2]).await;
    ledger.wait_for_more(200);
    moving.cluster.node(4).start();
    moving.cluster.wait_until_ready().await;
    let dirs = moving.tool("kafka-log-dirs", &["--describe", "--topic-list", TOPIC]).success();
    assert!(!dirs.out.contains(r#"{"broker":4,"logDirs":[{"partitions":[{"#), "{}", dirs.out);
    ledger.finish().assert_nothing_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replication_factor_rises_and_falls_under_load() {
    let moving = Move::of("1").await;
    let mut ledger = Ledger::start(&moving.cluster.bootstrap(), TOPIC, &[]);
    ledger.wait_for_more(200);
    for (to, replicas) in
        [("1,2,3", &[1, 2, 3][..]), ("4", &[4]), ("2,4", &[2, 4]), ("3,1,4,2", &[3, 1, 4, 2])]
    {
        moving.execute(to, None, &[]);
        moving.until_on(replicas).await;
        ledger.wait_for_more(100);
    }
    let plan = moving.plan("1,2");
    let same = ["--execute", "--disallow-replication-factor-change", "--reassignment-json-file"];
    let refused = moving.reassign(&[&same[..], &[path(&plan)]].concat()).failure();
    let why = format!(
        "Error reassigning partition(s):\n{TOPIC}-0: The replication factor is changed from 4 to 2\n"
    );
    assert!(refused.out.ends_with(&why), "{}", refused.out);
    ledger.finish().assert_nothing_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_deleted_while_it_moves() {
    let mut moving = Move::of("1:2").await;
    moving.fill(200_000);
    moving.execute("4,3", Some(CRAWL), &[]);
    let _ = moving.tool("kafka-topics", &["--delete", "--topic", TOPIC]).success();
    assert_eq!(moving.list(), "No partition reassignments found.\n");
    for id in 1..=4 {
        let data = moving.cluster.node(id).dir().join(format!("data/{TOPIC}-0"));
        wait::until(&format!("broker {id} has forgotten it"), async || {
            wait::check(!data.exists(), "it is still there").map(|_| ())
        })
        .await;
    }
    for node in moving.cluster.nodes() {
        node.assert_alive();
    }
}

impl Move {
    /// Fills the partition with about so many bytes.
    fn fill(&self, bytes: usize) {
        let line = "x".repeat(999) + "\n";
        let bootstrap = self.cluster.bootstrap();
        let args = ["--bootstrap-server", &bootstrap, "--topic", TOPIC];
        let mut producer = tool("kafka-console-producer");
        let _ = run(producer.args(args), &line.repeat(bytes / 1000)).success();
    }

    fn size_on(&self, broker: i32) -> u64 {
        let broker = broker.to_string();
        let args = ["--describe", "--topic-list", TOPIC, "--broker-list", &broker];
        let output = self.tool("kafka-log-dirs", &args).success().out;
        let json = output.lines().last().expect("a line");
        let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
        json["brokers"][0]["logDirs"][0]["partitions"][0]["size"].as_u64().unwrap_or(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_holds_to_a_tenth() {
    const RATE: u64 = 1_000_000;
    let moving = Move::of("1:2").await;
    moving.fill(12_000_000);
    let size = moving.size_on(1);
    moving.execute("3,2", Some(&RATE.to_string()), &[]);
    let began = Instant::now();
    // The first bytes may come at once.
    wait::until("a second's worth is there", async || {
        wait::check(moving.size_on(3) > RATE, ()).map(|_| ())
    })
    .await;
    let (at_first, first) = (began.elapsed(), moving.size_on(3));
    moving.until_on(&[3, 2]).await;
    let took = began.elapsed();
    let rate = (size - first) as f64 / (took - at_first).as_secs_f64();
    println!("{size} bytes in {took:?}: {rate:.0} bytes per second");
    assert!((0.9..=1.1).contains(&(rate / RATE as f64)), "{rate} instead of {RATE}");
    assert!(took > Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unclean_election_says_first_what_it_gives_up() {
    let mut moving = Move::of("1:2").await;
    let set = ["--alter", "--topic", TOPIC, "--add-config", "min.insync.replicas=1"];
    let _ = moving.tool("kafka-configs", &set);
    moving.fill(20_000);
    moving.cluster.node(2).kill();
    moving.until("is led alone", |now| now.isr == [1]).await;
    moving.fill(10_000);
    moving.cluster.node(1).kill();
    moving.cluster.node(2).start();
    moving.until("has no leader", |now| now.leader.is_none()).await;
    moving.cluster.wait_until_ready().await;
    let elect = |election| {
        let args = ["--election-type", election, "--topic", TOPIC, "--partition", "0"];
        moving.tool("kafka-leader-election", &args)
    };
    let refused = elect("preferred").failure();
    assert_eq!(
        refused.out,
        format!(
            "Error completing leader election (PREFERRED) for partition: {TOPIC}-0: \
             org.apache.kafka.common.errors.PreferredLeaderNotAvailableException: The preferred leader \
             was not available.\n"
        )
    );
    let elected = elect("unclean").success();
    assert_eq!(
        elected.out,
        format!("Successfully completed leader election (UNCLEAN) for partitions {TOPIC}-0\n")
    );
    assert!(elected.err.contains("broker 1: is not live, and no candidate"), "{}", elected.err);
    assert!(
        elected.err.contains("broker 2: last epoch 0, log end 20, gives up"),
        "{}",
        elected.err
    );
    moving.until("is led by 2", |now| now.leader == Some(2)).await;
    let again = elect("unclean").success();
    assert_eq!(again.out, format!("Valid replica already elected for partitions {TOPIC}-0\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_own_tools_move_partitions_and_print_what_ours_print() {
    let moving = Move::of("1:2").await;
    let plan = moving.plan("3,2");
    let bootstrap = moving.cluster.bootstrap();
    let theirs = |class: &str, args: &[&str]| {
        let class = format!("org.apache.kafka.tools.{class}");
        run(foreign::java(&class).args(args).args(["--bootstrap-server", &bootstrap]), "")
    };
    let reassign = "reassign.ReassignPartitionsCommand";
    let with_plan = |action| [action, "--reassignment-json-file", path(&plan)];
    let same: &[(&str, &str, Vec<&str>)] = &[
        ("kafka-reassign-partitions", reassign, vec!["--list"]),
        ("kafka-reassign-partitions", reassign, with_plan("--verify").to_vec()),
        ("kafka-reassign-partitions", reassign, with_plan("--cancel").to_vec()),
        ("kafka-leader-election", "LeaderElectionCommand", {
            vec!["--election-type", "preferred", "--topic", TOPIC, "--partition", "0"]
        }),
        ("kafka-log-dirs", "LogDirsCommand", vec!["--describe", "--topic-list", TOPIC]),
        ("kafka-cluster", "ClusterTool", vec!["cluster-id"]),
        ("kafka-cluster", "ClusterTool", vec!["list-endpoints"]),
    ];
    let compare = || {
        for (name, class, args) in same {
            let (mut ours, theirs) = (tool(name), theirs(class, args));
            let ours = run(ours.args(args).args(["--bootstrap-server", &bootstrap]), "");
            assert_eq!(
                (ours.status.code(), &ours.out),
                (theirs.status.code(), &theirs.out),
                "{name} {args:?}: ours, then theirs\n{}\n{}",
                ours.err,
                theirs.err
            );
        }
    };
    compare();
    let _ = theirs(reassign, &with_plan("--execute")).success();
    moving.until_on(&[3, 2]).await;
    compare();
    let unregistered = theirs("ClusterTool", &["unregister", "--id", "9"]).failure();
    assert!(unregistered.err.contains("Broker ID 9 is not currently registered"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_replica_comes_into_the_log_directory_that_was_chosen() {
    let dir = tempfile::tempdir().expect("a folder");
    let two = |id: i32| format!("{0}/{id}a,{0}/{id}b", dir.path().display()).into();
    let cluster = Cluster::builder().data((1..=3).map(two).collect()).start().await;
    let moving = Move::in_cluster(cluster, "1:2").await;
    for (wanted, place) in [("b", "3b"), ("a", "3a")] {
        let path_of_3 = format!("{}/{place}", dir.path().display());
        let plan = moving.cluster.dir().join(format!("{wanted}.json"));
        let text = format!(
            r#"{{"partitions":[{{"topic":"{TOPIC}","partition":0,"replicas":[3,2],"log_dirs":["{path_of_3}","any"]}}]}}"#
        );
        std::fs::write(&plan, text).expect("a file");
        let file = ["--reassignment-json-file", path(&plan)];
        let executed = moving.reassign(&[&["--execute"], &file[..]].concat()).success().out;
        let moved = format!(
            "Successfully started moving log directory to {path_of_3} for replica {TOPIC}-0 with \
             broker 3 \n"
        );
        assert!(executed.ends_with(&moved), "{executed}");
        moving.until_on(&[3, 2]).await;
        let verified = moving.reassign(&[&["--verify"], &file[..]].concat()).success().out;
        let done = format!("Reassignment of replica {TOPIC}-0-3 completed successfully.\n");
        assert!(verified.contains(&done), "{verified}");
        moving.execute("1,2", None, &[]);
        moving.until_on(&[1, 2]).await;
    }
    let plan = moving.cluster.dir().join("nowhere.json");
    let text = format!(
        r#"{{"partitions":[{{"topic":"{TOPIC}","partition":0,"replicas":[1,2],"log_dirs":["/nowhere","any"]}}]}}"#
    );
    std::fs::write(&plan, text).expect("a file");
    let refused =
        moving.reassign(&["--execute", "--reassignment-json-file", path(&plan)]).failure().out;
    assert!(refused.contains("The user-specified log directory is not found"), "{refused}");
}
