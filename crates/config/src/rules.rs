//! Whether the settings of a topic, of brokers, of a group or of a subscription make sense together.

use std::collections::BTreeMap;

use crate::keys::{self, Dynamic, Key, Scope};
use crate::layers::Layers;
use crate::value::{InvalidConfig, check, items};

type Settings = BTreeMap<String, String>;

/// Listeners' keys that all brokers may have in common.
const CLUSTER_LISTENER_KEYS: [&str; 3] =
    ["max.connection.creation.rate", "max.connections", "num.network.threads"];
/// What a subscription may choose clients by.
const CLIENT_ATTRIBUTES: [&str; 6] = [
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];
/// How often clients may be told to send their metrics, in milliseconds.
const PUSH_INTERVAL_MS: std::ops::RangeInclusive<i64> = 100..=3_600_000;

/// Checks a key and a value for a topic.
pub fn validate_topic_config(name: &str, value: &str) -> Result<(), InvalidConfig> {
    match keys::find(name).filter(|key| key.is_topic()) {
        Some(key) => check(key, value),
        None => Err(InvalidConfig::UnknownTopicConfig(name.to_owned())),
    }
}

/// Checks all of a topic's own settings, also against each other.
pub fn validate_topic_configs(overrides: &Settings) -> Result<(), InvalidConfig> {
    let unknown = |name: &&String| keys::find(name).is_none_or(|key| !key.is_topic());
    if let Some(name) = overrides.keys().find(unknown) {
        return Err(InvalidConfig::UnknownTopicConfig(name.clone()));
    }
    for (name, value) in overrides {
        validate_topic_config(name, value)?;
    }
    let long = |name: &str| overrides.get(name).and_then(|value| value.trim().parse::<i64>().ok());
    let (least, most) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
    match (long(least).unwrap_or(0), long(most).unwrap_or(i64::MAX)) {
        (min, max) if min > max => Err(InvalidConfig::Conflict(format!(
            "conflict topic config setting {least} ({min}) > {most} ({max})"
        ))),
        _ => Ok(()),
    }
}

/// Checks keys and values that one broker, or all, are to take while they run. Unknown keys are taken,
/// as Kafka takes them: plugins may own them.
pub fn validate_broker_configs<'a>(
    settings: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    one_broker: bool,
) -> Result<(), InvalidConfig> {
    let names = |wrong: &dyn Fn(&str) -> bool| -> Option<Vec<String>> {
        let mut names: Vec<String> = settings
            .clone()
            .filter(|(name, _)| wrong(name))
            .map(|(name, _)| name.to_owned())
            .collect();
        names.sort_unstable();
        (!names.is_empty()).then_some(names)
    };
    let node_key = |name: &str| keys::find(name).filter(|key| key.is_node());
    if let Some(names) =
        names(&|name| node_key(name).is_some_and(|key| key.dynamic == Dynamic::ReadOnly))
    {
        return Err(InvalidConfig::NotDynamic(names));
    }
    let of_tls = |name: &str| {
        name.starts_with("ssl.")
            && node_key(name).is_some_and(|key| key.dynamic == Dynamic::PerBroker)
    };
    if let Some(names) = names(&of_tls) {
        return Err(InvalidConfig::WithoutListener(names));
    }
    for (name, value) in settings.clone() {
        if let Some(key) = node_key(listener_key(name).unwrap_or(name)) {
            check(key, value)?;
        }
    }
    let of_one_broker = |name: &str| match listener_key(name) {
        Some(base) => !CLUSTER_LISTENER_KEYS.contains(&base),
        None => node_key(name).is_some_and(|key| key.dynamic == Dynamic::PerBroker),
    };
    match names(&of_one_broker) {
        Some(names) if one_broker => Err(InvalidConfig::NotDynamic(names)),
        Some(names) => Err(InvalidConfig::OnlyPerBroker(names)),
        None => Ok(()),
    }
}

/// The key behind `listener.name.NAME.`.
fn listener_key(name: &str) -> Option<&str> {
    let (_, key) = name.strip_prefix("listener.name.")?.split_once('.')?;
    Some(key)
}

/// Checks all of a group's own settings, also against what its brokers allow: `layers` without `own`.
pub fn validate_group_configs(
    overrides: &Settings,
    layers: &Layers<'_>,
) -> Result<(), InvalidConfig> {
    let unknown = |name: &&String| keys::find(name).is_none_or(|key| !key.is_group());
    if let Some(name) = overrides.keys().find(unknown) {
        return Err(InvalidConfig::UnknownGroupConfig(name.clone()));
    }
    let set = || {
        overrides.iter().filter_map(|(name, value)| {
            keys::find(name).filter(|key| key.is_group()).map(|key| (key, value))
        })
    };
    for (key, value) in set() {
        check(key, value)?;
    }
    let layers = Layers { own: Some(overrides), ..*layers };
    for (key, _) in set() {
        let (least, most) = group_bounds(key);
        let value = layers.long(key.name);
        if let Some(least) = least.filter(|least| value < layers.long(least.name)) {
            let message = format!("{} must be greater than or equal to {}", key.name, least.name);
            return Err(InvalidConfig::Conflict(message));
        }
        if let Some(most) = most.filter(|most| value > layers.long(most.name)) {
            let message = format!("{} must be less than or equal to {}", key.name, most.name);
            return Err(InvalidConfig::Conflict(message));
        }
    }
    for protocol in ["consumer", "share", "streams"] {
        let timeout = format!("{protocol}.session.timeout.ms");
        let interval = format!("{protocol}.heartbeat.interval.ms");
        if layers.long(&timeout) <= layers.long(&interval) {
            let message = format!("{timeout} must be greater than {interval}");
            return Err(InvalidConfig::Conflict(message));
        }
    }
    Ok(())
}

/// The brokers' keys that hold the least and the most that a group may set.
pub(crate) fn group_bounds(key: &'static Key) -> (Option<&'static Key>, Option<&'static Key>) {
    let broker_name = key.synonyms.first().and_then(|name| name.strip_prefix("group."));
    let Some((protocol, rest)) = broker_name.and_then(|name| name.split_once('.')) else {
        return (None, None);
    };
    let rest = rest.strip_prefix("num.").unwrap_or(rest);
    let bound = |side: &str| keys::find(&format!("group.{protocol}.{side}.{rest}"));
    (bound("min"), bound("max"))
}

/// Checks all settings of a subscription to clients' metrics (KIP-714).
pub fn validate_client_metrics(settings: &Settings) -> Result<(), InvalidConfig> {
    for (name, value) in settings {
        let key = keys::find(name).filter(|key| key.scope == Scope::ClientMetrics);
        let key = key.ok_or_else(|| InvalidConfig::UnknownClientMetricsConfig(name.clone()))?;
        check(key, value)?;
        match key.name {
            "interval.ms" => {
                let interval_ms = value.trim().parse().unwrap_or_default();
                if !PUSH_INTERVAL_MS.contains(&interval_ms) {
                    return Err(InvalidConfig::PushInterval(interval_ms));
                }
            }
            "match" => {
                if let Some(pattern) = items(value).find(|item| !is_client_match(item)) {
                    let message = format!("Illegal client matching pattern: {pattern}");
                    return Err(InvalidConfig::Conflict(message));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// `attribute=pattern`, with a pattern whose brackets close.
fn is_client_match(item: &str) -> bool {
    let Some((attribute, pattern)) = item.split_once('=') else { return false };
    let mut open = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.next().is_none() => return false,
            '(' | '[' | '{' => open.push(letter),
            ')' if open.pop() != Some('(') => return false,
            ']' if open.pop() != Some('[') => return false,
            '}' if open.pop() != Some('{') => return false,
            _ => {}
        }
    }
    CLIENT_ATTRIBUTES.contains(&attribute.trim()) && open.is_empty()
}
