//! `cooperative-sticky` before anything is withheld: as even as can be, and who has a partition keeps it
//! where that does not make it less even. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ids::{TopicName, TopicPartition};

use super::{Division, Subscriber};

/// Divides all partitions. Among members with the same topics nobody gets two more than another;
/// otherwise nobody has two more than somebody who could take one. `partition_counts` holds the topics
/// that exist.
pub(super) fn divide(
    subscribers: &[Subscriber],
    partition_counts: &BTreeMap<TopicName, usize>,
) -> Division {
    let mut shares: Vec<BTreeSet<TopicPartition>> = kept(subscribers, partition_counts);
    let readers: BTreeMap<&TopicName, Vec<usize>> = partition_counts
        .keys()
        .map(|topic| {
            let reads = |place: &usize| subscribers[*place].topics.contains(topic);
            (topic, (0..subscribers.len()).filter(reads).collect())
        })
        .collect();
    let least = |shares: &[BTreeSet<TopicPartition>], topic: &TopicName| {
        let of_topic = readers.get(topic)?;
        let by_share = |&place: &usize| (shares[place].len(), &subscribers[place].member_id);
        of_topic.iter().copied().min_by_key(by_share)
    };

    let taken: BTreeSet<TopicPartition> = shares.iter().flatten().cloned().collect();
    // Whoever reads what few others read is served first.
    let mut topics: Vec<(&TopicName, &usize)> = partition_counts.iter().collect();
    topics.sort_by_key(|(topic, _)| readers.get(topic).map_or(0, Vec::len));
    for (topic, &count) in topics {
        for index in (0..count).filter_map(|index| i32::try_from(index).ok()) {
            let partition = TopicPartition::new(TopicName::clone(topic), index);
            if taken.contains(&partition) {
                continue;
            }
            if let Some(place) = least(&shares, topic) {
                shares[place].insert(partition);
            }
        }
    }

    // Each move brings two shares nearer to one another, so that this ends.
    while let Some((from, to, partition)) = (0..shares.len()).find_map(|from| {
        shares[from].iter().rev().find_map(|partition| {
            let to = least(&shares, &partition.topic)?;
            (shares[from].len() > shares[to].len() + 1).then(|| (from, to, partition.clone()))
        })
    }) {
        shares[from].remove(&partition);
        shares[to].insert(partition);
    }
    subscribers.iter().map(|subscriber| subscriber.member_id.clone()).zip(shares).collect()
}

/// What each member has already and may have. Of several who say that they have a partition, the one who
/// got it last is right; who cannot be told apart have both lost it.
fn kept(
    subscribers: &[Subscriber],
    partition_counts: &BTreeMap<TopicName, usize>,
) -> Vec<BTreeSet<TopicPartition>> {
    let mut claims: BTreeMap<&TopicPartition, Vec<(i32, usize)>> = BTreeMap::new();
    for (place, subscriber) in subscribers.iter().enumerate() {
        for partition in &subscriber.owned {
            let count = partition_counts.get(&partition.topic).copied().unwrap_or(0);
            let exists = usize::try_from(partition.partition).is_ok_and(|index| index < count);
            if exists && subscriber.topics.contains(&partition.topic) {
                claims.entry(partition).or_default().push((subscriber.generation, place));
            }
        }
    }
    let mut shares = vec![BTreeSet::new(); subscribers.len()];
    for (partition, mut claims) in claims {
        claims.sort_unstable();
        match claims[..] {
            [.., (before, _), (last, _)] if before == last => {}
            [.., (_, place)] => {
                shares[place].insert(partition.clone());
            }
            [] => {}
        }
    }
    shares
}

#[cfg(test)]
mod tests;
