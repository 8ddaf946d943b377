use ottla_client::admin::PartitionDescription;

use super::*;

fn partition(index: i32, leader: Option<i32>, isr: &[i32]) -> PartitionDescription {
    PartitionDescription {
        partition: index,
        leader,
        replicas: vec![1, 2],
        isr: isr.to_vec(),
        ..PartitionDescription::default()
    }
}

fn ends(first: i64, stable: i64, high_watermark: i64) -> Result<Ends, String> {
    Ok(Ends { first, stable, high_watermark })
}

fn facts() -> TopicFacts {
    TopicFacts {
        description: TopicDescription {
            name: "orders".to_owned(),
            partitions: vec![partition(0, Some(1), &[1, 2]), partition(1, Some(2), &[1, 2])],
            ..TopicDescription::default()
        },
        only: None,
        brokers: Brokers { live: [1, 2].into(), fenced: BTreeSet::new() },
        min_isr: Some(1),
        compacted: false,
        ends: [(0, ends(0, 5, 5)), (1, ends(2, 4, 4))].into(),
        moving: BTreeSet::new(),
    }
}

fn said(facts: &TopicFacts) -> Vec<String> {
    judge(facts).into_iter().map(|it| format!("{:?}: {}", it.gravity, it.says)).collect()
}

#[test]
fn a_topic_that_is_well() {
    assert_eq!(
        said(&facts()),
        ["Ok: orders (2 partitions) can be written and read; it holds 7 records"]
    );
    let empty = TopicFacts { ends: [(1, ends(4, 4, 4))].into(), only: Some(1), ..facts() };
    assert_eq!(
        said(&empty),
        [
            "Ok: orders-1 can be written and read; it holds no records, so readers wait for the first"
        ]
    );
}

#[test]
fn only_what_was_asked_about_is_told() {
    let mut facts = facts();
    facts.description.partitions[0] = partition(0, None, &[2]);
    facts.brokers = Brokers { live: [1].into(), fenced: [2].into() };
    facts.only = Some(1);
    assert!(said(&facts)[0].starts_with("Ok: orders-1 can be written"), "{:?}", said(&facts));
    facts.only = Some(0);
    assert!(said(&facts)[0].starts_with("Problem: orders-0 can be neither"), "{:?}", said(&facts));
    facts.only = Some(7);
    assert_eq!(said(&facts), ["Problem: orders has no partition 7: they are 0 to 1"]);
}

#[test]
fn a_leader_that_is_out_of_reach_is_no_leader_for_us() {
    let silent = "broker2:9092: cannot connect".to_owned();
    let facts = TopicFacts { ends: [(0, ends(0, 5, 5)), (1, Err(silent))].into(), ..facts() };
    assert_eq!(
        said(&facts),
        [
            "Problem: orders-1 has a leader, but it does not serve from here: broker2:9092: cannot connect"
        ]
    );
}

#[test]
fn what_else_is_worth_knowing() {
    let facts = TopicFacts {
        ends: [(0, ends(0, 3, 5))].into(),
        compacted: true,
        moving: [1].into(),
        ..facts()
    };
    assert_eq!(
        said(&facts),
        [
            "Ok: orders (2 partitions) can be written and read; it holds 5 records",
            "Warning: orders-0: readers with isolation.level=read_committed come to offset 3 only, others \
             to 5: a transaction is open",
            "Note: orders-1 is being moved to other brokers",
            "Note: orders is compacted: a record without a key is refused (INVALID_RECORD)",
        ]
    );
}
