use std::sync::Arc;

use super::*;

const KEY: QuotaKey = QuotaKey::ProducerByteRate;

/// With Kafka's eleven windows of a second.
fn ledger() -> Ledger {
    Ledger::new(Reserves { ms: 10_000, mutation_ms: 11_000, window_ms: 1000 })
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
    assert_eq!(ledger.most(KEY, &limit), 1000.0);
}

#[test]
fn who_waits_as_told_gets_the_bound_and_no_more() {
    for request in [10.0, 250.0, 2000.0] {
        let (mut ledger, limit) = (ledger(), limit("c", 100.0));
        let mut now_ms = ledger.record(0, KEY, &limit, 1000.0);
        let (begun_ms, mut used) = (now_ms, 0.0);
        while now_ms < 100_000 {
            used += request;
            now_ms += ledger.record(now_ms, KEY, &limit, request);
        }
        let rate = used * 1000.0 / (now_ms - begun_ms) as f64;
        assert!((99.0..=101.0).contains(&rate), "{rate} a second with requests of {request}");
    }
}

#[test]
fn another_bound_holds_from_then_on() {
    let mut ledger = ledger();
    assert_eq!(ledger.record(0, KEY, &limit("c", 100.0), 1100.0), 1000);
    assert_eq!(ledger.record(0, KEY, &limit("c", 10.0), 0.0), 10_000);
    assert_eq!(ledger.record(5000, KEY, &limit("c", 1000.0), 0.0), 50);
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
fn what_is_given_back_does_not_count() {
    let (mut ledger, limit) = (ledger(), limit("c", 100.0));
    assert!(ledger.record(0, KEY, &limit, 3000.0) > 0);
    ledger.give_back(KEY, &limit, 3000.0);
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
    let key = QuotaKey::ControllerMutationRate;
    // 22 at first, and once more than there are.
    assert_eq!(ledger.take(0, key, &limit, 22.0), Ok(()));
    assert_eq!(ledger.take(0, key, &limit, 10.0), Ok(()));
    assert_eq!(ledger.take(0, key, &limit, 1.0), Err(5000));
    assert_eq!(ledger.take(4999, key, &limit, 1.0), Err(1));
    assert_eq!(ledger.take(5000, key, &limit, 1.0), Ok(()));
    assert_eq!(ledger.record(5000, key, &limit, 1.0), 1000);
    ledger.give_back(key, &limit, 2.0);
    assert_eq!(ledger.take(5000, key, &limit, 1.0), Ok(()));
    // Never more than there were at first.
    assert_eq!(ledger.take(1_000_000, key, &limit, 23.0), Ok(()));
    assert_eq!(ledger.take(1_000_000, key, &limit, 1.0), Err(500));
}

#[test]
fn books_as_good_as_new_are_closed() {
    let mut ledger = ledger();
    for now_ms in 0..100_000 {
        ledger.record(now_ms, KEY, &limit(&now_ms.to_string(), 100.0), 1.0);
    }
    assert!(ledger.buckets.len() < 2 * LOOKED_OVER_AT, "{} books", ledger.buckets.len());
}
