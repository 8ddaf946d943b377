//! DeleteRecords waits for every live replica.

use std::time::Duration;

use super::cluster::{Cluster, batch, produce, wait_for};
use crate::partition::{AckGroup, AckOutcome};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_done_when_every_live_replica_has_followed() {
    let cluster = Cluster::new();
    let brokers =
        [cluster.start(1, 11).await, cluster.start(2, 12).await, cluster.start(3, 13).await];
    cluster.create_topic();
    let leader = brokers[0].partition();
    for _ in 0..3 {
        produce(&leader, batch(b"one", None)).await.unwrap();
    }
    let delete = |before| {
        let (group, mut tokens) = AckGroup::new(1);
        leader.delete_records(before, tokens.pop()).unwrap();
        group
    };
    let mut group = delete(2);
    tokio::time::timeout(Duration::from_secs(10), group.completed()).await.expect("done");
    assert_eq!(group.outcomes(), [Some(AckOutcome::Committed)]);
    let starts = brokers.each_ref().map(|broker| broker.partition().status().log_start_offset);
    assert_eq!((starts, leader.low_watermark()), ([2; 3], 2));
    // One is gone, and the controller has not said so yet.
    let [_, _, third] = brokers;
    cluster.stop(3, third, false).await;
    let mut group = delete(-1);
    assert_eq!((group.outcomes(), leader.low_watermark()), (vec![None], 2));
    cluster.fence(3, 13);
    tokio::time::timeout(Duration::from_secs(10), group.completed()).await.expect("done");
    wait_for("the low watermark", || leader.low_watermark() == 3).await;
}
