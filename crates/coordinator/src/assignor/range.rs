//! The range assignor.
//!
//! Members stand in order: static ones by instance id, then the others by member id. Of every topic,
//! each subscriber gets its share of consecutive partitions, the first ones one more if the division
//! leaves a remainder. Topics with the same subscribers and as many partitions are cut alike, so a
//! member has the same numbers of each.
//!
//! Where racks matter, shares keep their sizes; a partition goes to the first member with room whose
//! rack holds a replica in all topics that are cut together, and what finds none is dealt out in order.

use std::collections::BTreeMap;

use ottla_protocol::ids::{PartitionIndex, TopicId};

use super::{Assignment, GroupSpec, RackIndex, TopicSpec};

type MemberIndex = usize;

/// One assignment per member.
pub(super) fn assign(spec: &GroupSpec<'_>) -> Vec<Assignment> {
    let mut order: Vec<MemberIndex> = (0..spec.members.len()).collect();
    order.sort_by_key(|index| {
        spec.members.get(*index).map(|m| (m.instance_id.is_none(), m.instance_id, m.member_id))
    });
    let mut subscribers = BTreeMap::<TopicId, Vec<MemberIndex>>::new();
    for index in order {
        let Some(member) = spec.members.get(index) else { continue };
        for topic in member.topics.iter().filter(|topic| spec.topics.contains_key(topic)) {
            subscribers.entry(*topic).or_default().push(index);
        }
    }
    let mut all = vec![Assignment::default(); spec.members.len()];
    if spec.is_rack_aware() {
        // Topics that are cut alike are cut together.
        let mut alike = BTreeMap::<(Vec<MemberIndex>, PartitionIndex), Vec<TopicId>>::new();
        for (topic, members) in subscribers {
            let count = spec.topics.get(&topic).map_or(0, |topic| topic.partitions);
            alike.entry((members, count)).or_default().push(topic);
        }
        for ((members, count), topics) in alike {
            cut_by_rack(spec, &members, count, &topics, &mut all);
        }
    } else {
        for (topic, members) in subscribers {
            let count = spec.topics.get(&topic).map_or(0, |topic| topic.partitions);
            let mut start = 0;
            for (member, share) in shares(&members, count) {
                if let Some(assignment) = all.get_mut(member) {
                    assignment.insert_all(topic, start..start + share);
                }
                start += share;
            }
        }
    }
    all
}

/// How many partitions each of the members gets of a topic with so many.
fn shares(
    members: &[MemberIndex],
    count: PartitionIndex,
) -> impl Iterator<Item = (MemberIndex, PartitionIndex)> {
    let among = PartitionIndex::try_from(members.len()).unwrap_or(PartitionIndex::MAX).max(1);
    let (share, mut extra) = (count / among, count % among);
    members.iter().map(move |member| {
        let more = i32::from(extra > 0);
        extra -= more;
        (*member, share + more)
    })
}

fn cut_by_rack(
    spec: &GroupSpec<'_>,
    members: &[MemberIndex],
    count: PartitionIndex,
    topics: &[TopicId],
    all: &mut [Assignment],
) {
    let specs: Vec<&TopicSpec> = topics.iter().filter_map(|topic| spec.topics.get(topic)).collect();
    // Room left, and who has some, by rack, the first member last.
    let mut room: BTreeMap<MemberIndex, PartitionIndex> = shares(members, count).collect();
    let mut by_rack = BTreeMap::<RackIndex, Vec<MemberIndex>>::new();
    for member in members.iter().rev() {
        if let Some(rack) = spec.members.get(*member).and_then(|member| member.rack) {
            by_rack.entry(rack).or_default().push(*member);
        }
    }
    let mut give = |member: MemberIndex, partition: PartitionIndex| {
        if let Some(assignment) = all.get_mut(member) {
            topics.iter().for_each(|topic| assignment.insert(*topic, partition));
        }
    };
    let mut rest = Vec::new();
    for partition in 0..count {
        let near = specs.first().map_or(&[][..], |topic| topic.racks_of(partition));
        let mut near =
            near.iter().filter(|rack| specs.iter().all(|topic| topic.has_rack(partition, **rack)));
        let found = near.find_map(|rack| {
            let waiting = by_rack.get_mut(rack)?;
            while let Some(member) = waiting.last() {
                match room.get_mut(member) {
                    Some(room) if *room > 0 => {
                        *room -= 1;
                        return Some(*member);
                    }
                    _ => waiting.pop(),
                };
            }
            None
        });
        match found {
            Some(member) => give(member, partition),
            None => rest.push(partition),
        }
    }
    let mut rest = rest.into_iter();
    for member in members {
        let room = room.get(member).copied().unwrap_or(0);
        for partition in rest.by_ref().take(usize::try_from(room).unwrap_or(0)) {
            give(*member, partition);
        }
    }
}
