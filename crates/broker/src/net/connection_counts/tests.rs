use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{ConnectionCounts, ConnectionLimits};

fn limits(max: usize, max_per_ip: usize, creation_rate: u32) -> ConnectionLimits {
    ConnectionLimits {
        max,
        max_per_ip,
        overrides: HashMap::new(),
        creation_rate,
        listener_max: HashMap::new(),
        listener_rates: HashMap::new(),
    }
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

#[test]
fn limits_change_while_connections_are_open() {
    let listener = Arc::from("plaintext");
    let counts = ConnectionCounts::new(limits(3, 2, 1000));
    let take = |last| counts.take(&listener, ip(last));
    let (first, second) = (take(1).expect("room"), take(1).expect("room"));
    assert_eq!(take(1).expect_err("two are enough"), "max.connections.per.ip");
    counts.set_limits(limits(1, 2, 1000));
    assert_eq!(take(2).expect_err("two are open"), "max.connections");
    drop((first, second));
    let _third = take(2).expect("room again");

    let mut generous = limits(9, 0, 1000);
    generous.overrides.insert(ip(3), 1);
    counts.set_limits(generous);
    let _fourth = take(3).expect("by the override");
    assert_eq!(take(3).expect_err("one only"), "max.connections.per.ip");
    assert_eq!(take(4).expect_err("nobody else"), "max.connections.per.ip");
}

#[test]
fn a_listeners_limit_concerns_no_other() {
    let (inside, outside) = (Arc::from("inside"), Arc::from("outside"));
    let mut of_listener = limits(9, 9, 1000);
    of_listener.listener_max.insert("outside".to_owned(), 1);
    let counts = ConnectionCounts::new(of_listener);
    let first = counts.take(&outside, ip(1)).expect("room");
    assert!(counts.take(&outside, ip(1)).is_err());
    let _other = counts.take(&inside, ip(1)).expect("room");
    drop(first);
    let _again = counts.take(&outside, ip(1)).expect("room again");
}

#[test]
fn beyond_a_seconds_worth_connections_wait_for_their_turn() {
    let listener = Arc::from("plaintext");
    let mut rates = limits(9, 9, 10);
    rates.listener_rates.insert("slow".to_owned(), 2);
    let counts = ConnectionCounts::new(rates);
    let now = Instant::now() + Duration::from_secs(5);
    for _ in 0..10 {
        assert_eq!(counts.pause(&listener, now), Duration::ZERO);
    }
    assert_eq!(counts.pause(&listener, now), Duration::from_millis(100));
    assert_eq!(counts.pause(&listener, now), Duration::from_millis(200));
    let later = now + Duration::from_secs(9);
    assert_eq!(counts.pause(&listener, later), Duration::ZERO);
    let slow = Arc::from("slow");
    assert_eq!(counts.pause(&slow, later), Duration::ZERO);
    assert_eq!(counts.pause(&slow, later), Duration::ZERO);
    assert_eq!(counts.pause(&slow, later), Duration::from_millis(500));
}
