//! The directory: lock, identity, marker, checkpoints, bulk work.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use ottla_log::{LogDir, LogError, NewLog, OpenError, OpenOptions};
use ottla_protocol::ids::TopicPartition;

use crate::support::{Site, create, fill, options, small, topic_id};

#[test]
fn one_process_at_a_time() {
    let site = Site::new(small());
    let dir = site.open_dir();
    let error = LogDir::open(site.temp.path(), options(small())).expect_err("a second open");
    assert!(matches!(error, OpenError::InUse { .. }));
    assert!(error.to_string().contains("log.dirs"));
    drop(dir);
    site.open_dir();
}

#[test]
fn another_nodes_or_clusters_directory_is_refused_naming_both() {
    let site = Site::new(small());
    let with = |node_id, cluster_id: Option<&str>| {
        let cluster_id = cluster_id.map(str::to_owned);
        LogDir::open(site.temp.path(), OpenOptions { node_id, cluster_id, ..options(small()) })
    };
    let dir = with(1, None).expect("a first open");
    dir.set_cluster_id("one").expect("the first id");
    let directory_id = dir.meta().directory_id;
    assert!(matches!(dir.set_cluster_id("two"), Err(OpenError::Mismatch { .. })));
    drop(dir);
    let text = with(2, None).expect_err("another node").to_string();
    assert!(text.contains("node.id=1") && text.contains("node.id=2"), "{text}");
    let text = with(1, Some("two")).expect_err("another cluster").to_string();
    assert!(text.contains("cluster.id=one") && text.contains("cluster.id=two"), "{text}");
    let meta = with(1, Some("one")).expect("the same").meta();
    assert_eq!((meta.cluster_id.as_deref(), meta.directory_id), (Some("one"), directory_id));
    let text = fs::read_to_string(site.temp.path().join("meta.properties")).expect("a file");
    for line in
        ["version=1", "node.id=1", "cluster.id=one", &format!("directory.id={directory_id}")]
    {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
}

#[test]
fn the_marker_is_kafkas_and_only_written_when_all_is_closed() {
    let site = Site::new(small());
    let dir = site.open_dir();
    dir.load().expect("a load");
    let (one, two) = (create(&dir, "t", 0, small()), create(&dir, "t", 1, small()));
    one.close().expect("a close");
    assert!(!dir.close_clean(7).expect("checkpoints"));
    assert!(!site.temp.path().join(".kafka_cleanshutdown").exists());
    two.close().expect("a close");
    assert!(dir.close_clean(7).expect("checkpoints"));
    let text = fs::read_to_string(site.temp.path().join(".kafka_cleanshutdown")).expect("a file");
    assert_eq!(text, r#"{"version":0,"brokerEpoch":7}"#);
}

#[test]
fn thousands_are_created_at_once_and_loaded_again() {
    let site = Site::new(small());
    let dir = site.open_dir();
    dir.load().expect("a load");
    let new = |partition| NewLog {
        topic_partition: TopicPartition::new("many", partition),
        topic_id: topic_id(),
        config: small(),
    };
    let begin = Instant::now();
    let logs = dir.create_many((0..3000).map(new).collect()).expect("a creation");
    let created = begin.elapsed();
    assert_eq!((logs.len(), dir.open_files()), (3000, 0));
    let again = dir.create_many(vec![new(5)]).expect_err("a second one");
    assert!(matches!(again, LogError::AlreadyExists { .. }));
    drop((logs, dir));

    let dir = site.open_dir();
    let begin = Instant::now();
    let report = dir.load().expect("a load");
    println!("3,000 partitions: created in {created:?}, loaded in {:?}", begin.elapsed());
    assert_eq!((report.logs.len(), dir.open_files()), (3000, 0));
    let begin = Instant::now();
    let deleted = dir.delete_many(report.logs).expect("a deletion");
    println!("renamed in {:?}", begin.elapsed());
    drop(dir);
    let dir = site.open_dir();
    let report = dir.load().expect("a load");
    assert_eq!((deleted.len(), report.logs.len(), report.deleted.len()), (3000, 0, 3000));
}

#[test]
fn a_topic_of_the_same_name_inherits_nothing() {
    let site = Site::new(small());
    let mut log = site.log();
    let dir = Arc::clone(log.dir());
    fill(&mut log, 10);
    log.increment_log_start(7).expect("within the log");
    log.flush().expect("a flush");
    log.roll().expect("a roll");
    log.flush().expect("a flush");
    for checkpoint in [LogDir::checkpoint_recovery_points, LogDir::checkpoint_log_starts] {
        checkpoint(&dir).expect("a checkpoint");
    }
    dir.delete_many(vec![log]).expect("a deletion");
    let again = create(&dir, "t", 0, small());
    drop((again, dir));
    let log = site.log();
    assert_eq!((log.log_start(), log.log_end(), log.flushed_offset()), (0, 0, 0));
}

#[test]
fn strays_are_renamed_kept_and_not_loaded() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 3);
    let dir = Arc::clone(log.dir());
    let paths = dir.set_aside_many(vec![log]).expect("set aside");
    assert!(paths[0].to_string_lossy().ends_with("-stray"));
    drop(dir);
    assert!(site.open_dir().load().expect("a load").logs.is_empty());
    assert!(paths[0].join("00000000000000000000.log").exists());
}

#[test]
fn data_without_its_topic_id_is_reported_and_left_alone() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 3);
    drop(log);
    fs::write(site.partition_path().join("partition.metadata"), "").expect("a write");
    let dir = site.open_dir();
    let report = dir.load().expect("a load");
    assert!(matches!(report.failures[0].error, LogError::UnknownTopicId { .. }));
    assert!(!dir.close_clean(1).expect("checkpoints"), "no clean stop with a log unread");
    let create = dir.create_many(vec![NewLog {
        topic_partition: TopicPartition::new("t", 0),
        topic_id: topic_id(),
        config: small(),
    }]);
    assert!(matches!(create, Err(LogError::AlreadyExists { .. })));
}

#[test]
fn an_interrupted_creation_is_taken_over() {
    let site = Site::new(small());
    fs::create_dir(site.partition_path()).expect("a directory");
    fs::write(site.partition_path().join("partition.metadata"), "").expect("a file");
    let mut log = site.log();
    fill(&mut log, 2);
    assert_eq!(log.topic_id(), topic_id());
}

#[test]
fn nonsense_in_a_checkpoint_is_refused_with_its_name() {
    let site = Site::new(small());
    drop(site.log());
    let name = "replication-offset-checkpoint";
    for text in ["1\n0\n", "0\n2\nt 0 5\n", "0\n1\nt 0\n", "0\nx\n"] {
        fs::write(site.temp.path().join(name), text).expect("a write");
        let error = LogDir::open(site.temp.path(), options(small())).expect_err("nonsense");
        assert!(error.to_string().contains(name), "{error}");
    }
}
