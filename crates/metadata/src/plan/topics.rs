//! Creating, growing and deleting topics.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, KafkaUuid, TopicId, TopicIdPartition, TopicName};

use super::draft::Draft;
use super::{Limits, Plan, configs, new_partitions, topic_name};
use crate::image::{ConfigMap, Image, Partition};
use crate::proposal::{
    Assignment, CreatePartitions, CreateTopics, CreatedTopic, GrowTopic, NewTopic, Outcome, Refusal,
};
use crate::record::{ConfigResource, Record};

/// Where nobody says how many replicas: as many as there are live brokers, at most this many.
const DEFAULT_REPLICATION_FACTOR: usize = 3;

/// Creates topics; each succeeds or fails by itself.
#[must_use]
pub fn create(
    image: &Image,
    limits: &Limits,
    seed: u128,
    request: &CreateTopics,
) -> Plan<Vec<Result<CreatedTopic, Refusal>>> {
    let mut draft = Draft::new(image, limits);
    let mut budget = limits.max_partitions_per_request;
    let repeated = repeated(request.topics.iter().map(|topic| &topic.name));
    let outcomes = request
        .topics
        .iter()
        .enumerate()
        .map(|(index, topic)| {
            if repeated.contains(&topic.name) {
                return Err(invalid_request("Duplicate topic name."));
            }
            let seed = seed.wrapping_add(index as u128);
            create_one(&mut draft, limits, seed, &mut budget, topic)
        })
        .collect();
    finish(draft, request.validate_only, outcomes, |outcome| {
        outcome.map(|created| CreatedTopic { topic_id: KafkaUuid::ZERO, ..created })
    })
}

fn create_one(
    draft: &mut Draft<'_>,
    limits: &Limits,
    seed: u128,
    budget: &mut usize,
    topic: &NewTopic,
) -> Result<CreatedTopic, Refusal> {
    let image = draft.image();
    topic_name::check(image, &topic.name)?;
    let configs = configs::of_new_topic(&topic.configs)?;
    let states = if topic.assignments.is_empty() {
        placed_by_controller(image, limits, seed, *budget, topic)?
    } else {
        placed_by_hand(image, *budget, topic)?
    };
    *budget -= states.len();

    let topic_id = new_topic_id(image, seed);
    let replication_factor = states.first().map_or(0, |state| state.replicas.len());
    let created = CreatedTopic {
        topic_id,
        partitions: states.len() as i32,
        replication_factor: replication_factor as i32,
    };
    draft.push(Record::Topic { topic_id, name: topic.name.clone() });
    push_configs(draft, topic, configs);
    for (index, state) in (0..).zip(states) {
        draft.push(Record::Partition { id: TopicIdPartition::new(topic_id, index), state });
    }
    Ok(created)
}

fn push_configs(draft: &mut Draft<'_>, topic: &NewTopic, configs: ConfigMap) {
    for (key, value) in configs {
        let resource = ConfigResource::Topic(topic.name.clone());
        draft.push(Record::Config { resource, key, value: Some(value) });
    }
}

fn placed_by_controller(
    image: &Image,
    limits: &Limits,
    seed: u128,
    budget: usize,
    topic: &NewTopic,
) -> Result<Vec<Partition>, Refusal> {
    let replication_factor = match topic.replication_factor {
        -1 => default_replication_factor(image, limits),
        given => usize::try_from(given).ok().filter(|&given| given > 0).ok_or_else(|| {
            Refusal::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            )
        })?,
    };
    let wanted = if topic.partitions == -1 { limits.num_partitions } else { topic.partitions };
    let partitions =
        usize::try_from(wanted).ok().filter(|&wanted| wanted > 0).ok_or_else(|| {
            Refusal::new(
                ErrorCode::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.",
            )
        })?;
    check_budget(partitions, budget)?;
    let places = new_partitions::placed(image, seed, partitions, replication_factor)?;
    (0..).zip(places).map(|(index, to)| new_partitions::first_state(image, index, to)).collect()
}

fn default_replication_factor(image: &Image, limits: &Limits) -> usize {
    let live = image.brokers().values().filter(|broker| broker.is_active()).count();
    let configured =
        limits.default_replication_factor.and_then(|given| usize::try_from(given).ok());
    configured.unwrap_or(live.min(DEFAULT_REPLICATION_FACTOR)).max(1)
}

fn placed_by_hand(
    image: &Image,
    budget: usize,
    topic: &NewTopic,
) -> Result<Vec<Partition>, Refusal> {
    if topic.replication_factor != -1 {
        return Err(invalid_request(
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        ));
    }
    if topic.partitions != -1 {
        return Err(invalid_request(
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        ));
    }
    check_budget(topic.assignments.len(), budget)?;
    let mut by_index = BTreeMap::new();
    let mut expected = None;
    for Assignment { partition, replicas } in &topic.assignments {
        if by_index.contains_key(partition) {
            return Err(invalid_assignment(format!(
                "Found multiple manual partition assignments for partition {partition}"
            )));
        }
        new_partitions::check_by_hand(image, replicas, expected)?;
        expected = Some(replicas.len());
        let state = new_partitions::first_state(image, *partition, replicas.clone())?;
        by_index.insert(*partition, state);
    }
    if !by_index.keys().copied().eq(0..by_index.len() as i32) {
        return Err(invalid_assignment(
            "partitions should be a consecutive 0-based integer sequence".to_owned(),
        ));
    }
    Ok(by_index.into_values().collect())
}

/// An id that no topic has. Seeds are random, so each id is; those of one request differ, since their
/// seeds do. Another attempt is far from the one before, so that it does not start with the same
/// letter, which may be what is wrong with it.
fn new_topic_id(image: &Image, seed: u128) -> TopicId {
    const STRIDE: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    (0..)
        .map(|attempt: u128| {
            let drawn = seed.wrapping_add(attempt.wrapping_mul(STRIDE));
            KafkaUuid(uuid::Builder::from_random_bytes(drawn.to_be_bytes()).into_uuid())
        })
        .find(|id| !id.is_reserved() && image.topic(*id).is_none())
        .expect("there are more ids than topics")
}

/// Deletes topics, with their configuration.
#[must_use]
pub fn delete(image: &Image, limits: &Limits, topic_ids: &[TopicId]) -> Plan<Vec<Outcome>> {
    let mut draft = Draft::new(image, limits);
    let outcomes = topic_ids
        .iter()
        .map(|&topic_id| {
            if !limits.delete_topic_enable {
                return Err(Refusal::plain(ErrorCode::TopicDeletionDisabled));
            }
            if draft.image().topic(topic_id).is_none() {
                return Err(Refusal::plain(ErrorCode::UnknownTopicId));
            }
            draft.push(Record::RemoveTopic(topic_id));
            Ok(())
        })
        .collect();
    draft.finish(outcomes)
}

/// Adds partitions to topics; each succeeds or fails by itself.
#[must_use]
pub fn create_partitions(
    image: &Image,
    limits: &Limits,
    seed: u128,
    request: &CreatePartitions,
) -> Plan<Vec<Outcome>> {
    let mut draft = Draft::new(image, limits);
    let mut budget = limits.max_partitions_per_request;
    let repeated = repeated(request.topics.iter().map(|topic| &topic.name));
    let outcomes = request
        .topics
        .iter()
        .enumerate()
        .map(|(index, topic)| {
            if repeated.contains(&topic.name) {
                return Err(invalid_request("Duplicate topic name."));
            }
            grow_one(&mut draft, seed.wrapping_add(index as u128), &mut budget, topic)
        })
        .collect();
    finish(draft, request.validate_only, outcomes, |outcome| outcome)
}

fn grow_one(draft: &mut Draft<'_>, seed: u128, budget: &mut usize, wish: &GrowTopic) -> Outcome {
    let image = draft.image();
    let topic = image
        .topic_by_name(&wish.name)
        .ok_or_else(|| Refusal::plain(ErrorCode::UnknownTopicOrPartition))?;
    let topic_id = topic.id;
    let present = topic.partitions.len();
    let added = added_partitions(wish, present)?;
    check_budget(added, *budget)?;
    let replication_factor = topic.replication_factor();
    let places = match &wish.assignments {
        None => new_partitions::placed(image, seed, added, replication_factor)?,
        Some(given) => grown_by_hand(image, given, added, replication_factor)?,
    };
    let indexes = present as i32..;
    let states: Vec<_> = indexes
        .clone()
        .zip(places)
        .map(|(index, to)| new_partitions::first_state(image, index, to))
        .collect::<Result<_, _>>()?;
    *budget -= added;
    for (index, state) in indexes.zip(states) {
        draft.push(Record::Partition { id: TopicIdPartition::new(topic_id, index), state });
    }
    Ok(())
}

fn added_partitions(wish: &GrowTopic, present: usize) -> Result<usize, Refusal> {
    let refuse = |message| Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    match usize::try_from(wish.partitions) {
        Ok(wanted) if wanted > present => Ok(wanted - present),
        Ok(wanted) if wanted == present => {
            refuse(format!("Topic already has {present} partition(s)."))
        }
        _ => refuse(format!(
            "The topic {} currently has {present} partition(s); {} would not be an increase.",
            wish.name, wish.partitions
        )),
    }
}

fn grown_by_hand(
    image: &Image,
    given: &[Vec<BrokerId>],
    added: usize,
    replication_factor: usize,
) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    if given.len() != added {
        return Err(invalid_assignment(format!(
            "Attempted to add {added} additional partition(s), but only {} assignment(s) were \
             specified.",
            given.len()
        )));
    }
    for replicas in given {
        new_partitions::check_by_hand(image, replicas, Some(replication_factor))?;
    }
    Ok(given.to_vec())
}

/// The names that stand more than once.
fn repeated<'a>(names: impl Iterator<Item = &'a TopicName>) -> BTreeSet<&'a TopicName> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}

fn check_budget(partitions: usize, budget: usize) -> Outcome {
    if partitions > budget {
        let message = "Excessively large number of partitions per request.";
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    Ok(())
}

/// The plan, or only its answers if nothing is to be committed.
fn finish<T>(
    draft: Draft<'_>,
    validate_only: bool,
    outcomes: Vec<T>,
    checked_only: impl FnMut(T) -> T,
) -> Plan<Vec<T>> {
    if validate_only {
        return Plan::nothing(outcomes.into_iter().map(checked_only).collect());
    }
    draft.finish(outcomes)
}

fn invalid_request(message: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

fn invalid_assignment(message: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidReplicaAssignment, message)
}
