//! Plays the scripts in `testdata/`: each line that starts with `>` is something that happens, and below it
//! stand the records that are appended and the answers that leave. `UPDATE_GOLDEN=1` writes what came out.

mod script;
#[path = "../support/mod.rs"]
mod support;
mod text;

use std::fmt::Write as _;
use std::path::Path;

use script::Script;

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let expected = std::fs::read_to_string(&path).expect("the script is there");
    let played = play(&expected);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, played).expect("the script can be written");
        return;
    }
    for (number, (played, expected)) in (1..).zip(played.lines().zip(expected.lines())) {
        assert_eq!(played, expected, "{name}:{number} (UPDATE_GOLDEN=1 writes what came out)");
    }
    assert_eq!(played, expected, "{name}: one of the two is longer");
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

fn play(script: &str) -> String {
    let mut world = Script::new();
    let mut out = String::new();
    let mut in_answer = false;
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}").expect("a string");
            world.run(command, &mut out);
            in_answer = true;
        } else if line.is_empty() || line.starts_with('#') || !in_answer {
            writeln!(out, "{line}").expect("a string");
            in_answer = false;
        }
    }
    out
}
