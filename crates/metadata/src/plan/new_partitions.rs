//! The replicas of partitions that do not exist yet, by hand or by the controller, and their first
//! state.

use std::collections::BTreeSet;

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, PartitionIndex};

use crate::image::{Image, Partition};
use crate::placement::{self, Candidate};
use crate::proposal::{Outcome, Refusal};

/// Replicas chosen by the controller.
pub(super) fn placed(
    image: &Image,
    seed: u128,
    partitions: usize,
    replication_factor: usize,
) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    let candidates: Vec<_> = image
        .brokers()
        .values()
        .map(|broker| Candidate {
            id: broker.id,
            rack: broker.rack.clone(),
            active: broker.is_active(),
        })
        .collect();
    let seed = (seed >> 64) as u64 ^ seed as u64;
    placement::place(&candidates, seed, partitions, replication_factor).map_err(|why| {
        let message =
            format!("Unable to replicate the partition {replication_factor} time(s): {why}");
        Refusal::new(ErrorCode::InvalidReplicationFactor, message)
    })
}

/// Checks replicas chosen by hand for one partition. `expected` is the replication factor of the
/// partitions before it, if there are any.
pub(super) fn check_by_hand(
    image: &Image,
    replicas: &[BrokerId],
    expected: Option<usize>,
) -> Outcome {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    if replicas.is_empty() {
        return refuse(
            "The manual partition assignment includes an empty replica list.".to_owned(),
        );
    }
    let mut seen = BTreeSet::new();
    for id in replicas {
        if image.broker(*id).is_none() {
            return refuse(format!(
                "The manual partition assignment includes broker {id}, but no such broker is \
                 registered."
            ));
        }
        if !seen.insert(id) {
            return refuse(format!(
                "The manual partition assignment includes the broker {id} more than once."
            ));
        }
    }
    match expected {
        Some(expected) if expected != replicas.len() => refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is \
             not consistent with previous partitions, which have {expected} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// The first state of a partition: every active replica is in sync, the first of them leads.
pub(super) fn first_state(
    image: &Image,
    index: PartitionIndex,
    replicas: Vec<BrokerId>,
) -> Result<Partition, Refusal> {
    let isr: Vec<_> = replicas.iter().copied().filter(|id| image.is_active(*id)).collect();
    let Some(leader) = isr.first().copied() else {
        let message = format!(
            "All brokers specified in the manual partition assignment for partition {index} are \
             fenced or in controlled shutdown."
        );
        return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    };
    Ok(Partition {
        replicas,
        isr,
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        adding_replicas: Vec::new(),
        removing_replicas: Vec::new(),
        leader: Some(leader),
        leader_epoch: 0,
        partition_epoch: 0,
        leader_recovering: false,
    })
}
