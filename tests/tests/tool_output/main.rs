//! The command lines that were recorded with Apache Kafka's tools (`tests/tool-output`, its README says
//! how), played in order with ours against three nodes, and compared: output, errors, exit code.
//!
//! A tool's `.notes` say what is prepared, masked, and known to differ, each difference with its reason.
//! A difference that is not listed fails; so does a listed one that is none any more.
//!
//! With `KAFKA_JARS` set to a folder of Kafka's jars, its own tools are played against our nodes instead,
//! and what differs is only printed.

mod masks;
mod notes;
mod pattern;
mod play;
mod recording;

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use masks::{Masks, compared};
use notes::{Notes, Which};
use ottla_tests::{Output, root};
use play::Stage;
use recording::{Recorded, Recording};

/// A line that took longer when it was recorded waited for nothing but time: seconds.
const TOO_LONG: u32 = 20;

/// A line that takes longer is named.
const SLOW: Duration = Duration::from_secs(2);

/// One test for each tool that is served.
macro_rules! tools {
    ($($test:ident $tool:literal,)*) => {
        $(#[test] fn $test() { compare($tool); })*
    };
}

tools! {
    broker_api_versions "kafka-broker-api-versions",
    cluster "kafka-cluster",
    configs "kafka-configs",
    console_consumer "kafka-console-consumer",
    console_producer "kafka-console-producer",
    consumer_groups "kafka-consumer-groups",
    consumer_perf_test "kafka-consumer-perf-test",
    delete_records "kafka-delete-records",
    dump_log "kafka-dump-log",
    features "kafka-features",
    get_offsets "kafka-get-offsets",
    groups "kafka-groups",
    leader_election "kafka-leader-election",
    log_dirs "kafka-log-dirs",
    metadata_quorum "kafka-metadata-quorum",
    producer_perf_test "kafka-producer-perf-test",
    reassign_partitions "kafka-reassign-partitions",
    storage "kafka-storage",
    topics "kafka-topics",
}

fn compare(tool: &str) {
    let folder = root().join("tests/tool-output");
    let read = |name: String| fs::read_to_string(folder.join(name));
    let recording = Recording::read(&read(format!("{tool}.txt")).expect("a recording"));
    let notes = Notes::read(&read(format!("{tool}.notes")).unwrap_or_default());
    let masks = Masks::with(&notes.masks);
    check_notes(&recording, &notes);
    let mut stage = Stage::start(&notes.settings);
    for step in &notes.setup {
        stage.step(step);
    }
    let mut report = Report::default();
    for recorded in &recording.lines {
        for (name, content) in recorded.files() {
            stage.file(&name, &content);
        }
        for (which, steps) in &notes.before {
            if which.is(recorded) {
                steps.iter().for_each(|step| stage.step(step));
            }
        }
        if is_unplayed(recorded, &notes) {
            report.unplayed += 1;
            continue;
        }
        let begun = Instant::now();
        let output = stage.play(&recorded.line, &recorded.stdin);
        if begun.elapsed() > SLOW {
            println!("{:.1} s: {}", begun.elapsed().as_secs_f32(), recorded.line);
        }
        let unordered = notes.unordered.iter().any(|which| which.is(recorded));
        let difference = difference(recorded, &output, &masks, unordered);
        report.add(recorded, &notes, difference);
    }
    println!("{tool}: {}", report.summary());
    if stage.is_kafka() {
        println!("{}", report.unlisted);
    } else {
        assert!(report.unlisted.is_empty(), "{}", report.unlisted);
    }
}

fn is_unplayed(recorded: &Recorded, notes: &Notes) -> bool {
    // Ctrl-C ended it.
    let interrupted = recorded.exit == 130;
    let long = recorded.seconds.is_some_and(|seconds| seconds > TOO_LONG);
    interrupted || long || notes.unplayed.iter().any(|(which, _)| which.is(recorded))
}

/// Notes about lines that nobody recorded are wrong.
fn check_notes(recording: &Recording, notes: &Notes) {
    let named = notes.before.iter().map(|(which, _)| which);
    let named = named.chain(&notes.unordered).chain(notes.unplayed.iter().map(|(which, _)| which));
    for which in named.chain(notes.differs.iter().map(|(which, _)| which)) {
        let found = recording.lines.iter().any(|recorded| which.is(recorded));
        assert!(found, "notes about a line that was not recorded: {which:?}");
    }
}

#[derive(Default)]
struct Report {
    same: usize,
    known: usize,
    unplayed: usize,
    unlisted: String,
}

impl Report {
    fn add(&mut self, recorded: &Recorded, notes: &Notes, difference: Option<String>) {
        let is_known = |(which, _): &&(Which, String)| which.is(recorded);
        match (difference, notes.differs.iter().find(is_known)) {
            (None, None) => self.same += 1,
            (Some(_), Some(_)) => self.known += 1,
            (Some(difference), None) => {
                let (line, occurrence) = (&recorded.line, recorded.occurrence);
                let _ = writeln!(self.unlisted, "\n  $ {line} #{occurrence}\n{difference}");
            }
            (None, Some((_, reason))) => {
                let line = &recorded.line;
                let _ = writeln!(self.unlisted, "\n  $ {line}\nno longer differs: {reason}");
            }
        }
    }

    fn summary(&self) -> String {
        let Self { same, known, unplayed, .. } = self;
        format!("{same} the same, {known} known to differ, {unplayed} not played")
    }
}

/// What differs, as a text.
fn difference(
    recorded: &Recorded,
    output: &Output,
    masks: &Masks,
    unordered: bool,
) -> Option<String> {
    let mut text = String::new();
    let exit = output.status.code();
    if exit != Some(recorded.exit) {
        let _ = writeln!(text, "exit code {exit:?} instead of {}", recorded.exit);
    }
    let streams =
        [("stdout", &recorded.stdout, &output.out), ("stderr", &recorded.stderr, &output.err)];
    for (name, expected, actual) in streams {
        let (expected, ends_open) = match expected.strip_suffix("[no newline at the end]") {
            Some(rest) => (rest, true),
            None => (expected.as_str(), false),
        };
        if ends_open && actual.ends_with('\n') {
            let _ = writeln!(text, "{name} ends in a newline");
        }
        let expected = compared(&masks.apply(expected.trim_end_matches('\n')));
        let actual = compared(masks.apply(actual).trim_end_matches('\n'));
        if !pattern::matches(&expected, &actual, unordered) {
            let _ = writeln!(text, "-- {name} recorded\n{}", expected.join("\n"));
            let _ = writeln!(text, "-- {name} ours\n{}", actual.join("\n"));
        }
    }
    (!text.is_empty()).then_some(text)
}
