//! A registered broker.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, TopicIdPartition};

/// A registered broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its `node.id`.
    pub id: BrokerId,
    /// Names this registration.
    pub epoch: BrokerEpoch,
    /// Drawn anew at each start of the process.
    pub incarnation_id: KafkaUuid,
    /// Where it listens (the advertised addresses).
    pub endpoints: Vec<Endpoint>,
    /// Its rack (`broker.rack`).
    pub rack: Option<Arc<str>>,
    /// The listener by which brokers and controllers reach it.
    pub inter_broker_listener: Arc<str>,
    /// It serves nobody: it leads nothing and is in no ISR.
    pub fenced: bool,
    /// It is handing over its leaderships and leaves every ISR.
    pub in_controlled_shutdown: bool,
    /// Its replicas in log directories that are out of service.
    pub offline_replicas: Arc<BTreeSet<TopicIdPartition>>,
}

impl Broker {
    /// Whether it may lead and may join an ISR: unfenced and not shutting down (KIP-841).
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// Whether its replica of a partition may lead and may be in sync.
    #[must_use]
    pub fn may_serve(&self, id: TopicIdPartition) -> bool {
        self.is_active() && !self.offline_replicas.contains(&id)
    }

    /// Its address on a listener.
    #[must_use]
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| &*endpoint.listener == listener)
    }

    /// Its address for brokers and controllers.
    #[must_use]
    pub fn inter_broker_endpoint(&self) -> Option<&Endpoint> {
        self.endpoint(&self.inter_broker_listener)
    }
}

/// An address at which a broker can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The listener's name.
    pub listener: Arc<str>,
    /// Host name or address.
    pub host: Arc<str>,
    /// TCP port.
    pub port: u16,
    /// `PLAINTEXT`, `SSL`, …
    pub security_protocol: Arc<str>,
}
