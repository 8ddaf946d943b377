//! Ports that nobody else will take.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use rand::Rng;

/// Below the range from which the kernel gives ports to outgoing connections, so that a port stays
/// free while the node that owns it is down.
const RANGE: std::ops::Range<u16> = 10_100..32_000;

/// Ports that are written with as many digits as Kafka's own.
const SHORT_RANGE: std::ops::Range<u16> = 5000..9000;

/// `count` ports in a row that are free on both loopback addresses.
#[must_use]
pub fn free_ports(count: u16) -> Vec<u16> {
    free_ports_in(RANGE, count)
}

/// `count` ports in a row, of four digits, that are free on both loopback addresses.
#[must_use]
pub fn free_ports_below_10000(count: u16) -> Vec<u16> {
    free_ports_in(SHORT_RANGE, count)
}

fn free_ports_in(range: std::ops::Range<u16>, count: u16) -> Vec<u16> {
    for _ in 0..1000 {
        let first = rand::rng().random_range(range.start..range.end - count);
        let ports: Vec<u16> = (first..first + count).collect();
        if ports.iter().copied().all(is_free) {
            return ports;
        }
    }
    panic!("no {count} free ports in a row between {} and {}", range.start, range.end);
}

fn is_free(port: u16) -> bool {
    let taken = |error: std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    !TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err_and(taken)
        && !TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_err_and(taken)
}
