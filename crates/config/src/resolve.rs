//! From properties to a node's settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::address::{HostPort, Voter, items};
use crate::keys::{self, Key, Stance};
use crate::layers::Layers;
use crate::node::{ConfigError, NodeConfig, Notice, Roles};
use crate::properties::Properties;
use crate::{listeners, quorum, value};

pub(crate) fn error(key: &str, message: String) -> ConfigError {
    ConfigError { key: key.to_owned(), message }
}

pub(crate) fn notice(key: &str, text: String) -> Notice {
    Notice { key: Some(key.to_owned()), text }
}

pub(crate) fn resolve(properties: &Properties) -> Result<(NodeConfig, Vec<Notice>), ConfigError> {
    let mut notices = Vec::new();
    let static_values = checked(properties, &mut notices)?;
    // Everything below reads checked values only.
    let properties: Properties = static_values.clone().into_iter().collect();

    let roles = roles(&properties);
    let voters = quorum::parse_voters(properties.get("controller.quorum.voters").unwrap_or(""))
        .map_err(|reason| {
            let key = "controller.quorum.voters";
            error(key, format!("{key}: {reason}"))
        })?;
    let servers_key = "controller.quorum.bootstrap.servers";
    let bootstrap = quorum::parse_servers(properties.get(servers_key).unwrap_or(""))
        .map_err(|reason| error(servers_key, format!("{servers_key}: {reason}")))?;
    let node_id = node_id(&properties, &voters, &bootstrap, &mut notices)?;
    check_membership(node_id, roles, &voters, &bootstrap)?;

    let own_voter = voters.iter().find(|voter| voter.id == node_id);
    let own_voter = own_voter.map(|v| HostPort { host: v.host.clone(), port: v.port });
    let expected = own_voter.as_ref().or(bootstrap.first().filter(|_| roles.controller));
    let listeners = listeners::resolve(&properties, roles, expected, &mut notices)?;
    let controller_address = controller_address(own_voter, &listeners);
    let voters = if voters.is_empty() && roles.controller && bootstrap.is_empty() {
        let HostPort { host, port } = controller_address.clone();
        vec![Voter { id: node_id, host, port }]
    } else {
        voters
    };

    let layers = Layers { file: Some(&static_values), ..Layers::default() };
    let int = |name| layers.int(name);
    let long = |name| layers.long(name);
    let boolean = |name| layers.boolean(name);
    let log_dirs = log_dirs(&layers, node_id);
    let metadata_log_dir = match properties.get("metadata.log.dir").map(str::trim) {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => log_dirs[0].clone(),
    };
    let config = NodeConfig {
        node_id,
        roles,
        cluster_id: text(&properties, "cluster.id"),
        rack: text(&properties, "broker.rack"),
        listeners: listeners.listeners,
        advertised_listeners: listeners.advertised,
        controller_address,
        controller_listener_names: listeners.controller_names,
        inter_broker_listener_name: listeners.inter_broker_name,
        quorum_voters: voters,
        quorum_bootstrap_servers: bootstrap,
        log_dirs,
        metadata_log_dir,
        num_partitions: int("num.partitions"),
        default_replication_factor: layers
            .set("default.replication.factor")
            .and_then(|factor| factor.parse().ok()),
        auto_create_topics_enable: boolean("auto.create.topics.enable"),
        delete_topic_enable: boolean("delete.topic.enable"),
        replica_lag_time_max_ms: long("replica.lag.time.max.ms"),
        broker_heartbeat_interval_ms: int("broker.heartbeat.interval.ms"),
        broker_session_timeout_ms: int("broker.session.timeout.ms"),
        controlled_shutdown_enable: boolean("controlled.shutdown.enable"),
        auto_leader_rebalance_enable: boolean("auto.leader.rebalance.enable"),
        leader_imbalance_check_interval_seconds: long("leader.imbalance.check.interval.seconds"),
        controller_quorum_election_timeout_ms: int("controller.quorum.election.timeout.ms"),
        controller_quorum_heartbeat_interval_ms: int("controller.quorum.heartbeat.interval.ms"),
        num_recovery_threads_per_data_dir: int("num.recovery.threads.per.data.dir"),
        log_retention_check_interval_ms: long("log.retention.check.interval.ms"),
        replica_high_watermark_checkpoint_interval_ms: long(
            "replica.high.watermark.checkpoint.interval.ms",
        ),
        producer_id_expiration_ms: int("producer.id.expiration.ms"),
        socket_request_max_bytes: int("socket.request.max.bytes"),
        max_connections: int("max.connections"),
        max_connections_per_ip: int("max.connections.per.ip"),
        connections_max_idle_ms: long("connections.max.idle.ms"),
        fetch_max_bytes: int("fetch.max.bytes"),
        quota_window_num: int("quota.window.num"),
        quota_window_size_seconds: int("quota.window.size.seconds"),
        controller_quota_window_num: int("controller.quota.window.num"),
        controller_quota_window_size_seconds: int("controller.quota.window.size.seconds"),
        max_incremental_fetch_session_cache_slots: int("max.incremental.fetch.session.cache.slots"),
        max_request_partition_size_limit: int("max.request.partition.size.limit"),
        group_initial_rebalance_delay_ms: int("group.initial.rebalance.delay.ms"),
        group_min_session_timeout_ms: int("group.min.session.timeout.ms"),
        group_max_session_timeout_ms: int("group.max.session.timeout.ms"),
        group_max_size: int("group.max.size"),
        offset_metadata_max_bytes: int("offset.metadata.max.bytes"),
        offsets_retention_minutes: int("offsets.retention.minutes"),
        offsets_retention_check_interval_ms: long("offsets.retention.check.interval.ms"),
        static_values,
    };
    check_times(&config)?;
    check_cluster_id(&config)?;
    notices.extend(other_defaults(&config.static_values));
    Ok((config, notices))
}

/// The values whose keys Ottla knows, checked; everything else becomes a notice, or an error.
fn checked(
    properties: &Properties,
    notices: &mut Vec<Notice>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let has_quorum = properties.get("controller.quorum.voters").is_some()
        || properties.get("controller.quorum.bootstrap.servers").is_some();
    let mut values = BTreeMap::new();
    let mut without_effect = Vec::new();
    for (name, text) in properties.iter() {
        let text = text.trim();
        if let Some(key) = keys::find(name).filter(|key| key.is_node()) {
            value::check(key, text).map_err(|invalid| error(name, invalid.to_string()))?;
            if key.stance == Stance::WithoutEffect && !is_default(key, text) {
                without_effect.push(name);
            }
            values.insert(name.to_owned(), text.to_owned());
            continue;
        }
        if let Some(removed) = keys::removed(name) {
            let sentence = format!("{name} was removed in Kafka 4.0: {}", removed.instead);
            if name == "zookeeper.connect" && !has_quorum {
                return Err(error(name, sentence));
            }
            notices.push(notice(name, sentence));
        } else {
            notices.push(notice(name, unknown(name)));
        }
        // Kept, as Kafka keeps them: DescribeConfigs shows that they were set, but not to what.
        values.insert(name.to_owned(), text.to_owned());
    }
    if !without_effect.is_empty() {
        let text = format!("accepted without effect: {}", without_effect.join(", "));
        notices.push(Notice { key: None, text });
    }
    Ok(values)
}

fn is_default(key: &Key, text: &str) -> bool {
    key.default.is_some_and(|default| default.eq_ignore_ascii_case(text))
}

fn unknown(name: &str) -> String {
    if let Some(key) = keys::find(name) {
        let instead = key.synonyms.first().map(|own| format!("; a node's default is {own}"));
        return format!(
            "{name} is a topic's setting and has no effect here{}",
            instead.unwrap_or_default()
        );
    }
    if name.starts_with("listener.name.") && name.ends_with(".max.connections") {
        return format!("{name} limits the connections of one listener");
    }
    if name.starts_with("listener.name.") {
        return format!("{name} has no effect: Ottla serves only PLAINTEXT yet");
    }
    match nearest(name) {
        Some(known) => format!("{name} is no known key and has no effect; did you mean {known}?"),
        None => format!("{name} is no known key and has no effect"),
    }
}

/// The known key that a typing error is likely to mean.
fn nearest(name: &str) -> Option<&'static str> {
    let most = (name.len() / 5).clamp(1, 4);
    keys::all()
        .filter(|key| key.is_node())
        .map(|key| (distance(name, key.name), key.name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, known)| known)
}

/// How many letters must be changed, added or left out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn text(properties: &Properties, key: &str) -> Option<String> {
    properties.get(key).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn roles(properties: &Properties) -> Roles {
    let named: Vec<&str> = items(properties.get("process.roles").unwrap_or("")).collect();
    let has = |role| named.is_empty() || named.contains(&role);
    Roles { broker: has("broker"), controller: has("controller") }
}

fn node_id(
    properties: &Properties,
    voters: &[Voter],
    bootstrap: &[HostPort],
    notices: &mut Vec<Notice>,
) -> Result<i32, ConfigError> {
    let (new, old) = ("node.id", "broker.id");
    if let (Some(a), Some(b)) = (text(properties, new), text(properties, old))
        && a != b
    {
        let sentence =
            format!("{new} is {a} but {old} is {b}; they must agree, or {old} be removed");
        return Err(error(new, sentence));
    }
    let given = text(properties, new).or_else(|| text(properties, old));
    if let Some(id) = given.and_then(|id| id.parse().ok()) {
        return Ok(id);
    }
    if voters.len() > 1 || !bootstrap.is_empty() {
        let sentence = format!("{new} is missing: each node of a cluster needs its own number");
        return Err(error(new, sentence));
    }
    let id = voters.first().map_or(1, |voter| voter.id);
    notices.push(notice(new, format!("{new} is not set: using {id}")));
    Ok(id)
}

fn check_membership(
    node_id: i32,
    roles: Roles,
    voters: &[Voter],
    bootstrap: &[HostPort],
) -> Result<(), ConfigError> {
    let key = "controller.quorum.voters";
    let ids = || voters.iter().map(|v| v.id.to_string()).collect::<Vec<_>>().join(",");
    let among = voters.iter().any(|voter| voter.id == node_id);
    if voters.is_empty() && !roles.controller && bootstrap.is_empty() {
        let sentence = format!(
            "{key} is missing: a node that is only a broker must be told where the \
             controllers are (id@host:port,…)"
        );
        return Err(error(key, sentence));
    }
    if !voters.is_empty() && roles.controller && !among {
        let sentence = format!(
            "process.roles contains controller, so node.id {node_id} must be among \
             the ids of {key} ({})",
            ids()
        );
        return Err(error(key, sentence));
    }
    if !roles.controller && among {
        let sentence = format!(
            "process.roles is only broker, so node.id {node_id} must not be among the \
             ids of {key} ({})",
            ids()
        );
        return Err(error(key, sentence));
    }
    Ok(())
}

/// Where the others find this node's controller: where they are told that it is, else where it listens.
fn controller_address(own_voter: Option<HostPort>, listeners: &listeners::Listeners) -> HostPort {
    let listening = listeners.controller.clone();
    let HostPort { host, port } =
        own_voter.or(listening).unwrap_or_else(|| HostPort { host: String::new(), port: 0 });
    let anywhere = matches!(host.as_str(), "" | "0.0.0.0" | "::");
    HostPort { host: if anywhere { "localhost".to_owned() } else { host }, port }
}

fn log_dirs(layers: &Layers<'_>, node_id: i32) -> Vec<PathBuf> {
    let given = layers.set("log.dirs").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = Vec::new();
    for dir in items(&given).map(PathBuf::from) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    if dirs.is_empty() {
        dirs.push(PathBuf::from(format!("./data/{node_id}")));
    }
    dirs
}

fn check_times(config: &NodeConfig) -> Result<(), ConfigError> {
    let (beat, session) = ("broker.heartbeat.interval.ms", "broker.session.timeout.ms");
    if config.broker_heartbeat_interval_ms > config.broker_session_timeout_ms / 2 {
        let sentence = format!(
            "{beat} ({}) must be less than or equal to {session} / 2 ({})",
            config.broker_heartbeat_interval_ms,
            config.broker_session_timeout_ms / 2
        );
        return Err(error(beat, sentence));
    }
    let (beat, election) =
        ("controller.quorum.heartbeat.interval.ms", "controller.quorum.election.timeout.ms");
    if config.controller_quorum_heartbeat_interval_ms
        > config.controller_quorum_election_timeout_ms / 2
    {
        let sentence = format!(
            "{beat} ({}) must be less than or equal to {election} / 2 ({})",
            config.controller_quorum_heartbeat_interval_ms,
            config.controller_quorum_election_timeout_ms / 2
        );
        return Err(error(beat, sentence));
    }
    Ok(())
}

/// Kafka takes any text for a cluster's id that is no longer than an id; so do we, but not one that
/// could not stand in a line of meta.properties.
fn check_cluster_id(config: &NodeConfig) -> Result<(), ConfigError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
    match &config.cluster_id {
        Some(id) if id.len() > 64 || !id.chars().all(legal) => Err(error(
            "cluster.id",
            format!("cluster.id: '{id}' is no id; 22 characters of URL-safe base64 are expected"),
        )),
        _ => Ok(()),
    }
}

/// One sentence about the defaults that are not Kafka's and that nobody set.
fn other_defaults(set: &BTreeMap<String, String>) -> Option<Notice> {
    let differs = |key: &&Key| {
        key.is_node()
            && key.kafka_default.is_some()
            && !key.broker_names().any(|n| set.contains_key(n))
    };
    let item = |key: &Key| {
        let computed = match key.name {
            "min.insync.replicas" => "the majority from 3 replicas on",
            "default.replication.factor" => "the live brokers, at most 3",
            "log.dirs" => "./data/<node.id>",
            _ => "none",
        };
        let own = key.default.unwrap_or(computed);
        format!("{}={own} (Kafka: {})", key.name, key.kafka_default.unwrap_or_default())
    };
    let differing: Vec<String> = keys::all().filter(differs).map(item).collect();
    if differing.is_empty() {
        return None;
    }
    Some(Notice {
        key: None,
        text: format!("defaults that are not Kafka's: {}", differing.join(", ")),
    })
}
