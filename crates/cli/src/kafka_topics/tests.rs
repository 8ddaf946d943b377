use std::ffi::OsString;

use ottla_client::admin::{
    ConfigEntry, ConfigSource, PartitionDescription, Reassignment, TopicDescription,
};
use ottla_protocol::ids::TopicPartition;

use super::change::{assignment, configs};
use super::describe::{Described, Filters, Surroundings, render};
use super::options::{Action, Misuse, OPTIONS, check};
use super::select::IncludeList;
use crate::jopt;

fn complaint(line: &str) -> Result<Action, String> {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let given = jopt::parse(OPTIONS, &args).unwrap();
    check(&given, args.is_empty()).map_err(|misuse| match misuse {
        Misuse::Usage(message) => message,
        Misuse::Thrown(failure) => failure.thrown(),
        Misuse::Version => "version".to_owned(),
    })
}

#[test]
fn options_that_do_not_fit_are_named_as_kafka_names_them() {
    let server = "--bootstrap-server localhost:9092";
    for (line, message) in [
        ("", "Create, delete, describe, or change a topic."),
        (
            "--bootstrap-server a:1 --topic orders",
            "Command must include exactly one action: --list, --describe, --create, --alter or \
             --delete",
        ),
        (
            "--list --create",
            "Command must include exactly one action: --list, --describe, --create, --alter or \
             --delete",
        ),
        ("--list", "java.lang.IllegalArgumentException: --bootstrap-server must be specified"),
    ] {
        assert_eq!(complaint(line), Err(message.to_owned()), "{line}");
    }
    for (line, message) in [
        ("--create", "Missing required argument \"[topic]\""),
        ("--delete", "Missing required argument \"[topic]\""),
        ("--alter --topic orders", "Missing required argument \"[partitions]\""),
        (
            "--alter --topic orders --replication-factor 2",
            "Missing required argument \"[partitions]\"",
        ),
        (
            "--alter --topic orders --config retention.ms=1",
            "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \
             \"[alter]\" (To alter topic configurations, the kafka-configs tool can be used.)",
        ),
        ("--list --partitions 3", "Option \"[partitions]\" can't be used with option \"[list]\""),
        (
            "--list --replication-factor 1",
            "Option \"[replication-factor]\" can't be used with option \"[list]\"",
        ),
        ("--describe --config a=b", "Option \"[config]\" can't be used with option \"[describe]\""),
        (
            "--create --topic x --if-exists",
            "Option \"[if-exists]\" can't be used with option \"[create]\"",
        ),
        (
            "--list --if-not-exists",
            "Option \"[if-not-exists]\" can't be used with option \"[list]\"",
        ),
        (
            "--delete --topic x --topics-with-overrides",
            "Option \"[topics-with-overrides]\" can't be used with option \"[delete]\"",
        ),
        (
            "--list --under-replicated-partitions",
            "Option \"[under-replicated-partitions]\" can't be used with option \"[list]\"",
        ),
        (
            "--create --topic bad3 --replica-assignment 1:2 --partitions 1",
            "Option \"[replica-assignment]\" can't be used with option \"[partitions]\"",
        ),
    ] {
        assert_eq!(complaint(&format!("{server} {line}")), Err(message.to_owned()), "{line}");
    }
    let both =
        format!("{server} --describe --under-replicated-partitions --unavailable-partitions");
    assert_eq!(complaint(&both), Ok(Action::Describe));
}

#[test]
fn replica_assignments_are_checked_here() {
    let ok = assignment("1:2,2:3,3:1").unwrap();
    assert_eq!(
        ok.into_iter().collect::<Vec<_>>(),
        [(0, vec![1, 2]), (1, vec![2, 3]), (2, vec![3, 1])]
    );
    for (text, message) in [
        ("1:1", "Partition replica lists may not contain duplicate entries: 1"),
        ("1:2,3", "Partition 1 has different replication factor: [3]"),
        ("1:x", "For input string: \"x\""),
    ] {
        assert_eq!(assignment(text).unwrap_err().message, message);
    }
}

#[test]
fn configs_are_pairs() {
    let ok = configs(["retention.ms=1", "cleanup.policy = compact"].into_iter()).unwrap();
    assert_eq!(ok["cleanup.policy"], "compact");
    for bad in ["retention.ms", "retention.ms="] {
        assert_eq!(
            configs([bad].into_iter()).unwrap_err().message,
            "requirement failed: Invalid topic config: all configs to be added must be in the format \
             \"key=val\"."
        );
    }
}

#[test]
fn topic_patterns_match_whole_names() {
    let list = IncludeList::parse("my.*, orders").unwrap();
    assert!(list.allows("my.dots") && list.allows("orders") && !list.allows("orders2"));
    assert_eq!(IncludeList::parse("[*").unwrap_err().message, "[* is an invalid regex.");
}

fn partition(partition: i32, leader: i32, replicas: &[i32], isr: &[i32]) -> PartitionDescription {
    PartitionDescription {
        partition,
        leader: Some(leader).filter(|id| *id > 0),
        replicas: replicas.to_vec(),
        isr: isr.to_vec(),
        elr: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..Default::default()
    }
}

fn described(name: &str, id: &str, partitions: Vec<PartitionDescription>) -> Described {
    let entry = |name: &str, value: &str, source| ConfigEntry {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        source,
        sensitive: false,
        read_only: false,
        synonyms: Vec::new(),
    };
    Described {
        topic: TopicDescription {
            name: name.to_owned(),
            id: id.parse().unwrap(),
            internal: false,
            partitions,
        },
        configs: vec![
            entry("min.insync.replicas", "1", ConfigSource::DynamicDefaultBroker),
            entry("segment.bytes", "1073741824", ConfigSource::Default),
        ],
    }
}

fn text(described: &Described, surroundings: &Surroundings, filters: Filters) -> String {
    let mut text = String::new();
    render(&mut text, described, surroundings, filters);
    text
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn describe_prints_kafkas_lines() {
    let orders = described(
        "orders",
        "8Aezvd3BSY2oQpn0ezrrZg",
        vec![partition(0, 1, &[1, 2, 3], &[1, 2, 3]), partition(1, 2, &[2, 3, 1], &[2, 3, 1])],
    );
    let surroundings = Surroundings { live_brokers: [1, 2, 3].into(), ..Default::default() };
    assert_eq!(
        text(&orders, &surroundings, Filters::default()),
        "Topic: orders\tTopicId: 8Aezvd3BSY2oQpn0ezrrZg\tPartitionCount: 2\tReplicationFactor: \
         3\tConfigs: min.insync.replicas=1\n\
         \tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3\tElr: \t\
         LastKnownElr: \n\
         \tTopic: orders\tPartition: 1\tLeader: 2\tReplicas: 2,3,1\tIsr: 2,3,1\tElr: \t\
         LastKnownElr: \n"
    );
    let overrides = Filters { with_overrides: true, ..Default::default() };
    assert_eq!(text(&orders, &surroundings, overrides).lines().count(), 1);
}

#[test]
fn describe_tells_what_is_missing() {
    let mut dead = partition(0, -1, &[3, 1], &[]);
    dead.elr = Some(vec![3]);
    dead.last_known_elr = Some(vec![3]);
    let topic = described("unclean", "2fZwkNsCQCGZgYjECfeGKg", vec![dead]);
    let line = "\tTopic: unclean\tPartition: 0\tLeader: none\tReplicas: 3,1\tIsr: \tElr: 3\t\
                LastKnownElr: 3\n";
    for filters in [
        Filters { unavailable: true, ..Default::default() },
        Filters { under_replicated: true, ..Default::default() },
        Filters { under_min_isr: true, ..Default::default() },
    ] {
        assert_eq!(text(&topic, &Surroundings::default(), filters), line, "{filters:?}");
    }
    let at_min = Filters { at_min_isr: true, ..Default::default() };
    assert_eq!(text(&topic, &Surroundings::default(), at_min), "");
}

#[test]
fn describe_by_id_does_not_know_the_elr() {
    let mut one = partition(0, 1, &[1], &[1]);
    one.elr = None;
    one.last_known_elr = None;
    let topic = described("orders", "8Aezvd3BSY2oQpn0ezrrZg", vec![one]);
    let text = text(&topic, &Surroundings::default(), Filters::default());
    assert!(text.ends_with("\tElr: N/A\tLastKnownElr: N/A\n"), "{text}");
}

/// As recorded from Apache Kafka 4.3.1 during a reassignment.
#[test]
fn describe_shows_replicas_on_the_move() {
    let topic =
        described("moving", "bu30comgSOOvthissq0IEQ", vec![partition(0, 1, &[3, 2, 1], &[1, 2])]);
    let moving = Reassignment { replicas: vec![3, 2, 1], adding: vec![3], removing: vec![1] };
    let surroundings = Surroundings {
        live_brokers: [1, 2, 3].into(),
        reassignments: [(TopicPartition::new("moving", 0), moving)].into(),
    };
    let text = text(&topic, &surroundings, Filters::default());
    assert!(text.contains("\tReplicationFactor: 2\t"), "{text}");
    assert!(
        text.contains(
            "\tIsr: 1,2\tAdding Replicas: 3\tRemoving Replicas: 1\tElr: \tLastKnownElr: \n"
        ),
        "{text}"
    );
}
