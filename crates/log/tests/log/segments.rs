//! Appending, rolling, reading, truncating.

use ottla_log::LogError;
use ottla_protocol::record::batches;

use crate::support::{Site, batch, fill, names, read_all, small};

#[test]
fn what_is_appended_is_read_bit_for_bit_across_segments() {
    let site = Site::new(small());
    let mut log = site.log();
    let all = fill(&mut log, 60);
    assert!(log.segment_count() > 3);
    for max_bytes in [1, 100, 333, 1 << 20] {
        assert_eq!(read_all(&mut log, 0, max_bytes), all);
    }
}

#[test]
fn an_offset_inside_a_batch_returns_the_whole_batch() {
    let site = Site::new(small());
    let mut log = site.log();
    log.append(&batch(0, 5, 0, 1)).expect("an append");
    let bytes = log.plan_read(3, 1 << 20, 5, true).expect("a plan").read().expect("a read");
    assert_eq!(bytes, batch(0, 5, 0, 1));
}

#[test]
fn max_bytes_and_the_bound_fall_on_batch_borders() {
    let site = Site::new(small());
    let mut log = site.log();
    let one = batch(0, 2, 0, 1).len();
    fill(&mut log, 10);
    let mut read = |offset, max_bytes, upto, at_least_one| {
        let plan = log.plan_read(offset, max_bytes, upto, at_least_one).expect("a plan");
        batches(&plan.read().expect("a read")).count()
    };
    assert_eq!(read(0, one * 3 - 1, 20, true), 2);
    assert_eq!(read(0, one - 1, 20, true), 1);
    assert_eq!(read(0, one - 1, 20, false), 0);
    assert_eq!(read(0, 1 << 20, 6, true), 3);
    assert_eq!(read(0, 1 << 20, 7, true), 3, "a bound inside a batch leaves it out");
    assert_eq!(read(4, 1 << 20, 4, true), 0);
    assert_eq!(read(20, 1 << 20, 20, true), 0);
}

#[test]
fn offsets_outside_are_refused_with_the_range() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 2);
    log.increment_log_start(2).expect("within the log");
    for requested in [1, 5] {
        let error = log.plan_read(requested, 10, 4, true).expect_err("out of range");
        assert!(
            matches!(error, LogError::OffsetOutOfRange { log_start: 2, log_end: 4, .. }),
            "{error}"
        );
    }
}

#[test]
fn batches_that_do_not_continue_the_log_are_refused_whole() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 2);
    let mut two = batch(4, 2, 0, 1);
    two.extend(batch(7, 2, 0, 1));
    let torn = &batch(4, 2, 0, 1)[..70];
    for bytes in [batch(5, 1, 0, 1), two, torn.to_vec()] {
        assert!(matches!(log.append(&bytes), Err(LogError::InvalidBatches { .. })));
    }
    assert_eq!(log.log_end(), 4);
}

#[test]
fn one_append_may_span_segments_and_a_batch_may_exceed_one() {
    let site = Site::new(small());
    let mut log = site.log();
    let mut all = Vec::new();
    for number in 0..40 {
        all.extend(batch(number * 2, 2, 0, 5));
    }
    let large = batch(80, 100, 0, 5);
    all.extend(&large);
    let info = log.append(&all).expect("an append");
    assert_eq!((info.base_offset, info.log_end, info.rolled), (0, 180, false));
    assert!(log.segment_count() > 3);
    assert_eq!(read_all(&mut log, 0, 10), all);
    let info = log.append(&batch(180, 1, 0, 5)).expect("an append");
    assert!(info.rolled, "behind a batch larger than a segment a new one begins");
}

#[test]
fn a_young_batch_begins_a_new_segment() {
    let site = Site::new(ottla_log::LogConfig { segment_ms: 100, ..small() });
    let mut log = site.log();
    for (base, timestamp, rolled) in [(0, 1000, false), (1, 1100, false), (2, 1101, true)] {
        assert_eq!(log.append(&batch(base, 1, 0, timestamp)).expect("an append").rolled, rolled);
    }
}

#[test]
fn a_full_index_begins_a_new_segment() {
    let config =
        ottla_log::LogConfig { segment_bytes: 1 << 30, segment_index_bytes: 24, ..small() };
    let site = Site::new(config);
    let mut log = site.log();
    fill(&mut log, 40);
    assert!(log.segment_count() > 2);
}

#[test]
fn truncation_removes_whole_batches_and_later_segments() {
    let site = Site::new(small());
    let mut log = site.log();
    let all = fill(&mut log, 60);
    let one = all.len() / 60;
    for (to, end) in [(200, 120), (101, 100), (60, 60), (3, 2)] {
        assert_eq!(log.truncate_to(to).expect("a truncation"), end);
        assert_eq!(log.log_end(), end);
        assert_eq!(read_all(&mut log, 0, 200), all[..one * end as usize / 2]);
    }
    let expected = fill(&mut log, 30);
    assert_eq!(read_all(&mut log, 2, 200), expected);
}

#[test]
fn a_full_truncation_begins_anew_and_survives_a_restart() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 30);
    log.flush().expect("a flush");
    log.dir().checkpoint_recovery_points().expect("a checkpoint");
    log.truncate_fully_and_start_at(1000).expect("a truncation");
    assert_eq!((log.log_start(), log.log_end(), log.epochs().latest()), (1000, 1000, None));
    drop(log);
    let mut log = site.log();
    assert_eq!((log.log_start(), log.log_end()), (1000, 1000));
    let bytes = fill(&mut log, 3);
    assert_eq!(read_all(&mut log, 1000, 10), bytes);
}

#[test]
fn a_plan_overtaken_by_a_truncation_says_so() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 4);
    let plan = log.plan_read(0, 1000, 8, true).expect("a plan");
    log.truncate_to(4).expect("a truncation");
    assert!(matches!(plan.read(), Err(LogError::Overtaken)));
}

#[test]
fn a_plan_outlives_retention_and_deletion() {
    let site = Site::new(small());
    let mut log = site.log();
    let all = fill(&mut log, 4);
    let plan = log.plan_read(0, 1 << 20, 8, true).expect("a plan");
    let dir = std::sync::Arc::clone(log.dir());
    for deleted in dir.delete_many(vec![log]).expect("a deletion") {
        deleted.remove().expect("a removal");
    }
    assert_eq!(plan.read().expect("a read"), all);
}

#[test]
fn epochs_follow_appends_and_truncations() {
    let site = Site::new(small());
    let mut log = site.log();
    log.assign_epoch(3);
    log.append(&batch(0, 5, 3, 1)).expect("an append");
    log.assign_epoch(5);
    assert_eq!(log.epochs().entries(), [(3, 0), (5, 5)]);
    log.append(&batch(5, 5, 4, 1)).expect("an append");
    assert_eq!(log.epochs().entries(), [(3, 0), (4, 5)], "an epoch without records gives way");
    log.append(&batch(10, 5, 7, 1)).expect("an append");
    let end = log.epochs().end_offset_for(6, log.log_end());
    assert_eq!((end.epoch, end.end_offset), (4, 10));
    assert_eq!(log.epochs().end_offset_for(9, 15).end_offset, 15);
    assert_eq!(log.epochs().end_offset_for(2, 15), ottla_log::EpochEnd::NONE);
    assert_eq!(log.epochs().epoch_at(9), Some(4));
    log.truncate_to(10).expect("a truncation");
    assert_eq!(log.epochs().entries(), [(3, 0), (4, 5)]);
    log.assign_epoch(9);
    log.truncate_to(10).expect("a truncation to the log end");
    assert_eq!(log.epochs().entries(), [(3, 0), (4, 5)]);
    log.increment_log_start(7).expect("within the log");
    assert_eq!(log.epochs().entries(), [(4, 7)]);
}

#[test]
fn headers_are_walked_from_the_batch_that_holds_the_offset() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 60);
    for from in [0, 51, 119, 120] {
        let walked: Vec<_> = log
            .headers_from(from)
            .expect("a walk")
            .map(|header| header.expect("a header").base_offset)
            .collect();
        let expected: Vec<_> =
            (0..60).map(|number| number * 2).filter(|base| base + 2 > from).collect();
        assert_eq!(walked, expected);
    }
}

#[test]
fn files_are_kafkas_and_few_are_open() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 60);
    read_all(&mut log, 0, 100);
    assert!(log.dir().open_files() <= 8);
    let names = names(&site);
    for name in ["00000000000000000000.log", "00000000000000000000.index"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    let metadata = std::fs::read_to_string(site.partition_path().join("partition.metadata"));
    assert_eq!(metadata.expect("a file"), "version: 0\ntopic_id: qt3_el6fSZG1LdblLws6ew");
}

#[test]
fn a_log_that_begins_inside_a_batch_takes_it_whole() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 3);
    log.truncate_fully_and_start_at(17).expect("a truncation");
    let bytes = batch(15, 5, 2, 1);
    let info = log.append(&bytes).expect("an append");
    assert_eq!((info.base_offset, info.log_end, log.log_start()), (15, 20, 17));
    assert_eq!(read_all(&mut log, 17, 10), bytes);
    assert!(log.plan_read(16, 10, 20, true).is_err());
    log.dir().checkpoint_log_starts().expect("a checkpoint");
    drop(log);
    let log = site.log();
    assert_eq!((log.log_start(), log.log_end()), (17, 20));
}
