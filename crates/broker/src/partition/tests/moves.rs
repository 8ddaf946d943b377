//! Replicas move between the log directories of a broker.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::cluster::{Broker, Cluster, acks, batch, id, nothing, produce, read_all, wait_for};
use crate::partition::{AckOutcome, ChooseError};

/// A broker with two log directories, and the topic on it alone.
struct Moving {
    cluster: Cluster,
    dirs: [PathBuf; 2],
}

impl Moving {
    async fn new() -> (Self, Broker) {
        let cluster = Cluster::new();
        let dirs = ["a", "b"].map(|name| cluster.log_dir(1).join(name));
        let this = Self { cluster, dirs };
        let broker = this.start(11).await;
        this.cluster.create_topic();
        this.cluster.controller.change(|state| state.isr = vec![1]);
        this.cluster.controller.set("min.insync.replicas", "1");
        (this, broker)
    }

    async fn start(&self, epoch: i64) -> Broker {
        let [a, b] = &self.dirs;
        let more = format!("log.dirs={},{}", a.display(), b.display());
        self.cluster.start_with(1, epoch, &more).await
    }

    /// Makes a move last.
    fn crawl(&self, rate: &str) {
        self.cluster.controller.set_for_broker(
            1,
            "replica.alter.log.dirs.io.max.bytes.per.second",
            rate,
        );
    }
}

/// Where the replica is, and where it is going.
fn places(broker: &Broker) -> (Option<PathBuf>, Option<(PathBuf, i64)>) {
    let (mut at, mut to) = (None, None);
    for dir in broker.partitions.log_dirs() {
        for replica in dir.replicas {
            if replica.is_future {
                to = Some((dir.path.clone(), replica.offset_lag));
            } else {
                at = Some(dir.path.clone());
            }
        }
    }
    (at, to)
}

fn other(dirs: &[PathBuf; 2], place: &Path) -> PathBuf {
    dirs.iter().find(|dir| *dir != place).expect("there are two").clone()
}

fn entries(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory").map(|it| it.expect("an entry"));
    let names = entries.filter(|it| it.path().is_dir());
    names.map(|it| it.file_name().to_string_lossy().into_owned()).collect()
}

fn fill(broker: &Broker, count: usize) {
    let partition = broker.partition();
    for number in 0..count {
        let text = format!("{number:08}{}", "x".repeat(10_000));
        partition.append(batch(text.as_bytes(), None), acks(false), None).expect("taken");
    }
}

async fn arrive(broker: &Broker, to: &Path) {
    wait_for("the arrival", || places(broker) == (Some(to.to_owned()), None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_moves_there_and_back_while_it_is_written() {
    let (moving, broker) = Moving::new().await;
    fill(&broker, 300);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (stop, partition) = (Arc::clone(&stop), broker.partition());
        async move {
            let mut count = 0;
            while !stop.load(Ordering::Acquire) {
                let (_, outcome) = produce(&partition, batch(b"later", Some(count))).await.unwrap();
                assert_eq!(outcome, AckOutcome::Committed);
                count += 1;
            }
            count
        }
    });
    let start = places(&broker).0.expect("it is here");
    let away = other(&moving.dirs, &start);
    for to in [&away, &start, &away] {
        assert_eq!(broker.partitions.choose_log_dir(id(), to), Ok(()));
        arrive(&broker, to).await;
        let log = to.join("orders-0");
        wait_for("the end of the move", || !log.join("moved").exists()).await;
        assert!(entries(to).contains(&"orders-0".to_owned()));
    }
    stop.store(true, Ordering::Release);
    let written = writer.await.expect("no panic");
    let read = read_all(&broker.partition());
    assert_eq!(read.len(), 300 + usize::try_from(written).unwrap());
    // An idempotent producer is known there too, also after a restart.
    moving.cluster.stop(1, broker, false).await;
    let broker = moving.start(21).await;
    assert_eq!(places(&broker), (Some(away.clone()), None));
    assert_eq!(read_all(&broker.partition()), read);
    moving.cluster.controller.change(|state| state.leader_epoch += 1);
    let again = produce(&broker.partition(), batch(b"later", Some(written - 1))).await.unwrap();
    assert!(again.0.duplicate);
    assert!(!entries(&start).contains(&"orders-0".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_is_throttled_cancelled_and_gone_on_with_after_a_crash() {
    let (moving, broker) = Moving::new().await;
    fill(&broker, 100);
    moving.crawl("100000");
    let start = places(&broker).0.expect("it is here");
    let away = other(&moving.dirs, &start);
    assert_eq!(
        broker.partitions.choose_log_dir(id(), Path::new("/nowhere")),
        Err(ChooseError::NoSuchDir)
    );
    broker.partitions.choose_log_dir(id(), &away).unwrap();
    broker.partitions.choose_log_dir(id(), &away).unwrap();
    wait_for(
        "some of it",
        || matches!(places(&broker), (_, Some((to, lag))) if to == away && lag > 0 && lag < 100),
    )
    .await;
    // To where it is: it stays.
    broker.partitions.choose_log_dir(id(), &start).unwrap();
    assert_eq!(places(&broker), (Some(start.clone()), None));
    wait_for("the copy's end", || entries(&away).is_empty()).await;

    broker.partitions.choose_log_dir(id(), &away).unwrap();
    wait_for("some of it", || matches!(places(&broker), (_, Some((_, lag))) if lag < 100)).await;
    moving.cluster.stop(1, broker, false).await;
    let broker = moving.start(21).await;
    let (at, to) = places(&broker);
    assert_eq!((at, to.map(|it| it.0)), (Some(start.clone()), Some(away.clone())));
    moving.crawl("100000000");
    arrive(&broker, &away).await;
    assert_eq!(read_all(&broker.partition()).len(), 100);

    // A topic that is deleted while it moves leaves nothing.
    moving.crawl("100000");
    broker.partitions.choose_log_dir(id(), &start).unwrap();
    wait_for("the copy", || entries(&start).iter().any(|name| name.ends_with("-future"))).await;
    moving.cluster.delete_topic();
    wait_for("the copy's end", || !entries(&start).iter().any(|it| it.ends_with("-future"))).await;
    assert_eq!(broker.partitions.choose_log_dir(id(), &start), Err(ChooseError::NotHere));
    broker.partitions.apply(&Arc::default(), &nothing());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_cut_while_it_moves_arrives_with_its_leaders_log() {
    let (moving, broker) = Moving::new().await;
    let second = moving.cluster.start(2, 12).await;
    let third = moving.cluster.start(3, 13).await;
    fill(&broker, 50);
    let all = [&broker, &second, &third].map(Broker::partition);
    wait_for("the records", || all.iter().all(|it| it.status().flushed_offset == 50)).await;
    drop(all);
    wait_for("the ISR of three", || moving.cluster.controller.isr().len() == 3).await;
    moving.cluster.stop(2, second, true).await;
    moving.cluster.stop(3, third, true).await;
    // What only this one has: it will be cut, after it has been copied.
    fill(&broker, 20);
    moving.crawl("2000000");
    let start = places(&broker).0.expect("it is here");
    let away = other(&moving.dirs, &start);
    broker.partitions.choose_log_dir(id(), &away).unwrap();
    wait_for("most of it", || matches!(places(&broker).1, Some((_, lag)) if lag < 15)).await;
    moving.crawl("20000");
    moving.cluster.controller.change(|state| {
        state.leader = Some(2);
        state.leader_epoch += 1;
        state.isr = vec![2];
    });
    let second = moving.cluster.start(2, 22).await;
    let third = moving.cluster.start(3, 23).await;
    produce(&second.partition(), batch(b"kept", None)).await.unwrap();
    wait_for("the ISR of three", || moving.cluster.controller.isr().len() == 3).await;
    moving.crawl("100000000");
    arrive(&broker, &away).await;
    let (_, outcome) = produce(&second.partition(), batch(b"last", None)).await.unwrap();
    assert_eq!(outcome, AckOutcome::Committed);
    let ends = [&broker, &second, &third].map(|it| it.partition().own_end());
    assert_eq!(ends, [(52, 1); 3]);
    moving.cluster.controller.change(|state| {
        state.leader = Some(1);
        state.leader_epoch += 1;
    });
    wait_for("the committed end", || read_all(&broker.partition()).len() == 52).await;
    assert_eq!(read_all(&broker.partition())[50..], ["kept", "last"]);
}
