//! Where a config's value comes from, as DescribeConfigs says it.

/// The layer that a value comes from, with Kafka's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i8)]
pub enum ConfigSource {
    /// A number that this build does not know.
    Unknown = 0,
    /// Set for this topic.
    DynamicTopic = 1,
    /// Set for this broker while it ran.
    DynamicBroker = 2,
    /// Set for all brokers while they ran.
    DynamicDefaultBroker = 3,
    /// From the node's file or environment.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
    /// The level of one of a broker's loggers.
    DynamicBrokerLogger = 6,
    /// Set for this subscription to clients' metrics.
    DynamicClientMetrics = 7,
    /// Set for this group.
    DynamicGroup = 8,
}

impl ConfigSource {
    const ALL: [Self; 9] = [
        Self::Unknown,
        Self::DynamicTopic,
        Self::DynamicBroker,
        Self::DynamicDefaultBroker,
        Self::StaticBroker,
        Self::Default,
        Self::DynamicBrokerLogger,
        Self::DynamicClientMetrics,
        Self::DynamicGroup,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// From the number on the wire.
    #[must_use]
    pub fn from_code(code: i8) -> Self {
        Self::ALL.into_iter().find(|source| source.code() == code).unwrap_or(Self::Unknown)
    }

    /// Kafka's name for it, as its tools print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
            Self::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
            Self::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            Self::StaticBroker => "STATIC_BROKER_CONFIG",
            Self::Default => "DEFAULT_CONFIG",
            Self::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
            Self::DynamicClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
            Self::DynamicGroup => "DYNAMIC_GROUP_CONFIG",
        }
    }
}
