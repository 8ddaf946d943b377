//! A node's settings: the file, the environment over it, the command line over both.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ottla_config::{Layers, NodeConfig, Notice, Properties};
use ottla_metadata::Limits;
use ottla_metadata_controller::{ControllerOptions, Voter};
use ottla_protocol::ids::KafkaUuid;

/// The quorum's own folder within `metadata.log.dir`; no topic's directory can have this name.
const QUORUM_DIR: &str = "controller";

/// Reads and resolves everything that says what the node is to be.
pub(super) fn load(file: Option<&Path>, settings: &[String]) -> Result<(NodeConfig, Vec<Notice>)> {
    let mut properties = match file {
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("reading the settings in {}", path.display()))?;
            Properties::parse(&text).with_context(|| format!("in {}", path.display()))?
        }
        None => Properties::default(),
    };
    // A variable that is not text is none of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    properties = properties.overlaid(Properties::from_env(variables));
    for setting in settings {
        let Some((key, value)) = setting.split_once('=') else {
            bail!("'{setting}' is not of the form key=value");
        };
        properties.set(key.trim(), value.trim());
    }
    Ok(NodeConfig::resolve(&properties)?)
}

/// What the controller of this node is started with.
pub(super) fn controller_options(
    config: &NodeConfig,
    incarnation: KafkaUuid,
) -> Result<ControllerOptions> {
    let file = Layers { file: Some(&config.static_values), ..Layers::default() };
    let limits = Limits {
        num_partitions: config.num_partitions,
        default_replication_factor: config.default_replication_factor.map(i32::from),
        min_insync_replicas: file.set("min.insync.replicas").and_then(|text| text.parse().ok()),
        unclean_leader_election: file
            .set("unclean.leader.election.enable")
            .is_some_and(|text| text.eq_ignore_ascii_case("true")),
        static_values: config.static_values.clone(),
        ..Limits::default()
    };
    let voters = config
        .quorum_voters
        .iter()
        .map(|voter| Voter { id: voter.id, host: voter.host.clone(), port: voter.port })
        .collect();
    let dir = config.metadata_log_dir.join(QUORUM_DIR);
    Ok(ControllerOptions {
        cluster_id: config.cluster_id.clone().or_else(|| cluster_id_of_data(config)),
        listen: listen_addresses(config)?,
        session_timeout: millis(config.broker_session_timeout_ms),
        election_timeout: millis(config.controller_quorum_election_timeout_ms),
        heartbeat_interval: millis(config.controller_quorum_heartbeat_interval_ms),
        balance_interval: config.auto_leader_rebalance_enable.then(|| {
            Duration::from_secs(config.leader_imbalance_check_interval_seconds.unsigned_abs())
        }),
        limits,
        ..ControllerOptions::new(config.node_id, incarnation, voters, dir)
    })
}

fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::from(ms.unsigned_abs()))
}

/// The cluster that the node's log directories belong to, where they say so.
fn cluster_id_of_data(config: &NodeConfig) -> Option<String> {
    config.log_dirs.iter().find_map(|dir| {
        let text = fs::read_to_string(dir.join("meta.properties")).ok()?;
        Properties::parse(&text).ok()?.get("cluster.id").map(str::to_owned)
    })
}

/// Every address of the controllers' listeners; no host means every address of this machine.
fn listen_addresses(config: &NodeConfig) -> Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for listener in config.controller_listeners() {
        if listener.host.is_empty() {
            addresses.push(SocketAddr::from(([0, 0, 0, 0], listener.port)));
            addresses.push(SocketAddr::from(([0_u16; 8], listener.port)));
            continue;
        }
        let host = listener.host.trim_start_matches('[').trim_end_matches(']');
        let resolved = (host, listener.port).to_socket_addrs().with_context(|| {
            format!("the host of {}://{host} (key 'listeners') has no address", listener.name)
        })?;
        addresses.extend(resolved);
    }
    addresses.sort_unstable_by_key(|address| (address.is_ipv6(), *address));
    addresses.dedup();
    Ok(addresses)
}
