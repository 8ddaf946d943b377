use ottla_client::{HostPort, Node};

use super::*;

fn member(client: &str, assigned: &[i32]) -> GroupMember {
    GroupMember {
        member_id: client.to_owned(),
        instance_id: None,
        client_id: client.to_owned(),
        host: "/10.0.0.7".to_owned(),
        assignment: assigned.iter().map(|index| TopicPartition::new("orders", *index)).collect(),
        target_assignment: None,
        member_epoch: None,
        upgraded: None,
    }
}

fn facts(state: GroupState, members: Vec<GroupMember>) -> GroupFacts {
    let address = HostPort { host: "localhost".to_owned(), port: 9092 };
    let description = GroupDescription {
        group_id: "mail".to_owned(),
        group_type: GroupType::Classic,
        state,
        assignor: "range".to_owned(),
        coordinator: Node { id: 2, address, rack: None },
        group_epoch: None,
        target_assignment_epoch: None,
        members,
    };
    GroupFacts {
        id: "mail".to_owned(),
        description: Ok(description),
        home: Some(("__consumer_offsets-7".to_owned(), Condition::Whole)),
        positions: Vec::new(),
    }
}

fn position(committed: i64, first: i64, high_watermark: i64) -> Position {
    Position {
        partition: TopicPartition::new("orders", 0),
        committed,
        ends: Some(Ends { first, stable: high_watermark, high_watermark }),
    }
}

fn said(facts: &GroupFacts) -> Vec<String> {
    judge(facts).into_iter().map(|it| format!("{:?}: {}", it.gravity, it.says)).collect()
}

#[test]
fn a_group_that_is_well() {
    let mut facts = facts(GroupState::Stable, vec![member("a", &[0])]);
    facts.positions = vec![position(5, 0, 5)];
    assert_eq!(
        said(&facts),
        [
            "Ok: mail can be joined (classic protocol, assignor range): broker 2 coordinates it, with 1 member"
        ]
    );
    facts.positions = vec![position(3, 0, 5)];
    assert_eq!(said(&facts)[1], "Note: 2 records wait to be read by mail");
}

#[test]
fn its_partition_of_offsets_decides() {
    let dead = Condition::Leaderless { complete: vec![3], incomplete: Vec::new() };
    let mut facts = facts(GroupState::Stable, Vec::new());
    facts.description = Err("timed out".to_owned());
    facts.home = Some(("__consumer_offsets-7".to_owned(), dead));
    assert_eq!(
        said(&facts),
        ["Problem: mail cannot be joined or read from, because __consumer_offsets-7 keeps it: \
          __consumer_offsets-7 can be neither written nor read: there is no leader; only broker 3 has all \
          its records, and it is down"]
    );
    facts.home = None;
    assert_eq!(
        said(&facts),
        ["Problem: mail cannot be joined: its coordinator does not answer: timed out"]
    );
}

#[test]
fn a_rebalance_says_whom_it_waits_for() {
    let facts = facts(GroupState::PreparingRebalance, vec![member("a", &[]), member("b", &[])]);
    assert_eq!(
        said(&facts)[1],
        "Warning: mail is rebalancing: it waits until each of its 2 members has joined again"
    );
}

#[test]
fn members_beyond_the_partitions_are_idle() {
    let facts = facts(GroupState::Stable, vec![member("a", &[0]), member("b", &[])]);
    assert_eq!(
        said(&facts)[1],
        "Note: 1 of 2 members of mail reads nothing (b at 10.0.0.7): only 1 partition to share"
    );
}

#[test]
fn positions_outside_the_log_are_told() {
    let mut facts = facts(GroupState::Empty, Vec::new());
    facts.positions = vec![position(3, 10, 20), position(30, 10, 20)];
    let said = said(&facts);
    assert!(said[1].starts_with("Note: mail has no members"), "{said:?}");
    assert!(said[2].contains("which now begins at 10: it has missed 7 records"), "{said:?}");
    assert!(said[3].contains("which ends at 20: the topic was made anew"), "{said:?}");
    facts.positions = vec![Position { ends: None, ..position(3, 0, 0) }];
    let said: Vec<_> = judge(&facts).into_iter().collect();
    assert_eq!(said[1].says, "mail cannot read orders-0: no leader answers");
    assert_eq!(said[1].advice.as_deref(), Some("`ottla explain orders/0` says why."));
}

#[test]
fn a_group_is_where_kafka_puts_it() {
    // Computed by Java.
    assert_eq!(partition_of("hello", 50), Some(22));
    assert_eq!(partition_of("polygenelubricants", 50), Some(0));
    assert_eq!(partition_of("anything", 0), None);
}
