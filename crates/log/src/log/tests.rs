//! The laws of the leader epochs, and what an idle log weighs.

use proptest::prelude::*;

use super::{EpochEnd, LeaderEpochs, Log};

proptest! {
    #[test]
    fn epochs_obey_their_laws(
        assigned in proptest::collection::vec((0..30_i32, 0..100_i64), 0..20),
        asked in -1..35_i32,
        at in 0..120_i64,
    ) {
        let mut epochs = LeaderEpochs::default();
        let mut end = 0;
        for (epoch, ahead) in assigned {
            end += ahead;
            epochs.assign(epoch, end);
        }
        let entries = epochs.entries().to_vec();
        prop_assert!(entries.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));

        let found = epochs.end_offset_for(asked, end + 10);
        let expected = entries.iter().rev().find(|entry| entry.0 <= asked);
        prop_assert_eq!(found.epoch, expected.map_or(-1, |entry| entry.0));
        if found != EpochEnd::NONE {
            let next = entries.iter().find(|entry| entry.0 > asked);
            prop_assert_eq!(found.end_offset, next.map_or(end + 10, |entry| entry.1));
        }
        let parsed = LeaderEpochs::parse(&epochs.render());
        prop_assert_eq!(parsed.as_ref(), Some(&epochs));

        let mut front = epochs.clone();
        front.truncate_from_start(at);
        for offset in at..130 {
            prop_assert_eq!(front.epoch_at(offset), epochs.epoch_at(offset));
        }
        prop_assert!(front.entries().iter().all(|entry| entry.1 >= at.min(entries.first().map_or(at, |e| e.1))));
        let mut back = epochs.clone();
        back.truncate_from_end(at);
        prop_assert!(back.entries().iter().all(|entry| entry.1 < at));
        for offset in 0..at {
            prop_assert_eq!(back.epoch_at(offset), epochs.epoch_at(offset));
        }
    }
}

#[test]
fn an_idle_log_is_light() {
    // The rest of the 4 KiB that a partition may take belongs to its owner.
    assert!(size_of::<Log>() <= 640, "{} bytes", size_of::<Log>());
}
