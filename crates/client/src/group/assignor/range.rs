//! `range`: neighbouring partitions of each topic. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ids::{TopicName, TopicPartition};

use super::{Division, Subscriber};

/// Divides each topic into runs of neighbouring partitions, one for each subscriber, as even as can be;
/// the first ones get one more. Subscribers are ordered by instance id, then by member id, so that
/// topics with as many partitions are divided alike and static members keep theirs. `partition_counts`
/// holds the topics that exist.
pub(super) fn divide(
    subscribers: &[Subscriber],
    partition_counts: &BTreeMap<TopicName, usize>,
) -> Division {
    let mut assignment: Division =
        subscribers.iter().map(|s| (s.member_id.clone(), BTreeSet::new())).collect();
    for (topic, count) in partition_counts {
        let mut readers: Vec<&Subscriber> =
            subscribers.iter().filter(|subscriber| subscriber.topics.contains(topic)).collect();
        // Static members come first.
        readers.sort_by_key(|s| (s.instance_id.is_none(), &s.instance_id, &s.member_id));
        if readers.is_empty() {
            continue;
        }
        let (each, more) = (count / readers.len(), count % readers.len());
        let mut next = 0;
        for (position, reader) in readers.iter().enumerate() {
            let end = next + each + usize::from(position < more);
            let run = (next..end).filter_map(|index| i32::try_from(index).ok());
            let places = run.map(|index| TopicPartition::new(TopicName::clone(topic), index));
            assignment.entry(reader.member_id.clone()).or_default().extend(places);
            next = end;
        }
    }
    assignment
}

#[cfg(test)]
mod tests;
