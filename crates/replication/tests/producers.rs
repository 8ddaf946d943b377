//! Idempotent producers: KIP-98's rules, snapshots, and truncation histories.

use ottla_protocol::ids::{LeaderEpoch, Offset};
use ottla_replication::leader_epoch::{diverging, last_record_epoch, truncation_point};
use ottla_replication::producer_snapshot::{self, SnapshotError};
use ottla_replication::producer_state::CACHED_BATCHES;
use ottla_replication::{EpochEnd, ProducerState, SequenceError, Sequenced};
use proptest::prelude::*;

const DAY_MS: i64 = 86_400_000;

fn batch(producer_epoch: i16, base_sequence: i32, records: i32) -> Sequenced {
    Sequenced {
        producer_id: 9,
        producer_epoch,
        base_sequence,
        last_offset_delta: records - 1,
        max_timestamp: 1000,
    }
}

fn check(state: &ProducerState, batch: &Sequenced) -> Result<Option<Offset>, SequenceError> {
    state.check(batch, 1000, DAY_MS, true).map(|found| found.map(|original| original.base_offset()))
}

#[test]
fn the_last_five_batches_are_answered_with_their_first_offset() {
    let mut state = ProducerState::default();
    for n in 0..7 {
        let next = batch(0, n * 10, 10);
        assert_eq!(check(&state, &next), Ok(None));
        state.record(&next, i64::from(n) * 10, 1000);
    }
    for n in 2..7 {
        assert_eq!(check(&state, &batch(0, n * 10, 10)), Ok(Some(i64::from(n) * 10)));
    }
    let too_old = SequenceError::OutOfOrder { producer_id: 9, got: 10, expected: 70 };
    assert_eq!(check(&state, &batch(0, 10, 10)), Err(too_old));
    // The same first sequence with another last one is no duplicate.
    assert!(check(&state, &batch(0, 60, 5)).is_err());
    assert_eq!(CACHED_BATCHES, 5);
}

#[test]
fn a_gap_is_refused() {
    let mut state = ProducerState::default();
    state.record(&batch(3, 42, 1), 0, 1000);
    let gap = SequenceError::OutOfOrder { producer_id: 9, got: 44, expected: 43 };
    assert_eq!(check(&state, &batch(3, 44, 1)), Err(gap));
}

#[test]
fn a_new_producer_begins_at_0_and_a_forgotten_one_anywhere() {
    let mut state = ProducerState::default();
    let first = SequenceError::OutOfOrder { producer_id: 9, got: 4, expected: 0 };
    assert_eq!(check(&state, &batch(0, 4, 1)), Err(first));
    assert_eq!(check(&state, &batch(0, 0, 1)), Ok(None));
    // Its records may have been deleted.
    assert_eq!(state.check(&batch(0, 4, 1), 1000, DAY_MS, false), Ok(None));
    // It may have expired.
    state.record(&Sequenced { producer_id: 8, ..batch(0, 0, 1) }, 0, 1000);
    state.expire(1000 + DAY_MS, DAY_MS);
    assert_eq!(check(&state, &batch(0, 4, 1)), Ok(None));
    // It may have expired before the snapshot was taken.
    let bytes = producer_snapshot::encode(&ProducerState::default());
    let loaded = producer_snapshot::decode(&bytes, 0).unwrap();
    assert_eq!(check(&loaded, &batch(0, 4, 1)), Ok(None));
}

#[test]
fn a_new_epoch_begins_at_0_and_fences_the_old_one() {
    let mut state = ProducerState::default();
    state.record(&batch(0, 0, 5), 0, 1000);
    assert!(matches!(
        check(&state, &batch(1, 5, 1)),
        Err(SequenceError::OutOfOrder { expected: 0, .. })
    ));
    assert_eq!(check(&state, &batch(1, 0, 1)), Ok(None));
    state.record(&batch(1, 0, 1), 5, 1000);
    let fenced = SequenceError::Fenced { producer_id: 9, got: 0, current: 1 };
    assert_eq!(check(&state, &batch(0, 5, 1)), Err(fenced));
}

#[test]
fn sequences_wrap_around() {
    let mut state = ProducerState::default();
    state.record(&batch(0, i32::MAX - 1, 3), 100, 1000);
    assert_eq!(check(&state, &batch(0, 1, 1)), Ok(None));
    assert_eq!(check(&state, &batch(0, i32::MAX - 1, 3)), Ok(Some(100)));
}

#[test]
fn a_producer_expires_by_what_was_heard_last_not_by_old_timestamps() {
    let mut state = ProducerState::default();
    state.record(&batch(0, 0, 1), 0, 5 * DAY_MS);
    let gap = batch(0, 7, 1);
    assert!(state.check(&gap, 5 * DAY_MS + 1, DAY_MS, true).is_err());
    assert_eq!(state.check(&gap, 6 * DAY_MS, DAY_MS, true), Ok(None));
    state.expire(6 * DAY_MS, DAY_MS);
    assert!(state.is_empty());
}

/// All replicas stop in order with two batches unacknowledged, and their producer sends both again.
#[test]
fn a_snapshot_knows_every_batch_that_may_be_sent_again() {
    let mut state = ProducerState::default();
    let sent: Vec<_> = (0..7).map(|n| batch(0, 3 * n, 3)).collect();
    for (n, batch) in sent.iter().enumerate() {
        state.record(batch, 3 * n as i64, 1000);
    }
    let loaded = producer_snapshot::decode(&producer_snapshot::encode(&state), 1000).unwrap();
    for (n, batch) in sent.iter().enumerate().skip(2) {
        let original = loaded.check(batch, 1000, DAY_MS, true).unwrap();
        assert_eq!(original.map(|it| it.base_offset()), Some(3 * n as i64));
    }
}

#[test]
fn a_snapshot_has_kafkas_bytes() {
    let mut state = ProducerState::default();
    state.record(&batch(2, 5, 3), 100, 1000);
    let bytes = producer_snapshot::encode(&state);
    let mut expected = vec![0, 1];
    let mut body = 1_i32.to_be_bytes().to_vec();
    body.extend(9_i64.to_be_bytes());
    body.extend(2_i16.to_be_bytes());
    body.extend(7_i32.to_be_bytes());
    body.extend(102_i64.to_be_bytes());
    body.extend(2_i32.to_be_bytes());
    body.extend(1000_i64.to_be_bytes());
    body.extend((-1_i32).to_be_bytes());
    body.extend((-1_i64).to_be_bytes());
    expected.extend(crc32c::crc32c(&body).to_be_bytes());
    expected.extend(body);
    assert_eq!(bytes, expected);
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let mut state = ProducerState::default();
    state.record(&batch(2, 5, 3), 100, 1000);
    let good = producer_snapshot::encode(&state);
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 0x40;
        assert!(producer_snapshot::decode(&bad, 0).is_err(), "byte {place}");
    }
    for length in 0..good.len() {
        assert!(producer_snapshot::decode(&good[..length], 0).is_err(), "{length} bytes");
    }
    assert_eq!(
        producer_snapshot::decode(&[0, 2, 0, 0, 0, 0, 0, 0, 0, 0], 0),
        Err(SnapshotError::Version(2))
    );
}

/// What a producer may send, and a model that keeps everything.
#[derive(Default)]
struct Model {
    log: Vec<Sequenced>,
}

impl Model {
    fn allows(&self, next: &Sequenced) -> bool {
        let mine = || self.log.iter().filter(|it| it.producer_id == next.producer_id);
        let epoch = mine().map(|it| it.producer_epoch).max();
        match epoch {
            None => next.base_sequence == 0,
            Some(epoch) if next.producer_epoch > epoch => next.base_sequence == 0,
            Some(epoch) if next.producer_epoch < epoch => false,
            Some(epoch) => {
                let last = mine().rfind(|it| it.producer_epoch == epoch);
                last.is_none_or(|it| {
                    next.base_sequence == it.base_sequence + it.last_offset_delta + 1
                })
            }
        }
    }
}

fn sent() -> impl Strategy<Value = Sequenced> {
    (0..3_i64, 0..3_i16, 0..12_i32, 1..3_i32).prop_map(
        |(producer_id, producer_epoch, base_sequence, records)| Sequenced {
            producer_id,
            producer_epoch,
            base_sequence,
            last_offset_delta: records - 1,
            max_timestamp: 0,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing is appended that a model with the whole log would not append; a duplicate is answered with
    /// a batch that is there; the state from a snapshot is the state from the log (I20).
    #[test]
    fn producers_agree_with_a_model_of_the_whole_log(batches in prop::collection::vec(sent(), 1..80)) {
        let mut state = ProducerState::default();
        let mut model = Model::default();
        for next in batches {
            match state.check(&next, 0, i64::MAX, true) {
                Ok(None) => {
                    prop_assert!(model.allows(&next));
                    state.record(&next, model.log.len() as i64 * 10, 0);
                    model.log.push(next);
                }
                Ok(Some(original)) => {
                    let place = original.base_offset() / 10;
                    let there = model.log[place as usize];
                    prop_assert_eq!(
                        (there.producer_id, there.producer_epoch, there.base_sequence),
                        (next.producer_id, next.producer_epoch, next.base_sequence)
                    );
                }
                Err(_) => prop_assert!(!model.allows(&next)),
            }
            let bytes = producer_snapshot::encode(&state);
            let loaded = producer_snapshot::decode(&bytes, 0).unwrap();
            prop_assert_eq!(producer_snapshot::encode(&loaded), bytes);
        }
    }

    /// Two histories with a common beginning: asking, cutting and asking again ends, at the point where
    /// they part or below, and both agree then. Nothing that both share before that point is cut but
    /// epochs that the other side never had.
    #[test]
    fn truncation_by_epoch_ends_in_agreement(
        common in prop::collection::vec((1..3_i32, 1..5_i64), 0..4),
        left in prop::collection::vec((1..3_i32, 1..5_i64), 0..4),
        right in prop::collection::vec((1..3_i32, 1..5_i64), 0..4),
    ) {
        let (mut leader, leader_end, shared_end) = history(&common, &left, 0);
        // A leader begins its epoch before it answers.
        leader.push((1000, leader_end));
        let (mut follower, mut follower_end, _) = history(&common, &right, 1);
        for _ in 0..50 {
            let last = last_record_epoch(&follower, follower_end).unwrap_or(-1);
            let apart = (last >= 0)
                .then(|| diverging(&leader, leader_end, last, follower_end))
                .flatten();
            let Some(EpochEnd { epoch, end_offset }) = apart else { break };
            let cut = truncation_point(&follower, follower_end, EpochEnd { epoch, end_offset });
            prop_assert!(cut < follower_end, "each round must cut something");
            follower_end = cut;
            follower.retain(|(_, start)| *start < cut);
        }
        let is_prefix = follower.iter().all(|entry| leader.contains(entry));
        prop_assert!(is_prefix, "{:?} is not a prefix of {:?}", follower, leader);
        prop_assert!(follower_end >= shared_end, "cut into what both share");
    }
}

/// A history of runs (epoch step, records): the common ones, then one's own, whose epochs are of one
/// parity so that no epoch is both sides'. Returns it, its end, and the end of the common part.
fn history(
    common: &[(i32, i64)],
    own: &[(i32, i64)],
    parity: i32,
) -> (Vec<(LeaderEpoch, Offset)>, Offset, Offset) {
    let mut entries = Vec::new();
    let (mut epoch, mut end) = (0, 0);
    for (step, records) in common {
        epoch += step * 2;
        entries.push((epoch, end));
        end += records;
    }
    let shared_end = end;
    for (step, records) in own {
        epoch += step * 2;
        entries.push((epoch + parity, end));
        end += records;
    }
    (entries, end, shared_end)
}
