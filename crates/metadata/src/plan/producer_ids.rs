//! Blocks of producer ids (KIP-730).

use super::Plan;
use crate::image::Image;
use crate::proposal::{ProducerIdBlock, Proposer, Refusal};

/// How many ids a block has, as in Kafka.
pub const BLOCK_SIZE: i32 = 1000;

/// Gives the proposer the next block.
///
/// # Errors
/// The proposer is not registered with the epoch it says; the ids are used up.
pub fn allocate(image: &Image, proposer: Proposer) -> Result<Plan<ProducerIdBlock>, Refusal> {
    let _ = (image, proposer);
    unimplemented!("allocate")
}
