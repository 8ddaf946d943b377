//! Cleanings of any log, in any portions: nothing but what is superseded goes.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use ottla_log::CleaningLimits;
use ottla_protocol::record::{Compression, Record, RecordBatchBuilder};
use proptest::prelude::*;

use super::{DAY_MS, LIMITS, clean_with, compacted, records};
use crate::support::Site;

/// (key, value or tombstone) of each record, how many make a batch, and where segments and epochs begin.
type Written = Vec<(u8, Option<u8>)>;

fn latest(all: &[Record]) -> BTreeMap<Bytes, (i64, Option<Bytes>)> {
    let mut latest = BTreeMap::new();
    for record in all {
        let key = record.key.clone().expect("a key");
        latest.insert(key, (record.offset, record.value.clone()));
    }
    latest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn compaction_keeps_the_last_of_each_key_and_changes_no_offset(
        batches in proptest::collection::vec(
            (proptest::collection::vec((0..12_u8, proptest::option::weighted(0.8, 0..255_u8)), 1..6), 0..8_u8),
            1..60,
        ),
        rounds in proptest::collection::vec((0..1000_i64, 1..200_usize, 0..3 * DAY_MS), 1..5),
        codec in 0..5_i16,
    ) {
        let batches: Vec<(Written, u8)> = batches;
        let site = Site::new(compacted());
        let mut log = site.log();
        let mut epoch = 0;
        for (records, what) in &batches {
            epoch += i32::from(*what == 0);
            if *what == 1 {
                log.roll().expect("a roll");
            }
            let codec = Compression::from_id(codec).expect("a codec");
            let mut builder =
                RecordBatchBuilder::new(codec).base_offset(log.log_end()).leader_epoch(epoch);
            for (key, value) in records {
                builder.append(1000, Some(&[*key]), value.as_ref().map(std::slice::from_ref), &[]);
            }
            log.append(&builder.build().expect("a batch")).expect("an append");
        }
        let all = records(&mut log);
        let expected = latest(&all);
        let epochs = log.epochs().clone();
        let (end, mut now_ms, mut highest) = (log.log_end(), 0, 0);
        for (part, slots, later) in rounds {
            now_ms += later;
            let stable = end * part / 1000;
            let before = records(&mut log);
            let limits = CleaningLimits { dedupe_buffer_bytes: slots * 24, ..LIMITS };
            clean_with(&mut log, now_ms, stable, HashSet::new(), &limits);
            let upto = log.cleaned_offset();
            highest = stable.max(highest);
            prop_assert!(upto <= highest);
            let found = records(&mut log);
            // What is there was there, as it was.
            for record in &found {
                let original = all.iter().find(|it| it.offset == record.offset).expect("no new offset");
                prop_assert_eq!(record, original);
            }
            // Above what was cleaned nothing has gone.
            let above = |records: &[Record]| {
                records.iter().filter(|it| it.offset >= upto).cloned().collect::<Vec<_>>()
            };
            prop_assert_eq!(above(&found), above(&before));
            // The last of each key is there, unless it is a tombstone of some age.
            let left = latest(&found);
            for (key, (offset, value)) in &expected {
                match left.get(key) {
                    Some(found) => prop_assert_eq!(found, &(*offset, value.clone())),
                    None => prop_assert!(value.is_none() && now_ms >= DAY_MS),
                }
            }
            // Below, each key is there once.
            let below: Vec<_> = found.iter().filter(|it| it.offset < upto).collect();
            let mut keys: Vec<_> = below.iter().map(|it| &it.key).collect();
            keys.sort();
            keys.dedup();
            prop_assert_eq!(keys.len(), below.len());
            prop_assert_eq!((log.log_end(), log.epochs()), (end, &epochs));
        }
        drop(log);
        let mut log = site.log();
        prop_assert_eq!((log.log_end(), log.epochs()), (end, &epochs));
        let left = latest(&records(&mut log));
        prop_assert!(left.iter().all(|(key, found)| expected.get(key) == Some(found)));
    }
}
