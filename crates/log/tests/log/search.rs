//! Timestamps: what the indexes answer is what a full scan answers (I21).

use ottla_log::{Log, TimestampOffset};
use ottla_protocol::record::{Compression, decode_records};

use crate::support::{Site, batch_of, read_all, small};

/// (timestamp, offset, epoch) of every record.
fn scan(log: &mut Log) -> Vec<(i64, i64, i32)> {
    let start = log.log_start();
    let bytes = read_all(log, start, 1 << 20);
    let records = decode_records(&bytes).expect("records");
    let wanted = records.into_iter().filter(|record| record.offset >= start);
    wanted.map(|record| (record.timestamp, record.offset, record.leader_epoch)).collect()
}

fn check(log: &mut Log) {
    let records = scan(log);
    let expected = |timestamp: i64| {
        let found = records.iter().find(|record| record.0 >= timestamp);
        found.map(|(timestamp, offset, leader_epoch)| TimestampOffset {
            timestamp: *timestamp,
            offset: *offset,
            leader_epoch: *leader_epoch,
        })
    };
    let max = records.iter().map(|record| record.0).max().unwrap_or(-1);
    for timestamp in (0..max + 3).step_by(3) {
        let found = log.plan_timestamp_search(timestamp).expect("a plan").run().expect("a search");
        assert_eq!(found, expected(timestamp), "timestamp {timestamp}");
    }
    let found = log.plan_max_timestamp_search().expect("a plan").run().expect("a search");
    assert_eq!(found, expected(max).filter(|_| max >= 0));
}

#[test]
fn timestamps_in_any_order_are_found_exactly() {
    let site = Site::new(small());
    let mut log = site.log();
    check(&mut log);
    let codecs = [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd];
    let mut random = 7_i64;
    for number in 0..120 {
        random = (random * 1103 + 331) % 1009;
        let codec = codecs[number % codecs.len()];
        let base = log.log_end();
        let bytes = batch_of(codec, base, 1 + number % 5, 1, random, 20);
        log.append(&bytes).expect("an append");
    }
    assert!(log.segment_count() > 3);
    check(&mut log);
    log.increment_log_start(133).expect("within the log");
    check(&mut log);
    log.truncate_to(170).expect("a truncation");
    check(&mut log);
    site.close(log);
    check(&mut site.log());
}
