//! AlterPartition: leaders change their in-sync sets, by compare-and-set.

use super::{Limits, Plan};
use crate::image::Image;
use crate::proposal::{AlterPartition, Outcome, Proposer, Refusal};

/// Changes in-sync sets as their leader wants them.
///
/// # Errors
/// The proposer is not registered with the epoch it says (STALE_BROKER_EPOCH).
pub fn alter_partitions(
    image: &Image,
    limits: &Limits,
    proposer: Proposer,
    partitions: &[AlterPartition],
) -> Result<Plan<Vec<Outcome>>, Refusal> {
    let _ = (image, limits, proposer, partitions);
    unimplemented!("alter_partitions")
}
