//! The log start: retention by time and size, DeleteRecords.

use ottla_log::{LogConfig, LogError};

use crate::support::{Site, fill, names, read_all, small};

#[test]
fn old_segments_go_but_never_above_the_high_watermark() {
    let site = Site::new(LogConfig { retention_ms: 100, ..small() });
    let mut log = site.log();
    fill(&mut log, 60);
    let segments = log.segment_count();
    assert!(log.apply_retention(1000, 120).expect("nothing is due").is_empty());
    // Timestamps are 1000 + offset: offsets up to 70 are too old.
    let retired = log.apply_retention(1171, 40).expect("retention");
    assert!(!retired.is_empty() && log.log_start() <= 40 && log.log_start() > 0);
    let retired_later = log.apply_retention(1171, 120).expect("retention");
    assert!(log.log_start() > 40 && log.log_start() <= 71);
    assert_eq!(retired.len() + retired_later.len() + log.segment_count(), segments);
    assert!(names(&site).iter().any(|name| name.ends_with(".log.deleted")));
    for segment in retired.into_iter().chain(retired_later) {
        segment.remove().expect("a removal");
    }
    assert!(!names(&site).iter().any(|name| name.ends_with(".deleted")));
    let start = log.log_start();
    read_all(&mut log, start, 100);
}

#[test]
fn when_all_is_old_an_empty_segment_keeps_the_offsets() {
    let site = Site::new(LogConfig { retention_ms: 100, ..small() });
    let mut log = site.log();
    fill(&mut log, 20);
    log.apply_retention(1_000_000, 40).expect("retention");
    assert_eq!((log.log_start(), log.log_end(), log.size()), (40, 40, 0));
    drop(log);
    let log = site.log();
    assert_eq!((log.log_start(), log.log_end()), (40, 40));
    assert!(!names(&site).iter().any(|name| name.ends_with(".deleted")));
}

#[test]
fn size_counts_whole_segments() {
    let site = Site::new(LogConfig { retention_bytes: 4000, ..small() });
    let mut log = site.log();
    fill(&mut log, 100);
    log.apply_retention(0, 200).expect("retention");
    assert!(log.size() >= 4000 && log.size() < 4000 + 1500, "{}", log.size());
}

#[test]
fn deleted_records_stay_deleted() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 60);
    log.increment_log_start(51).expect("within the log");
    log.increment_log_start(20).expect("no effect");
    assert_eq!(log.log_start(), 51);
    assert!(matches!(log.increment_log_start(121), Err(LogError::OffsetOutOfRange { .. })));
    log.dir().checkpoint_log_starts().expect("a checkpoint");
    let before = log.segment_count();
    log.apply_retention(0, 120).expect("retention");
    assert!(log.segment_count() < before);
    drop(log);
    assert_eq!(site.log().log_start(), 51);
}
