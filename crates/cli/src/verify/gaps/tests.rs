use super::*;

const ACKS: [Millis; 6] = [0.0, 5.0, 10.0, 210.0, 215.0, 320.0];

#[test]
fn the_longest_gap_is_found_with_its_beginning() {
    assert_eq!(longest(&ACKS, 325.0, 0.0, 325.0), Gap { ms: 200.0, from_ms: 10.0 });
    assert_eq!(longest(&ACKS, 900.0, 0.0, 900.0), Gap { ms: 580.0, from_ms: 320.0 });
    assert_eq!(longest(&[], 900.0, 0.0, 900.0), Gap { ms: 900.0, from_ms: 0.0 });
}

#[test]
fn each_break_has_the_gap_that_follows_it() {
    let gaps = after_each(&ACKS, 325.0, &[11.0, 218.0]);
    assert_eq!(gaps, [Gap { ms: 200.0, from_ms: 10.0 }, Gap { ms: 105.0, from_ms: 215.0 }]);
    assert_eq!(median(&gaps), Some(105.0));
    assert_eq!(median(&[]), None);
}
