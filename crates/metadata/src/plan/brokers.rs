//! Brokers come and go: registration, fencing, controlled shutdown, and what becomes of the
//! partitions they hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, TimestampMs, TopicIdPartition};

use ottla_protocol::ErrorCode;

use super::draft::{Draft, not_registered, registered};
use super::{Limits, Plan};
use crate::election::{Change, Election};
use crate::image::{Broker, Endpoint, Image};
use crate::proposal::{Proposer, Refusal};
use crate::record::{BrokerChange, FenceCause, Record, RegisterBroker};

/// In [`Registration::previous_broker_epoch`]: the data directory is new, so the broker has nothing of
/// what it may have had before.
pub const NEW_DATA_DIRECTORY: BrokerEpoch = -2;

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
    /// The epoch under which it last stopped cleanly, from its clean-shutdown marker; -1: it did not;
    /// [`NEW_DATA_DIRECTORY`].
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
    check_registration(registration)?;
    let id = registration.broker_id;
    let mut draft = Draft::new(image, limits);
    let old = image.broker(id);
    if let Some(old) = old {
        if old.incarnation_id == registration.incarnation_id {
            return Ok(draft.finish(old.epoch));
        }
        if !old.fenced {
            let message = format!(
                "Another broker is registered with that broker id. (node.id={id} is in use by a \
                 process that is alive; give this one another node.id)"
            );
            return Err(Refusal::new(ErrorCode::DuplicateBrokerRegistration, message));
        }
    }
    let broker_epoch = image.last_broker_epoch() + 1;
    draft.push(Record::RegisterBroker(RegisterBroker {
        broker_id: id,
        incarnation_id: registration.incarnation_id,
        broker_epoch,
        endpoints: registration.endpoints.clone(),
        rack: registration.rack.clone(),
        inter_broker_listener: Arc::clone(&registration.inter_broker_listener),
    }));
    let stopped_cleanly = old.is_some_and(|old| old.epoch == registration.previous_broker_epoch);
    if !stopped_cleanly {
        leave_for_good(&mut draft, id, registration.previous_broker_epoch == NEW_DATA_DIRECTORY);
    }
    Ok(draft.finish(broker_epoch))
}

fn check_registration(registration: &Registration) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidRegistration, message));
    if registration.broker_id < 0 {
        return refuse(format!("Invalid broker id {}: it is negative", registration.broker_id));
    }
    let inter_broker = &registration.inter_broker_listener;
    if !registration.endpoints.iter().any(|endpoint| endpoint.listener == *inter_broker) {
        return refuse(format!(
            "Broker {} has no endpoint on its inter-broker listener {inter_broker}: check \
             inter.broker.listener.name and advertised.listeners",
            registration.broker_id
        ));
    }
    Ok(())
}

/// A broker is back from an unclean stop, or is forgotten: it is neither in sync nor eligible anywhere until it has
/// caught up. With an empty disk it is not the last known leader either.
fn leave_for_good(draft: &mut Draft<'_>, id: BrokerId, disk_is_empty: bool) {
    draft.change_each(|_, _, partition| {
        let eligible = partition.isr.contains(&id) || partition.elr.contains(&id);
        let forgotten = disk_is_empty && partition.last_known_elr.contains(&id);
        (eligible || forgotten).then(|| Change {
            stopped_uncleanly: Some(id),
            disk_is_empty,
            ..Change::without(partition, id)
        })
    });
}

/// Unfences a broker that has caught up with the metadata; it may lead what nobody leads. No records
/// if it is unfenced already or shutting down.
///
/// # Errors
/// STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED.
pub fn unfence(
    image: &Image,
    limits: &Limits,
    broker_id: BrokerId,
    broker_epoch: BrokerEpoch,
) -> Result<Plan<()>, Refusal> {
    let broker = registered(image, broker_id, broker_epoch)?;
    let mut draft = Draft::new(image, limits);
    if broker.fenced && !broker.in_controlled_shutdown {
        draft.push(standing(broker, Some(false), None));
        draft.change_each(|_, _, partition| {
            (partition.leader.is_none() && partition.replicas.contains(&broker_id))
                .then(|| Change::elect(partition, Election::Online))
        });
    }
    Ok(draft.finish(()))
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
    let broker = registered(image, broker_id, broker_epoch)?;
    let mut draft = Draft::new(image, limits);
    if !broker.fenced {
        draft.push(Record::BrokerChange(BrokerChange {
            broker_id,
            broker_epoch,
            fenced: Some(true),
            in_controlled_shutdown: None,
            cause,
            detected_at_ms,
        }));
        leave(&mut draft, broker_id);
    }
    Ok(draft.finish(()))
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
    let broker = registered(image, broker_id, broker_epoch)?;
    let mut draft = Draft::new(image, limits);
    if !broker.in_controlled_shutdown {
        draft.push(standing(broker, None, Some(true)));
        leave(&mut draft, broker_id);
    }
    Ok(draft.finish(()))
}

/// A broker says which of its replicas are in log directories that are out of service: all of them, also
/// those that it has told of before. They lead nothing and are in no ISR until it registers again. No
/// records if nothing is new.
///
/// # Errors
/// STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED.
pub fn report_offline(
    image: &Image,
    limits: &Limits,
    proposer: Proposer,
    replicas: &[TopicIdPartition],
) -> Result<Plan<()>, Refusal> {
    let Proposer { broker_id, broker_epoch } = proposer;
    let broker = registered(image, broker_id, broker_epoch)?;
    let mut draft = Draft::new(image, limits);
    let offline: BTreeSet<_> = replicas.iter().copied().collect();
    if offline == *broker.offline_replicas {
        return Ok(draft.finish(()));
    }
    let replicas = offline.iter().copied().collect();
    draft.push(Record::OfflineReplicas { broker_id, broker_epoch, replicas });
    for id in offline {
        let Some(topic) = draft.image().topic(id.topic_id).cloned() else { continue };
        let Some(partition) = topic.partitions.get(&id.partition) else { continue };
        if partition.isr.contains(&broker_id) || partition.leader == Some(broker_id) {
            draft.change(&topic, id.partition, Change::without(partition, broker_id));
        }
    }
    Ok(draft.finish(()))
}

/// Forgets a broker, be it alive or not: it leads nothing and is neither in sync nor eligible anywhere.
/// It stays a replica where it is one, and may register again.
///
/// # Errors
/// BROKER_ID_NOT_REGISTERED.
pub fn unregister(
    image: &Image,
    limits: &Limits,
    broker_id: BrokerId,
) -> Result<Plan<()>, Refusal> {
    let broker = image.broker(broker_id).ok_or_else(|| not_registered(broker_id))?;
    let mut draft = Draft::new(image, limits);
    draft.push(Record::UnregisterBroker { broker_id, broker_epoch: broker.epoch });
    leave_for_good(&mut draft, broker_id, false);
    Ok(draft.finish(()))
}

/// The broker is not active any more: it leads nothing and is in no ISR.
fn leave(draft: &mut Draft<'_>, id: BrokerId) {
    draft.change_each(|_, _, partition| {
        (partition.isr.contains(&id) || partition.leader == Some(id))
            .then(|| Change::without(partition, id))
    });
}

fn standing(broker: &Broker, fenced: Option<bool>, in_shutdown: Option<bool>) -> Record {
    Record::BrokerChange(BrokerChange {
        broker_id: broker.id,
        broker_epoch: broker.epoch,
        fenced,
        in_controlled_shutdown: in_shutdown,
        cause: FenceCause::None,
        detected_at_ms: 0,
    })
}
