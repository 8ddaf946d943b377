use ottla_client::HostPort;
use ottla_client::admin::{Quorum, QuorumEndpoint, QuorumReplica};
use ottla_protocol::ids::KafkaUuid;

use super::*;

fn voter(id: i32, log_end_offset: i64, fetched: i64, caught_up: i64) -> QuorumReplica {
    let port = 9191 + u16::try_from(id).unwrap();
    QuorumReplica {
        id,
        directory_id: KafkaUuid::ZERO,
        log_end_offset,
        last_fetch_timestamp: fetched,
        last_caught_up_timestamp: caught_up,
        endpoints: vec![QuorumEndpoint {
            listener: "CONTROLLER".to_owned(),
            address: HostPort { host: "127.0.0.1".to_owned(), port },
        }],
    }
}

fn quorum() -> Quorum {
    Quorum {
        leader: 2,
        leader_epoch: 1,
        high_watermark: 243,
        voters: vec![
            voter(1, 246, 1_795_255_203_350, 1_795_255_203_350),
            voter(2, 246, 1_795_255_203_611, 1_795_255_203_611),
            voter(3, 244, 1_795_255_203_350, 1_795_255_203_350),
        ],
        observers: Vec::new(),
    }
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn status_is_kafkas() {
    let text = render::status("houJMtKYROqWVJCHyyPPfg", &quorum());
    assert_eq!(
        text,
        "ClusterId:              houJMtKYROqWVJCHyyPPfg\n\
         LeaderId:               2\n\
         LeaderEpoch:            1\n\
         HighWatermark:          243\n\
         MaxFollowerLag:         2\n\
         MaxFollowerLagTimeMs:   261\n\
         CurrentVoters:          [{\"id\": 1, \"endpoints\": [\"CONTROLLER://127.0.0.1:9192\"]}, \
         {\"id\": 2, \"endpoints\": [\"CONTROLLER://127.0.0.1:9193\"]}, \
         {\"id\": 3, \"endpoints\": [\"CONTROLLER://127.0.0.1:9194\"]}]\n\
         CurrentObservers:       []"
    );
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn replication_is_kafkas_table() {
    let text = render::replication(&quorum(), None);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "NodeId\tDirectoryId           \tLogEndOffset\tLag\tLastFetchTimestamp\t\
         LastCaughtUpTimestamp\tStatus  \t"
    );
    assert_eq!(
        lines[1],
        "2     \tAAAAAAAAAAAAAAAAAAAAAA\t246         \t0  \t1795255203611     \t\
         1795255203611        \tLeader  \t"
    );
    assert_eq!(lines.len(), 4);
    let human = render::replication(&quorum(), Some(1_795_255_203_666));
    assert!(human.lines().nth(1).unwrap().contains("\t55 ms ago "), "{human}");
}

fn given(line: &str) -> Result<Command, String> {
    let args: Vec<_> = line.split_whitespace().map(OsString::from).collect();
    command(&args).map_err(|answer| match answer {
        Answer::Refused(refusal) => refusal.text(),
        Answer::Said(text) | Answer::Complaint(text) => text,
    })
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn wrong_options_are_answered_as_by_kafka() {
    let server = "--bootstrap-server localhost:9092";
    for (rest, message) in [
        (
            "describe",
            "One of --status or --replication must be specified with describe sub-command",
        ),
        (
            "describe --status --replication",
            "Only one of --status or --replication should be specified with describe sub-command",
        ),
        (
            "describe --status --human-readable",
            "The option --human-readable is only supported along with --replication",
        ),
        (
            "remove-controller --controller-id 2 --controller-directory-id nonsense",
            "Failed to parse --controller-directory-id: Input string `nonsense` decoded as 6 bytes, \
             which is not equal to the expected 16 bytes of a base64-encoded UUID",
        ),
    ] {
        assert_eq!(given(&format!("{server} {rest}")).unwrap_err(), message);
    }
    for line in ["", server, "describe --status", "nonsense", "--version"] {
        assert!(given(line).unwrap_err().starts_with("usage: kafka-metadata-quorum"), "{line}");
    }
    let status = given(&format!("{server} describe --status")).unwrap();
    assert_eq!((status.bootstrap.as_str(), status.wanted), ("localhost:9092", Wanted::Status));
    let remove = format!("{server} remove-controller -i 2 -d AAAAAAAAAAAAAAAAAAAAAQ");
    assert!(matches!(given(&remove).unwrap().wanted, Wanted::Remove { id: 2, .. }));
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn a_controller_to_be_added_is_read_from_its_own_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("meta.properties"),
        "version=1\nnode.id=1\ndirectory.id=yZCK2m_Y_7KsPQlcQydxZw\n",
    )
    .unwrap();
    let text = format!(
        "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9192\n\
         advertised.listeners=CONTROLLER://127.0.0.1:9192\ncontroller.listener.names=CONTROLLER\n\
         log.dirs={}",
        dir.path().display()
    );
    let properties = |text: &str| crate::properties::read_pairs(text.lines());
    let controller = Controller::of(&properties(&text)).unwrap();
    assert_eq!(
        controller.to_string(),
        "controller 1 with directory id yZCK2m_Y_7KsPQlcQydxZw and endpoints: \
         CONTROLLER://127.0.0.1:9192"
    );
    for (without, message) in [
        (
            "node.id=1\n",
            "node.id not found in configuration file. Is this a valid controller configuration file?",
        ),
        (
            "controller.listener.names=CONTROLLER\n",
            "controller.listener.names was not found. Is this a valid controller configuration file?",
        ),
        (
            "broker,controller",
            "process.roles did not contain 'controller' in configuration file. Is this a valid \
             controller configuration file?",
        ),
    ] {
        assert_eq!(Controller::of(&properties(&text.replace(without, ""))).unwrap_err(), message);
    }
}
