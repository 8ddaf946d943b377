//! What has configs.

use ottla_client::admin::{ConfigSource, ResourceType};

/// A kind of thing with configs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntityType {
    Topics,
    Clients,
    Users,
    Brokers,
    Ips,
    ClientMetrics,
    Groups,
    BrokerLoggers,
}

/// All kinds, in the order in which Kafka's tool lists them.
pub(super) const TYPES: [EntityType; 8] = [
    EntityType::Topics,
    EntityType::Clients,
    EntityType::Users,
    EntityType::Brokers,
    EntityType::Ips,
    EntityType::ClientMetrics,
    EntityType::Groups,
    EntityType::BrokerLoggers,
];

impl EntityType {
    /// Its name on the command line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Clients => "clients",
            Self::Users => "users",
            Self::Brokers => "brokers",
            Self::Ips => "ips",
            Self::ClientMetrics => "client-metrics",
            Self::Groups => "groups",
            Self::BrokerLoggers => "broker-loggers",
        }
    }

    /// The name without its last letter: one of them.
    pub(super) fn singular(self) -> &'static str {
        let name = self.name();
        &name[..name.len() - 1]
    }

    /// The kind on the wire, and where values of its own come from; `None` for what has quotas.
    pub(super) const fn resource(self) -> Option<(ResourceType, ConfigSource)> {
        match self {
            Self::Topics => Some((ResourceType::Topic, ConfigSource::DynamicTopic)),
            Self::Brokers => Some((ResourceType::Broker, ConfigSource::DynamicBroker)),
            Self::ClientMetrics => {
                Some((ResourceType::ClientMetrics, ConfigSource::DynamicClientMetrics))
            }
            Self::Groups => Some((ResourceType::Group, ConfigSource::DynamicGroup)),
            Self::BrokerLoggers => {
                Some((ResourceType::BrokerLogger, ConfigSource::DynamicBrokerLogger))
            }
            Self::Clients | Self::Users | Self::Ips => None,
        }
    }
}

/// What the command line is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entities {
    /// One kind, or users and clients.
    pub(super) types: Vec<EntityType>,
    /// Their names, as far as they were given; the empty one stands for the default of all.
    pub(super) names: Vec<String>,
}

impl Entities {
    /// The kind that decides what is done.
    pub(super) fn first(&self) -> EntityType {
        self.types.first().copied().unwrap_or(EntityType::Topics)
    }

    /// The name of the first kind.
    pub(super) fn name(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }

    /// What Kafka's tool asks the cluster first, for the message when nobody answers.
    pub(super) fn first_call(&self, alters: bool, all: bool) -> &'static str {
        match self.first() {
            EntityType::Clients | EntityType::Users | EntityType::Ips => "describeClientQuotas",
            EntityType::BrokerLoggers if alters => "describeConfigs",
            _ if alters => "incrementalAlterConfigs",
            _ if all && self.name().is_some() => "describeConfigs",
            EntityType::Topics => "listTopics",
            EntityType::Brokers | EntityType::BrokerLoggers => "listNodes",
            EntityType::ClientMetrics => "listConfigResources",
            EntityType::Groups => "findAllBrokers",
        }
    }
}
