//! Compacted logs: cleaned in the background, replicated with their gaps.

use super::cluster::{Broker, Cluster, acks, batch, keyed, produce, read_keys, wait_for};
use crate::partition::{AckOutcome, AppendError};

/// Cleans as soon as anything is dirty.
const EAGER: &str = "log.cleaner.backoff.ms=5\n";

async fn start(cluster: &Cluster) -> Vec<Broker> {
    let mut brokers = Vec::new();
    for id in 1..=3 {
        brokers.push(cluster.start_with(id, 10 + i64::from(id), EAGER).await);
    }
    cluster.create_topic();
    for (key, value) in [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0"),
        // Less than any batch: each has a segment of its own.
        ("segment.ms", "1"),
        ("segment.index.bytes", "4"),
    ] {
        cluster.controller.set(key, value);
    }
    brokers
}

async fn write(broker: &Broker, records: &[(&str, Option<&str>)]) {
    for (key, value) in records {
        let (_, outcome) = produce(&broker.partition(), keyed(key, *value, None)).await.unwrap();
        assert_eq!(outcome, AckOutcome::Committed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_replica_compacts_and_a_new_one_gets_what_is_left() {
    let cluster = Cluster::new();
    let mut brokers = start(&cluster).await;
    let third = brokers.pop().expect("three");
    cluster.stop(3, third, true).await;
    cluster.controller.change(|state| state.isr = vec![1, 2]);
    let leader = brokers[0].partition();
    for round in 0..10 {
        let value = round.to_string();
        write(&brokers[0], &[("a", Some(&value)), ("b", Some(&value)), ("c", None)]).await;
    }
    write(&brokers[0], &[("end", Some("1"))]).await;
    // The active segment holds the last record at least; of each key one more is left below.
    let is_clean = |broker: &Broker| {
        let partition = broker.partition();
        partition.look(|state| {
            let log = state.log.as_ref().expect("a log");
            log.cleaned_offset() >= 30
        })
    };
    for broker in &brokers {
        wait_for("the cleaning", || is_clean(broker)).await;
    }
    let found = read_keys(&leader);
    let expected = [(27, "a", "9"), (28, "b", "9"), (29, "c", "-"), (30, "end", "1")]
        .map(|(offset, key, value)| (offset, key.to_owned(), value.to_owned()));
    assert_eq!(found, expected);

    // A replica with nothing, which follows the compacted log, gaps and all.
    std::fs::remove_dir_all(cluster.log_dir(3)).expect("its logs are lost");
    let third = cluster.start_with(3, 23, EAGER).await;
    wait_for("the ISR of three", || cluster.controller.isr().len() == 3).await;
    assert_eq!(third.partition().status().log_end_offset, 31);
    let epochs = |broker: &Broker| {
        broker.partition().look(|state| state.log.as_ref().expect("a log").epochs().clone())
    };
    assert_eq!(epochs(&third), epochs(&brokers[0]));
    cluster.controller.change(|state| {
        state.leader = Some(3);
        state.leader_epoch += 1;
    });
    wait_for("the high watermark", || third.partition().status().high_watermark == 31).await;
    assert_eq!(read_keys(&third.partition()), expected);
    write(&third, &[("a", Some("new"))]).await;
    wait_for("the followers", || {
        brokers.iter().all(|broker| broker.partition().status().high_watermark == 32)
    })
    .await;

    // Restarted, each still has it.
    for (id, broker) in [(1, brokers.remove(0)), (2, brokers.remove(0))] {
        cluster.stop(id, broker, false).await;
        let broker = cluster.start_with(id, 30 + i64::from(id), EAGER).await;
        wait_for("the ISR of three", || cluster.controller.isr().len() == 3).await;
        assert_eq!(broker.partition().status().log_end_offset, 32);
        brokers.push(broker);
    }
    let found = read_keys(&third.partition());
    let a: Vec<_> = found.iter().filter(|it| it.1 == "a").map(|it| it.2.as_str()).collect();
    assert_eq!(a.last(), Some(&"new"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compacted_topic_takes_no_record_without_a_key() {
    let cluster = Cluster::new();
    let brokers = start(&cluster).await;
    let refused = brokers[0].partition().append(batch(b"no key", None), acks(false), None);
    let error = refused.expect_err("refused");
    assert!(matches!(error, AppendError::WithoutKey(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "Compacted topic cannot accept message without key in topic partition orders-0"
    );
    write(&brokers[0], &[("k", Some("v"))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_goes_on_after_its_batches_were_compacted_and_the_leader_was_replaced() {
    let cluster = Cluster::new();
    let brokers = start(&cluster).await;
    for sequence in 0..8 {
        let records = keyed("a", Some("x"), Some(sequence));
        produce(&brokers[0].partition(), records).await.unwrap();
    }
    write(&brokers[0], &[("a", Some("y")), ("end", Some("1"))]).await;
    for broker in &brokers {
        wait_for("the cleaning", || {
            broker
                .partition()
                .look(|state| state.log.as_ref().is_some_and(|log| log.cleaned_offset() >= 9))
        })
        .await;
    }
    assert_eq!(read_keys(&brokers[0].partition()).len(), 2);
    let mut brokers = brokers;
    let second = brokers.remove(1);
    cluster.stop(2, second, false).await;
    // Without snapshots it reads its producers from the log.
    for entry in std::fs::read_dir(cluster.log_dir(2).join("orders-0")).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "snapshot") {
            std::fs::remove_file(path).expect("a removal");
        }
    }
    let second = cluster.start_with(2, 22, EAGER).await;
    wait_for("the ISR of three", || cluster.controller.isr().len() == 3).await;
    cluster.controller.change(|state| {
        state.leader = Some(2);
        state.leader_epoch += 1;
    });
    let again = produce(&second.partition(), keyed("a", Some("x"), Some(7))).await.unwrap();
    assert!(again.0.duplicate, "the last batch is known");
    let next = produce(&second.partition(), keyed("a", Some("z"), Some(8))).await.unwrap();
    assert_eq!((next.0.base_offset, next.1), (10, AckOutcome::Committed));
    let gap = produce(&second.partition(), keyed("a", Some("z"), Some(10))).await;
    assert!(matches!(gap, Err(AppendError::OutOfOrderSequence { got: 10, expected: 9, .. })));
}
