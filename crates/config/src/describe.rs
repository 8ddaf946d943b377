//! What DescribeConfigs answers.

use crate::keys::{self, Dynamic, Key, Kind};
use crate::layers::{ConfigSource, Layers, Synonym};
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
    /// The value's type.
    pub kind: Kind,
    /// What the key means.
    pub documentation: &'static str,
}

/// All settings of a topic with this replication factor, sorted by name.
#[must_use]
pub fn describe_topic(layers: &Layers<'_>, replication_factor: usize) -> Vec<DescribedConfig> {
    let mut described: Vec<_> =
        keys::all().filter(|key| key.is_topic()).map(|key| describe(key, layers)).collect();
    let unset = |config: &&mut DescribedConfig| {
        config.name == "min.insync.replicas" && config.value.is_none()
    };
    if let Some(config) = described.iter_mut().find(unset) {
        config.value = Some(default_min_insync_replicas(replication_factor).to_string());
    }
    described.sort_by(|a, b| a.name.cmp(&b.name));
    described
}

/// All settings of a broker, sorted by name: those of THE table, and unknown ones that somebody set,
/// whose values are not shown.
#[must_use]
pub fn describe_broker(layers: &Layers<'_>) -> Vec<DescribedConfig> {
    let layers = Layers { topic: None, ..*layers };
    let mut described: Vec<_> =
        keys::all().filter(|key| key.is_node()).map(|key| describe(key, &layers)).collect();
    let maps = [
        (layers.broker, ConfigSource::DynamicBroker),
        (layers.cluster, ConfigSource::DynamicDefaultBroker),
        (layers.file, ConfigSource::StaticBroker),
    ];
    for (map, source) in maps {
        let names = map.into_iter().flat_map(|map| map.keys());
        for name in names.filter(|name| keys::find(name).is_none_or(|key| !key.is_node())) {
            if described.iter().all(|config| config.name != *name) {
                described.push(DescribedConfig {
                    name: name.clone(),
                    value: None,
                    read_only: source == ConfigSource::StaticBroker,
                    source,
                    sensitive: true,
                    synonyms: Vec::new(),
                    kind: Kind::Password,
                    documentation: "",
                });
            }
        }
    }
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
        read_only: !key.is_topic() && key.dynamic == Dynamic::ReadOnly,
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        sensitive,
        synonyms,
        kind: key.kind,
        documentation: key.doc,
    }
}
