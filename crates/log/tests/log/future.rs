//! A copy in another directory takes a log's place: what a crash leaves at each moment is one log.

use std::fs;
use std::sync::Arc;

use ottla_log::{Log, LogDir, LogError, NewLog};
use ottla_protocol::ids::TopicPartition;

use crate::support::{Site, fill, read_all, small, topic_id};

fn copy_of(log: &mut Log, to: &Arc<LogDir>) -> Log {
    let topic_partition = TopicPartition::new("t", 0);
    let new = NewLog { topic_partition, topic_id: topic_id(), config: small() };
    let mut copy = to.create_future(new).expect("a copy");
    copy_rest(log, &mut copy);
    copy
}

fn copy_rest(log: &mut Log, copy: &mut Log) {
    let rest = read_all(log, copy.log_end(), 500);
    copy.append_copied(&rest).expect("an append");
}

fn loaded(site: &Site) -> Arc<LogDir> {
    let dir = site.open_dir();
    let report = dir.load().expect("a load");
    assert!(report.logs.is_empty());
    dir
}

#[test]
fn a_copy_is_found_again_and_gone_on_with() {
    let (from, to) = (Site::new(small()), Site::new(small()));
    let mut log = from.log();
    let mut written = fill(&mut log, 20);
    let dir = loaded(&to);
    let copy = copy_of(&mut log, &dir);
    assert!(copy.is_future());
    drop((copy, dir));
    written.extend(fill(&mut log, 20));

    let dir = to.open_dir();
    let report = dir.load().expect("a load");
    assert!(report.logs.is_empty() && report.failures.is_empty() && report.moved.is_empty());
    let [found] = &report.futures[..] else { panic!("{:?}", report.futures) };
    assert_eq!(found.topic_partition, TopicPartition::new("t", 0));
    let mut copy = dir.open_future(found, small()).expect("it opens");
    assert_eq!(copy.log_end(), 40);
    copy_rest(&mut log, &mut copy);
    assert_eq!(read_all(&mut copy, 0, 700), written);
    // Given up, it is deleted.
    let deleted = dir.remove_future(copy).expect("a deletion");
    assert!(deleted[0].path.exists());
    deleted.into_iter().for_each(|dir| dir.remove().expect("a removal"));
    assert!(!found.path.exists());
}

#[test]
fn a_copy_takes_the_place_of_its_log() {
    let (from, to) = (Site::new(small()), Site::new(small()));
    let mut log = from.log();
    let mut written = fill(&mut log, 20);
    log.assign_epoch(3);
    log.set_high_watermark(30);
    log.flush().expect("a flush");
    let dir = loaded(&to);
    let mut copy = copy_of(&mut log, &dir);
    // Less of it is on disk than of the log.
    assert!(matches!(copy.replace(&log), Err(LogError::Overtaken)));
    copy.flush().expect("a flush");
    written.extend(fill(&mut log, 1));
    assert!(matches!(copy.replace(&log), Err(LogError::Overtaken)));
    copy_rest(&mut log, &mut copy);
    let before = log.plan_read(0, 100, 42, true).expect("a plan");
    log.increment_log_start(2).expect("within the log");
    copy.replace(&log).expect("a replacement");

    assert!(!copy.is_future() && to.partition_path().join("moved").exists());
    assert_eq!((copy.log_start(), copy.log_end(), copy.high_watermark()), (2, 42, 30));
    assert_eq!(copy.epochs(), log.epochs());
    assert_eq!(before.read().expect("an older plan").len(), 100.max(written.len() / 21));
    // The new name counts as written with the next flush, whatever else there is to flush.
    assert!(copy.flush_plan().expect("a plan").is_some());
    assert_eq!(copy.flush().expect("a flush").flushed, 42);
    assert!(copy.flush_plan().expect("a plan").is_none());
    dir.sync_move().expect("a sync");
    let old = Arc::clone(log.dir());
    let deleted = old.delete_many(vec![log]).expect("a deletion");
    assert!(!from.partition_path().exists() && deleted.len() == 1);
    dir.settle_move(copy.topic_partition()).expect("settled");
    dir.settle_move(copy.topic_partition()).expect("settled already");
    assert!(!to.partition_path().join("moved").exists());
    to.close(copy);
    drop(dir);
    let mut log = to.log();
    assert_eq!((log.log_start(), log.log_end()), (2, 42));
    assert_eq!(read_all(&mut log, 2, 300), written[written.len() / 21..]);
}

#[test]
fn a_crash_between_the_names_leaves_word_which_counts() {
    let (from, to) = (Site::new(small()), Site::new(small()));
    let mut log = from.log();
    fill(&mut log, 20);
    let dir = loaded(&to);
    let mut copy = copy_of(&mut log, &dir);
    copy.flush().expect("a flush");
    copy.replace(&log).expect("a replacement");
    fill(&mut copy, 5);
    drop((copy, log, dir));
    // Both are there. Only the new one has what came later.
    assert!(from.partition_path().exists() && to.partition_path().exists());
    let dir = from.open_dir();
    assert!(dir.load().expect("a load").moved.is_empty());
    let dir = to.open_dir();
    let mut report = dir.load().expect("a load");
    assert_eq!(report.moved, [TopicPartition::new("t", 0)]);
    assert_eq!(report.logs.pop().expect("it is there").log_end(), 50);
}

#[test]
fn an_unfinished_creation_and_a_taken_place_are_refused() {
    let (from, to) = (Site::new(small()), Site::new(small()));
    let log = from.log();
    let there = to.log();
    let dir = Arc::clone(there.dir());
    let new = NewLog {
        topic_partition: TopicPartition::new("t", 0),
        topic_id: topic_id(),
        config: *log.config(),
    };
    assert!(matches!(dir.create_future(new), Err(LogError::AlreadyExists { .. })));
    drop((there, dir));
    let unique = "0123456789abcdef0123456789abcdef";
    fs::create_dir(to.temp.path().join(format!("t-1.{unique}-future"))).expect("a directory");
    let dir = to.open_dir();
    let report = dir.load().expect("a load");
    assert!(dir.open_future(&report.futures[0], small()).is_err());
}
