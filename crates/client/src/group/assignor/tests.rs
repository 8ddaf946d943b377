use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ids::TopicPartition;

use super::{Assignor, Subscriber};

#[test]
fn names_are_kafkas() {
    for assignor in [Assignor::Range, Assignor::CooperativeSticky] {
        assert_eq!(Assignor::by_name(assignor.name()), Some(assignor));
    }
    assert_eq!(Assignor::by_name("sticky"), None);
}

#[test]
fn what_moves_belongs_to_nobody_until_it_is_given_up() {
    let member = |id: &str, owned: &[i32]| Subscriber {
        member_id: id.to_owned(),
        topics: BTreeSet::from(["t".into()]),
        owned: owned.iter().map(|&partition| TopicPartition::new("t", partition)).collect(),
        generation: 1,
        ..Subscriber::default()
    };
    let counts = BTreeMap::from([("t".into(), 4)]);
    let divide = |members: &[Subscriber]| -> Vec<usize> {
        let division = Assignor::CooperativeSticky.divide(members, &counts);
        division.values().map(BTreeSet::len).collect()
    };
    // One has everything and shall keep two; the new one gets its two in the next rebalance.
    assert_eq!(divide(&[member("a", &[0, 1, 2, 3]), member("b", &[])]), [2, 0]);
    assert_eq!(divide(&[member("a", &[0, 1]), member("b", &[])]), [2, 2]);
}
