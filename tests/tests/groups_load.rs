//! How much one coordinator holds. Not run by default; figures are printed:
//! `cargo test -p ottla-tests --test groups_load -- --ignored --nocapture --test-threads 1`

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    OffsetCommitRequest, SyncGroupRequest,
};
use ottla_protocol::{ErrorCode, Request, StrBytes, frame};
use ottla_tests::{Cluster, run, tool, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::time::sleep_until;

const SESSION: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(3);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A connection to a broker.
struct Connection(TcpStream);

impl Connection {
    async fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("localhost", port)).await.expect("the broker listens");
        stream.set_nodelay(true).expect("a socket");
        Self(stream)
    }

    async fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        let frame = frame::encode_request(1, Some("load"), version, request).expect("encodes");
        self.0.write_all(&frame).await.expect("sent");
        let length = self.0.read_u32().await.expect("an answer");
        let mut body = vec![0; length as usize];
        self.0.read_exact(&mut body).await.expect("a whole answer");
        frame::decode_response(version, body.into()).expect("decodes").1
    }
}

/// Starts `brokers` brokers with a topic, and waits until a coordinator answers for every group.
async fn cluster(brokers: i32, delay_ms: &str, partitions: &str) -> Cluster {
    let mut cluster = Cluster::builder()
        .brokers(brokers)
        .set("group.initial.rebalance.delay.ms", delay_ms)
        .start()
        .await;
    let bootstrap = cluster.bootstrap();
    let create = ["--bootstrap-server", &bootstrap, "--create", "--topic", "t"];
    let create = [&create[..], &["--partitions", partitions]].concat();
    let _ = run(tool("kafka-topics").args(create), "").success();
    for group in ["a", "b", "c", "d"] {
        let _ = coordinator(&mut cluster, group).await;
    }
    cluster
}

/// The port of a group's coordinator.
async fn coordinator(cluster: &mut Cluster, group: &str) -> u16 {
    let port = cluster.ports()[0];
    wait::until("a coordinator", async || {
        let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
        let found = Connection::open(port).await.call(4, &request).await.coordinators.remove(0);
        let port = u16::try_from(found.port).map_err(|_| "no port")?;
        wait::check(found.error_code == 0, "none").map(|_| port)
    })
    .await
}

/// A classic member that has not joined yet.
struct Member {
    connection: Connection,
    group: StrBytes,
    id: StrBytes,
    generation: i32,
    leads: bool,
    latencies: Vec<Duration>,
}

impl Member {
    async fn new(port: u16, group: &str) -> Self {
        Self {
            connection: Connection::open(port).await,
            group: text(group),
            id: StrBytes::default(),
            generation: -1,
            leads: false,
            latencies: Vec::new(),
        }
    }

    /// Joins and syncs, as often as it takes.
    async fn settle(&mut self) {
        loop {
            let joined = self.join().await;
            self.id = joined.member_id.clone();
            match ErrorCode::from_code(joined.error_code) {
                Some(ErrorCode::None) => {}
                Some(
                    ErrorCode::MemberIdRequired
                    | ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::NotCoordinator,
                ) => continue,
                code => panic!("joining: {code:?}"),
            }
            self.generation = joined.generation_id;
            self.leads = joined.leader == joined.member_id;
            let members = joined.members.iter();
            let assignments = members.map(|member| {
                SyncGroupRequestAssignment::default()
                    .with_member_id(member.member_id.clone())
                    .with_assignment(Bytes::from_static(&[7; 60]))
            });
            let request = SyncGroupRequest::default()
                .with_group_id(self.group.clone().into())
                .with_generation_id(self.generation)
                .with_member_id(self.id.clone())
                .with_protocol_type(Some(text("consumer")))
                .with_protocol_name(Some(text("range")))
                .with_assignments(assignments.collect());
            match ErrorCode::from_code(self.connection.call(5, &request).await.error_code) {
                Some(ErrorCode::None) => return,
                Some(ErrorCode::RebalanceInProgress) => {}
                code => panic!("syncing: {code:?}"),
            }
        }
    }

    async fn join(&mut self) -> JoinGroupResponse {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(&[7; 100]));
        let request = JoinGroupRequest::default()
            .with_group_id(self.group.clone().into())
            .with_session_timeout_ms(i32::try_from(SESSION.as_millis()).expect("small"))
            .with_rebalance_timeout_ms(60_000)
            .with_member_id(self.id.clone())
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        self.connection.call(9, &request).await
    }

    async fn heartbeat(&mut self) -> ErrorCode {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group.clone().into())
            .with_generation_id(self.generation)
            .with_member_id(self.id.clone());
        let begun = Instant::now();
        let answer = self.connection.call(4, &request).await;
        self.latencies.push(begun.elapsed());
        ErrorCode::from_code(answer.error_code).expect("a code")
    }

    /// Lives on for `time`; whatever goes wrong is counted.
    async fn live(&mut self, time: Duration) -> usize {
        let begun = tokio::time::Instant::now();
        let mut wrong = 0;
        let mut next = begun + HEARTBEAT.mul_f64(rand::random());
        while next < begun + time {
            sleep_until(next).await;
            if self.heartbeat().await != ErrorCode::None {
                wrong += 1;
                self.settle().await;
            }
            next += HEARTBEAT;
        }
        wrong
    }
}

fn percentiles(mut latencies: Vec<Duration>) -> String {
    latencies.sort_unstable();
    let at = |share: f64| {
        let place = (latencies.len() as f64 * share) as usize;
        latencies.get(place.min(latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    format!("p50 {:?} p99 {:?} max {:?}", at(0.5), at(0.99), at(1.0))
}

/// `groups` groups of `members` members each live for a minute on one broker.
async fn hold(groups: usize, members: usize) {
    let mut cluster = cluster(1, "3000", "50").await;
    let port = coordinator(&mut cluster, "a").await;
    let begun = Instant::now();
    let settled = Arc::new(Barrier::new(groups * members));
    let tasks = (0..groups * members).map(|n| {
        let settled = Arc::clone(&settled);
        tokio::spawn(async move {
            let mut member = Member::new(port, &format!("group-{}", n % groups)).await;
            member.settle().await;
            // Who joins while others have already synced makes a second generation.
            let mut before = 0;
            while member.heartbeat().await != ErrorCode::None {
                before += 1;
                member.settle().await;
            }
            settled.wait().await;
            member.latencies.clear();
            let wrong = member.live(Duration::from_secs(60)).await;
            (before, wrong, member.latencies)
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let ended = join_all(tasks).await.into_iter().map(|task| task.expect("no panic"));
    let (mut wrong, mut latencies) = (0, Vec::new());
    for (_, of_one, its) in ended {
        wrong += of_one;
        latencies.extend(its);
    }
    let took = begun.elapsed() - Duration::from_secs(60);
    println!(
        "{groups} groups of {members}: together after about {took:?}; a minute of heartbeats: \
         {} sent, {wrong} refused, {}",
        latencies.len(),
        percentiles(latencies)
    );
    assert_eq!(wrong, 0, "sessions were missed or groups rebalanced");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark"]
async fn a_thousand_groups_of_five() {
    hold(1_000, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark"]
async fn one_group_of_a_thousand() {
    hold(1, 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark"]
async fn a_rebalance_of_a_hundred() {
    const MEMBERS: usize = 100;
    let delay = Duration::from_secs(3);
    let mut cluster = cluster(3, "3000", "50").await;
    let port = coordinator(&mut cluster, "hundred").await;
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        members.push(Member::new(port, "hundred").await);
    }
    let begun = Instant::now();
    join_all(members.iter_mut().map(Member::settle)).await;
    // Each newcomer may prolong the delay once.
    println!(
        "a new group of {MEMBERS}: {:?} from the first join, of which {delay:?} or more are \
              the initial delay",
        begun.elapsed()
    );
    let begun = Instant::now();
    // The leader joins again, as if the topics had changed; the others learn it from their heartbeats.
    let all = members.iter_mut().map(async |member| {
        while !member.leads && member.heartbeat().await == ErrorCode::None {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        member.settle().await;
    });
    join_all(all).await;
    let took = begun.elapsed();
    println!("a rebalance of {MEMBERS} who look every 100 ms: {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// Commits from `connections` groups at once for ten seconds, to one coordinator of `brokers` brokers.
async fn commit(brokers: i32, connections: usize) {
    let mut cluster = cluster(brokers, "0", "50").await;
    let port = coordinator(&mut cluster, "a").await;
    let mut groups = Vec::new();
    for n in 0.. {
        let group = format!("committer-{n}");
        if coordinator(&mut cluster, &group).await == port {
            groups.push(group);
        }
        if groups.len() == connections {
            break;
        }
    }
    let leader = (1..=brokers).find(|id| cluster.node(*id).port() == port).expect("it is a node");
    let cpu = cpu_seconds(&mut cluster, leader);
    let begun = Instant::now();
    let end = begun + Duration::from_secs(10);
    let tasks = groups.into_iter().map(|group| {
        tokio::spawn(async move {
            let mut connection = Connection::open(port).await;
            let mut latencies = Vec::new();
            for offset in 0.. {
                let begun = Instant::now();
                if begun > end {
                    break;
                }
                let request = offsets(&group, 0..1, offset);
                let answer = connection.call(8, &request).await;
                match ErrorCode::from_code(answer.topics[0].partitions[0].error_code) {
                    Some(ErrorCode::None) => latencies.push(begun.elapsed()),
                    // It has only just been elected.
                    Some(ErrorCode::CoordinatorLoadInProgress) => {}
                    code => panic!("committing: {code:?}"),
                }
            }
            latencies
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let ended = join_all(tasks).await;
    let latencies: Vec<_> = ended.into_iter().flat_map(|task| task.expect("no panic")).collect();
    let rate = latencies.len() as f64 / begun.elapsed().as_secs_f64();
    // On a machine that others use as well, this says more than the rate.
    let cpu = cpu_seconds(&mut cluster, leader) - cpu;
    println!(
        "{brokers} brokers, {connections} committers: {rate:.0} commits/s, {:.0} us of the \
         coordinator's CPU time each, {}",
        cpu * 1e6 / latencies.len() as f64,
        percentiles(latencies)
    );
}

/// The CPU time that a node has used.
fn cpu_seconds(cluster: &mut Cluster, id: i32) -> f64 {
    let path = format!("/proc/{}/stat", cluster.node(id).pid().as_raw_nonzero());
    let stat = std::fs::read_to_string(path).expect("the process is there");
    // Behind the name, which is in brackets: user and system time are the 12th and 13th, in ticks.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|it| it.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn offsets(group: &str, partitions: std::ops::Range<i32>, offset: i64) -> OffsetCommitRequest {
    let partitions = partitions.map(|index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")))
    });
    let topic = OffsetCommitRequestTopic::default()
        .with_name(text("t").into())
        .with_partitions(partitions.collect());
    OffsetCommitRequest::default()
        .with_group_id(text(group).into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark"]
async fn commits_per_second() {
    for (brokers, connections) in [(1, 200), (1, 2_000), (3, 200), (3, 2_000)] {
        commit(brokers, connections).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark"]
async fn a_million_records_are_loaded() {
    const PARTITIONS: i32 = 1_000;
    let mut cluster = cluster(1, "0", &PARTITIONS.to_string()).await;
    let port = coordinator(&mut cluster, "loaded").await;
    let mut connection = Connection::open(port).await;
    for offset in 0..1_000 {
        let answer = connection.call(8, &offsets("loaded", 0..PARTITIONS, offset)).await;
        assert!(answer.topics[0].partitions.iter().all(|it| it.error_code == 0), "{answer:?}");
    }
    drop(connection);
    assert!(cluster.node(1).stop().success());
    let before = cluster.node(1).log().len();
    cluster.node(1).start();
    cluster.wait_until_ready().await;
    let node = cluster.node(1);
    let line = wait::until("the groups are loaded", async || {
        let log = node.log().split_off(before);
        let line = log.lines().find(|line| line.contains("records=1000000")).map(str::to_owned);
        line.ok_or("not yet")
    })
    .await;
    println!("{line}");
}
