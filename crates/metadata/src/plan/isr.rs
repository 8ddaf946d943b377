//! AlterPartition: leaders change their in-sync sets, by compare-and-set.

use std::collections::BTreeSet;

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TopicIdPartition;

use super::draft::{Draft, registered};
use super::{Limits, Plan};
use crate::election::Change;
use crate::image::{Image, Partition};
use crate::proposal::{AlterPartition, IsrMember, Outcome, Proposer, Refusal};

/// Changes in-sync sets as their leader wants them. Each partition succeeds or fails by itself; a
/// wish for the set there is succeeds without a change.
///
/// Only the leader is heard, and only if it knows the present state: its leader epoch and partition
/// epoch must be the ones in force. Members must be replicas, registered at the epoch in which they
/// caught up, unfenced and not shutting down (KIP-841, KIP-903).
///
/// # Errors
/// The proposer is not registered with the epoch it says (STALE_BROKER_EPOCH).
pub fn alter_partitions(
    image: &Image,
    limits: &Limits,
    proposer: Proposer,
    partitions: &[AlterPartition],
) -> Result<Plan<Vec<Outcome>>, Refusal> {
    registered(image, proposer.broker_id, proposer.broker_epoch)?;
    let mut draft = Draft::new(image, limits);
    let outcomes = partitions.iter().map(|wish| alter(&mut draft, proposer, wish)).collect();
    Ok(draft.finish(outcomes))
}

fn alter(draft: &mut Draft<'_>, proposer: Proposer, wish: &AlterPartition) -> Outcome {
    let topic = draft
        .image()
        .topic(wish.id.topic_id)
        .ok_or_else(|| Refusal::plain(ErrorCode::UnknownTopicId))?
        .clone();
    let partition = topic
        .partitions
        .get(&wish.id.partition)
        .ok_or_else(|| Refusal::plain(ErrorCode::UnknownTopicOrPartition))?;
    check_epochs(partition, proposer, wish)?;
    check_members(draft.image(), wish.id, partition, proposer, &wish.new_isr)?;
    let mut change = Change::isr(wish.new_isr.iter().map(|member| member.broker_id).collect());
    change.leader_recovered = true;
    draft.change(&topic, wish.id.partition, change);
    Ok(())
}

fn check_epochs(partition: &Partition, proposer: Proposer, wish: &AlterPartition) -> Outcome {
    if wish.leader_epoch > partition.leader_epoch
        || wish.partition_epoch > partition.partition_epoch
    {
        // The leader knows of a later state than this controller: another one is active.
        return Err(Refusal::plain(ErrorCode::NotController));
    }
    if wish.leader_epoch < partition.leader_epoch {
        return Err(Refusal::plain(ErrorCode::FencedLeaderEpoch));
    }
    if partition.leader != Some(proposer.broker_id) {
        let message = format!("Broker {} does not lead the partition.", proposer.broker_id);
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    if wish.partition_epoch < partition.partition_epoch {
        return Err(Refusal::plain(ErrorCode::InvalidUpdateVersion));
    }
    Ok(())
}

fn check_members(
    image: &Image,
    partition_id: TopicIdPartition,
    partition: &Partition,
    proposer: Proposer,
    members: &[IsrMember],
) -> Outcome {
    let distinct: BTreeSet<_> = members.iter().map(|member| member.broker_id).collect();
    let invalid = |what: String| Err(Refusal::new(ErrorCode::InvalidRequest, what));
    if distinct.len() != members.len() {
        return invalid("The new ISR names a broker twice.".to_owned());
    }
    if let Some(stranger) = distinct.iter().find(|id| !partition.replicas.contains(id)) {
        return invalid(format!("The new ISR names broker {stranger}, which is not a replica."));
    }
    // An empty set is refused by this, too.
    if !distinct.contains(&proposer.broker_id) {
        return invalid("The new ISR does not contain the leader.".to_owned());
    }
    for member in members {
        check_eligible(image, partition_id, *member)?;
    }
    Ok(())
}

fn check_eligible(image: &Image, partition_id: TopicIdPartition, member: IsrMember) -> Outcome {
    let id = member.broker_id;
    let why = match image.broker(id) {
        None => "is not registered".to_owned(),
        Some(broker) if broker.fenced => "is fenced".to_owned(),
        Some(broker) if broker.in_controlled_shutdown => "is shutting down".to_owned(),
        Some(broker) if member.broker_epoch != -1 && member.broker_epoch != broker.epoch => {
            format!("is registered with epoch {}, not {}", broker.epoch, member.broker_epoch)
        }
        Some(broker) if broker.offline_replicas.contains(&partition_id) => {
            "has it in a log directory that is out of service".to_owned()
        }
        Some(_) => return Ok(()),
    };
    let message = format!("The new ISR contains an ineligible replica: broker {id} {why}.");
    Err(Refusal::new(ErrorCode::IneligibleReplica, message))
}
