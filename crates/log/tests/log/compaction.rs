//! Compaction: what stays, what goes, and what a crash in the middle leaves.

mod crashes;
mod model;

use std::collections::HashSet;
use std::fs;

use bytes::Bytes;
use ottla_log::{CleaningLimits, Compaction, Log, LogConfig, LogError};
use ottla_protocol::record::{
    BatchHeader, Compression, DecodeLimits, EndTransaction, ProducerFields, Record,
    RecordBatchBuilder, batches, decode_batch,
};

use crate::support::{Site, read_all, small};

const DAY_MS: i64 = 24 * 3_600_000;

pub(crate) fn compacted() -> LogConfig {
    LogConfig { compaction: Some(Compaction::default()), ..small() }
}

pub(crate) const LIMITS: CleaningLimits =
    CleaningLimits { dedupe_buffer_bytes: 1 << 20, load_factor: 0.9, io_buffer_bytes: 1 << 16 };

/// A cleaning of everything up to `stable`, as a broker does it. Whether there was anything to clean.
pub(crate) fn clean_with(
    log: &mut Log,
    now_ms: i64,
    stable: i64,
    remembered: HashSet<i64>,
    limits: &CleaningLimits,
) -> bool {
    let plan = log.plan_cleaning(now_ms, stable, remembered).expect("a plan");
    let Some(plan) = plan else { return false };
    let mut cleaning = plan.index(limits, &mut |_| true).expect("an index");
    while let Some(segment) = cleaning.next_segment(&mut |_| true).expect("a segment") {
        log.begin_swap(&segment).expect("a swap begins");
        segment.sync(log.dir()).expect("a sync");
        let retired = log.finish_swap(&segment).expect("a swap ends");
        segment.sync(log.dir()).expect("a sync");
        retired.into_iter().for_each(|it| it.remove().expect("a removal"));
    }
    log.note_cleaned(&cleaning);
    log.dir().checkpoint_cleaned().expect("a checkpoint");
    true
}

pub(crate) fn clean(log: &mut Log, now_ms: i64) -> bool {
    let stable = log.log_end();
    clean_with(log, now_ms, stable, HashSet::new(), &LIMITS)
}

type Pair<'a> = (&'a str, Option<&'a str>);

fn keyed(base: i64, epoch: i32, timestamp: i64, pairs: &[Pair<'_>]) -> RecordBatchBuilder {
    let mut builder =
        RecordBatchBuilder::new(Compression::None).base_offset(base).leader_epoch(epoch);
    for (key, value) in pairs {
        builder.append(timestamp, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    builder
}

fn put(log: &mut Log, epoch: i32, pairs: &[Pair<'_>]) {
    put_at(log, epoch, 1000 + log.log_end(), pairs);
}

fn put_at(log: &mut Log, epoch: i32, timestamp: i64, pairs: &[Pair<'_>]) {
    let batch = keyed(log.log_end(), epoch, timestamp, pairs).build().expect("a small batch");
    log.append(&batch).expect("an append");
}

fn records(log: &mut Log) -> Vec<Record> {
    let start = log.log_start();
    let bytes = Bytes::from(read_all(log, start, 700));
    let mut records = Vec::new();
    for batch in batches(&bytes) {
        let batch = batch.expect("whole batches");
        let bytes = bytes.slice_ref(batch.bytes);
        decode_batch(&bytes, DecodeLimits::default(), &mut records).expect("sound batches");
    }
    records.retain(|record| record.offset >= start);
    records
}

fn text(bytes: Option<&Bytes>) -> String {
    bytes.map_or("-".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// `offset:key=value`, a tombstone's value is `-`.
fn contents(log: &mut Log) -> String {
    let line = |record: &Record| {
        format!("{}:{}={}", record.offset, text(record.key.as_ref()), text(record.value.as_ref()))
    };
    records(log).iter().map(line).collect::<Vec<_>>().join(" ")
}

fn headers(log: &mut Log) -> Vec<BatchHeader> {
    let start = log.log_start();
    log.headers_from(start).expect("a walk").map(|header| header.expect("a header")).collect()
}

/// Offsets of batches, records or none: `first-last`, `*` without any.
fn heads(log: &mut Log) -> String {
    let head = |header: &BatchHeader| {
        let mark = if header.count == 0 { "*" } else { "" };
        format!("{}-{}{mark}", header.base_offset, header.last_offset())
    };
    headers(log).iter().map(head).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_last_value_of_each_key_stays_where_it_was() {
    let site = Site::new(compacted());
    let mut log = site.log();
    put(&mut log, 0, &[("a", Some("1")), ("b", Some("1"))]);
    put(&mut log, 0, &[("a", Some("2")), ("c", Some("1"))]);
    log.roll().expect("a roll");
    put(&mut log, 0, &[("b", Some("2")), ("a", Some("3"))]);
    put(&mut log, 0, &[("b", Some("3"))]);
    log.roll().expect("a roll");
    put(&mut log, 0, &[("a", Some("4")), ("a", Some("5"))]);

    assert!(clean(&mut log, DAY_MS));
    // The active segment stays as it is; what it holds replaces nothing yet.
    assert_eq!(contents(&mut log), "3:c=1 5:a=3 6:b=3 7:a=4 8:a=5");
    // The first batch of an epoch keeps its head.
    assert_eq!(heads(&mut log), "0-1* 2-3 4-5 6-6 7-8");
    assert_eq!((log.log_start(), log.log_end(), log.cleaned_offset()), (0, 9, 7));
    assert!(!clean(&mut log, DAY_MS), "nothing is dirty");

    for offset in 0..9 {
        let plan = log.plan_read(offset, 1, 9, true).expect("a plan");
        let found = plan.read().expect("a read");
        let first = batches(&found).next().expect("a batch").expect("a whole one");
        assert!(first.header.next_offset() > offset, "{offset}: {:?}", first.header);
    }
    site.close(log);
    let mut log = site.log();
    assert_eq!(contents(&mut log), "3:c=1 5:a=3 6:b=3 7:a=4 8:a=5");
    assert_eq!((log.log_end(), log.cleaned_offset()), (9, 7));
}

#[test]
fn nothing_above_the_stable_offset_is_touched() {
    let site = Site::new(compacted());
    let mut log = site.log();
    for number in 0..6 {
        put(&mut log, 0, &[("a", Some(&number.to_string()))]);
        log.roll().expect("a roll");
    }
    assert!(clean_with(&mut log, DAY_MS, 3, HashSet::new(), &LIMITS));
    assert_eq!(contents(&mut log), "2:a=2 3:a=3 4:a=4 5:a=5");
    assert_eq!(log.cleaned_offset(), 3);
    assert!(!clean_with(&mut log, DAY_MS, 3, HashSet::new(), &LIMITS));
}

#[test]
fn tombstones_go_delete_retention_ms_after_they_were_met() {
    let site = Site::new(compacted());
    let mut log = site.log();
    put(&mut log, 0, &[("a", Some("1"))]);
    put(&mut log, 0, &[("a", None), ("b", Some("1"))]);
    log.roll().expect("a roll");
    put(&mut log, 0, &[("x", Some("1"))]);
    let now_ms = 50 * DAY_MS;
    assert!(clean(&mut log, now_ms));
    assert_eq!(contents(&mut log), "1:a=- 2:b=1 3:x=1", "the tombstone is seen for a while");
    let horizon = headers(&mut log).into_iter().find(BatchHeader::has_delete_horizon);
    assert_eq!(horizon.map(|header| header.base_timestamp), Some(now_ms + DAY_MS));

    log.roll().expect("a roll");
    put(&mut log, 0, &[("x", Some("2"))]);
    assert!(clean(&mut log, now_ms + DAY_MS - 1));
    assert_eq!(contents(&mut log), "1:a=- 2:b=1 3:x=1 4:x=2");
    log.roll().expect("a roll");
    put(&mut log, 0, &[("x", Some("3"))]);
    assert!(clean(&mut log, now_ms + DAY_MS));
    assert_eq!(contents(&mut log), "2:b=1 4:x=2 5:x=3");
}

#[test]
fn a_cleaning_is_due_by_the_dirty_share_or_the_age_never_before_the_lag() {
    let mut config = compacted();
    let site = Site::new(config);
    let mut log = site.log();
    let now_ms = 1_000_000;
    let due = |log: &mut Log| {
        let end = log.log_end();
        log.cleanable(now_ms, end).expect("a look").map(|found| found.overdue)
    };
    put_at(&mut log, 0, 1000, &[("a", Some("1"))]);
    assert_eq!(due(&mut log), None, "the active segment");
    log.roll().expect("a roll");
    assert_eq!(due(&mut log), Some(false));
    let lag = |ms| Compaction { min_compaction_lag_ms: ms, ..Compaction::default() };
    config.compaction = Some(lag(now_ms));
    log.set_config(config);
    assert_eq!(due(&mut log), None, "younger than min.compaction.lag.ms");
    config.compaction = Some(lag(now_ms - 1000));
    log.set_config(config);
    assert_eq!(due(&mut log), Some(false));

    config.compaction = Some(Compaction::default());
    log.set_config(config);
    for number in 0..8 {
        put_at(&mut log, 0, 2000, &[(&number.to_string(), Some("1"))]);
    }
    log.roll().expect("a roll");
    assert!(clean(&mut log, now_ms));
    put_at(&mut log, 0, 3000, &[("b", Some("1"))]);
    log.roll().expect("a roll");
    assert_eq!(due(&mut log), None, "less than half is dirty");
    let age = |ms| Compaction { max_compaction_lag_ms: ms, ..Compaction::default() };
    config.compaction = Some(age(now_ms - 2999));
    log.set_config(config);
    assert_eq!(due(&mut log), None, "younger than max.compaction.lag.ms");
    config.compaction = Some(age(now_ms - 3001));
    log.set_config(config);
    assert_eq!(due(&mut log), Some(true));
    config.compaction = None;
    log.set_config(config);
    assert_eq!(due(&mut log), None, "no compaction");
}

#[test]
fn producers_epochs_and_segment_ends_keep_their_heads() {
    let site = Site::new(LogConfig { segment_bytes: 220, ..compacted() });
    let mut log = site.log();
    let producer =
        |base_sequence| ProducerFields { producer_id: 7, producer_epoch: 1, base_sequence };
    for number in 0..3 {
        let batch = keyed(log.log_end(), 0, 1000, &[("a", Some("1"))]).producer(producer(number));
        log.append(&batch.build().expect("a batch")).expect("an append");
    }
    put(&mut log, 4, &[("a", Some("2"))]);
    put(&mut log, 4, &[("a", Some("3"))]);
    log.roll().expect("a roll");
    put(&mut log, 6, &[("a", Some("4"))]);
    log.roll().expect("a roll");
    put(&mut log, 6, &[("z", Some("0"))]);
    let epochs = log.epochs().clone();
    let end = log.log_end();
    assert!(clean_with(&mut log, DAY_MS, end, HashSet::from([1]), &LIMITS));
    assert_eq!(contents(&mut log), "5:a=4 6:z=0");
    // The first of epochs 0 and 4, what is remembered of the producer, the last of the first segment.
    assert_eq!(heads(&mut log), "0-0* 1-1* 2-2* 3-3* 5-5 6-6");
    let kept = headers(&mut log)[1];
    assert_eq!((kept.producer_id, kept.base_sequence), (7, 1));
    log.flush().expect("a flush");
    // A log without its epoch file learns the same epochs from what is left.
    drop(log);
    fs::remove_file(site.partition_path().join("leader-epoch-checkpoint")).expect("a removal");
    let mut log = site.log();
    assert_eq!(log.epochs(), &epochs);
    assert_eq!(contents(&mut log), "5:a=4 6:z=0");
}

#[test]
fn what_the_buffer_cannot_hold_is_left_to_the_next_cleaning() {
    let site = Site::new(compacted());
    let mut log = site.log();
    let keys: Vec<String> = (0..30).map(|number| format!("k{number}")).collect();
    for round in ["1", "2"] {
        for keys in keys.chunks(3) {
            let pairs: Vec<Pair<'_>> = keys.iter().map(|key| (key.as_str(), Some(round))).collect();
            put(&mut log, 0, &pairs);
        }
    }
    log.roll().expect("a roll");
    let limits = CleaningLimits { dedupe_buffer_bytes: 10 * 24, ..LIMITS };
    let mut upto = 0;
    let mut rounds = 0;
    while {
        let end = log.log_end();
        clean_with(&mut log, DAY_MS, end, HashSet::new(), &limits)
    } {
        assert!(log.cleaned_offset() > upto, "each goes further");
        upto = log.cleaned_offset();
        rounds += 1;
    }
    assert!(rounds > 3, "{rounds}");
    let found = records(&mut log);
    assert_eq!(found.len(), 30);
    assert!(found.iter().all(|record| record.value.as_deref() == Some(b"2")));
}

#[test]
fn marks_stay_until_their_transaction_is_gone_and_what_was_aborted_goes() {
    let site = Site::new(compacted());
    let mut log = site.log();
    let of = |id| ProducerFields { producer_id: id, producer_epoch: 0, base_sequence: 0 };
    let mark_of = |id| ProducerFields { base_sequence: -1, ..of(id) };
    let transactional = |log: &mut Log, id, pairs: &[Pair<'_>]| {
        let batch = keyed(log.log_end(), 0, 1000, pairs).transactional(true).producer(of(id));
        log.append(&batch.build().expect("a batch")).expect("an append");
    };
    let mark = |log: &mut Log, id, how: EndTransaction| {
        let batch = how.to_batch(1000, 0).producer(mark_of(id));
        let batch = batch.base_offset(log.log_end()).leader_epoch(0).build().expect("a batch");
        log.append(&batch).expect("an append");
    };
    put(&mut log, 0, &[("a", Some("1")), ("b", Some("1"))]);
    transactional(&mut log, 1, &[("a", Some("aborted"))]);
    transactional(&mut log, 2, &[("b", Some("2"))]);
    mark(&mut log, 1, EndTransaction::Abort);
    mark(&mut log, 2, EndTransaction::Commit);
    log.roll().expect("a roll");
    // Still open: what follows is not known to count.
    transactional(&mut log, 3, &[("a", Some("open"))]);
    put(&mut log, 0, &[("b", Some("3"))]);
    log.roll().expect("a roll");
    put(&mut log, 0, &[("x", Some("1"))]);
    let marks = |log: &mut Log| -> Vec<i64> {
        let marks =
            headers(log).into_iter().filter(|header| header.is_control() && header.count > 0);
        marks.map(|header| header.base_offset).collect()
    };

    assert!(clean(&mut log, 0));
    assert_eq!(log.cleaned_offset(), 6);
    assert_eq!(marks(&mut log), [4, 5]);
    let data = |log: &mut Log| -> Vec<i64> {
        let control: Vec<_> =
            headers(log).iter().filter(|it| it.is_control()).map(|it| it.base_offset).collect();
        records(log).iter().map(|it| it.offset).filter(|offset| !control.contains(offset)).collect()
    };
    assert_eq!(data(&mut log), [0, 3, 6, 7, 8]);

    // The third ends: the second's record is replaced, and its mark is needed for one more round.
    mark(&mut log, 3, EndTransaction::Commit);
    log.roll().expect("a roll");
    put(&mut log, 0, &[("x", Some("2"))]);
    assert!(clean(&mut log, DAY_MS));
    assert_eq!(data(&mut log), [6, 7, 8, 10]);
    assert_eq!(marks(&mut log), [4, 5, 9]);
    for (round, now_ms, expected) in
        [("3", 2 * DAY_MS - 1, &[4, 5, 9][..]), ("4", 2 * DAY_MS, &[5, 9]), ("5", 4 * DAY_MS, &[9])]
    {
        log.roll().expect("a roll");
        put(&mut log, 0, &[("x", Some(round))]);
        assert!(clean(&mut log, now_ms));
        assert_eq!(marks(&mut log), expected, "round {round}");
    }
}

#[test]
fn compressed_batches_stay_compressed() {
    for codec in Compression::ALL {
        let site = Site::new(compacted());
        let mut log = site.log();
        for round in 0..3 {
            let mut builder =
                RecordBatchBuilder::new(codec).base_offset(log.log_end()).leader_epoch(0);
            for key in 0..=round {
                let value = format!("{round}").repeat(40);
                builder.append(1000, Some(&[b'a' + key]), Some(value.as_bytes()), &[]);
            }
            log.append(&builder.build().expect("a batch")).expect("an append");
        }
        put(&mut log, 0, &[("a", Some("4"))]);
        log.roll().expect("a roll");
        assert!(clean(&mut log, DAY_MS));
        let kept: Vec<_> = records(&mut log).iter().map(|record| record.offset).collect();
        assert_eq!(kept, [4, 5, 6]);
        let found = headers(&mut log);
        assert_eq!(found[1].compression(), Some(codec));
        assert_eq!((found[1].base_offset, found[1].count), (3, 2));
    }
}

#[test]
fn small_segments_are_joined() {
    let site = Site::new(LogConfig { segment_bytes: 1_000, ..compacted() });
    let mut log = site.log();
    for round in 0..100 {
        let key = format!("{}", round % 5);
        put(&mut log, 0, &[(&key, Some(&round.to_string()))]);
    }
    assert!(log.segment_count() > 6);
    assert!(clean(&mut log, DAY_MS));
    let end = log.log_end();
    put(&mut log, 0, &[("9", Some("1"))]);
    log.roll().expect("a roll");
    assert!(clean_with(&mut log, DAY_MS, end + 1, HashSet::new(), &LIMITS));
    assert!(log.segment_count() <= 4, "{} segments", log.segment_count());
    assert_eq!(records(&mut log).len(), 6);
}

#[test]
fn a_truncation_or_a_retention_takes_a_swap_back() {
    for truncate in [true, false] {
        let site = Site::new(compacted());
        let mut log = site.log();
        for number in 0..4 {
            put(&mut log, 0, &[("a", Some(&number.to_string()))]);
            log.roll().expect("a roll");
        }
        log.flush().expect("a flush");
        let end = log.log_end();
        let plan = log.plan_cleaning(DAY_MS, end, HashSet::new()).expect("a plan").expect("dirt");
        let mut cleaning = plan.index(&LIMITS, &mut |_| true).expect("an index");
        let segment = cleaning.next_segment(&mut |_| true).expect("one").expect("a change");
        log.begin_swap(&segment).expect("a swap begins");
        segment.sync(log.dir()).expect("a sync");
        if truncate {
            assert_eq!(log.truncate_to(2).expect("a truncation"), 2);
        } else {
            log.increment_log_start(2).expect("within the log");
            assert_eq!(log.apply_retention(0, end).expect("a retention").len(), 2);
        }
        assert!(matches!(log.finish_swap(&segment), Err(LogError::Overtaken)));
        log.note_cleaned(&cleaning);
        let expected = if truncate { "0:a=0 1:a=1" } else { "2:a=2 3:a=3" };
        assert_eq!(contents(&mut log), expected);
        log.dir().checkpoint_log_starts().expect("a checkpoint");
        drop((log, cleaning, segment));
        let mut log = site.log();
        assert_eq!(contents(&mut log), expected);
        assert!(clean(&mut log, DAY_MS), "another cleaning is not hindered");
    }
}
