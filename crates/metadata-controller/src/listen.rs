//! The controller's listening sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use ottla_config::HostPort;

/// Listens on every address that `at` stands for. Addresses of a family that the machine does not have are
/// passed over, as long as one is left.
pub(crate) async fn listen(at: &HostPort) -> io::Result<Vec<TcpListener>> {
    let addresses: Vec<SocketAddr> = if at.host.is_empty() {
        // With both families on one socket where the machine has both.
        match TcpListener::bind((Ipv6Addr::UNSPECIFIED, at.port)).await {
            Ok(listener) => return Ok(vec![listener]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => vec![(Ipv4Addr::UNSPECIFIED, at.port).into()],
        }
    } else {
        let mut addresses: Vec<_> =
            tokio::net::lookup_host((at.host.as_str(), at.port)).await?.collect();
        addresses.sort();
        addresses.dedup();
        addresses
    };
    let mut listeners = Vec::new();
    let mut absent = None;
    for address in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_absent(&error) => absent = Some(error),
            Err(error) => return Err(error),
        }
    }
    match absent {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
}
