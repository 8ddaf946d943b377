//! AlterPartitionReassignments: partitions move to other replicas, or are told not to (KIP-455).
//!
//! A plan only begins (or exchanges, or cancels) a reassignment; `crate::reassignment` has the rules of
//! its end, which comes with whatever change of the ISR makes it possible.

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::BrokerId;

use super::draft::Draft;
use super::new_partitions::check_by_hand;
use super::{Limits, Plan};
use crate::election::Change;
use crate::image::{Image, Partition};
use crate::proposal::{Outcome, Reassign, ReassignPartitions, Refusal};
use crate::reassignment::Reassignment;

/// Begins, exchanges and cancels reassignments; each partition succeeds or fails by itself. What can be
/// completed at once is.
#[must_use]
pub fn reassign(
    image: &Image,
    limits: &Limits,
    request: &ReassignPartitions,
) -> Plan<Vec<Outcome>> {
    if request.partitions.len() > limits.max_partitions_per_request {
        let message = "Excessively large number of partitions per request.";
        let refusal = Refusal::new(ErrorCode::PolicyViolation, message);
        return Plan::nothing(vec![Err(refusal); request.partitions.len()]);
    }
    let mut draft = Draft::new(image, limits);
    let may_change_factor = request.allow_replication_factor_change;
    let wishes = request.partitions.iter();
    let outcomes = wishes.map(|wish| reassign_one(&mut draft, wish, may_change_factor)).collect();
    draft.finish(outcomes)
}

fn reassign_one(draft: &mut Draft<'_>, wish: &Reassign, may_change_factor: bool) -> Outcome {
    let unknown = |message| Refusal::new(ErrorCode::UnknownTopicOrPartition, message);
    let topic = draft
        .image()
        .topic_by_name(&wish.topic)
        .ok_or_else(|| unknown(format!("Unable to find a topic named {}.", wish.topic)))?
        .clone();
    let partition = topic.partitions.get(&wish.partition).ok_or_else(|| {
        unknown(format!("Unable to find partition {}:{}.", wish.topic, wish.partition))
    })?;
    let reassignment = match &wish.replicas {
        Some(target) => {
            check_by_hand(draft.image(), target, None)?;
            if !may_change_factor {
                check_factor(partition, target)?;
            }
            Reassignment::to(partition, target)
        }
        None if partition.is_reassigning() => Reassignment::cancelled(partition),
        None => return Err(Refusal::plain(ErrorCode::NoReassignmentInProgress)),
    };
    if !reassignment.keeps_the_data(partition) && !draft.unclean(&topic) {
        return Err(Refusal::new(
            ErrorCode::InvalidReplicaAssignment,
            format!(
                "Unable to revert partition assignment for {}:{} because it would require an unclean \
                 leader election.",
                wish.topic, wish.partition
            ),
        ));
    }
    draft.change(&topic, wish.partition, Change::reassign(partition, reassignment));
    Ok(())
}

/// What is under way counts as if it were done.
fn check_factor(partition: &Partition, target: &[BrokerId]) -> Outcome {
    let present = partition.replicas.len() - partition.removing_replicas.len();
    if present == target.len() {
        return Ok(());
    }
    let message = format!("The replication factor is changed from {present} to {}", target.len());
    Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message))
}
