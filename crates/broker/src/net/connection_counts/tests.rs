use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{ConnectionCounts, ConnectionLimits};

fn limits(max: usize, max_per_ip: usize, creation_rate: u32) -> ConnectionLimits {
    ConnectionLimits { max, max_per_ip, overrides: HashMap::new(), creation_rate }
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

#[test]
fn limits_change_while_connections_are_open() {
    let counts = ConnectionCounts::new(limits(3, 2, 1000));
    let (first, second) = (counts.take(ip(1)).expect("room"), counts.take(ip(1)).expect("room"));
    assert_eq!(counts.take(ip(1)).expect_err("two are enough"), "max.connections.per.ip");
    counts.set_limits(limits(1, 2, 1000));
    assert_eq!(counts.take(ip(2)).expect_err("two are open"), "max.connections");
    drop((first, second));
    let _third = counts.take(ip(2)).expect("room again");

    let mut generous = limits(9, 0, 1000);
    generous.overrides.insert(ip(3), 1);
    counts.set_limits(generous);
    let _fourth = counts.take(ip(3)).expect("by the override");
    assert_eq!(counts.take(ip(3)).expect_err("one only"), "max.connections.per.ip");
    assert_eq!(counts.take(ip(4)).expect_err("nobody else"), "max.connections.per.ip");
}

#[test]
fn beyond_a_seconds_worth_connections_wait_for_their_turn() {
    let counts = ConnectionCounts::new(limits(9, 9, 10));
    let now = Instant::now() + Duration::from_secs(5);
    for _ in 0..10 {
        assert_eq!(counts.pause(now), Duration::ZERO);
    }
    assert_eq!(counts.pause(now), Duration::from_millis(100));
    assert_eq!(counts.pause(now), Duration::from_millis(200));
    assert_eq!(counts.pause(now + Duration::from_secs(9)), Duration::ZERO);
}
