//! Quotas (KIP-13, 124, 546, 599, 612): whose, of what, how much.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A name, or the default of all names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaName {
    /// Whoever has no quota of the name.
    Default,
    /// This name.
    Named(Arc<str>),
}

/// Whose quotas. Three forms are in use: a user, a client id or both; or an address alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuotaEntity {
    /// The user.
    pub user: Option<QuotaName>,
    /// What the client calls itself.
    pub client_id: Option<QuotaName>,
    /// The address it connects from.
    pub ip: Option<QuotaName>,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaKey {
    /// Bytes a second in fetch responses.
    ConsumerByteRate,
    /// Topics' partitions created and deleted a second (KIP-599).
    ControllerMutationRate,
    /// Connections a second (KIP-612).
    ConnectionCreationRate,
    /// Bytes a second in produce requests.
    ProducerByteRate,
    /// Percent of one thread's time (KIP-124).
    RequestPercentage,
}

impl QuotaKey {
    /// All keys.
    pub const ALL: [Self; 5] = [
        Self::ConsumerByteRate,
        Self::ControllerMutationRate,
        Self::ConnectionCreationRate,
        Self::ProducerByteRate,
        Self::RequestPercentage,
    ];

    /// Kafka's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConsumerByteRate => "consumer_byte_rate",
            Self::ControllerMutationRate => "controller_mutation_rate",
            Self::ConnectionCreationRate => "connection_creation_rate",
            Self::ProducerByteRate => "producer_byte_rate",
            Self::RequestPercentage => "request_percentage",
        }
    }

    /// The key of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// How much. Compares by its bits, so that records can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuotaValue(u64);

impl QuotaValue {
    /// A number, as a client wrote it.
    #[must_use]
    pub const fn new(value: f64) -> Self {
        Self(value.to_bits())
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// The quotas of one entity.
pub type ClientQuotas = BTreeMap<QuotaKey, QuotaValue>;
