//! Blocks of producer ids (KIP-730).

use ottla_protocol::ErrorCode;

use super::Plan;
use super::draft::registered;
use crate::image::Image;
use crate::proposal::{ProducerIdBlock, Proposer, Refusal};
use crate::record::Record;

/// How many ids a block has, as in Kafka.
pub const BLOCK_SIZE: i32 = 1000;

/// Gives the proposer the next block. No id is ever given out twice: the next block starts after
/// this one once this one is committed, and nothing is answered before.
///
/// # Errors
/// The proposer is not registered with the epoch it says; the ids are used up.
pub fn allocate(image: &Image, proposer: Proposer) -> Result<Plan<ProducerIdBlock>, Refusal> {
    let Proposer { broker_id, broker_epoch } = proposer;
    registered(image, broker_id, broker_epoch)?;
    let first = image.next_producer_id();
    let next_producer_id = first.checked_add(BLOCK_SIZE.into()).ok_or_else(|| {
        let message = "Exhausted all producerIds as the next block's end producerId has exceeded \
                       the int64 type limit";
        Refusal::new(ErrorCode::UnknownServerError, message)
    })?;
    Ok(Plan {
        records: vec![Record::ProducerIds { next_producer_id, broker_id, broker_epoch }],
        reply: ProducerIdBlock { first, count: BLOCK_SIZE },
    })
}
