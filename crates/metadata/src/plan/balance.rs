//! `auto.leader.rebalance.enable`: leaderships go back to the preferred leaders.

use super::{Limits, Plan};
use crate::image::Image;

/// Gives leadership back wherever the preferred leader is in sync and active, at most
/// `max_partitions_per_request` at a time. The reply is how many leaders change.
#[must_use]
pub fn preferred(image: &Image, limits: &Limits) -> Plan<usize> {
    let _ = (image, limits);
    unimplemented!("preferred")
}
