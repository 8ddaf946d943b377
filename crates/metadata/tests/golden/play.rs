//! Playing a script: each line that starts with `>` is a command, and below it stands what came of it.
//! `UPDATE_GOLDEN=1` writes what came out. The tests of `ottla-coordinator` use this file as well.

use std::fmt::Write as _;
use std::path::Path;

/// Plays `testdata/{script}` of the crate at `manifest_dir`, and fails where something else comes out.
/// `run` carries out a command and writes what came of it, each line with its end.
pub(crate) fn check(manifest_dir: &str, script: &str, run: impl FnMut(&str, &mut String)) {
    let path = Path::new(manifest_dir).join("testdata").join(script);
    let expected = std::fs::read_to_string(&path).expect("the script is there");
    let played = play(&expected, run);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, played).expect("the script can be written");
        return;
    }
    for (number, (played, expected)) in (1..).zip(played.lines().zip(expected.lines())) {
        assert_eq!(played, expected, "{script}:{number} (UPDATE_GOLDEN=1 writes what came out)");
    }
    assert_eq!(played, expected, "{script}: one of the two is longer");
}

fn play(script: &str, mut run: impl FnMut(&str, &mut String)) -> String {
    let mut out = String::new();
    let mut in_answer = false;
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}").expect("a string");
            run(command, &mut out);
            in_answer = true;
        } else if line.is_empty() || line.starts_with('#') || !in_answer {
            writeln!(out, "{line}").expect("a string");
            in_answer = false;
        }
    }
    out
}
