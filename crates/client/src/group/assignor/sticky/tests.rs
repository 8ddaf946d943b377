use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ids::{TopicName, TopicPartition};

use super::super::{Division, Subscriber};
use super::divide;

fn member(id: &str, topics: &[&str]) -> Subscriber {
    Subscriber {
        member_id: id.to_owned(),
        topics: topics.iter().map(|topic| TopicName::from(*topic)).collect(),
        generation: -1,
        ..Subscriber::default()
    }
}

fn counts(counts: &[(&str, usize)]) -> BTreeMap<TopicName, usize> {
    counts.iter().map(|(topic, count)| (TopicName::from(*topic), *count)).collect()
}

/// The members after they have taken what they were given.
fn settled(members: &mut [Subscriber], division: &Division, generation: i32) {
    for member in members {
        member.owned = division[&member.member_id].clone();
        member.generation = generation;
    }
}

fn sizes(division: &Division) -> Vec<usize> {
    division.values().map(BTreeSet::len).collect()
}

/// How many partitions have an owner that had something else before.
fn moves(members: &[Subscriber], division: &Division) -> usize {
    let gone = |m: &Subscriber| m.owned.difference(&division[&m.member_id]).count();
    members.iter().map(gone).sum()
}

#[test]
fn shares_are_even_and_members_keep_what_they_have() {
    let counts = counts(&[("a", 5), ("b", 4)]);
    let mut members = vec![member("m1", &["a", "b"]), member("m2", &["a", "b"])];
    let first = divide(&members, &counts);
    assert_eq!(sizes(&first).iter().sum::<usize>(), 9);
    assert_eq!(*sizes(&first).iter().max().unwrap(), 5);
    settled(&mut members, &first, 1);
    assert_eq!(divide(&members, &counts), first);

    // A third one gets a third: nothing moves that need not.
    members.push(member("m3", &["a", "b"]));
    let third = divide(&members, &counts);
    assert_eq!(sizes(&third), [3, 3, 3]);
    assert_eq!(moves(&members, &third), 3);
    settled(&mut members, &third, 2);

    // And when it goes, the others keep theirs.
    members.pop();
    let two = divide(&members, &counts);
    assert_eq!((sizes(&two).iter().sum::<usize>(), moves(&members, &two)), (9, 0));
}

#[test]
fn members_get_only_what_they_read() {
    let counts = counts(&[("a", 2), ("b", 4)]);
    let members = [member("m1", &["a", "b"]), member("m2", &["b"]), member("m3", &["gone"])];
    let division = divide(&members, &counts);
    assert_eq!(sizes(&division), [3, 3, 0]);
    assert!(division["m2"].iter().all(|partition| &*partition.topic == "b"));
}

#[test]
fn of_two_owners_the_later_one_is_right_and_equals_are_not() {
    let counts = counts(&[("a", 2)]);
    let owned = |generation, mut member: Subscriber| {
        member.owned = [TopicPartition::new("a", 0)].into();
        member.generation = generation;
        member
    };
    let members = [owned(3, member("m1", &["a"])), owned(4, member("m2", &["a"]))];
    assert!(divide(&members, &counts)["m2"].contains(&TopicPartition::new("a", 0)));
    let members = [owned(4, member("m1", &["a"])), owned(4, member("m2", &["a"]))];
    assert_eq!(sizes(&divide(&members, &counts)), [1, 1]);
    // What is not there, or not read any more, is nobody's.
    let members = [owned(4, member("m1", &["b"])), member("m2", &["a"])];
    assert_eq!(sizes(&divide(&members, &counts)), [0, 2]);
}
