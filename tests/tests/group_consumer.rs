//! Our own consumers in a group, by both protocols: they share, hand over, and go on where the group
//! stopped, also when the coordinator is killed. Every record is read, and read once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla_client::admin::NewTopic;
use ottla_client::{
    Admin, Assignor, Client, ClientError, ClientOptions, ConsumerOptions, GroupConsumer,
    GroupOptions, GroupProtocol, Producer, ProducerOptions, ProducerRecord, StartAt, Topics,
};
use ottla_protocol::ids::{TopicName, TopicPartition};
use ottla_tests::{Cluster, wait};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const TOPIC: &str = "shared";
const GROUP: &str = "readers";
const PARTITIONS: i32 = 6;

/// How often each record was read, by all members together.
type Seen = Arc<Mutex<BTreeMap<(TopicPartition, i64), u32>>>;

/// A member that reads until it is told to leave.
struct Reader {
    read: Arc<AtomicU64>,
    owned: Arc<Mutex<BTreeSet<TopicPartition>>>,
    /// How few partitions it has had at any poll.
    fewest: Arc<AtomicUsize>,
    leave: watch::Sender<bool>,
    task: JoinHandle<Result<(), ClientError>>,
}

impl Reader {
    async fn join(cluster: &Cluster, group: &GroupOptions, seen: &Seen) -> Self {
        let client = Client::connect(&cluster.bootstrap(), ClientOptions::default()).await;
        let options = ConsumerOptions {
            offset_reset: Some(StartAt::Earliest),
            fetch_max_wait_ms: 100,
            ..ConsumerOptions::default()
        };
        let group = GroupOptions {
            heartbeat_interval_ms: 200,
            auto_commit_interval_ms: Some(100),
            ..group.clone()
        };
        let topics = Topics::Named([TOPIC.into()].into());
        let consumer =
            GroupConsumer::subscribe(client.expect("a broker answers"), topics, options, group);
        let (leave, left) = watch::channel(false);
        let (read, owned, fewest): (_, _, Arc<AtomicUsize>) = Default::default();
        let reading = Reading {
            read: Arc::clone(&read),
            owned: Arc::clone(&owned),
            fewest: Arc::clone(&fewest),
            seen: Arc::clone(seen),
        };
        let task = tokio::spawn(reading.until(consumer, left));
        Self { read, owned, fewest, leave, task }
    }

    async fn wait_for_more(&self, more: u64) {
        let goal = self.read.load(Ordering::Relaxed) + more;
        wait::until("more records are read", async || {
            assert!(!self.task.is_finished(), "the reader has ended");
            let read = self.read.load(Ordering::Relaxed);
            wait::check(read >= goal, read)
        })
        .await;
    }

    async fn wait_to_own(&self, count: usize) {
        wait::until("the group has been divided", async || {
            let owned = self.owned.lock().expect("not poisoned").clone();
            wait::check(owned.len() == count, owned)
        })
        .await;
    }

    async fn leave(self) {
        self.leave.send_replace(true);
        self.task.await.expect("no panic").expect("left in peace");
    }
}

/// What a member's task tells of.
struct Reading {
    read: Arc<AtomicU64>,
    owned: Arc<Mutex<BTreeSet<TopicPartition>>>,
    fewest: Arc<AtomicUsize>,
    seen: Seen,
}

impl Reading {
    async fn until(
        self,
        mut consumer: GroupConsumer,
        mut left: watch::Receiver<bool>,
    ) -> Result<(), ClientError> {
        loop {
            let fetched = tokio::select! {
                fetched = consumer.poll(Duration::from_millis(100)) => fetched?,
                _ = left.changed() => return consumer.close().await,
            };
            let owned: BTreeSet<_> = consumer.assignment().cloned().collect();
            self.fewest.fetch_min(owned.len(), Ordering::Relaxed);
            *self.owned.lock().expect("not poisoned") = owned;
            for fetched in fetched {
                let mut seen = self.seen.lock().expect("not poisoned");
                for record in &fetched.records {
                    *seen.entry((fetched.partition.clone(), record.offset)).or_default() += 1;
                }
                self.read.fetch_add(fetched.records.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

/// Writes a record every few milliseconds until it is dropped or stopped; returns where the records are.
struct Writer {
    stop: Arc<AtomicBool>,
    task: JoinHandle<BTreeSet<(TopicPartition, i64)>>,
}

impl Writer {
    async fn start(cluster: &Cluster) -> Self {
        let client = Client::connect(&cluster.bootstrap(), ClientOptions::default()).await;
        let producer = Producer::new(client.expect("a broker answers"), ProducerOptions::default());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let topic = TopicName::from(TOPIC);
            let mut deliveries = Vec::new();
            let mut number = 0_u64;
            while !stopped.load(Ordering::Relaxed) {
                let record = ProducerRecord {
                    key: Some(number.to_be_bytes().to_vec()),
                    value: Some(b"v".to_vec()),
                    ..ProducerRecord::default()
                };
                deliveries.push(producer.send(&topic, record).await.expect("room"));
                number += 1;
                // The pace of the load, nothing that is waited for.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let mut written = BTreeSet::new();
            for delivery in deliveries {
                let acknowledged = delivery.await.expect("acknowledged");
                written.insert((acknowledged.partition, acknowledged.offset));
            }
            written
        });
        Self { stop, task }
    }

    async fn stop(self) -> BTreeSet<(TopicPartition, i64)> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no panic")
    }
}

async fn coordinator(admin: &Admin) -> i32 {
    wait::until("the group is described", async || {
        let groups = admin.describe_consumer_groups(&[GROUP.to_owned()]).await;
        let mut groups = groups.map_err(|error| error.to_string())?;
        let group = groups.remove(GROUP).ok_or("left out")?.map_err(|error| error.to_string())?;
        Ok::<_, String>(group.coordinator.id)
    })
    .await
}

/// Returns how few partitions the first member has had while it shared with the second.
async fn everything_is_read_once(group: GroupOptions) -> usize {
    let mut cluster = Cluster::builder().set("group.initial.rebalance.delay.ms", "0").start().await;
    let admin = cluster.admin().await;
    let topic = NewTopic {
        name: TOPIC.to_owned(),
        partitions: Some(PARTITIONS),
        replication_factor: Some(3),
        ..NewTopic::default()
    };
    let created = admin.create_topics(&[topic], false).await.expect("answered");
    created.into_iter().for_each(|outcome| assert!(outcome.is_ok(), "{outcome:?}"));
    let writer = Writer::start(&cluster).await;
    let seen = Seen::default();
    let all = usize::try_from(PARTITIONS).expect("a count");

    let first = Reader::join(&cluster, &group, &seen).await;
    first.wait_to_own(all).await;
    first.wait_for_more(100).await;
    first.fewest.store(usize::MAX, Ordering::Relaxed);
    let second = Reader::join(&cluster, &group, &seen).await;
    second.wait_to_own(all / 2).await;
    first.wait_to_own(all / 2).await;
    let fewest = first.fewest.load(Ordering::Relaxed);

    let victim = coordinator(&admin).await;
    cluster.node(victim).kill();
    first.wait_for_more(100).await;
    second.wait_for_more(100).await;
    // The group goes on to be a group: a member leaves, the other takes over from its offsets.
    first.leave().await;
    second.wait_to_own(all).await;
    cluster.node(victim).start();
    cluster.wait_until_ready().await;
    second.wait_for_more(100).await;

    let written = writer.stop().await;
    wait::until("everything that was written is read", async || {
        let seen = seen.lock().expect("not poisoned");
        let missing = written.iter().filter(|place| !seen.contains_key(*place)).count();
        wait::check(missing == 0, missing)
    })
    .await;
    second.leave().await;
    let seen = seen.lock().expect("not poisoned").clone();
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "read more than once: {twice:?}");

    let offsets = admin.list_group_offsets(&[GROUP.to_owned()], false).await.expect("answered");
    let offsets = offsets[GROUP].clone().expect("the group is there");
    let mut ends: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    for (partition, offset) in written {
        let end = ends.entry(partition).or_default();
        *end = (*end).max(offset + 1);
    }
    for (partition, end) in ends {
        let committed = offsets[&partition].clone().expect("no error").map(|c| c.offset);
        assert_eq!(committed, Some(end), "{partition}");
    }
    fewest
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_groups_survive_their_coordinator() {
    everything_is_read_once(GroupOptions::of(GROUP)).await;
}

/// What does not move is read on while the group rebalances.
#[tokio::test(flavor = "multi_thread")]
async fn cooperative_groups_survive_their_coordinator_and_keep_what_stays() {
    let group =
        GroupOptions { assignors: vec![Assignor::CooperativeSticky], ..GroupOptions::of(GROUP) };
    let fewest = everything_is_read_once(group).await;
    assert_eq!(i32::try_from(fewest), Ok(PARTITIONS / 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_the_new_protocol_survive_their_coordinator() {
    let group = GroupOptions { protocol: GroupProtocol::Consumer, ..GroupOptions::of(GROUP) };
    everything_is_read_once(group).await;
}
