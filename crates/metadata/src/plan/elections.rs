//! ElectLeaders: elections that somebody asks for.

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{PartitionIndex, TopicIdPartition, TopicName};

use super::draft::Draft;
use super::{Limits, Plan};
use crate::election::{Change, Election};
use crate::image::Image;
use crate::proposal::{ElectLeaders, ElectionType, Outcome, Refusal};

/// Holds the elections; each partition succeeds or fails by itself. An unclean election is held only
/// where there is no leader.
#[must_use]
pub fn elect(image: &Image, limits: &Limits, request: &ElectLeaders) -> Plan<Vec<Outcome>> {
    let mut draft = Draft::new(image, limits);
    let outcomes = request
        .partitions
        .iter()
        .map(|(topic, partition)| elect_one(&mut draft, request.election_type, topic, *partition))
        .collect();
    draft.finish(outcomes)
}

fn elect_one(
    draft: &mut Draft<'_>,
    election_type: ElectionType,
    name: &TopicName,
    index: PartitionIndex,
) -> Outcome {
    let unknown = |message| Refusal::new(ErrorCode::UnknownTopicOrPartition, message);
    let topic = draft
        .image()
        .topic_by_name(name)
        .ok_or_else(|| unknown(format!("No such topic as {name}")))?
        .clone();
    let partition = topic
        .partitions
        .get(&index)
        .ok_or_else(|| unknown(format!("No such partition as {name}-{index}")))?;
    match election_type {
        ElectionType::Preferred => {
            let preferred = partition.preferred_leader();
            if partition.leader == preferred {
                return Err(Refusal::plain(ErrorCode::ElectionNotNeeded));
            }
            let in_sync = preferred
                .is_some_and(|id| partition.isr.contains(&id) && draft.image().is_active(id));
            if !in_sync {
                return Err(Refusal::plain(ErrorCode::PreferredLeaderNotAvailable));
            }
            draft.change(&topic, index, Change::elect(partition, Election::Preferred));
        }
        ElectionType::Unclean => {
            if partition.leader.is_some() {
                return Err(Refusal::plain(ErrorCode::ElectionNotNeeded));
            }
            draft.change(&topic, index, Change::elect(partition, Election::Unclean));
            let id = TopicIdPartition::new(topic.id, index);
            if draft.image().partition(id).is_none_or(|partition| partition.leader.is_none()) {
                return Err(Refusal::plain(ErrorCode::EligibleLeadersNotAvailable));
            }
        }
    }
    Ok(())
}
