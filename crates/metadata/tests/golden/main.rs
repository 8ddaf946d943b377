//! Plays the scripts in `testdata/`: each line that starts with `>` is done to a cluster, and below
//! it stand the records that it made and the answer.

mod cluster;
mod play;
#[path = "../support/mod.rs"]
mod support;
mod text;

use cluster::Cluster;

fn check(script: &str) {
    let mut cluster = Cluster::default();
    play::check(env!("CARGO_MANIFEST_DIR"), script, |command, out| cluster.run(command, out));
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
