//! Creating, growing and deleting topics.

use ottla_protocol::ids::TopicId;

use super::{Limits, Plan};
use crate::image::Image;
use crate::proposal::{CreatePartitions, CreateTopics, CreatedTopic, Outcome, Refusal};

/// Creates topics; each succeeds or fails by itself.
#[must_use]
pub fn create(
    image: &Image,
    limits: &Limits,
    seed: u128,
    request: &CreateTopics,
) -> Plan<Vec<Result<CreatedTopic, Refusal>>> {
    let _ = (image, limits, seed, request);
    unimplemented!("create")
}

/// Deletes topics, with their configuration.
#[must_use]
pub fn delete(image: &Image, topic_ids: &[TopicId]) -> Plan<Vec<Outcome>> {
    let _ = (image, topic_ids);
    unimplemented!("delete")
}

/// Adds partitions to topics.
#[must_use]
pub fn create_partitions(
    image: &Image,
    limits: &Limits,
    seed: u128,
    request: &CreatePartitions,
) -> Plan<Vec<Outcome>> {
    let _ = (image, limits, seed, request);
    unimplemented!("create_partitions")
}
