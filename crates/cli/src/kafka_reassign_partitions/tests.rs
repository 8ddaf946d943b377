use std::collections::{BTreeMap, BTreeSet};

use ottla_client::admin::Reassignment;
use ottla_metadata::placement::Candidate;
use ottla_protocol::ids::TopicPartition;

use super::assignment::{ReplicaId, Replicas};
use super::log_dirs::{Dirs, MoveState};
use super::*;

fn given(line: &str) -> Given {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    jopt::parse(OPTIONS, &args).expect("known options")
}

fn misuse(line: &str) -> Misuse {
    options::check(&given(line), line.is_empty()).expect_err("it makes no sense")
}

fn usage(message: &str) -> Misuse {
    Misuse::Usage(message.to_owned())
}

#[test]
fn actions_have_their_own_options() {
    let one = "Command must include exactly one action: --generate, --execute, --verify, --cancel, \
               --list";
    assert_eq!(misuse("--bootstrap-server s"), usage(one));
    assert_eq!(misuse("--bootstrap-server s --execute --verify"), usage(one));
    assert_eq!(
        misuse("--bootstrap-server s --generate --topics-to-move-json-file f"),
        usage("Missing required argument \"[broker-list]\"")
    );
    assert_eq!(
        misuse("--bootstrap-server s --verify --reassignment-json-file f --throttle 1"),
        usage("Option \"[throttle]\" can't be used with action \"[verify]\"")
    );
    assert_eq!(
        misuse("--list"),
        usage("Please specify either --bootstrap-server or --bootstrap-controller")
    );
    assert_eq!(misuse("--list --version"), Misuse::Version);
    let action = options::check(&given("--bootstrap-server s --list"), false);
    assert_eq!(action, Ok(Action::List));
}

fn refused(json: &str) -> String {
    let refused = Assignment::parse(json).and_then(|plan| plan.check());
    match refused.expect_err("it cannot be executed") {
        Stop::Thrown(thrown) => thrown.message().to_owned(),
        Stop::Terse(sentence) => sentence,
    }
}

#[test]
fn assignments_that_cannot_be_are_refused_in_kafkas_words() {
    let with = |items: &str| format!(r#"{{"version":1,"partitions":[{items}]}}"#);
    let item = |replicas: &str| format!(r#"{{"topic":"t","partition":0,"replicas":[{replicas}]}}"#);
    assert_eq!(refused(&with("")), "Partition reassignment list cannot be empty");
    assert_eq!(refused(&with(&item(""))), "Partition replica list cannot be empty");
    assert_eq!(
        refused(&with(&item("1,1"))),
        "Partition replica lists may not contain duplicate entries: t-0 contains multiple entries for 1"
    );
    assert_eq!(
        refused(&with(&format!("{},{}", item("1"), item("2")))),
        "Partition reassignment contains duplicate topic partitions: t-0"
    );
    assert_eq!(
        refused(&with(r#"{"topic":"t","partition":0,"replicas":[3,2],"log_dirs":["any"]}"#)),
        "Size of replicas list [3, 2] is different from size of log dirs list [any] for partition t-0"
    );
    assert_eq!(refused(r#"{"version":2}"#), "Not supported version field value 2");
    assert_eq!(refused(r#"{"partitions":[{}]}"#), "No such field exists: `topic`");
}

fn replicas(of: &[(&str, i32, &[i32])]) -> Replicas {
    let partition = |topic: &str, index| TopicPartition::new(topic, index);
    of.iter().map(|(topic, index, to)| (partition(topic, *index), to.to_vec())).collect()
}

#[test]
fn an_assignment_is_written_as_it_is_read() {
    let json = r#"{"version":1,"partitions":[{"topic":"a","partition":1,"replicas":[2,1],"log_dirs":["any","/d"]},{"topic":"b","partition":0,"replicas":[3],"log_dirs":["any"]}]}"#;
    let plan = Assignment::parse(json).expect("it is one");
    assert_eq!(plan.replicas(), replicas(&[("b", 0, &[3]), ("a", 1, &[2, 1])]));
    assert_eq!(assignment::json(&plan.replicas(), &plan.log_dirs), json);
}

#[test]
fn who_sends_and_who_receives_is_throttled() {
    let moving = Reassignment { replicas: vec![4, 1, 2], adding: vec![4], removing: vec![2] };
    let under_way = BTreeMap::from([(TopicPartition::new("t", 0), moving)]);
    let proposed = replicas(&[("t", 0, &[3, 1]), ("t", 1, &[3, 2])]);
    let current = replicas(&[("t", 0, &[4, 1, 2]), ("t", 1, &[1, 2])]);
    let moves = throttles::moves(&under_way, &proposed, &current);
    let ids = |moving: &throttles::Move| {
        let list = |set: &BTreeSet<i32>| set.iter().copied().collect::<Vec<_>>();
        (list(&moving.sources), list(&moving.destinations))
    };
    let moves: Vec<_> = moves.values().map(ids).collect();
    assert_eq!(moves, [(vec![1, 2], vec![3]), (vec![1, 2], vec![3])]);
}

#[test]
fn a_proposal_spreads_replicas_over_racks() {
    let racks = [(1, "a"), (2, "a"), (3, "b"), (4, "b")];
    let candidate =
        |(id, rack): (i32, &str)| Candidate { id, rack: Some(rack.into()), active: true };
    let candidates = racks.map(candidate);
    let all: Vec<(&str, i32, &[i32])> = (0..8).map(|index| ("t", index, &[1, 2][..])).collect();
    let proposed = generate::propose(&replicas(&all), &candidates, 7).expect("enough brokers");
    for (partition, to) in &proposed {
        let used: BTreeSet<_> = to.iter().map(|id| racks[*id as usize - 1].1).collect();
        assert_eq!(used.len(), 2, "{partition} is on {to:?}, in one rack");
    }
    let refused = generate::propose(&replicas(&all), &candidates[..1], 7);
    let Err(Stop::Thrown(thrown)) = refused else { panic!("one broker is not enough") };
    assert!(thrown.message().starts_with("The target replication factor of 2 cannot be reached"));
}

#[test]
fn a_move_between_directories_is_told_by_where_the_replica_is() {
    let id = ReplicaId { partition: TopicPartition::new("t", 0), broker: 1 };
    let dirs = |current: &str, future: Option<&str>| Dirs {
        current: Some(current.to_owned()),
        future: future.map(str::to_owned),
    };
    let text = |dirs: Option<Dirs>| {
        let state = MoveState::of(dirs.as_ref(), "/b");
        (state.text(&id, "/b"), state.is_done())
    };
    let said = |text: &str, done| (text.to_owned(), done);
    assert_eq!(
        text(Some(dirs("/b", None))),
        said("Reassignment of replica t-0-1 completed successfully.", true)
    );
    assert_eq!(
        text(Some(dirs("/a", None))),
        said("Partition t-0 on broker 1 is not being moved from log dir /a to /b.", true)
    );
    assert_eq!(
        text(Some(dirs("/a", Some("/b")))),
        said("Reassignment of replica t-0-1 is still in progress.", false)
    );
    assert!(!text(None).1);
}
