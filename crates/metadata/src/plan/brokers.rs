//! Brokers come and go: registration, fencing, controlled shutdown, and what becomes of the
//! partitions they hold.

use std::sync::Arc;

use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, TimestampMs};

use super::{Limits, Plan};
use crate::image::{Endpoint, Image};
use crate::proposal::Refusal;
use crate::record::FenceCause;

/// A broker's wish to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its `node.id`.
    pub broker_id: BrokerId,
    /// Drawn anew at each start of the process.
    pub incarnation_id: KafkaUuid,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// Its rack.
    pub rack: Option<Arc<str>>,
    /// The listener by which brokers and controllers reach it.
    pub inter_broker_listener: Arc<str>,
    /// The epoch under which it last stopped cleanly, from its clean-shutdown marker; -1: it did not.
    pub previous_broker_epoch: BrokerEpoch,
}

/// Registers a broker, fenced. The reply is its epoch. The same incarnation asking again gets the
/// epoch it has.
///
/// # Errors
/// DUPLICATE_BROKER_REGISTRATION while another incarnation is unfenced; INVALID_REGISTRATION.
pub fn register(
    image: &Image,
    limits: &Limits,
    registration: &Registration,
) -> Result<Plan<BrokerEpoch>, Refusal> {
    let _ = (image, limits, registration);
    unimplemented!("register")
}

/// Unfences a broker that has caught up with the metadata; it may lead what nobody leads.
///
/// # Errors
/// STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED.
pub fn unfence(
    image: &Image,
    limits: &Limits,
    broker_id: BrokerId,
    broker_epoch: BrokerEpoch,
) -> Result<Plan<()>, Refusal> {
    let _ = (image, limits, broker_id, broker_epoch);
    unimplemented!("unfence")
}

/// Fences a broker: it leaves every ISR, and what it led gets another leader where there is one.
/// No records if it is fenced already.
///
/// # Errors
/// STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED.
pub fn fence(
    image: &Image,
    limits: &Limits,
    broker_id: BrokerId,
    broker_epoch: BrokerEpoch,
    cause: FenceCause,
    detected_at_ms: TimestampMs,
) -> Result<Plan<()>, Refusal> {
    let _ = (image, limits, broker_id, broker_epoch, cause, detected_at_ms);
    unimplemented!("fence")
}

/// Begins a controlled shutdown: the broker's leaderships move and it leaves every ISR, all in one
/// batch. It stays unfenced, and so reachable for late clients, until [`fence`] with
/// [`FenceCause::ControlledShutdown`]. No records if it has begun already.
///
/// # Errors
/// STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED.
pub fn controlled_shutdown(
    image: &Image,
    limits: &Limits,
    broker_id: BrokerId,
    broker_epoch: BrokerEpoch,
) -> Result<Plan<()>, Refusal> {
    let _ = (image, limits, broker_id, broker_epoch);
    unimplemented!("controlled_shutdown")
}
