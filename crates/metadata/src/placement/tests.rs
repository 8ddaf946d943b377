use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Candidate, PlacementError, place};

fn brokers(racks: &[&str]) -> Vec<Candidate> {
    (1..)
        .zip(racks)
        .map(|(id, rack)| Candidate {
            id,
            rack: (!rack.is_empty()).then(|| (*rack).into()),
            active: true,
        })
        .collect()
}

fn count<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

#[test]
fn leaders_and_replicas_are_spread_evenly() {
    let places = place(&brokers(&[""; 5]), 1, 50, 3).expect("enough brokers");
    let leaders = count(places.iter().map(|replicas| replicas[0]));
    assert!(leaders.values().all(|led| *led == 10), "{leaders:?}");
    let replicas = count(places.iter().flatten());
    assert!(replicas.values().all(|held| *held == 30), "{replicas:?}");
}

#[test]
fn partitions_of_one_leader_are_followed_by_different_brokers() {
    let places = place(&brokers(&[""; 5]), 1, 100, 2).expect("enough brokers");
    let followers: BTreeSet<_> =
        places.iter().filter(|replicas| replicas[0] == 1).map(|replicas| replicas[1]).collect();
    assert!(followers.len() > 1, "{followers:?}");
}

#[test]
fn replicas_go_to_different_racks() {
    let brokers = brokers(&["a", "a", "a", "b", "b", "b", "c", "c", "c"]);
    let places = place(&brokers, 9, 36, 3).expect("enough brokers");
    for replicas in &places {
        let racks: BTreeSet<_> = replicas.iter().map(|id| (id - 1) / 3).collect();
        assert_eq!(racks.len(), 3, "{replicas:?}");
    }
    let leaders = count(places.iter().map(|replicas| replicas[0]));
    assert!(leaders.len() == 9 && leaders.values().all(|led| *led == 4), "{leaders:?}");
}

#[test]
fn inactive_brokers_are_used_last() {
    let mut candidates = brokers(&["a", "a", "b", "b"]);
    candidates[2].active = false;
    candidates[3].active = false;
    for replicas in place(&candidates, 3, 10, 2).expect("enough brokers") {
        assert!(replicas.iter().all(|id| *id <= 2), "{replicas:?}");
    }
    for replicas in place(&candidates, 3, 10, 3).expect("enough brokers") {
        assert!(replicas[0] <= 2 && replicas[1] <= 2 && replicas[2] > 2, "{replicas:?}");
    }
    candidates.iter_mut().for_each(|broker| broker.active = false);
    assert_eq!(place(&candidates, 3, 1, 1), Err(PlacementError::AllFenced));
}

proptest! {
    #[test]
    fn replicas_are_distinct_and_as_many_as_wanted(
        racks in prop::collection::vec((prop::option::of(0..3_u8), any::<bool>()), 1..9),
        seed: u64,
        partitions in 1..40_usize,
        replication_factor in 1..6_usize,
    ) {
        let candidates: Vec<_> = (0..)
            .zip(&racks)
            .map(|(id, (rack, active))| Candidate {
                id,
                rack: rack.map(|rack| rack.to_string().into()),
                active: *active,
            })
            .collect();
        let Ok(places) = place(&candidates, seed, partitions, replication_factor) else {
            let active = candidates.iter().any(|broker| broker.active);
            prop_assert!(!active || replication_factor > candidates.len());
            return Ok(());
        };
        prop_assert_eq!(places.len(), partitions);
        for replicas in places {
            let distinct: BTreeSet<_> = replicas.iter().collect();
            prop_assert_eq!(distinct.len(), replication_factor);
            prop_assert!(candidates[replicas[0] as usize].active);
        }
    }
}
