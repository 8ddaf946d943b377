use std::sync::Arc;

use super::*;

const KEY: QuotaKey = QuotaKey::ProducerByteRate;

fn windows() -> Windows {
    Windows::of(11, 1)
}

fn ledger() -> Ledger {
    Ledger::new(windows(), windows())
}

fn limit(name: &str, bound: f64) -> Limit {
    Limit { bearer: Bearer::Client(Arc::from(name)), bound }
}

#[test]
fn ten_seconds_worth_may_come_at_once_as_in_kafka() {
    let (mut ledger, limit) = (ledger(), limit("c", 100.0));
    assert_eq!(ledger.record(0, KEY, &limit, 1000.0), 0);
    // A byte more than the quota allows in 10 s: it takes 10 ms for that byte.
    assert_eq!(ledger.record(0, KEY, &limit, 1.0), 10);
    assert_eq!(ledger.most(&limit), 1000.0);
}

#[test]
fn who_waits_as_told_gets_the_bound_and_no_more() {
    for request in [10.0, 250.0, 2000.0] {
        let (mut ledger, limit) = (ledger(), limit("c", 100.0));
        let (mut now_ms, mut used) = (0, 0.0);
        while now_ms < 600_000 {
            used += request;
            now_ms += ledger.record(now_ms, KEY, &limit, request) + 1;
        }
        let rate = used * 1000.0 / now_ms as f64;
        // What may come at once at first counts too.
        assert!((97.0..=104.0).contains(&rate), "{rate} a second with requests of {request}");
    }
}

#[test]
fn what_is_old_is_forgotten() {
    let (mut ledger, limit) = (ledger(), limit("c", 100.0));
    ledger.record(0, KEY, &limit, 1000.0);
    assert_eq!(ledger.record(11_000, KEY, &limit, 1000.0), 0);
}

#[test]
fn books_are_separate_by_bearer_and_by_key() {
    let mut ledger = ledger();
    let (one, other) = (limit("one", 100.0), limit("other", 100.0));
    assert!(ledger.record(0, KEY, &one, 2000.0) > 0);
    assert_eq!(ledger.record(0, KEY, &other, 1000.0), 0);
    assert_eq!(ledger.record(0, QuotaKey::ConsumerByteRate, &one, 1000.0), 0);
}

#[test]
fn what_is_taken_back_does_not_count() {
    let (mut ledger, limit) = (ledger(), limit("c", 100.0));
    assert!(ledger.record(0, KEY, &limit, 3000.0) > 0);
    ledger.unrecord(0, KEY, &limit, 3000.0);
    assert_eq!(ledger.record(0, KEY, &limit, 1000.0), 0);
}

#[test]
fn nobody_is_shut_out_for_longer_than_a_window_for_time_and_connections() {
    for key in [QuotaKey::RequestPercentage, QuotaKey::ConnectionCreationRate] {
        assert_eq!(ledger().record(0, key, &limit("c", 1.0), 1e9), 1000);
    }
    // And for bytes for no longer than an answer can say.
    assert_eq!(ledger().record(0, KEY, &limit("c", 1e-300), 1e300), i32::MAX as u64);
}

#[test]
fn permits_come_at_the_rate_and_are_kept_for_all_windows() {
    let (mut ledger, limit) = (ledger(), limit("c", 2.0));
    // 22 at first, and once more than there are.
    assert_eq!(ledger.take(0, &limit, 22.0), Ok(()));
    assert_eq!(ledger.take(0, &limit, 10.0), Ok(()));
    assert_eq!(ledger.take(0, &limit, 1.0), Err(5000));
    assert_eq!(ledger.take(4999, &limit, 1.0), Err(1));
    assert_eq!(ledger.take(5000, &limit, 1.0), Ok(()));
    assert_eq!(ledger.take_anyway(5000, &limit, 1.0), 1000);
    ledger.give_back(&limit, 2.0);
    assert_eq!(ledger.take(5000, &limit, 1.0), Ok(()));
    // Never more than were there at first.
    assert_eq!(ledger.take(1_000_000, &limit, 23.0), Ok(()));
    assert_eq!(ledger.take(1_000_000, &limit, 1.0), Err(500));
}

#[test]
fn books_as_good_as_new_are_closed() {
    let mut ledger = ledger();
    for now_ms in 0..100_000 {
        let limit = limit(&now_ms.to_string(), 100.0);
        ledger.record(now_ms, KEY, &limit, 1.0);
        ledger.take(now_ms, &limit, 1.0).expect("there are permits");
    }
    let open = ledger.rates.len() + ledger.buckets.len();
    assert!(open < 40_000, "{open} books");
}
