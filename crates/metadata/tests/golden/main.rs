//! Plays the scripts in `testdata/`: each line that starts with `>` is done to a cluster, and below
//! it stand the records that it made and the answer. `UPDATE_GOLDEN=1` writes what came out.

mod cluster;
#[path = "../support/mod.rs"]
mod support;
mod text;

use std::fmt::Write as _;
use std::path::Path;

use cluster::Cluster;

fn check(script: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(script);
    let expected = std::fs::read_to_string(&path).expect("the script is there");
    let played = play(&expected);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, played).expect("the script can be written");
        return;
    }
    for (number, (played, expected)) in (1..).zip(played.lines().zip(expected.lines())) {
        assert_eq!(played, expected, "{script}:{number} (UPDATE_GOLDEN=1 writes what came out)");
    }
    assert_eq!(played, expected, "{script}: one of the two is longer");
}

#[test]
fn topics_are_created_and_refused_in_kafkas_words() {
    check("create_topics.txt");
}

#[test]
fn partitions_are_added_and_topics_deleted() {
    check("grow_and_delete.txt");
}

#[test]
fn configuration_is_altered_in_kafkas_words() {
    check("configs.txt");
}

#[test]
fn brokers_come_and_go() {
    check("brokers.txt");
}

#[test]
fn a_leader_is_killed_and_comes_back() {
    check("failover.txt");
}

#[test]
fn in_sync_sets_change_by_compare_and_set() {
    check("alter_partition.txt");
}

#[test]
fn eligible_replicas_by_kip_966() {
    check("eligible_leaders.txt");
}

#[test]
fn elections_on_request_and_balance() {
    check("elections.txt");
}

#[test]
fn features_go_up_and_down_in_kafkas_words() {
    check("features.txt");
}

#[test]
fn partitions_move() {
    check("reassignment.txt");
}

#[test]
fn power_fails_everywhere() {
    check("power_cut.txt");
}

#[test]
fn quotas_and_credentials_are_altered_in_kafkas_words() {
    check("access.txt");
}

fn play(script: &str) -> String {
    let mut cluster = Cluster::default();
    let mut out = String::new();
    let mut in_answer = false;
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}").expect("a string");
            cluster.run(command, &mut out);
            in_answer = true;
        } else if line.is_empty() || line.starts_with('#') || !in_answer {
            writeln!(out, "{line}").expect("a string");
            in_answer = false;
        }
    }
    out
}
