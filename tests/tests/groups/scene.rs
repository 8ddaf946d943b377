//! A cluster, a group of foreign consumers on one topic, a producer, and what is seen of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetFetchRequest};
use ottla_protocol::{ErrorCode, StrBytes, group_partition};
use ottla_tests::{Builder, Cluster, Member, Story, Watch, Wire, foreign, run, tool, wait};

const TOPIC: &str = "t";
const PARTITIONS: i32 = 6;
/// Of `__consumer_offsets`, by default.
const OFFSETS_PARTITIONS: i32 = 50;
const RECORDS_PER_SECOND: u32 = 200;

/// A member of a group, by one of the clients.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    KafkaPython,
    Aiokafka,
    ConfluentClassic,
    ConfluentConsumer,
    Kafkajs,
    JavaClassic,
    JavaConsumer,
}

impl Kind {
    fn member(self, bootstrap: &str, group: &str) -> Member {
        let mut command = match self {
            Self::KafkaPython => foreign::python("member_kafka_python.py"),
            Self::Aiokafka => foreign::python("member_aio.py"),
            Self::ConfluentClassic | Self::ConfluentConsumer => {
                foreign::python("member_confluent.py")
            }
            Self::Kafkajs => foreign::node("member.mjs"),
            Self::JavaClassic | Self::JavaConsumer => {
                return Member::start(self.java(bootstrap, group));
            }
        };
        command.args([bootstrap, group, TOPIC]);
        if let Self::ConfluentConsumer = self {
            command.arg("group.protocol=consumer");
        }
        Member::start(command)
    }

    fn java(self, bootstrap: &str, group: &str) -> Command {
        let mut command = foreign::java("org.apache.kafka.tools.VerifiableConsumer");
        command.args(["--bootstrap-server", bootstrap, "--topic", TOPIC, "--group-id", group]);
        command.args(["--reset-policy", "earliest"]);
        match self {
            Self::JavaConsumer => command.args(["--group-protocol", "consumer"]),
            _ => command.args(["--group-protocol", "classic", "--session-timeout", "6000"]),
        };
        command.stderr(Stdio::null());
        command
    }

    /// Its own words: its group's name.
    fn group(self) -> String {
        format!("{self:?}")
    }
}

/// A producer to all partitions.
pub(crate) struct Spread(Child);

impl Spread {
    pub(crate) fn start(bootstrap: &str) -> Self {
        let child = foreign::python("spread.py")
            .args([bootstrap, TOPIC, &PARTITIONS.to_string(), &RECORDS_PER_SECOND.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the producer starts");
        Self(child)
    }

    /// Stops it; the offsets that were acknowledged, by partition.
    pub(crate) fn finish(mut self) -> BTreeMap<i32, Vec<i64>> {
        let mut stdin = self.0.stdin.take().expect("piped");
        let _ = stdin.flush();
        drop(stdin);
        let stdout = self.0.stdout.take().expect("piped");
        let acked = serde_json::from_reader(stdout).expect("what was acknowledged");
        self.0.wait().expect("waitable");
        acked
    }
}

impl Drop for Spread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A cluster with a topic, and a group on it.
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    kind: Kind,
    watch: Watch,
    members: Vec<Member>,
    /// What members told that are no more.
    past: Vec<Story>,
}

impl Scene {
    pub(crate) async fn begin(kind: Kind) -> Self {
        Self::begin_in(kind, Cluster::builder()).await
    }

    pub(crate) async fn begin_in(kind: Kind, builder: Builder) -> Self {
        let cluster = builder
            .set("group.initial.rebalance.delay.ms", "500")
            .set("group.consumer.session.timeout.ms", "6000")
            .set("group.consumer.min.session.timeout.ms", "6000")
            .set("group.consumer.heartbeat.interval.ms", "500")
            .set("group.consumer.min.heartbeat.interval.ms", "500")
            .start()
            .await;
        let bootstrap = cluster.bootstrap();
        let partitions = PARTITIONS.to_string();
        let create = ["--create", "--topic", TOPIC, "--partitions", &partitions];
        let create = [&["--bootstrap-server", &bootstrap][..], &create].concat();
        let _ = run(tool("kafka-topics").args(create).args(["--replication-factor", "3"]), "");
        let watch = Watch::start(cluster.ports(), &kind.group());
        Self { cluster, kind, watch, members: Vec::new(), past: Vec::new() }
    }

    pub(crate) fn join(&mut self, members: usize) {
        self.join_by(self.kind, members);
    }

    /// Members by another client, or protocol, than the group began with.
    pub(crate) fn join_by(&mut self, kind: Kind, members: usize) {
        for _ in 0..members {
            self.members.push(kind.member(&self.cluster.bootstrap(), &self.kind.group()));
        }
    }

    /// Waits until the group is shared, by members of this protocol.
    pub(crate) async fn wait_until_it_is(&mut self, consumer_group: bool) {
        self.wait_until_shared().await;
        let seen = self.watch.seen();
        assert_eq!(seen.is_consumer_group, consumer_group, "{seen:?}");
        self.wait_for_progress(20).await;
    }

    /// Waits until the group is stable with all its members, and every partition has an owner.
    pub(crate) async fn wait_until_shared(&mut self) {
        let wanted = self.members.len();
        let (watch, members) = (&self.watch, &mut self.members);
        wait::until("all partitions are shared by all members", async || {
            members.iter_mut().for_each(Member::assert_alive);
            let seen = watch.seen();
            let mut owners: Vec<_> = seen.owners.values().collect();
            owners.sort_unstable();
            owners.dedup();
            let all = seen.owners.len() == PARTITIONS as usize && owners.len() == wanted;
            wait::check(all && seen.state == "Stable", seen)
        })
        .await;
    }

    /// Waits until every partition's committed offset is so many records further than now.
    pub(crate) async fn wait_for_progress(&mut self, records: i64) {
        let before = self.watch.seen().committed;
        let watch = &self.watch;
        wait::until("the group goes on with all partitions", async || {
            let now = watch.seen().committed;
            let further = (0..PARTITIONS).all(|partition| {
                let before = before.get(&partition).copied().unwrap_or(0);
                now.get(&partition).is_some_and(|now| *now >= before + records)
            });
            wait::check(further, (before.clone(), now))
        })
        .await;
    }

    /// The node that coordinates the group.
    pub(crate) async fn coordinator(&mut self) -> i32 {
        self.coordinator_other_than(-1).await
    }

    /// The node that coordinates the group instead of `before`.
    pub(crate) async fn coordinator_other_than(&mut self, before: i32) -> i32 {
        let ports = self.cluster.ports();
        let group = self.kind.group();
        wait::until("the group has a coordinator", async || {
            for port in &ports {
                let found = Wire::connect(*port).and_then(|mut it| it.find_coordinator(&group));
                if let Ok(found) = found
                    && found.error_code == 0
                    && found.node_id.0 != before
                {
                    return Ok(found.node_id.0);
                }
            }
            Err("nobody knows it")
        })
        .await
    }

    /// Does the node load the group at this moment?
    pub(crate) fn is_loading(&mut self, id: i32) -> bool {
        let group = StrBytes::from_string(self.kind.group());
        let request = OffsetFetchRequest::default().with_group_id(group.into()).with_topics(None);
        let port = self.cluster.node(id).port();
        let answer = Wire::connect(port).and_then(|mut wire| wire.call(7, &request));
        answer.is_ok_and(|it| it.error_code == ErrorCode::CoordinatorLoadInProgress.code())
    }

    /// Fills the group's partition of `__consumer_offsets`, so that loading it takes a while.
    pub(crate) async fn make_loading_slow(&mut self) {
        const WIDTH: i32 = 500;
        let _ = self.coordinator().await;
        let bootstrap = self.cluster.bootstrap();
        let width = WIDTH.to_string();
        let create = ["--create", "--topic", "wide", "--partitions", &width];
        let create = [&["--bootstrap-server", &bootstrap][..], &create].concat();
        let _ = run(tool("kafka-topics").args(create).args(["--replication-factor", "1"]), "");
        let ports = self.cluster.ports();
        let home = |group: &str| group_partition(group, OFFSETS_PARTITIONS);
        let wanted = home(&self.kind.group());
        let beside = (0..).map(|n| format!("beside-{n}")).find(|it| home(it) == wanted);
        let group = beside.expect("there are many names");
        for offset in 0..200 {
            wait::until("a wide commit", async || {
                let found = Wire::connect(ports[0])?.find_coordinator(&group)?;
                let port = u16::try_from(found.port).map_err(std::io::Error::other)?;
                let answer = Wire::connect(port)?.call(8, &wide_commit(&group, WIDTH, offset))?;
                let codes = answer.topics.iter().flat_map(|topic| &topic.partitions);
                let refused = codes.map(|it| it.error_code).find(|code| *code != 0);
                match refused {
                    None => Ok(()),
                    Some(code) => Err(std::io::Error::other(format!("code {code}"))),
                }
            })
            .await;
        }
    }

    pub(crate) fn kill_member(&mut self) {
        let member = self.members.remove(0);
        self.past.push(member.kill());
    }

    pub(crate) fn stop_member(&mut self) {
        let member = self.members.remove(0);
        let story = member.stop();
        assert!(story.shut_down, "it did not leave in order: {story:?}");
        self.past.push(story);
    }

    /// Stops producing, waits until all is consumed, and judges.
    pub(crate) async fn end(mut self, spread: Spread) {
        let acked = spread.finish();
        let (watch, total) = (&self.watch, acked.values().map(Vec::len).sum::<usize>());
        wait::until("all that was acknowledged is consumed", async || {
            let committed = watch.seen().committed;
            let behind = acked.iter().filter(|(partition, offsets)| {
                let end = offsets.iter().max().map_or(0, |last| last + 1);
                committed.get(partition).is_none_or(|committed| *committed < end)
            });
            wait::check(behind.count() == 0, committed)
        })
        .await;
        self.past.extend(self.members.drain(..).map(Member::stop));
        let seen = self.watch.seen();
        assert!(seen.violations.is_empty(), "{:#?}", seen.violations);
        for (partition, offsets) in &acked {
            let missed: Vec<_> = offsets
                .iter()
                .filter(|offset| {
                    let mut stories = self.past.iter().filter_map(|it| it.consumed.get(partition));
                    !stories.any(|consumed| consumed.contains(offset))
                })
                .collect();
            assert!(missed.is_empty(), "never consumed of partition {partition}: {missed:?}");
        }
        for story in &self.past {
            for (partition, committed) in &story.committed {
                let now = seen.committed.get(partition);
                assert!(
                    now >= Some(committed),
                    "{partition}: {committed} was committed, now {now:?}"
                );
            }
        }
        println!(
            "{:?}: {total} records, {} looks, commits refused: {:?}",
            self.kind,
            seen.looks,
            self.past.iter().flat_map(|story| &story.refused).collect::<Vec<_>>()
        );
    }
}

/// Commits the same offset in `width` partitions, which makes as many records.
fn wide_commit(group: &str, width: i32, offset: i64) -> OffsetCommitRequest {
    let partitions = (0..width).map(|index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(StrBytes::default()))
    });
    let topic = OffsetCommitRequestTopic::default()
        .with_name(StrBytes::from_static_str("wide").into())
        .with_partitions(partitions.collect());
    OffsetCommitRequest::default()
        .with_group_id(StrBytes::from_string(group.to_owned()).into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}
