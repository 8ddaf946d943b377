//! Whether an address that clients are given serves them, and which key to change if not. Pure.

use std::net::IpAddr;

use ottla_client::HostPort;

use super::dial::{Dialled, Spoken};
use crate::diagnosis::Finding;

/// What a broker's listeners are called in its file.
pub(crate) const ADVERTISED: &str = "advertised.listeners";
const PROTOCOLS: &str = "listener.security.protocol.map";
const CONTROLLERS: &str = "controller.listener.names";

/// An address that the user has named to begin with.
pub(super) fn bootstrap(address: &HostPort, dialled: &Dialled) -> Finding {
    let host = &address.host;
    match dialled {
        Dialled::Spoke(Spoken::Broker { .. }) => {
            Finding::ok(format!("{address} answers as a broker"))
        }
        Dialled::Unresolvable => {
            Finding::problem(format!("{address}: the name {host} cannot be resolved from here"))
                .advise(format!("Correct --bootstrap-server, {}.", make_known(host)))
        }
        Dialled::Refused => Finding::problem(format!("{address}: nobody listens there"))
            .advise("Start the broker, or name the port that its `listeners` names."),
        Dialled::Silent { connected: false } => Finding::problem(format!(
            "{address}: no connection, and no refusal either"
        ))
        .advise("A firewall, or an address of another network: try it from the broker's machine."),
        Dialled::Silent { connected: true } => {
            Finding::problem(format!("{address}: takes the connection, but does not answer"))
                .advise("The process is stuck or paused: look into its log.")
        }
        Dialled::Unreachable(reason) => Finding::problem(format!("{address}: {reason}"))
            .advise("There is no way to this address from here: take one of this network."),
        Dialled::Spoke(Spoken::Controller) => Finding::problem(format!(
            "{address} is a controller's port, which serves no clients"
        ))
        .advise("Name a broker's port: one of a listener that is not in controller.listener.names.")
        .key(CONTROLLERS),
        Dialled::Spoke(spoken) => strange(&address.to_string(), spoken),
    }
}

/// What was heard at the address that broker `id` of cluster `cluster_id` gives to clients; `reached_by` is
/// the host by which the user has come to the cluster.
pub(crate) fn broker(
    id: i32,
    address: &HostPort,
    dialled: &Dialled,
    cluster_id: &str,
    reached_by: Option<&str>,
) -> Finding {
    let host = &address.host;
    let gives = format!("broker {id} sends its clients to {address}");
    let change = |what: &str| format!("Change advertised.listeners of broker {id}: {what}.");
    let reachable = "a host name and port by which all clients reach it";
    let elsewhere = is_loopback(host) && reached_by.is_some_and(|reached| !is_loopback(reached));
    match dialled {
        Dialled::Spoke(Spoken::Broker { cluster_id: Some(other), .. }) if other != cluster_id => {
            Finding::problem(format!("{gives}, where a broker of another cluster ({other}) answers"))
                .advise(change(reachable))
                .key(ADVERTISED)
        }
        Dialled::Spoke(Spoken::Broker { id: Some(other), .. }) if *other != id => {
            Finding::problem(format!("{gives}, where broker {other} answers"))
                .advise(change("each broker needs an address of its own"))
                .key(ADVERTISED)
        }
        Dialled::Spoke(Spoken::Broker { .. }) if !elsewhere => {
            Finding::ok(format!("broker {id} answers at {address}, its advertised address"))
        }
        _ if elsewhere => Finding::problem(format!(
            "{gives}, which is each client's own machine, not the broker's"
        ))
        .advise(change(&format!(
            "{} is how you have reached it",
            reached_by.unwrap_or("the broker's host name")
        )))
        .key(ADVERTISED),
        Dialled::Spoke(Spoken::Controller) => {
            Finding::problem(format!("{gives}, which is a controller's port"))
                .advise(change("a broker's listener serves clients, a controller's does not"))
                .key(ADVERTISED)
        }
        Dialled::Spoke(spoken) => strange(&gives, spoken),
        Dialled::Unresolvable => Finding::problem(format!(
            "{gives}, and the name {host} cannot be resolved from here{}",
            if is_bare(host) { " (a container's or pod's name is known inside its network only)" } else { "" }
        ))
        .advise(format!(
            "Change advertised.listeners of broker {id} to {reachable}, {}.",
            make_known(host)
        ))
        .key(ADVERTISED),
        Dialled::Refused => Finding::problem(format!("{gives}, where nobody listens"))
            .advise(format!(
                "If broker {id} runs, advertised.listeners names another port than `listeners`, or a \
                 container's port is not published."
            ))
            .key(ADVERTISED),
        Dialled::Silent { connected: false } => Finding::problem(format!(
            "{gives}, from where nothing comes back{}",
            if is_of_containers(host) { " (it looks like a container's inner address)" } else { "" }
        ))
        .advise(format!(
            "Change advertised.listeners of broker {id} to {reachable}, or open the firewall."
        ))
        .key(ADVERTISED),
        Dialled::Silent { connected: true } => {
            Finding::problem(format!("{gives}, where the connection is taken, but not answered"))
                .advise(format!("Broker {id} is stuck or paused: look into its log."))
        }
        Dialled::Unreachable(reason) => Finding::problem(format!("{gives}: {reason}"))
            .advise(change(reachable))
            .key(ADVERTISED),
    }
}

/// What is no broker, or none that speaks with us.
fn strange(whence: &str, spoken: &Spoken) -> Finding {
    let problem = |says: &str| Finding::problem(format!("{whence}: {says}"));
    match spoken {
        Spoken::Tls => problem("TLS is spoken there, and these tools speak PLAINTEXT")
            .advise(
                "Clients need security.protocol=SSL there; for these tools add a PLAINTEXT listener.",
            )
            .key(PROTOCOLS),
        Spoken::Sasl => problem("it answers only clients that authenticate")
            .advise(
                "Clients need security.protocol=SASL_PLAINTEXT or SASL_SSL there; for these tools add a \
                 PLAINTEXT listener.",
            )
            .key(PROTOCOLS),
        Spoken::Closed => problem("it takes the connection and closes it without a word")
            .advise("It may want TLS (security.protocol=SSL), or be no Kafka broker at all."),
        Spoken::Http => problem("a web server answers there, no broker")
            .advise("Another program has this port: name a broker's."),
        Spoken::Unknown | Spoken::Broker { .. } | Spoken::Controller => {
            problem("what answers there does not speak Kafka's protocol")
                .advise("Another program has this port: name a broker's.")
        }
    }
}

/// How a name becomes known on this machine.
fn make_known(host: &str) -> String {
    format!("or make {host} known on this machine (DNS, or a line in the hosts file)")
}

pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A name without a domain.
fn is_bare(host: &str) -> bool {
    !host.contains('.') && host.parse::<IpAddr>().is_err() && !is_loopback(host)
}

/// 172.16.0.0/12, from which container networks are made unless told otherwise.
fn is_of_containers(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, ..] = address.octets();
            a == 172 && (16..32).contains(&b)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
