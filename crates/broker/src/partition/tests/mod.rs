//! Replicas with their logs, flushers and streams.

mod cluster;
mod compaction;
mod deletion;
mod moves;
mod offline;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cluster::{Cluster, acks, batch, id, nothing, produce, read_all, wait_for};

use super::{
    AckGroup, AckOutcome, AppendError, Isolation, ListOffset, ListOffsetError, PartitionError,
    Reader, ReplicaRole,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_record_is_flushed_on_all_three_and_read() {
    let cluster = Cluster::new();
    let brokers =
        [cluster.start(1, 11).await, cluster.start(2, 12).await, cluster.start(3, 13).await];
    cluster.create_topic();
    let leader = brokers[0].partition();
    let reader = Reader::new();
    leader.on_readable(&reader);
    let (appended, outcome) = produce(&leader, batch(b"one", Some(0))).await.unwrap();
    assert_eq!((appended.base_offset, outcome), (0, AckOutcome::Committed));
    tokio::time::timeout(Duration::from_secs(5), reader.readable()).await.expect("woken");
    for broker in &brokers {
        let status = broker.partition().status();
        assert_eq!((status.log_end_offset, status.flushed_offset), (1, 1), "{status:?}");
    }
    assert_eq!(read_all(&leader), ["one"]);
    // Sent again, it is answered with its offset and not appended.
    let (again, outcome) = produce(&leader, batch(b"one", Some(0))).await.unwrap();
    assert_eq!((again.base_offset, again.duplicate, outcome), (0, true, AckOutcome::Committed));
    assert!(matches!(
        produce(&leader, batch(b"three", Some(2))).await,
        Err(AppendError::OutOfOrderSequence { got: 2, expected: 1, .. })
    ));
    // Followers hear of the high watermark though nothing more is appended.
    for broker in &brokers {
        let partition = broker.partition();
        wait_for("the high watermark", || partition.status().high_watermark == 1).await;
    }
    let refused = brokers[1].partition().append(batch(b"no", None), acks(true), None);
    assert!(matches!(
        refused,
        Err(AppendError::Partition(PartitionError::NotLeader { leader: 1, leader_epoch: 0 }))
    ));
    let latest = leader.list_offset(ListOffset::Latest(Isolation::ReadUncommitted), None);
    assert_eq!(latest.map(|found| found.offset), Ok(1));
    assert_eq!(leader.list_offset(ListOffset::Timestamp(0), None).map(|found| found.offset), Ok(0));
    assert_eq!(leader.offset_for_leader_epoch(0, None), Ok((0, 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_replaced_comes_back_and_rejoins() {
    let cluster = Cluster::new();
    let first = cluster.start(1, 11).await;
    let brokers = [cluster.start(2, 12).await, cluster.start(3, 13).await];
    cluster.create_topic();
    produce(&first.partition(), batch(b"one", None)).await.unwrap();
    // Written by the old leader alone: never acknowledged, and to be cut.
    let (group, mut tokens) = AckGroup::new(1);
    let old_leader = first.partition();
    cluster.controller.change(|state| {
        state.leader = Some(2);
        state.leader_epoch += 1;
        state.isr = vec![2, 3];
    });
    let refused = old_leader.append(batch(b"late", None), acks(true), tokens.pop());
    assert!(refused.is_err());
    assert_eq!(group.outcomes(), [Some(AckOutcome::Refused)]);
    drop(old_leader);
    cluster.stop(1, first, false).await;
    let leader = brokers[0].partition();
    let (two, outcome) = produce(&leader, batch(b"two", None)).await.unwrap();
    assert_eq!((two.base_offset, outcome), (1, AckOutcome::Committed));
    let first = cluster.start(1, 21).await;
    wait_for("the ISR of three", || cluster.controller.isr().len() == 3).await;
    let (_, outcome) = produce(&leader, batch(b"three", None)).await.unwrap();
    assert_eq!(outcome, AckOutcome::Committed);
    assert_eq!(first.partition().status().log_end_offset, 3);
    assert_eq!(read_all(&leader), ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diverging_log_is_cut_by_epoch() {
    let cluster = Cluster::new();
    let first = cluster.start(1, 11).await;
    cluster.create_topic();
    cluster.controller.change(|state| state.isr = vec![1]);
    cluster.controller.set("min.insync.replicas", "1");
    produce(&first.partition(), batch(b"shared", None)).await.unwrap();
    let second = cluster.start(2, 12).await;
    let third = cluster.start(3, 13).await;
    wait_for("the ISR of three", || cluster.controller.isr().len() == 3).await;
    // Broker 1 writes what nobody else gets, and is deposed.
    cluster.stop(2, second, true).await;
    cluster.stop(3, third, true).await;
    first.partition().append(batch(b"lost", Some(0)), acks(false), None).unwrap();
    cluster.stop(1, first, true).await;
    let brokers = [cluster.start(2, 22).await, cluster.start(3, 23).await];
    cluster.controller.change(|state| {
        state.leader = Some(2);
        state.leader_epoch += 1;
        state.isr = vec![2, 3];
    });
    let leader = brokers[0].partition();
    produce(&leader, batch(b"kept", None)).await.unwrap();
    let first = cluster.start(1, 21).await;
    assert_eq!(first.partitions.previous_broker_epoch(), 11);
    wait_for("the ISR of three", || cluster.controller.isr().len() == 3).await;
    cluster.controller.change(|state| {
        state.leader = Some(1);
        state.leader_epoch += 1;
    });
    wait_for("the latest offset", || {
        let latest = ListOffset::Latest(Isolation::ReadUncommitted);
        first.partition().list_offset(latest, None) != Err(ListOffsetError::OffsetNotAvailable)
    })
    .await;
    assert_eq!(read_all(&first.partition()), ["shared", "kept"]);
    // What was cut is forgotten of its producer too: the same sequence is no duplicate.
    let (appended, _) = produce(&first.partition(), batch(b"again", Some(0))).await.unwrap();
    assert!(!appended.duplicate);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_follower_is_sent_the_log_while_appends_go_on() {
    let cluster = Cluster::new();
    let first = cluster.start(1, 11).await;
    cluster.create_topic();
    cluster.controller.change(|state| state.isr = vec![1]);
    cluster.controller.set("min.insync.replicas", "1");
    let leader = first.partition();
    let value = |n: usize| format!("{n:08}{}", "x".repeat(100_000)).into_bytes();
    for n in 0..100 {
        produce(&leader, batch(&value(n), None)).await.unwrap();
    }
    let others = [cluster.start(2, 12).await, cluster.start(3, 13).await];
    for n in 100..200 {
        produce(&leader, batch(&value(n), None)).await.unwrap();
    }
    wait_for("the ISR of three", || cluster.controller.isr().len() == 3).await;
    produce(&leader, batch(b"last", None)).await.unwrap();
    for broker in &others {
        assert_eq!(broker.partition().status().log_end_offset, 201);
    }
    let read = read_all(&leader);
    assert!(read[..200].iter().enumerate().all(|(n, text)| text.starts_with(&format!("{n:08}"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_follower_leaves_the_isr_and_below_the_minimum_appends_fail() {
    let cluster = Cluster::new();
    let first = cluster.start(1, 11).await;
    let second = cluster.start(2, 12).await;
    cluster.create_topic();
    // Broker 3 never comes: registered, but nobody is there.
    let leader = first.partition();
    let (_, outcome) = produce(&leader, batch(b"one", None)).await.unwrap();
    assert_eq!(outcome, AckOutcome::Committed);
    assert_eq!(cluster.controller.isr(), [1, 2]);
    cluster.stop(2, second, false).await;
    let (_, outcome) = produce(&leader, batch(b"two", None)).await.unwrap();
    assert_eq!(outcome, AckOutcome::NotEnoughReplicasAfterAppend);
    assert!(matches!(
        produce(&leader, batch(b"three", None)).await,
        Err(AppendError::NotEnoughReplicas { in_sync: 1, required: 2 })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_topic_is_gone_and_a_stray_is_kept_aside() {
    let cluster = Cluster::new();
    let first = cluster.start(1, 11).await;
    cluster.create_topic();
    cluster.controller.change(|state| state.isr = vec![1]);
    let partition = first.partition();
    cluster.delete_topic();
    assert!(first.partitions.get(id()).is_none());
    assert_eq!(partition.status().role, ReplicaRole::Offline);
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(cluster.log_dir(1)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into()).collect()
    };
    assert!(!names().contains(&"orders-0".to_owned()));
    assert!(names().iter().any(|name| name.ends_with("-delete")), "{:?}", names());

    cluster.create_topic();
    first.partition();
    cluster.stop(1, first, true).await;
    cluster.delete_topic();
    // The topic was deleted while the broker was away. An image that does not hold its registration says
    // nothing about it.
    let first = cluster.start(1, 21).await;
    assert!(first.partitions.get(id()).is_none());
    assert!(names().iter().any(|name| name.ends_with("-stray")), "{:?}", names());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_without_our_registration_changes_nothing() {
    let cluster = Cluster::new();
    let first = cluster.start(1, 11).await;
    cluster.create_topic();
    cluster.stop(1, first, true).await;
    let broker = cluster.start(1, 21).await;
    broker.partitions.apply(&Arc::default(), &nothing());
    assert!(broker.partitions.get(id()).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_may_not_write_is_refused() {
    let cluster = Cluster::new();
    let first = cluster.start(1, 11).await;
    cluster.create_topic();
    cluster.controller.set("max.message.bytes", "1000");
    let partition = first.partition();
    let append = |records: Bytes| partition.append(records, acks(false), None);
    assert!(matches!(append(Bytes::new()), Err(AppendError::InvalidRecord(_))));
    let good = batch(b"good", None);
    let mut damaged = good.to_vec();
    damaged[70] ^= 1;
    assert!(matches!(append(damaged.into()), Err(AppendError::Corrupt(_))));
    assert!(matches!(append(good.slice(..good.len() - 1)), Err(AppendError::Corrupt(_))));
    let mut old = good.to_vec();
    old[16] = 1;
    assert!(matches!(append(old.into()), Err(AppendError::UnsupportedFormat(1))));
    let two = [good.clone(), good.clone()].concat();
    assert!(matches!(append(two.into()), Err(AppendError::InvalidRecord(_))));
    let large = batch(&[b'x'; 2000], None);
    assert!(matches!(append(large), Err(AppendError::TooLarge { limit: 1000, .. })));
    cluster.controller.set("message.timestamp.before.max.ms", "5000");
    let late = super::AppendOptions { now_ms: acks(false).now_ms + 60_000, ..acks(false) };
    let refused = partition.append(good.clone(), late, None);
    assert!(matches!(refused, Err(AppendError::InvalidTimestamp(_))));
    assert_eq!(append(good).map(|appended| appended.base_offset), Ok(0));
}

#[tokio::test]
async fn a_produce_request_completes_with_its_last_partition() {
    let (mut group, mut tokens) = AckGroup::new(2);
    tokens.remove(0).complete(AckOutcome::Committed);
    assert_eq!(group.outcomes(), [Some(AckOutcome::Committed), None]);
    drop(tokens);
    group.completed().await;
    assert_eq!(group.outcomes()[1], Some(AckOutcome::Refused));
    let (mut none, _) = AckGroup::new(0);
    none.completed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_leader_and_follower_with_one_sentence() {
    for full in [1, 2] {
        let cluster = Cluster::new();
        let brokers =
            [cluster.start(1, 11).await, cluster.start(2, 12).await, cluster.start(3, 13).await];
        cluster.create_topic();
        let place = usize::try_from(full - 1).unwrap();
        wait_for("the replicas", || brokers.iter().all(|it| it.partitions.get(id()).is_some()))
            .await;
        let folder = std::fs::read_dir(cluster.log_dir(full)).unwrap().map(Result::unwrap);
        let folder = folder.map(|it| it.path()).find(|it| it.is_dir()).unwrap();
        let segment = folder.join("00000000000000000000.log");
        std::fs::remove_file(&segment).unwrap();
        std::os::unix::fs::symlink("/dev/full", &segment).unwrap();
        let appended = brokers[0].partition().append(batch(b"one", None), acks(false), None);
        assert_eq!(appended.is_err(), full == 1);
        let failure = brokers[place].partitions.storage_failure();
        let reason = tokio::time::timeout(Duration::from_secs(5), failure).await.expect("noticed");
        let segment = segment.display();
        let sentence = format!(
            "writing {segment}: No space left on device (os error 28): make room, or change log.dirs"
        );
        assert_eq!(reason, sentence);
        wait_for("the replica's end", || {
            matches!(brokers[place].partition().status().role, ReplicaRole::Offline)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_cannot_be_created_ends_the_broker() {
    let cluster = Cluster::new();
    let broker = cluster.start(1, 11).await;
    std::fs::remove_dir_all(cluster.log_dir(1)).unwrap();
    cluster.create_topic();
    let failure = broker.partitions.storage_failure();
    let reason = tokio::time::timeout(Duration::from_secs(5), failure).await.expect("noticed");
    assert!(reason.contains("log.dirs"), "{reason}");
}
