//! THE table of configuration keys, split by subject.

mod coordinators;
mod group;
mod idle;
mod log;
mod network;
mod node;
mod removed;
mod replication;
mod sasl;
mod security;
mod share_streams;
mod topic;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use removed::{REMOVED, RemovedKey, removed};

/// A value's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A text.
    Text,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 16 bits.
    Short,
    /// A whole number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// Texts between commas.
    List,
    /// The name of a Java class.
    Class,
    /// A text that is never shown.
    Password,
}

impl Kind {
    /// Kafka's name for it, as in its error messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Text => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// The number in DescribeConfigs.
    #[must_use]
    pub const fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

/// What a value must satisfy beyond its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bounds {
    /// Nothing.
    Any,
    /// A number not below this.
    AtLeast(i64),
    /// A number from the first to the second.
    Between(i64, i64),
    /// A number with a fraction from the first to the second.
    Fraction(f64, f64),
    /// A codec level: the first value, or from the second to the third.
    Level(i64, i64, i64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of these texts, each at most once.
    EachOf(&'static [&'static str]),
    /// `*` or a list of `partition:broker`.
    ThrottledReplicas,
    /// `earliest`, `latest` or `by_duration:` and a duration.
    OffsetReset,
    /// A list of `address:count`.
    CountsByAddress,
    /// Nothing but `false`: what `true` asks for is not there.
    NotEnabled(&'static str),
}

/// In what a key's number counts, where one setting has keys in several units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As its name says.
    Plain,
    /// Minutes, of a setting whose own key counts milliseconds.
    Minutes,
    /// Hours, likewise.
    Hours,
}

/// Whose setting it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A topic's; its brokers' default has another name.
    Topic,
    /// A topic's, and under the same name the brokers' default.
    TopicAndBroker,
    /// A node's.
    Node,
    /// A group's; its brokers' default has another name.
    Group,
    /// A subscription's to clients' metrics.
    ClientMetrics,
}

/// Whether a node's setting can be changed while it runs (IncrementalAlterConfigs).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dynamic {
    /// Only by a restart.
    ReadOnly,
    /// In Kafka for one broker at a time; here only by a restart.
    PerBroker,
    /// For all brokers together, or for one.
    ClusterWide,
}

/// What Ottla does with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// Does what the key says.
    Honoured,
    /// Takes the key, says at start that it has no effect.
    WithoutEffect,
    /// Does not start, for the given reason: pretending would be dangerous.
    Refused(&'static str),
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// The name.
    pub name: &'static str,
    /// The value's type.
    pub kind: Kind,
    /// The default, as a text; `None` for keys whose default is computed or absent.
    pub default: Option<&'static str>,
    /// Kafka's default, where Ottla's differs.
    pub kafka_default: Option<&'static str>,
    /// What a value must satisfy.
    pub bounds: Bounds,
    /// In what a number counts.
    pub unit: Unit,
    /// Whose setting it is.
    pub scope: Scope,
    /// Whether it can be changed while the node runs; a topic's own settings always can.
    pub dynamic: Dynamic,
    /// Of a topic's key: the brokers' names for it, nearest first. Of a node's key: other names that
    /// count when it is absent.
    pub synonyms: &'static [&'static str],
    /// What it means, in a sentence or two.
    pub doc: &'static str,
    /// What Ottla does with it.
    pub stance: Stance,
    /// Whether it is described only where somebody has set it.
    pub hidden: bool,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, scope: Scope, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            default: None,
            kafka_default: None,
            bounds: Bounds::Any,
            unit: Unit::Plain,
            scope,
            dynamic: Dynamic::ReadOnly,
            synonyms: &[],
            doc,
            stance: Stance::Honoured,
            hidden: false,
        }
    }

    const fn node(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self::new(name, kind, Scope::Node, doc)
    }

    const fn topic(
        name: &'static str,
        kind: Kind,
        synonyms: &'static [&'static str],
        doc: &'static str,
    ) -> Self {
        let mut key = Self::new(name, kind, Scope::Topic, doc);
        key.synonyms = synonyms;
        key
    }

    const fn both(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self::new(name, kind, Scope::TopicAndBroker, doc).cluster_wide()
    }

    /// A node's key without effect.
    const fn idle(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self::node(name, kind, doc).without_effect()
    }

    /// A group's whole number; `synonyms` name its brokers' default.
    const fn group(
        name: &'static str,
        synonyms: &'static [&'static str],
        doc: &'static str,
    ) -> Self {
        Self::new(name, Kind::Int, Scope::Group, doc).synonyms(synonyms)
    }

    const fn group_text(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Text, Scope::Group, doc)
    }

    const fn group_flag(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Boolean, Scope::Group, doc)
    }

    const fn client_metrics(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self::new(name, kind, Scope::ClientMetrics, doc)
    }

    const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    const fn kafkas(mut self, value: &'static str) -> Self {
        self.kafka_default = Some(value);
        self
    }

    const fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    const fn at_least(self, least: i64) -> Self {
        self.bounds(Bounds::AtLeast(least))
    }

    const fn between(self, least: i64, most: i64) -> Self {
        self.bounds(Bounds::Between(least, most))
    }

    const fn one_of(self, values: &'static [&'static str]) -> Self {
        self.bounds(Bounds::OneOf(values))
    }

    const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    const fn synonyms(mut self, synonyms: &'static [&'static str]) -> Self {
        self.synonyms = synonyms;
        self
    }

    const fn cluster_wide(mut self) -> Self {
        self.dynamic = Dynamic::ClusterWide;
        self
    }

    const fn per_broker(mut self) -> Self {
        self.dynamic = Dynamic::PerBroker;
        self
    }

    const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    const fn without_effect(mut self) -> Self {
        self.stance = Stance::WithoutEffect;
        self
    }

    const fn refused(mut self, reason: &'static str) -> Self {
        self.stance = Stance::Refused(reason);
        self
    }

    /// Whether a topic can have it.
    #[must_use]
    pub fn is_topic(&self) -> bool {
        matches!(self.scope, Scope::Topic | Scope::TopicAndBroker)
    }

    /// Whether a node can have it.
    #[must_use]
    pub fn is_node(&self) -> bool {
        matches!(self.scope, Scope::Node | Scope::TopicAndBroker)
    }

    /// Whether a group can have it.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.scope == Scope::Group
    }

    /// Whether its value is never shown.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// The names that it goes by on a node, nearest first.
    pub fn broker_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let own = self.is_node().then_some(self.name);
        own.into_iter().chain(self.synonyms.iter().copied())
    }
}

/// The table's parts, each sorted by name.
pub const GROUPS: &[(&str, &[Key])] = &[
    ("Topics", topic::KEYS),
    ("Node, listeners and quorum", node::KEYS),
    ("Log", log::KEYS),
    ("Replication", replication::KEYS),
    ("Network and requests", network::KEYS),
    ("Groups and transactions", coordinators::KEYS),
    ("Share and streams groups", share_streams::KEYS),
    ("Security", security::KEYS),
    ("SASL", sasl::KEYS),
    ("Without counterpart", idle::KEYS),
    ("Settings of a group", group::GROUPS),
    ("Settings of a subscription to clients' metrics", group::CLIENT_METRICS),
];

/// Every key of THE table.
pub fn all() -> impl Iterator<Item = &'static Key> {
    GROUPS.iter().flat_map(|(_, keys)| keys.iter())
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Key>> =
    LazyLock::new(|| all().map(|key| (key.name, key)).collect());

/// The key of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    BY_NAME.get(name).copied()
}
