//! A log directory fails: its replicas are offline, the broker goes on.

use futures::FutureExt;

use super::cluster::{Cluster, acks, batch, id, produce, wait_for};
use crate::partition::{AckOutcome, AppendError, PartitionError, ReplicaRole};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_directory_takes_only_its_replicas_offline() {
    let cluster = Cluster::new();
    let dirs = ["a", "b"].map(|name| cluster.log_dir(1).join(name));
    let [a, b] = &dirs;
    let metadata = cluster.log_dir(9);
    let more = format!(
        "log.dirs={},{}
metadata.log.dir={}
",
        a.display(),
        b.display(),
        metadata.display()
    );
    let first = cluster.start_with(1, 11, &more).await;
    let others = [cluster.start(2, 12).await, cluster.start(3, 13).await];
    cluster.create_topic();
    wait_for("the replica", || first.partitions.get(id()).is_some()).await;
    let place = dirs.iter().find(|dir| dir.join("orders-0").exists()).expect("it is here");
    let segment = place.join("orders-0/00000000000000000000.log");
    std::fs::remove_file(&segment).unwrap();
    std::os::unix::fs::symlink("/dev/full", &segment).unwrap();
    let partition = first.partition();
    assert!(partition.append(batch(b"full", None), acks(false), None).is_err());
    wait_for("another leader", || cluster.controller.leader() == Some(2)).await;
    assert_eq!(cluster.controller.isr(), [2, 3]);
    assert_eq!(partition.status().role, ReplicaRole::Offline);
    let refused = partition.append(batch(b"late", None), acks(false), None);
    assert!(matches!(refused, Err(AppendError::Partition(PartitionError::Storage(_)))));
    let (_, outcome) = produce(&others[0].partition(), batch(b"two", None)).await.unwrap();
    assert_eq!(outcome, AckOutcome::Committed);
    let failed: Vec<_> = first.partitions.log_dirs();
    assert!(failed.iter().all(|dir| dir.failure.is_some() == (dir.path == *place)));
    // New replicas come into what is left.
    assert!(first.partitions.storage_failure().now_or_never().is_none());
    cluster.delete_topic();
    cluster.create_topic();
    wait_for("the other directory", || {
        dirs.iter().any(|dir| dir != place && dir.join("orders-0").exists())
    })
    .await;
}
