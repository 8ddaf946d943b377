//! Texts as recorded from Apache Kafka 4.3.1.

use std::collections::BTreeMap;
use std::ffi::OsString;

use ottla_client::CommittedOffset;
use ottla_client::admin::{GroupDescription, GroupListing, GroupMember, GroupState, GroupType};
use ottla_client::{HostPort, Node};
use ottla_protocol::ids::TopicPartition;

use super::list::{self, Columns};
use super::options::{Action, Misuse, OPTIONS, check};
use super::render::{MemberRow, OffsetRow, Owner, members, offsets, state};
use super::reset::{Plan, table, topic_with_partitions};
use super::thrown::Thrown;
use super::{csv, regex_check, times};
use crate::exceptions::Failure;
use crate::jopt;

fn checked(line: &str) -> Result<Action, String> {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let given = jopt::parse(OPTIONS, &args).unwrap();
    check(&given, args.is_empty()).map_err(|misuse| match misuse {
        Misuse::Usage(message) => message,
        Misuse::Uncaught(failure) => failure.thrown(),
        Misuse::Version => "version".to_owned(),
    })
}

#[test]
fn options_that_do_not_fit_are_named_as_kafka_names_them() {
    let reset = "--reset-offsets --group g --topic orders --dry-run";
    for (line, message) in [
        ("--describe", "Option [describe] takes one of these options: [group], [all-groups]"),
        (
            "--describe --group g --all-groups",
            "Option \"[group]\" can't be used with option \"[all-groups]\"",
        ),
        (
            "--describe --group g --members --state",
            "Option [describe] takes at most one of these options: [members], [offsets], [state]",
        ),
        (
            "--describe --group g --state stable",
            "Option [describe] does not take a value for [state]",
        ),
        (
            "--list --verbose",
            "joptsimple.UnavailableOptionException: Option(s) [verbose] are unavailable given other \
             options on the command line",
        ),
        ("--list --group g", "Option \"[group]\" can't be used with option \"[list]\""),
        ("--list --topic t", "Option \"[topic]\" can't be used with option \"[list]\""),
        ("--delete", "Option [delete] takes one of these options: [group], [all-groups]"),
        (
            "--delete --group g --topic one",
            "The consumer does not support topic-specific offset deletion from a consumer group.",
        ),
        (
            "--delete-offsets --group g",
            "Option [delete-offsets] takes the following options: [group], [topic]",
        ),
        (
            "--reset-offsets --topic orders --to-earliest --dry-run",
            "Option [reset-offsets] takes one of these options: [group], [all-groups]",
        ),
        (
            &format!("{reset} --execute --to-earliest"),
            "Option [reset-offsets] only accepts one of [execute] and [dry-run]",
        ),
        (
            &format!("{reset} --to-earliest --to-latest"),
            "Option \"[to-earliest]\" can't be used with option \"[to-latest]\"",
        ),
        (
            "--group g",
            "Command must include exactly one action: --list, --describe, --delete, \
             --reset-offsets, --delete-offsets, --validate-regex",
        ),
    ] {
        let line = format!("--bootstrap-server localhost:9092 {line}");
        assert_eq!(checked(&line), Err(message.to_owned()), "{line}");
    }
    let missing = "Missing required argument \"[bootstrap-server]\"";
    assert_eq!(checked("--list"), Err(missing.to_owned()));
    assert_eq!(checked("--validate-regex a.*"), Ok(Action::ValidateRegex));
    let line = "--bootstrap-server a:1 --describe --group g --execute";
    assert_eq!(checked(line), Ok(Action::Describe));
}

fn listing(id: &str, kind: GroupType, state: GroupState) -> GroupListing {
    GroupListing {
        group_id: id.to_owned(),
        protocol_type: "consumer".to_owned(),
        state: Some(state),
        group_type: Some(kind),
    }
}

#[test]
fn lists_have_the_columns_that_are_asked_for() {
    let groups = [
        listing("console-consumer-38666", GroupType::Classic, GroupState::Empty),
        listing("g-live-848", GroupType::Consumer, GroupState::Stable),
    ];
    assert_eq!(list::render(&groups, Columns::default()), "console-consumer-38666\ng-live-848\n");
    assert_eq!(
        list::render(&groups, Columns { kind: true, state: true }),
        "GROUP                            TYPE                 STATE               \n\
         console-consumer-38666           Classic              Empty               \n\
         g-live-848                       Consumer             Stable              \n"
    );
    assert_eq!(
        list::render(&groups[1..], Columns { kind: true, state: false }),
        "GROUP                     TYPE                \n\
         g-live-848                Consumer            \n"
    );
    assert_eq!(
        list::states("bogus").unwrap_err(),
        "Invalid state list 'bogus'. Valid states are: PreparingRebalance, Reconciling, Dead, \
         CompletingRebalance, Assigning, Stable, Empty"
    );
    assert_eq!(list::states("stable, Empty"), Ok(vec![GroupState::Stable, GroupState::Empty]));
    assert_eq!(
        list::types("share").unwrap_err(),
        "Invalid types list 'share'. Valid types are: Consumer, Classic"
    );
}

fn row(partition: i32, offset: i64, log_end: i64, owner: Option<Owner>) -> OffsetRow {
    let committed = CommittedOffset { offset, leader_epoch: Some(0), metadata: String::new() };
    OffsetRow {
        group: "g-live".to_owned(),
        partition: TopicPartition::new("orders", partition),
        committed: Some(committed),
        log_end: Some(log_end),
        owner,
    }
}

fn live() -> Owner {
    Owner {
        member_id: "live-9d1da822-45de-4d2f-95dd-ab1e55438d21".to_owned(),
        host: "/127.0.0.1".to_owned(),
        client_id: "live".to_owned(),
    }
}

#[test]
fn offsets_are_kafkas_table() {
    let rows = [row(0, 3, 3, Some(live())), row(1, 8, 9, Some(live()))];
    assert_eq!(
        offsets(&rows, false),
        "\nGROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID                               HOST            CLIENT-ID\
         \ng-live          orders          0          3               3               0               live-9d1da822-45de-4d2f-95dd-ab1e55438d21 /127.0.0.1      live\
         \ng-live          orders          1          8               9               1               live-9d1da822-45de-4d2f-95dd-ab1e55438d21 /127.0.0.1      live\n"
    );
    let mut unknown = row(2, 20, 20, None);
    unknown.log_end = None;
    assert_eq!(
        offsets(&[unknown], true),
        "\nGROUP           TOPIC           PARTITION  LEADER-EPOCH    CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\
         \ng-live          orders          2          0               20              -               -               -               -               -\n"
    );
}

fn member(id: &str, instance: Option<&str>, client: &str) -> GroupMember {
    let partitions: Vec<_> = (0..4).map(|p| TopicPartition::new("orders", p)).collect();
    GroupMember {
        member_id: id.to_owned(),
        instance_id: instance.map(str::to_owned),
        client_id: client.to_owned(),
        host: "/127.0.0.1".to_owned(),
        assignment: partitions.into_iter().collect(),
        target_assignment: None,
        member_epoch: None,
        upgraded: None,
    }
}

fn group(id: &str, kind: GroupType, members: Vec<GroupMember>) -> GroupDescription {
    GroupDescription {
        group_id: id.to_owned(),
        group_type: kind,
        state: if members.is_empty() { GroupState::Empty } else { GroupState::Stable },
        assignor: if kind == GroupType::Consumer { "uniform".to_owned() } else { String::new() },
        coordinator: Node {
            id: 1,
            address: HostPort { host: "127.0.0.1".to_owned(), port: 9092 },
            rack: None,
        },
        group_epoch: Some(2).filter(|_| kind == GroupType::Consumer),
        target_assignment_epoch: Some(2).filter(|_| kind == GroupType::Consumer),
        members,
    }
}

fn member_table(group: &GroupDescription, verbose: bool) -> String {
    let rows: Vec<MemberRow> =
        group.members.iter().map(|member| MemberRow::new(group, member)).collect();
    members(&group.group_id, &rows, !rows.is_empty(), verbose)
}

#[test]
fn members_are_kafkas_table() {
    let id = "instance-1-3abf8e83-7ae2-49df-b0f1-93f9ceb44daa";
    let one = member(id, Some("instance-1"), "console-consumer");
    let fixed = group("g-static", GroupType::Classic, vec![one]);
    assert_eq!(
        member_table(&fixed, true),
        "\nGROUP           CONSUMER-ID                                     GROUP-INSTANCE-ID HOST            CLIENT-ID        #PARTITIONS     CURRENT-EPOCH   CURRENT-ASSIGNMENT   TARGET-EPOCH    TARGET-ASSIGNMENT   \
         \ng-static        instance-1-3abf8e83-7ae2-49df-b0f1-93f9ceb44daa instance-1        /127.0.0.1      console-consumer 4               -               orders:0,1,2,3       -               -                   \n"
    );
    let mut one = member("7WZWIcpeQSics6Epe8LU8w", None, "live848");
    one.member_epoch = Some(2);
    one.target_assignment = Some(one.assignment.clone());
    one.upgraded = Some(true);
    let new = group("g-live-848", GroupType::Consumer, vec![one]);
    assert_eq!(
        member_table(&new, true),
        "\nGROUP           CONSUMER-ID            HOST            CLIENT-ID       #PARTITIONS     CURRENT-EPOCH   CURRENT-ASSIGNMENT   TARGET-EPOCH    TARGET-ASSIGNMENT   \
         \ng-live-848      7WZWIcpeQSics6Epe8LU8w /127.0.0.1      live848         4               2               orders:0,1,2,3       2               orders:0,1,2,3      \n"
    );
    let empty = group("g-empty", GroupType::Classic, Vec::new());
    assert_eq!(
        member_table(&empty, false),
        "\nGROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS     \n"
    );
}

/// While a group goes from one protocol to the other, a column tells who speaks which.
#[test]
fn members_of_both_protocols_are_told_apart() {
    let (mut old, mut new) = (member("a", None, "c"), member("b", None, "c"));
    old.upgraded = Some(false);
    new.upgraded = Some(true);
    let text = member_table(&group("g", GroupType::Consumer, vec![old, new]), true);
    let ends: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(ends, ["UPGRADED", "false", "true"]);
}

#[test]
fn states_are_kafkas_table() {
    let mut new = group("g-empty-848", GroupType::Consumer, Vec::new());
    new.group_epoch = Some(3);
    assert_eq!(
        state(&new, true),
        "\nGROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                GROUP-EPOCH     TARGET-ASSIGNMENT-EPOCH   #MEMBERS\
         \ng-empty-848     127.0.0.1:9092  (1)       uniform              Empty                3               2                         0\n"
    );
    assert_eq!(
        state(&group("g-empty", GroupType::Classic, Vec::new()), false),
        "\nGROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                #MEMBERS\
         \ng-empty         127.0.0.1:9092  (1)       -                    Empty                0\n"
    );
}

fn plans() -> BTreeMap<String, Plan> {
    let plan =
        Plan::from([(TopicPartition::new("orders", 0), 3), (TopicPartition::new("orders", 1), 8)]);
    BTreeMap::from([("g-reset".to_owned(), plan)])
}

#[test]
fn new_offsets_are_shown_and_exported() {
    assert_eq!(
        table(&plans()),
        "\nGROUP           TOPIC           PARTITION  NEW-OFFSET\
         \ng-reset         orders          0          3\
         \ng-reset         orders          1          8\n"
    );
    let nothing = BTreeMap::from([("g-live".to_owned(), Plan::new())]);
    assert_eq!(table(&nothing), "\nGROUP           TOPIC           PARTITION  NEW-OFFSET\n");
    assert_eq!(csv::export(&plans(), true), "orders,0,3\norders,1,8\n");
    assert_eq!(csv::export(&plans(), false), "g-reset,orders,0,3\ng-reset,orders,1,8\n");
    let long = "a-rather-long-topic-name-that-is-quoted";
    let plan = Plan::from([(TopicPartition::new(long, 0), 1)]);
    assert_eq!(
        csv::export(&BTreeMap::from([("g".to_owned(), plan)]), true),
        format!("\"{long}\",0,1\n")
    );
}

#[test]
fn what_was_exported_is_read_again() {
    assert_eq!(csv::read(&csv::export(&plans(), true), &["g-reset"]), Ok(plans()));
    assert_eq!(csv::read(&csv::export(&plans(), false), &["g-reset"]), Ok(plans()));
    assert_eq!(
        csv::read("\"g-reset\",orders,0,3\r\ng-reset,\"orders\",1,8", &["a", "b"]),
        Ok(plans())
    );
    // As Kafka's tool reads it.
    let odd = csv::read("orders;0;2\n", &["g"]).unwrap();
    assert_eq!(odd["g"], Plan::from([(TopicPartition::new("orders;0;2", 0), 0)]));
    assert!(csv::read("g,orders,zero,1\n", &["g", "h"]).is_err());
}

#[test]
fn topics_may_name_partitions() {
    let places = topic_with_partitions("orders:0,2").unwrap();
    assert_eq!(places, [TopicPartition::new("orders", 0), TopicPartition::new("orders", 2)]);
    assert_eq!(
        topic_with_partitions("one:x").unwrap_err(),
        "Invalid partition 'x' specified in topic arg 'one:x''"
    );
    assert_eq!(
        topic_with_partitions("one:").unwrap_err(),
        "Invalid topic arg 'one:', expected topic name and partitions"
    );
}

#[test]
fn points_in_time_are_read() {
    for (text, time) in [
        ("1970-01-01T00:00:00.000", 0),
        ("2026-11-21T15:05:09.007", 1_795_273_509_007),
        ("2026-11-21T15:05:09.007Z", 1_795_273_509_007),
        ("2026-11-21T17:05:09.007+02:00", 1_795_273_509_007),
        ("2026-11-21T09:35:09.007-05:30", 1_795_273_509_007),
        ("2024-02-29T00:00:00.000+00", 1_709_164_800_000),
    ] {
        assert_eq!(times::parse_datetime(text), Ok(time), "{text}");
    }
    for (text, message) in [
        (
            "yesterday",
            "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format",
        ),
        ("2100-13-01T00:00:00.000", "Unparseable date: \"2100-13-01T00:00:00.000Z\""),
        ("2026-02-29T00:00:00.000", "Unparseable date: \"2026-02-29T00:00:00.000Z\""),
        ("2026-02-28T00:00:00", "Unparseable date: \"2026-02-28T00:00:00Z\""),
    ] {
        assert_eq!(times::parse_datetime(text).unwrap_err().message, message);
    }
}

#[test]
fn durations_are_read() {
    for (text, ms) in [
        ("PT1H", 3_600_000),
        ("P1DT1H3.5S", 90_003_500),
        ("P2D", 172_800_000),
        ("pt-1m", -60_000),
        ("-PT-1.25S", 1_250),
    ] {
        assert_eq!(times::parse_duration(text), Ok(ms), "{text}");
    }
    for text in [
        "1h",
        "P",
        "PT",
        "P1H",
        "PT1S1H",
        "PT1.5H",
        "P1DT",
        "PT1.1234567890S",
        "PT99999999999999999H",
    ] {
        let failure = times::parse_duration(text).unwrap_err();
        assert_eq!(failure.message, "Text cannot be parsed to a Duration", "{text}");
    }
}

#[test]
fn patterns_are_judged_in_the_librarys_words() {
    for (regex, verdict) in [
        ("a.*b", "is valid"),
        ("a[(b", "is invalid: missing closing ]"),
        ("*a", "is invalid: missing argument to repetition operator"),
        ("a\\", "is invalid: trailing backslash at end of expression"),
        ("[b-a]", "is invalid: invalid character class range"),
        ("(?!a)", "is invalid: invalid or unsupported Perl syntax"),
        ("a{2,1}", "is invalid: invalid repeat count"),
    ] {
        let text = format!("The regular expression `{regex}` {verdict}.");
        assert_eq!(regex_check::verdict(regex), text);
    }
}

#[test]
fn causes_are_named_from_the_outside_in() {
    let class = "org.apache.kafka.common.errors.GroupIdNotFoundException";
    let thrown = Thrown::of(Failure::new(class, "Group g not found.")).executed();
    assert_eq!(thrown.message(), format!("{class}: Group g not found."));
    assert_eq!(
        thrown.trace(),
        format!(
            "java.util.concurrent.ExecutionException: {class}: Group g not found.\n\
             Caused by: {class}: Group g not found.\n"
        )
    );
}
