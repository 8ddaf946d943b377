use std::sync::Arc;

use ottla_metadata::delta::{BrokerDelta, PartitionDelta};
use ottla_metadata::{Broker, Delta, FenceCause};
use ottla_protocol::ids::{KafkaUuid, TopicIdPartition};

use super::*;
use crate::watch::events::{Observer, concerns};

fn broker(id: i32, fenced: bool) -> Arc<Broker> {
    Arc::new(Broker {
        id,
        epoch: 7,
        incarnation_id: KafkaUuid::from_bytes([1; 16]),
        endpoints: Vec::new(),
        rack: None,
        inter_broker_listener: "PLAINTEXT".into(),
        fenced,
        in_controlled_shutdown: false,
        offline_replicas: Arc::default(),
    })
}

fn partition(leader: Option<i32>, leader_epoch: i32, isr: &[i32]) -> Arc<Partition> {
    Arc::new(Partition {
        replicas: vec![2, 3, 1],
        isr: isr.to_vec(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        adding_replicas: Vec::new(),
        removing_replicas: Vec::new(),
        leader,
        leader_epoch,
        partition_epoch: leader_epoch,
        leader_recovering: false,
    })
}

fn delta(
    timestamp_ms: i64,
    fenced: Option<(i32, FenceCause, i64)>,
    change: Option<(Arc<Partition>, Arc<Partition>)>,
) -> Delta {
    let mut delta = Delta { timestamp_ms, ..Delta::default() };
    if let Some((id, cause, detected_at_ms)) = fenced {
        let (old, new) = (Some(broker(id, false)), Some(broker(id, true)));
        delta.brokers.insert(id, BrokerDelta { old, new, cause, detected_at_ms });
    }
    if let Some((old, new)) = change {
        let id = TopicIdPartition { topic_id: KafkaUuid::from_bytes([2; 16]), partition: 0 };
        delta.partitions.insert(id, PartitionDelta { topic: "t".into(), old: Some(old), new });
    }
    delta
}

fn lines(observer: &mut Observer, delta: &Delta) -> Vec<String> {
    observer.changes(&Image::default(), delta).iter().map(line).collect()
}

#[test]
fn a_killed_leader_is_told_with_its_cause_and_how_long_the_partition_was_gone() {
    let change = (partition(Some(2), 4, &[2, 3, 1]), partition(Some(3), 5, &[3, 1]));
    let delta = delta(1143, Some((2, FenceCause::ConnectionRefused, 1000)), Some(change));
    assert_eq!(
        lines(&mut Observer::default(), &delta),
        [
            "broker 2: connection closed, reconnect refused → fenced, 143 ms after it was noticed",
            "t-0: leader 2 → 3, epoch 4 → 5, unavailable 143 ms",
            "t-0: in sync 3,1, 2 left",
        ]
    );
}

#[test]
fn a_partition_without_a_leader_is_gone_until_it_has_one_again() {
    let mut observer = Observer::default();
    let lost = (partition(Some(2), 4, &[2]), partition(None, 5, &[2]));
    let fence = Some((2, FenceCause::SessionExpired, 1000));
    assert_eq!(
        lines(&mut observer, &delta(2500, fence, Some(lost)))[1],
        "t-0: leader 2 → none, epoch 4 → 5"
    );
    let back = (partition(None, 5, &[2]), partition(Some(2), 6, &[2]));
    assert_eq!(
        lines(&mut observer, &delta(9000, None, Some(back))),
        ["t-0: leader none → 2, epoch 5 → 6, unavailable 8000 ms"]
    );
}

#[test]
fn a_handover_is_no_outage() {
    let change = (partition(Some(2), 4, &[2, 3]), partition(Some(3), 5, &[3, 2]));
    assert_eq!(
        lines(&mut Observer::default(), &delta(10, None, Some(change))),
        ["t-0: leader 2 → 3, epoch 4 → 5"]
    );
}

#[test]
fn a_controller_is_announced_once() {
    let mut observer = Observer::default();
    let mut say = |leader, term| observer.controller(0, leader, term).map(|event| line(&event));
    assert_eq!(say(1, 1).as_deref(), Some("controllers: 1 is active, term 1"));
    assert_eq!(say(1, 1), None);
    assert_eq!(say(3, 2).as_deref(), Some("controllers: active 1 → 3, term 2"));
    assert_eq!(say(-1, 3).as_deref(), Some("controllers: no leader known, term 3"));
}

#[test]
fn json_names_the_event_beside_its_facts() {
    let change = (partition(Some(2), 4, &[2, 3]), partition(Some(2), 4, &[2, 3, 1]));
    let events = Observer::default().changes(&Image::default(), &delta(5, None, Some(change)));
    assert_eq!(
        serde_json::to_string(&events[0]).expect("plain data"),
        r#"{"at_ms":5,"event":"isr","topic":"t","partition":0,"isr":[2,3,1],"left":[],"joined":[1]}"#
    );
    assert!(concerns(&events[0], Some("t")) && !concerns(&events[0], Some("u")));
}

#[test]
fn times_are_of_the_day() {
    assert_eq!(time_of_day(86_400_000 + 3_723_004), "01:02:03.004");
}
