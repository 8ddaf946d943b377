//! `auto.leader.rebalance.enable`: leaderships go back to the preferred leaders.

use ottla_protocol::ids::BrokerId;

use super::draft::Draft;
use super::{Limits, Plan};
use crate::election::{Change, Election};
use crate::image::{Image, Partition};

/// Gives leadership back wherever the preferred leader is in sync, active and `is_settled`: back for so long
/// that its clients have found it again. At most `max_partitions_per_request` at a time; the reply is how
/// many leaders change.
#[must_use]
pub fn preferred(
    image: &Image,
    limits: &Limits,
    is_settled: impl Fn(BrokerId) -> bool,
) -> Plan<usize> {
    let mut draft = Draft::new(image, limits);
    let mut changed = 0;
    for topic in image.topics() {
        for (&index, partition) in &topic.partitions {
            if changed < limits.max_partitions_per_request
                && is_imbalanced(image, partition)
                && partition.preferred_leader().is_some_and(&is_settled)
            {
                draft.change(topic, index, Change::elect(partition, Election::Preferred));
                changed += 1;
            }
        }
    }
    draft.finish(changed)
}

/// Somebody leads in the place of a preferred leader that could. What nobody leads is not a matter of
/// balance.
fn is_imbalanced(image: &Image, partition: &Partition) -> bool {
    let preferred = partition.preferred_leader();
    partition.leader.is_some()
        && partition.leader != preferred
        && preferred.is_some_and(|id| partition.isr.contains(&id) && image.is_active(id))
}
