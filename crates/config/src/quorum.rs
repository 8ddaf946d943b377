//! Voters and bootstrap servers of the controller quorum.

use crate::address::{HostPort, Voter, items, parse_host_port};

/// Parses `id@host:port` between commas. What is wrong comes back with the item.
pub(crate) fn parse_voters(text: &str) -> Result<Vec<Voter>, String> {
    let mut voters: Vec<Voter> = Vec::new();
    for item in items(text) {
        let wrong = |reason: &str| format!("'{item}': {reason}");
        let (id, address) =
            item.split_once('@').ok_or_else(|| wrong("it must have the form id@host:port"))?;
        let id = id.parse::<i32>().ok().filter(|id| *id >= 0);
        let id = id.ok_or_else(|| wrong("the id is not a number from 0 on"))?;
        let HostPort { host, port } = parse_host_port(address).map_err(wrong)?;
        if host.is_empty() || port == 0 {
            return Err(wrong("a voter needs a host and a port"));
        }
        if voters.iter().any(|voter| voter.id == id) {
            return Err(wrong("the id stands there twice"));
        }
        voters.push(Voter { id, host, port });
    }
    Ok(voters)
}

/// Parses `host:port` between commas.
pub(crate) fn parse_servers(text: &str) -> Result<Vec<HostPort>, String> {
    let parse =
        |item: &str| {
            parse_host_port(item)
                .and_then(|server| {
                    if server.host.is_empty() { Err("the host is missing") } else { Ok(server) }
                })
                .map_err(|reason| format!("'{item}': {reason}"))
        };
    items(text).map(parse).collect()
}
