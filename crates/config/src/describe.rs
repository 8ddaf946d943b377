//! What DescribeConfigs answers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ottla_protocol::ConfigSource;

use crate::keys::{self, Dynamic, Key, Kind, Scope};
use crate::layers::{Layers, Synonym};
use crate::topic::default_min_insync_replicas;

/// One setting as DescribeConfigs shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConfig {
    /// The key.
    pub name: String,
    /// The value in force; `None` for a secret, and for a key without a value.
    pub value: Option<String>,
    /// Whether only a restart changes it.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether the value is a secret.
    pub sensitive: bool,
    /// Everywhere a value stands, the one in force first.
    pub synonyms: Vec<Synonym>,
    /// The value's type; `None` where it is not known.
    pub kind: Option<Kind>,
    /// What the key means.
    pub documentation: &'static str,
}

/// All settings of a topic with this replication factor, sorted by name.
#[must_use]
pub fn describe_topic(layers: &Layers<'_>, replication_factor: usize) -> Vec<DescribedConfig> {
    let mut described = describe_each(layers, Key::is_topic);
    let unset = |config: &&mut DescribedConfig| {
        config.name == "min.insync.replicas" && config.value.is_none()
    };
    if let Some(config) = described.iter_mut().find(unset) {
        config.value = Some(default_min_insync_replicas(replication_factor).to_string());
    }
    described
}

/// All settings of a group, sorted by name.
#[must_use]
pub fn describe_group(layers: &Layers<'_>) -> Vec<DescribedConfig> {
    describe_each(layers, Key::is_group)
}

/// All settings of a subscription to clients' metrics, sorted by name.
#[must_use]
pub fn describe_client_metrics(own: &BTreeMap<String, String>) -> Vec<DescribedConfig> {
    let layers = Layers { own: Some(own), ..Layers::default() };
    describe_each(&layers, |key| key.scope == Scope::ClientMetrics)
}

/// All settings of a broker, sorted by name: those of THE table, and unknown ones that somebody set,
/// whose values are not shown.
#[must_use]
pub fn describe_broker(layers: &Layers<'_>) -> Vec<DescribedConfig> {
    let layers = Layers { own: None, ..*layers };
    let maps = [
        (layers.broker, ConfigSource::DynamicBroker),
        (layers.cluster, ConfigSource::DynamicDefaultBroker),
        (layers.file, ConfigSource::StaticBroker),
    ];
    let is_set = |name: &str| maps.iter().any(|(map, _)| map.is_some_and(|m| m.contains_key(name)));
    let mut described =
        describe_each(&layers, |key| key.is_node() && (!key.hidden || is_set(key.name)));
    let mut unknown: BTreeMap<&String, Vec<Synonym>> = BTreeMap::new();
    for (map, source) in maps {
        for name in map.into_iter().flat_map(|map| map.keys()) {
            if keys::find(name).is_none_or(|key| !key.is_node()) {
                let place =
                    Synonym { name: Cow::Owned(name.clone()), value: String::new(), source };
                unknown.entry(name).or_default().push(place);
            }
        }
    }
    described.extend(unknown.into_iter().map(|(name, synonyms)| {
        let source = synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source);
        DescribedConfig {
            name: name.clone(),
            value: None,
            read_only: source == ConfigSource::StaticBroker,
            source,
            sensitive: true,
            synonyms,
            kind: None,
            documentation: "",
        }
    }));
    described.sort_by(|a, b| a.name.cmp(&b.name));
    described
}

fn describe_each(layers: &Layers<'_>, shown: impl Fn(&Key) -> bool) -> Vec<DescribedConfig> {
    let mut described: Vec<_> =
        keys::all().filter(|key| shown(key)).map(|key| describe(key, layers)).collect();
    described.sort_by(|a, b| a.name.cmp(&b.name));
    described
}

fn describe(key: &'static Key, layers: &Layers<'_>) -> DescribedConfig {
    let mut synonyms = layers.synonyms(key);
    let sensitive = key.is_sensitive();
    if sensitive {
        for synonym in &mut synonyms {
            synonym.value = String::new();
        }
    }
    DescribedConfig {
        name: key.name.to_owned(),
        value: layers.text(key.name).filter(|_| !sensitive),
        read_only: key.scope == Scope::Node && key.dynamic != Dynamic::ClusterWide,
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        sensitive,
        synonyms,
        kind: Some(key.kind),
        documentation: key.doc,
    }
}
