use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use ottla_protocol::ids::{PartitionIndex, TopicId};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::{Assignment, Assignor, GroupSpec, MemberSpec, RackIndex, TopicSpec};

fn topic(number: u128) -> TopicId {
    ottla_protocol::ids::KafkaUuid::from_bytes(number.to_be_bytes())
}

/// A group whose members can come and go between assignments.
#[derive(Debug, Clone, Default)]
struct Model {
    topics: BTreeMap<TopicId, (PartitionIndex, Vec<Vec<RackIndex>>)>,
    members: BTreeMap<String, ModelMember>,
}

#[derive(Debug, Clone, Default)]
struct ModelMember {
    instance_id: Option<String>,
    rack: Option<RackIndex>,
    topics: BTreeSet<TopicId>,
    assignment: Arc<Assignment>,
}

impl Model {
    fn topic(mut self, number: u128, partitions: PartitionIndex) -> Self {
        self.topics.insert(topic(number), (partitions, Vec::new()));
        self
    }

    fn racks(mut self, number: u128, racks: &[&[RackIndex]]) -> Self {
        let racks: Vec<_> = racks.iter().map(|racks| racks.to_vec()).collect();
        self.topics.insert(topic(number), (racks.len().try_into().unwrap(), racks));
        self
    }

    fn join(mut self, id: &str, topics: &[u128]) -> Self {
        let topics = topics.iter().map(|number| topic(*number)).collect();
        self.members.insert(id.to_owned(), ModelMember { topics, ..ModelMember::default() });
        self
    }

    fn join_in(mut self, id: &str, rack: RackIndex, topics: &[u128]) -> Self {
        self = self.join(id, topics);
        self.members.get_mut(id).unwrap().rack = Some(rack);
        self
    }

    fn assign(&mut self, assignor: Assignor) -> &mut Self {
        let spec = GroupSpec {
            members: self
                .members
                .iter()
                .map(|(id, member)| MemberSpec {
                    member_id: id,
                    instance_id: member.instance_id.as_deref(),
                    rack: member.rack,
                    topics: Arc::new(
                        member
                            .topics
                            .iter()
                            .filter(|t| self.topics.contains_key(t))
                            .copied()
                            .collect(),
                    ),
                    assignment: &member.assignment,
                })
                .collect(),
            topics: self
                .topics
                .iter()
                .filter(|(topic, _)| self.members.values().any(|m| m.topics.contains(topic)))
                .map(|(topic, (partitions, racks))| {
                    (*topic, TopicSpec { partitions: *partitions, racks: racks.clone() })
                })
                .collect(),
        };
        let new = assignor.assign(&spec);
        assert_eq!(new.len(), self.members.len());
        for (member, new) in self.members.values_mut().zip(new) {
            member.assignment = new;
        }
        self.check();
        self
    }

    /// Every subscribed partition has exactly one owner, and owners subscribe.
    fn check(&self) {
        let mut owned = BTreeSet::new();
        for (id, member) in &self.members {
            for (topic, partition) in member.assignment.iter() {
                assert!(member.topics.contains(&topic), "{id} does not subscribe to {topic}");
                assert!(owned.insert((topic, partition)), "{topic}-{partition} has two owners");
            }
        }
        let subscribed: BTreeSet<_> = self
            .topics
            .iter()
            .filter(|(topic, _)| self.members.values().any(|m| m.topics.contains(topic)))
            .flat_map(|(topic, (count, _))| (0..*count).map(move |partition| (*topic, partition)))
            .collect();
        assert_eq!(owned, subscribed);
    }

    fn sizes(&self) -> Vec<usize> {
        self.members.values().map(|member| member.assignment.len()).collect()
    }

    fn partitions(&self, id: &str, number: u128) -> &[PartitionIndex] {
        self.members[id].assignment.partitions(topic(number))
    }

    fn moved_since(&self, before: &Self) -> usize {
        let kept = |(id, member): (&String, &ModelMember)| {
            let old = before.members.get(id);
            member
                .assignment
                .iter()
                .filter(|(t, p)| old.is_some_and(|old| old.assignment.contains(*t, *p)))
                .count()
        };
        before.members.values().map(|m| m.assignment.len()).sum::<usize>()
            - self.members.iter().map(kept).sum::<usize>()
    }
}

#[test]
fn range_gives_consecutive_partitions_the_same_of_each_topic() {
    let mut group = Model::default().topic(1, 3).topic(2, 3).join("a", &[1, 2]).join("b", &[1, 2]);
    group.assign(Assignor::Range);
    for number in [1, 2] {
        assert_eq!(group.partitions("a", number), [0, 1]);
        assert_eq!(group.partitions("b", number), [2]);
    }
}

#[test]
fn range_orders_static_members_by_instance_id_before_the_others() {
    let mut group = Model::default().topic(1, 3).join("a", &[1]).join("b", &[1]).join("c", &[1]);
    group.members.get_mut("c").unwrap().instance_id = Some("one".to_owned());
    group.members.get_mut("b").unwrap().instance_id = Some("two".to_owned());
    group.assign(Assignor::Range);
    assert_eq!(group.partitions("c", 1), [0]);
    assert_eq!(group.partitions("b", 1), [1]);
    assert_eq!(group.partitions("a", 1), [2]);
}

#[test]
fn range_follows_the_racks_as_far_as_shares_allow() {
    let mut group = Model::default()
        .racks(1, &[&[0], &[1], &[0], &[1], &[2]])
        .racks(2, &[&[0], &[1], &[0], &[1], &[2]])
        .join_in("a", 1, &[1, 2])
        .join_in("b", 0, &[1, 2]);
    group.assign(Assignor::Range);
    for number in [1, 2] {
        assert_eq!(group.partitions("a", number), [1, 3, 4]);
        assert_eq!(group.partitions("b", number), [0, 2]);
    }
}

#[test]
fn uniform_moves_no_more_than_balance_takes() {
    let mut group = Model::default().topic(1, 6).topic(2, 5).join("a", &[1, 2]);
    group.assign(Assignor::Uniform);
    let mut next = group.clone().join("b", &[1, 2]);
    next.assign(Assignor::Uniform);
    assert_eq!(next.sizes(), [6, 5]);
    assert_eq!(next.moved_since(&group), 5);
    let mut last = next.clone().join("c", &[1, 2]);
    last.assign(Assignor::Uniform);
    assert_eq!(last.sizes(), [4, 4, 3]);
    assert_eq!(last.moved_since(&next), 3);
    last.members.remove("b");
    let before = last.clone();
    last.assign(Assignor::Uniform);
    assert_eq!(last.moved_since(&before), 0);
}

#[test]
fn uniform_fills_by_rack_without_giving_up_balance() {
    let mut group = Model::default()
        .racks(1, &[&[0], &[1], &[0], &[1]])
        .join_in("a", 1, &[1])
        .join_in("b", 0, &[1]);
    group.assign(Assignor::Uniform);
    assert_eq!(group.partitions("a", 1), [1, 3]);
    assert_eq!(group.partitions("b", 1), [0, 2]);

    // One in rack 0 has all; another comes to rack 1: what is near it moves.
    let mut group = Model::default().racks(1, &[&[0], &[1], &[0], &[1]]).join_in("a", 0, &[1]);
    group.assign(Assignor::Uniform);
    let mut group = group.join_in("b", 1, &[1]);
    group.assign(Assignor::Uniform);
    assert_eq!(group.partitions("b", 1), [1, 3]);
}

#[test]
fn uniform_evens_out_mixed_subscriptions() {
    let mut group = Model::default().topic(1, 6).topic(2, 3).join("a", &[1]).join("b", &[1, 2]);
    group.assign(Assignor::Uniform);
    assert_eq!(group.sizes(), [5, 4]);
    let mut next = group.clone().join("c", &[2]);
    next.assign(Assignor::Uniform);
    // No single move narrows a gap any more: 4 to 3 in topic 1, 3 to 2 in topic 2.
    assert_eq!(next.sizes(), [4, 3, 2]);
}

#[test]
fn nobody_or_nothing_to_assign_is_fine() {
    for assignor in Assignor::ALL {
        Model::default().topic(1, 3).assign(*assignor);
        Model::default().topic(1, 3).join("a", &[]).join("b", &[7]).assign(*assignor);
        Model::default().topic(1, 3).join("a", &[1]).join("b", &[]).assign(*assignor);
    }
}

/// Large groups: an assignment is made within every heartbeat that changes the group.
#[test]
fn a_thousand_members_are_assigned_in_little_time() {
    for assignor in Assignor::ALL {
        for mixed in [false, true] {
            let mut group = Model::default();
            for number in 0..10 {
                group = group.topic(number, 1_000);
            }
            for member in 0..1_000 {
                let topics: Vec<u128> =
                    if mixed && member % 3 == 0 { (0..5).collect() } else { (0..10).collect() };
                group = group.join(&format!("member-{member:04}"), &topics);
            }
            group.assign(*assignor);
            let mut group = group.join("one more", &(0..10).collect::<Vec<_>>());
            let start = Instant::now();
            group.assign(*assignor);
            // Unoptimized and on a busy machine; the point is that it is not quadratic.
            assert!(start.elapsed().as_secs() < 5, "{assignor:?}: {:?}", start.elapsed());
            println!("{assignor:?} mixed={mixed}: {:?}", start.elapsed());
        }
    }
}

fn topics() -> impl Strategy<Value = BTreeMap<u128, Vec<Vec<RackIndex>>>> {
    btree_map(0..5_u128, vec(btree_set(0..3_u32, 0..3), 0..8), 1..5).prop_map(|topics| {
        let racks = |sets: Vec<BTreeSet<u32>>| sets.into_iter().map(|s| s.into_iter().collect());
        topics.into_iter().map(|(number, sets)| (number, racks(sets).collect())).collect()
    })
}

fn member() -> impl Strategy<Value = (Option<RackIndex>, bool, BTreeSet<u128>)> {
    (option::of(0..3_u32), any::<bool>(), btree_set(0..5_u128, 0..5))
}

proptest! {
    #[test]
    fn every_partition_has_one_owner_whoever_comes_and_goes(
        topics in topics(),
        rounds in vec((btree_map("[a-f]", member(), 0..6), any::<bool>()), 1..6),
    ) {
        let mut group = Model::default();
        for (number, racks) in topics {
            group.topics.insert(topic(number), (racks.len().try_into().unwrap(), racks));
        }
        for (members, uniform) in rounds {
            let old = std::mem::take(&mut group.members);
            for (id, (rack, is_static, topics)) in members {
                let assignment = old.get(&id).map(|m| Arc::clone(&m.assignment)).unwrap_or_default();
                group.members.insert(id.clone(), ModelMember {
                    instance_id: is_static.then(|| format!("instance-{id}")),
                    rack,
                    topics: topics.into_iter().map(topic).collect(),
                    assignment,
                });
            }
            let assignor = if uniform { Assignor::Uniform } else { Assignor::Range };
            group.assign(assignor);
            let once = group.clone();
            group.assign(assignor);
            prop_assert_eq!(group.moved_since(&once), 0, "the second time nothing moves");
        }
    }

    #[test]
    fn uniform_is_balanced_where_all_subscribe_alike(
        topics in topics(),
        sizes in vec(1..7_usize, 1..5),
    ) {
        let mut group = Model::default();
        for (number, racks) in topics {
            group.topics.insert(topic(number), (racks.len().try_into().unwrap(), racks));
        }
        let all: BTreeSet<_> = group.topics.keys().copied().collect();
        let mut before = 0;
        for size in sizes {
            let old = std::mem::take(&mut group.members);
            for index in 0..size {
                let id = format!("m{index}");
                let rack = Some(u32::try_from(index).unwrap() % 3);
                let kept = old.get(&id).map(|m| Arc::clone(&m.assignment)).unwrap_or_default();
                let member =
                    ModelMember { rack, topics: all.clone(), assignment: kept, ..ModelMember::default() };
                group.members.insert(id, member);
            }
            let previous = group.clone();
            group.assign(Assignor::Uniform);
            let sizes = group.sizes();
            let (most, least) = (sizes.iter().max().unwrap(), sizes.iter().min().unwrap());
            prop_assert!(most - least <= 1, "{:?}", sizes);
            // Members that come take only what those who stay have too much of.
            let total: usize = sizes.iter().sum();
            if size > before && before > 0 {
                let least_moves: usize = sizes.iter().skip(before).sum();
                prop_assert_eq!(group.moved_since(&previous), least_moves);
            } else if before >= size {
                prop_assert_eq!(group.moved_since(&previous), 0, "of {}", total);
            }
            before = size;
        }
    }
}
