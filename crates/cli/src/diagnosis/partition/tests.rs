use super::*;

fn live(live: &[i32], fenced: &[i32]) -> Brokers {
    Brokers { live: live.iter().copied().collect(), fenced: fenced.iter().copied().collect() }
}

fn partition(leader: Option<i32>, replicas: &[i32], isr: &[i32]) -> PartitionDescription {
    PartitionDescription {
        leader,
        replicas: replicas.to_vec(),
        isr: isr.to_vec(),
        elr: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..PartitionDescription::default()
    }
}

/// The finding about one partition as a line, and the advice.
fn said(partition: &PartitionDescription, brokers: &Brokers, min: usize) -> Vec<String> {
    let condition = condition(partition, brokers, Some(min));
    let finding = condition.finding(&["orders-0".to_owned()]);
    finding.into_iter().flat_map(|it| std::iter::once(it.says).chain(it.advice)).collect()
}

#[test]
fn a_whole_partition_is_no_finding() {
    assert!(
        said(&partition(Some(1), &[1, 2, 3], &[3, 2, 1]), &live(&[1, 2, 3], &[]), 2).is_empty()
    );
}

#[test]
fn without_a_leader_it_is_said_who_has_the_records() {
    let dead = partition(None, &[1, 2, 3], &[2]);
    assert_eq!(
        said(&dead, &live(&[1, 3], &[2]), 1),
        [
            "orders-0 can be neither written nor read: there is no leader; only broker 2 has all its \
             records, and it is down",
            "Start broker 2. If it is gone for good, `kafka-leader-election --election-type unclean` lets \
             brokers 1 and 3 lead, and says first which records are given up.",
        ]
    );
    assert_eq!(
        said(&partition(None, &[2], &[2]), &live(&[1, 3], &[2]), 1)[1],
        "Start broker 2: no other replica is live."
    );
}

#[test]
fn eligible_leaders_outside_the_isr_count_as_complete() {
    let mut waiting = partition(None, &[1, 2, 3], &[]);
    waiting.elr = Some(vec![3]);
    assert_eq!(
        condition(&waiting, &live(&[1], &[2, 3]), None),
        Condition::Leaderless { complete: vec![3], incomplete: vec![1] }
    );
    assert_eq!(
        condition(&waiting, &live(&[1, 3], &[2]), None),
        Condition::Electing { candidates: vec![3] }
    );
    waiting.elr = Some(Vec::new());
    waiting.last_known_elr = Some(vec![2]);
    assert_eq!(
        condition(&waiting, &live(&[1], &[2, 3]), None),
        Condition::Leaderless { complete: vec![2], incomplete: vec![1] }
    );
}

#[test]
fn too_few_in_sync_refuse_acks_all() {
    let thin = partition(Some(1), &[1, 2, 3], &[1]);
    assert_eq!(
        said(&thin, &live(&[1, 3], &[2]), 2),
        [
            "orders-0 can be read, but not written with acks=all (NOT_ENOUGH_REPLICAS): \
             min.insync.replicas is 2, and in sync is only broker 1; broker 2 is down, broker 3 is live \
             but not in sync",
            "Start broker 2, or move the replicas elsewhere with kafka-reassign-partitions.",
        ]
    );
}

#[test]
fn more_wanted_than_there_are_can_never_be_written() {
    let said = said(&partition(Some(1), &[1], &[1]), &live(&[1], &[]), 2);
    assert_eq!(
        said[0],
        "orders-0 cannot be written with acks=all: min.insync.replicas is 2, with only 1 replica"
    );
}

#[test]
fn a_missing_replica_is_a_warning_while_enough_are_left() {
    let thin = partition(Some(1), &[1, 2, 3], &[1, 3]);
    let brokers = live(&[1, 3], &[]);
    assert_eq!(
        said(&thin, &brokers, 1)[0],
        "orders-0 can be written and read, but broker 2 is down"
    );
    assert_eq!(
        said(&thin, &brokers, 2)[0],
        "orders-0 can be written and read, but broker 2 is down; one more loss, and acks=all is refused"
    );
    assert_eq!(
        said(&thin, &live(&[1, 2, 3], &[]), 1)[1],
        "Wait until broker 2 has caught up; if that does not come, look into the log there and at its disk."
    );
}
