//! The log against a simple model in memory, by random operations: append (also with gaps, as a copy of a
//! compacted log), read, roll, truncate, flush, retention, compaction, clean restart, crash with a torn
//! tail.

use std::collections::HashSet;
use std::fs::{self, File};

use ottla_log::{Log, LogConfig};
use ottla_protocol::record::batches;
use proptest::prelude::*;

use crate::compaction::{LIMITS, clean_with, compacted};
use crate::support::{Site, batch, read_all};

#[derive(Debug, Clone)]
enum Op {
    Append { batches: usize, records: usize },
    Copy { ahead: i64, records: usize },
    Clean { hours: i64 },
    NewEpoch,
    Roll,
    Flush,
    Checkpoint,
    Truncate(usize),
    StartAt(i64),
    LogStart(usize),
    Retain(usize),
    Restart,
    Crash { cut: usize },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1..6_usize, 1..8_usize).prop_map(|(batches, records)| Op::Append { batches, records }),
        2 => (0..20_i64, 1..8_usize).prop_map(|(ahead, records)| Op::Copy { ahead, records }),
        2 => (0..60_i64).prop_map(|hours| Op::Clean { hours }),
        1 => Just(Op::NewEpoch),
        1 => Just(Op::Roll),
        2 => Just(Op::Flush),
        1 => Just(Op::Checkpoint),
        2 => (0..1000_usize).prop_map(Op::Truncate),
        1 => (0..50_i64).prop_map(Op::StartAt),
        1 => (0..1000_usize).prop_map(Op::LogStart),
        1 => (0..1000_usize).prop_map(Op::Retain),
        1 => Just(Op::Restart),
        2 => (0..400_usize).prop_map(|cut| Op::Crash { cut }),
    ]
}

/// What the log should hold.
#[derive(Debug, Default)]
struct Model {
    /// (base offset, next offset, epoch, bytes).
    batches: Vec<(i64, i64, i32, Vec<u8>)>,
    start: i64,
    end: i64,
    flushed: i64,
    epoch: i32,
    /// Where the oldest segment begins.
    base: i64,
}

impl Model {
    fn bytes_from(&self, offset: i64) -> Vec<u8> {
        let held = self.batches.iter().filter(|batch| batch.1 > offset);
        held.flat_map(|batch| batch.3.clone()).collect()
    }

    fn truncate(&mut self, offset: i64) {
        if offset < self.end {
            self.batches.retain(|batch| batch.1 <= offset);
            self.end = self.last_end();
            self.start = self.start.min(self.end);
            self.flushed = self.flushed.min(self.end);
        }
    }

    /// Behind the last batch.
    fn last_end(&self) -> i64 {
        self.batches.last().map_or(self.base, |last| last.1)
    }

    fn start_at(&mut self, offset: i64) {
        self.batches.clear();
        (self.start, self.end, self.flushed, self.base) = (offset, offset, offset, offset);
    }

    /// What is gone from the disk cannot come back.
    fn take_from_disk(&mut self, site: &Site) {
        (self.base, self.batches) = on_disk(site);
    }

    fn epochs(&self) -> Vec<(i32, i64)> {
        let mut entries: Vec<(i32, i64)> = Vec::new();
        for (base, next, epoch, _) in &self.batches {
            if *next > self.start && entries.last().is_none_or(|last| last.0 < *epoch) {
                entries.push((*epoch, (*base).max(self.start)));
            }
        }
        entries
    }
}

type Batch = (i64, i64, i32, Vec<u8>);

/// Where the oldest segment begins, and the batches of all.
fn on_disk(site: &Site) -> (i64, Vec<Batch>) {
    let names = crate::support::names(site);
    let logs: Vec<_> = names.iter().filter(|name| name.ends_with(".log")).collect();
    let mut found = Vec::new();
    for name in &logs {
        let bytes = fs::read(site.partition_path().join(name)).expect("a segment");
        for batch in batches(&bytes) {
            let batch = batch.expect("whole batches");
            let header = batch.header;
            let epoch = header.partition_leader_epoch;
            found.push((header.base_offset, header.next_offset(), epoch, batch.bytes.to_vec()));
        }
    }
    (logs[0].trim_end_matches(".log").parse().expect("an offset"), found)
}

fn check(log: &mut Log, model: &Model) {
    assert_eq!((log.log_start(), log.log_end()), (model.start, model.end));
    assert!(log.flushed_offset() <= log.log_end());
    assert_eq!(read_all(log, model.start, 700), model.bytes_from(model.start));
    let with_records: Vec<_> =
        log.epochs().entries().iter().copied().filter(|entry| entry.1 < model.end).collect();
    let (first, rest): (Vec<_>, Vec<_>) =
        with_records.into_iter().partition(|entry| !model.epochs().contains(entry));
    // The epoch in which the log starts may begin before its first record, or have none left.
    assert!(first.len() <= 1 && first.iter().all(|entry| entry.1 == model.start), "{first:?}");
    let missing: Vec<_> = model.epochs().into_iter().filter(|it| !rest.contains(it)).collect();
    assert!(missing.iter().all(|it| first.contains(&(it.0, model.start))), "{missing:?} {first:?}");
    let headers = log.headers_from(model.start).expect("a walk").count();
    assert_eq!(headers, model.batches.iter().filter(|batch| batch.1 > model.start).count());
}

fn crash(site: &Site, model: &mut Model, cut: usize) {
    // The newest segments lose bytes, but nothing that was flushed does.
    let mut left = cut;
    let flushed = model.flushed;
    let mut logs: Vec<_> = fs::read_dir(site.partition_path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    while left > 0 {
        let Some(last) = model.batches.last().filter(|batch| batch.0 >= flushed) else { break };
        let path = logs.last().expect("a segment");
        let file = File::options().write(true).open(path).expect("a file");
        let len = file.metadata().expect("metadata").len() as usize;
        if len == 0 {
            fs::remove_file(path).expect("a removal");
            logs.pop();
            continue;
        }
        let size = last.3.len();
        let cut = left.min(size);
        file.set_len((len - cut) as u64).expect("a shorter file");
        left -= cut;
        model.batches.pop();
        model.end = model.last_end();
        if cut < size {
            break;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_what_the_model_says(ops in proptest::collection::vec(op(), 1..50)) {
        let config = compacted();
        let site = Site::new(config);
        let mut model = Model::default();
        let mut log = site.log();
        for op in ops {
            match op {
                Op::Append { batches, records } => {
                    let mut all = Vec::new();
                    for _ in 0..batches {
                        let bytes = batch(model.end, records, model.epoch, model.end * 3);
                        all.extend_from_slice(&bytes);
                        let next = model.end + records as i64;
                        model.batches.push((model.end, next, model.epoch, bytes));
                        model.end = next;
                    }
                    log.append(&all).expect("an append");
                }
                Op::Copy { ahead, records } => {
                    let base = model.end + ahead;
                    model.epoch += 1;
                    let bytes = batch(base, records, model.epoch, base * 3);
                    log.append_copied(&bytes).expect("an append");
                    model.end = base + records as i64;
                    model.batches.push((base, model.end, model.epoch, bytes));
                }
                Op::Clean { hours } => {
                    clean_with(&mut log, hours * 3_600_000, model.flushed, HashSet::new(), &LIMITS);
                    let before = std::mem::take(&mut model.batches);
                    model.take_from_disk(&site);
                    for batch in &model.batches {
                        let same = |it: &&Batch| (it.0, it.1, it.2) == (batch.0, batch.1, batch.2);
                        prop_assert!(before.iter().any(|it| same(&it)), "{:?} is new", batch);
                    }
                    let upto = log.cleaned_offset();
                    prop_assert!(upto <= model.flushed);
                    let above = |batches: &[Batch]| -> Vec<Batch> {
                        batches.iter().filter(|it| it.0 >= upto).cloned().collect()
                    };
                    prop_assert_eq!(above(&model.batches), above(&before));
                }
                Op::NewEpoch => {
                    model.epoch += 1;
                    log.assign_epoch(model.epoch);
                }
                Op::Roll => log.roll().expect("a roll"),
                Op::Flush => {
                    log.flush().expect("a flush");
                    model.flushed = model.end;
                }
                Op::Checkpoint => {
                    log.dir().checkpoint_recovery_points().expect("a checkpoint");
                    log.dir().checkpoint_log_starts().expect("a checkpoint");
                }
                Op::Truncate(part) => {
                    let offset = model.start + (model.end - model.start) * part as i64 / 1000;
                    model.truncate(offset);
                    log.truncate_to(offset).expect("a truncation");
                    model.epoch += 1;
                }
                Op::StartAt(ahead) => {
                    let offset = model.end + ahead;
                    log.truncate_fully_and_start_at(offset).expect("a truncation");
                    model.start_at(offset);
                }
                Op::LogStart(part) => {
                    model.start += (model.end - model.start) * part as i64 / 1000;
                    log.increment_log_start(model.start).expect("within the log");
                    log.dir().checkpoint_log_starts().expect("a checkpoint");
                }
                Op::Retain(part) => {
                    log.set_config(LogConfig { retention_ms: 0, ..config });
                    let until = model.start + (model.end - model.start) * part as i64 / 1000;
                    let retired = log.apply_retention(until * 3, model.end).expect("retention");
                    model.start = log.log_start();
                    prop_assert!(model.start <= model.end);
                    for segment in retired {
                        segment.remove().expect("a removal");
                    }
                    model.take_from_disk(&site);
                    model.flushed = model.flushed.max(model.base);
                    log.set_config(config);
                }
                Op::Restart => {
                    site.close(log);
                    model.flushed = model.end;
                    log = site.log();
                }
                Op::Crash { cut } => {
                    log.dir().checkpoint_log_starts().expect("a checkpoint");
                    drop(log);
                    crash(&site, &mut model, cut);
                    if model.end < model.start {
                        let start = model.start;
                        model.start_at(start);
                    }
                    log = site.log();
                    model.flushed = model.end;
                }
            }
            check(&mut log, &model);
        }
    }
}
