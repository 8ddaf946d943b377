use ottla_client::HostPort;
use ottla_client::admin::{ClusterNode, TopicDescription};

use super::*;

fn topic(leader: i32, isr: &[i32]) -> TopicFacts {
    let partition = PartitionDescription {
        leader: Some(leader),
        replicas: vec![2, 1],
        isr: isr.to_vec(),
        ..PartitionDescription::default()
    };
    let description = TopicDescription {
        name: "orders".to_owned(),
        partitions: vec![partition],
        ..TopicDescription::default()
    };
    TopicFacts { description, min_isr: None }
}

fn facts(fenced: bool, dialled: Dialled, topics: Vec<TopicFacts>) -> Facts {
    let address = HostPort { host: "localhost".to_owned(), port: 9093 };
    let node = ClusterNode { id: 2, address, rack: None, fenced };
    Facts {
        id: 2,
        broker: Some(BrokerFacts { node, dialled, dirs: Vec::new() }),
        registered: vec![1, 2],
        cluster_id: "c".to_owned(),
        reached_by: Some("localhost".to_owned()),
        topics,
    }
}

fn answering() -> Dialled {
    Dialled::Spoke(Spoken::Broker { cluster_id: Some("c".to_owned()), id: Some(2) })
}

fn said(facts: &Facts) -> Vec<String> {
    judge(facts).into_iter().map(|it| format!("{:?}: {}", it.gravity, it.says)).collect()
}

#[test]
fn a_broker_that_serves() {
    assert_eq!(
        said(&facts(false, answering(), vec![topic(2, &[1, 2])])),
        [
            "Ok: broker 2 answers at localhost:9093, its advertised address",
            "Note: broker 2 holds 1 replica and leads 1 partition",
        ]
    );
}

#[test]
fn a_broker_that_is_back_but_not_yet_whole() {
    assert_eq!(
        said(&facts(false, answering(), vec![topic(1, &[1])]))[2..],
        [
            "Warning: broker 2 is not in sync in orders-0",
            "Note: broker 2 leads nothing though it comes first in 1 partition: leaders stay where they \
             are after a restart",
        ]
    );
}

#[test]
fn a_broker_that_is_down_or_unknown() {
    let down = said(&facts(true, Dialled::Refused, vec![topic(1, &[1])]));
    assert_eq!(down[0], "Problem: broker 2 is down: nothing answers at localhost:9093");
    assert_eq!(down.len(), 2);
    let unknown = Facts { id: 7, broker: None, ..facts(false, answering(), Vec::new()) };
    let findings = judge(&unknown);
    assert_eq!(findings[0].says, "broker 7 is not registered; those that are: 1 and 2");
    assert!(is_unknown(&findings[0]));
}
