use ottla_client::ApiError;
use ottla_client::HostPort;
use ottla_client::admin::{
    ClusterNode, PartitionDescription, QuorumReplica, TopicDescription, Volume,
};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::KafkaUuid;

use super::*;
use crate::diagnosis::Gravity;

const NOW: i64 = 1_000_000;

fn local(port: u16) -> HostPort {
    HostPort { host: "localhost".to_owned(), port }
}

fn answering(id: i32) -> Dialled {
    Dialled::Spoke(Spoken::Broker { cluster_id: Some("c".to_owned()), id: Some(id) })
}

fn node(id: i32) -> BrokerFacts {
    let port = 9091 + u16::try_from(id).expect("small");
    let node = ClusterNode { id, address: local(port), rack: None, fenced: false };
    let dir = LogDir {
        path: "/data".to_owned(),
        error: None,
        replicas: Vec::new(),
        volume: Some(Volume { total_bytes: 100 << 30, usable_bytes: 50 << 30 }),
    };
    BrokerFacts { node, dialled: answering(id), dirs: vec![dir] }
}

fn voter(id: i32, seen_ms_ago: i64) -> QuorumReplica {
    QuorumReplica {
        id,
        directory_id: KafkaUuid::ZERO,
        log_end_offset: 10,
        last_fetch_timestamp: NOW - seen_ms_ago,
        last_caught_up_timestamp: NOW - seen_ms_ago,
        endpoints: Vec::new(),
    }
}

fn topic(isr: &[i32]) -> TopicFacts {
    let partition = PartitionDescription {
        leader: isr.first().copied(),
        replicas: vec![1, 2, 3],
        isr: isr.to_vec(),
        ..PartitionDescription::default()
    };
    let description = TopicDescription {
        name: "orders".to_owned(),
        partitions: vec![partition],
        ..TopicDescription::default()
    };
    TopicFacts { description, min_isr: Some(2) }
}

/// Three brokers on this machine, and nothing wrong.
fn healthy() -> (Facts, ClusterFacts) {
    let quorum = Quorum {
        leader: 1,
        leader_epoch: 1,
        high_watermark: 10,
        voters: vec![voter(1, 0), voter(2, 100), voter(3, 100)],
        observers: Vec::new(),
    };
    let cluster = ClusterFacts {
        id: "c".to_owned(),
        reached_by: "localhost".to_owned(),
        brokers: vec![node(1), node(2), node(3)],
        topics: vec![topic(&[1, 2, 3])],
        quorum: Ok(quorum),
        clock_ahead_ms: Some(5),
    };
    let bootstrap = vec![(local(9092), answering(1))];
    (Facts { bootstrap, cluster: None, processes: Vec::new() }, cluster)
}

/// The findings that are not well, one line each, after `change` has broken something.
fn ailing(change: impl FnOnce(&mut ClusterFacts)) -> Vec<String> {
    let (facts, mut cluster) = healthy();
    change(&mut cluster);
    let findings = judge(&Facts { cluster: Some(Ok(cluster)), ..facts });
    findings
        .into_iter()
        .filter(|finding| finding.gravity >= Gravity::Warning)
        .map(|finding| format!("{:?}: {}", finding.gravity, finding.says))
        .collect()
}

#[test]
fn a_healthy_cluster_is_told_in_full() {
    let (facts, cluster) = healthy();
    let findings = judge(&Facts { cluster: Some(Ok(cluster)), ..facts });
    let lines: Vec<_> =
        findings.iter().map(|it| format!("{:?}: {}", it.gravity, it.says)).collect();
    assert_eq!(
        lines,
        [
            "Ok: localhost:9092 answers as a broker",
            "Ok: broker 1 answers at localhost:9092, its advertised address",
            "Ok: broker 2 answers at localhost:9093, its advertised address",
            "Ok: broker 3 answers at localhost:9094, its advertised address",
            "Note: brokers 1, 2 and 3 can be used from this machine only, being advertised as localhost",
            "Ok: controller 1 is active, of 3 voters",
            "Ok: 1 partition of 1 topic: each has a leader and all its replicas in sync",
        ]
    );
}

#[test]
fn a_dead_broker_and_what_it_costs() {
    let said = ailing(|cluster| {
        cluster.brokers[1].node.fenced = true;
        cluster.brokers[1].dialled = Dialled::Refused;
        cluster.topics = vec![topic(&[1, 3])];
        if let Ok(quorum) = &mut cluster.quorum {
            quorum.voters[1] = voter(2, 60_000);
        }
    });
    assert_eq!(
        said,
        [
            "Problem: broker 2 is down: nothing answers at localhost:9093",
            "Warning: controller 1 is active, but does not hear from 1 of 3 voters (2): one more loss, and \
             nothing can change any more",
            "Warning: orders-0 can be written and read, but broker 2 is down; one more loss, and acks=all \
             is refused",
        ]
    );
}

#[test]
fn a_paused_and_a_cut_off_broker_are_told_from_a_dead_one() {
    let paused = ailing(|cluster| {
        cluster.brokers[1].node.fenced = true;
        cluster.brokers[1].dialled = Dialled::Silent { connected: true };
    });
    assert_eq!(
        paused,
        ["Problem: broker 2 is down: the process at localhost:9093 does not answer"]
    );
    let cut_off = ailing(|cluster| cluster.brokers[1].node.fenced = true);
    assert!(cut_off[0].contains("runs at localhost:9093, but is fenced"), "{cut_off:?}");
}

#[test]
fn disks_that_fail_or_fill_up() {
    let full = |usable_bytes| {
        ailing(|cluster| {
            cluster.brokers[0].dirs[0].volume =
                Some(Volume { total_bytes: 100 << 30, usable_bytes });
        })
    };
    assert_eq!(
        full(5 << 30),
        ["Warning: the volume of /data on broker 1 is nearly full: 5120 MiB are left, 5 % of it"]
    );
    assert!(full(1 << 30)[0].starts_with("Problem"));
    assert!(full(11 << 30).is_empty());
    let failed = ailing(|cluster| {
        cluster.brokers[0].dirs[0].error = Some(ApiError::of(ErrorCode::KafkaStorageError));
    });
    assert!(failed[0].starts_with("Problem: broker 1 has lost log directory /data"), "{failed:?}");
}

#[test]
fn clocks_and_controllers() {
    assert_eq!(
        ailing(|cluster| cluster.clock_ahead_ms = Some(-90_000)),
        ["Warning: the active controller's clock is 90 s behind this machine's"]
    );
    assert!(ailing(|cluster| cluster.clock_ahead_ms = None).is_empty());
    let headless = ailing(|cluster| cluster.quorum = Err("no answer".to_owned()));
    assert_eq!(headless, ["Problem: no controller is active: no answer"]);
    let two = ailing(|cluster| {
        if let Ok(quorum) = &mut cluster.quorum {
            quorum.voters.truncate(2);
        }
    });
    assert!(two[0].contains("two voters are worse than one"), "{two:?}");
}

#[test]
fn partitions_that_ail_alike_are_one_finding() {
    let said = ailing(|cluster| {
        let mut other = topic(&[1]);
        other.description.name = "payments".to_owned();
        cluster.topics = vec![topic(&[1]), other, topic(&[1, 2, 3])];
    });
    assert_eq!(
        said,
        ["Problem: orders-0 and payments-0 can be read, but not written with acks=all \
          (NOT_ENOUGH_REPLICAS): min.insync.replicas is 2, and in sync is only broker 1; brokers 2 and 3 \
          are live but not in sync"]
    );
}

#[test]
fn open_files_run_out() {
    let of = |open, limit| files(&OpenFiles { pid: 7, open, limit }).map(|finding| finding.gravity);
    assert_eq!(of(100, 1 << 20), None);
    assert_eq!(of(100, 1024), Some(Gravity::Warning));
    assert_eq!(of(900_000, 1 << 20), Some(Gravity::Problem));
}

#[test]
fn without_a_broker_only_the_addresses_are_told() {
    let bootstrap = vec![(local(9092), Dialled::Refused)];
    let findings = judge(&Facts { bootstrap, cluster: None, processes: Vec::new() });
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].gravity, Gravity::Problem);
}
