//! Where a value comes from: the layers of settings, nearest first.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ottla_protocol::ConfigSource;

use crate::keys::{self, Key, Scope, Unit};
use crate::value;

/// One place where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    /// The key as it is called there: `retention.ms` of a topic is `log.retention.ms` of a broker.
    pub name: Cow<'static, str>,
    /// The value there, in that key's own unit.
    pub value: String,
    /// The layer.
    pub source: ConfigSource,
}

/// The settings that may hold a value, nearest first; a layer that is absent holds none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layers<'a> {
    /// Those of the topic, the group or the subscription itself.
    pub own: Option<&'a BTreeMap<String, String>>,
    /// One broker's dynamic ones.
    pub broker: Option<&'a BTreeMap<String, String>>,
    /// All brokers' dynamic defaults.
    pub cluster: Option<&'a BTreeMap<String, String>>,
    /// What the node's file and environment set.
    pub file: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Layers<'a> {
    /// Every place where a key's value stands, the one in force first. A topic's or group's key is
    /// looked up under its own name in its own layer and under its brokers' names below; the
    /// defaults stand last.
    ///
    /// As in Kafka, the brokers' places count from the first on that has the key's first name among
    /// brokers: the 168 hours of `log.retention.hours` are shown for `retention.ms` only behind a
    /// `log.retention.ms`.
    #[must_use]
    pub fn synonyms(&self, key: &'static Key) -> Vec<Synonym> {
        let own_default = key.default.filter(|_| key.is_group() && key.synonyms.is_empty());
        let defaults = key
            .broker_names()
            .filter_map(|name| Some((name, keys::find(name)?.default?)))
            .chain(own_default.map(|value| (key.name, value)))
            .map(|(name, value)| (name, value, ConfigSource::Default));
        let first = key.broker_names().next().unwrap_or(key.name);
        let below = self.below(key).chain(defaults).skip_while(|(name, ..)| *name != first);
        let synonym = |(name, value, source): (&'static str, &str, ConfigSource)| Synonym {
            name: Cow::Borrowed(name),
            value: value.to_owned(),
            source,
        };
        self.own(key).into_iter().chain(below).map(synonym).collect()
    }

    /// Where the topic, the group or the subscription itself sets a key.
    fn own(&self, key: &'static Key) -> Option<(&'static str, &'a str, ConfigSource)> {
        let source = match key.scope {
            Scope::Topic | Scope::TopicAndBroker => ConfigSource::DynamicTopic,
            Scope::Group => ConfigSource::DynamicGroup,
            Scope::ClientMetrics => ConfigSource::DynamicClientMetrics,
            Scope::Node => return None,
        };
        Some((key.name, self.own?.get(key.name)?.as_str(), source))
    }

    /// Where brokers set a key's value, nearest first.
    fn below(
        &self,
        key: &'static Key,
    ) -> impl Iterator<Item = (&'static str, &'a str, ConfigSource)> {
        let below = [
            (self.broker, ConfigSource::DynamicBroker),
            (self.cluster, ConfigSource::DynamicDefaultBroker),
            (self.file, ConfigSource::StaticBroker),
        ];
        below.into_iter().flat_map(move |(layer, source)| {
            let layer = layer.filter(|layer| !layer.is_empty());
            layer.into_iter().flat_map(move |layer| {
                key.broker_names()
                    .filter_map(move |name| Some((name, layer.get(name)?.as_str(), source)))
            })
        })
    }

    /// A key's value as somebody set it, in the key's own unit; `None` when only the default is
    /// there.
    #[must_use]
    pub fn set(&self, name: &str) -> Option<String> {
        self.set_text(name).map(Cow::into_owned)
    }

    fn set_text(&self, name: &str) -> Option<Cow<'a, str>> {
        let key = keys::find(name)?;
        self.own(key).into_iter().chain(self.below(key)).find_map(|(name, value, _)| {
            let named = keys::find(name)?;
            value::check(named, value).ok()?;
            Some(converted(named.unit, key.unit, value))
        })
    }

    /// A key's value in force, in the key's own unit.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.in_force(name).map(Cow::into_owned)
    }

    fn in_force(&self, name: &str) -> Option<Cow<'a, str>> {
        self.set_text(name).or_else(|| keys::find(name)?.default.map(Cow::Borrowed))
    }

    /// A whole number in force; 0 for a key that has none.
    #[must_use]
    pub fn long(&self, name: &str) -> i64 {
        self.in_force(name).and_then(|text| text.trim().parse().ok()).unwrap_or_default()
    }

    /// A whole number in force, held to 32 bits.
    #[must_use]
    pub fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or(i32::MAX)
    }

    pub(crate) fn double(&self, name: &str) -> f64 {
        self.in_force(name).and_then(|text| text.trim().parse().ok()).unwrap_or_default()
    }

    /// A truth in force.
    #[must_use]
    pub fn boolean(&self, name: &str) -> bool {
        self.in_force(name).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
    }
}

/// A broker's key may count in hours what the topic's counts in milliseconds.
fn converted(from: Unit, to: Unit, value: &str) -> Cow<'_, str> {
    let value = value.trim();
    let factor = match (from, to) {
        (Unit::Hours, Unit::Plain) => 3_600_000,
        (Unit::Minutes, Unit::Plain) => 60_000,
        _ => return Cow::Borrowed(value),
    };
    match value.parse::<i64>() {
        // Minus one hour is "no limit", not minus 3,600,000 milliseconds.
        Ok(number) if number < 0 => Cow::Owned(number.to_string()),
        Ok(number) => Cow::Owned(number.saturating_mul(factor).to_string()),
        Err(_) => Cow::Borrowed(value),
    }
}
