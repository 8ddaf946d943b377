use super::*;

fn acked(partition: i32, offset: i64) -> Fate {
    Fate::Acked { partition, offset }
}

fn seen(partition: i32, offset: i64, sequence: Sequence) -> Seen {
    Seen { partition, offset, sequence }
}

/// Two partitions, six records, all well.
fn well() -> (Vec<Fate>, Vec<Seen>) {
    let fates = (0..6).map(|n| acked(n % 2, i64::from(n / 2))).collect();
    let read =
        [seen(0, 0, 0), seen(0, 1, 2), seen(0, 2, 4), seen(1, 0, 1), seen(1, 1, 3), seen(1, 2, 5)];
    (fates, read.to_vec())
}

#[test]
fn what_is_as_acknowledged_is_clean() {
    let (fates, read) = well();
    let findings = check(&fates, &read);
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!((findings.sent, findings.acked, findings.read), (6, 6, 6));
}

#[test]
fn a_missing_record_is_lost() {
    let (fates, mut read) = well();
    read.remove(2);
    let findings = check(&fates, &read);
    assert_eq!(findings.lost, [Culprit { sequence: 4, partition: 0, offset: 2 }]);
    assert!(!findings.is_clean());
}

#[test]
fn a_record_that_comes_twice_is_a_duplicate() {
    let (fates, mut read) = well();
    read.push(seen(1, 3, 5));
    let findings = check(&fates, &read);
    assert_eq!(findings.duplicated, [Culprit { sequence: 5, partition: 1, offset: 3 }]);
    assert!(findings.reordered.is_empty(), "a repetition is not disorder as well");
}

#[test]
fn a_record_behind_a_later_one_is_out_of_order() {
    let fates = [acked(0, 1), acked(0, 0), acked(0, 2)];
    let read = [seen(0, 0, 1), seen(0, 1, 0), seen(0, 2, 2)];
    let findings = check(&fates, &read);
    assert_eq!(findings.reordered, [Culprit { sequence: 0, partition: 0, offset: 1 }]);
    assert!(findings.lost.is_empty() && findings.moved.is_empty());
}

#[test]
fn a_record_at_another_offset_has_moved() {
    let (fates, mut read) = well();
    read[2].offset = 7;
    assert_eq!(check(&fates, &read).moved, [Culprit { sequence: 4, partition: 0, offset: 2 }]);
}

#[test]
fn unknown_fates_prove_nothing() {
    let fates = [acked(0, 1), Fate::Unknown, Fate::Unknown, acked(0, 2)];
    // One of the unknown is there, late and out of order; the other is not.
    let read = [seen(0, 0, 2), seen(0, 1, 0), seen(0, 2, 3)];
    let findings = check(&fates, &read);
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!((findings.unknown, findings.acked), (2, 2));
    // Twice is wrong whatever was said.
    let twice = [seen(0, 0, 2), seen(0, 1, 0), seen(0, 2, 3), seen(0, 3, 2)];
    assert_eq!(check(&fates, &twice).duplicated.len(), 1);
}

#[test]
fn a_refused_record_must_not_be_there() {
    let fates = [acked(0, 0), Fate::Refused];
    assert!(check(&fates, &[seen(0, 0, 0)]).is_clean());
    let findings = check(&fates, &[seen(0, 0, 0), seen(0, 1, 1)]);
    assert_eq!(findings.refused_but_read.len(), 1);
    assert!(!findings.is_clean());
}

#[test]
fn an_offset_that_the_broker_did_not_say_is_not_checked() {
    assert!(check(&[acked(0, -1)], &[seen(0, 12, 0)]).is_clean());
    assert_eq!(check(&[acked(0, -1)], &[]).lost.len(), 1);
}
