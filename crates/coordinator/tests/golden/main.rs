//! Plays the scripts in `testdata/`: each line that starts with `>` is something that happens, and below it
//! stand the records that are appended and the answers that leave.

#[path = "../../../metadata/tests/golden/play.rs"]
mod play;
mod script;
#[path = "../support/mod.rs"]
mod support;
mod text;

use script::Script;

fn check(script: &str) {
    let mut world = Script::new();
    play::check(env!("CARGO_MANIFEST_DIR"), script, |command, out| world.run(command, out));
}

#[test]
fn members_join_sync_and_leave() {
    check("classic.txt");
}

#[test]
fn static_members_come_back() {
    check("classic_static.txt");
}

#[test]
fn silent_members_go() {
    check("classic_timeouts.txt");
}

#[test]
fn bad_classic_requests_get_kafkas_codes() {
    check("classic_refusals.txt");
}

#[test]
fn a_coordinator_dies_and_another_goes_on() {
    check("classic_failover.txt");
}

#[test]
fn offsets_are_committed_fetched_and_deleted() {
    check("offsets.txt");
}

#[test]
fn offsets_expire() {
    check("offsets_expiry.txt");
}

#[test]
fn groups_are_listed_described_and_deleted() {
    check("admin.txt");
}
