//! Which room may use what: over `cargo metadata`, and over the text of the pure crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ottla_tests::root;
use serde_json::Value;

/// Each room, and the rooms that it may use.
const ROOMS: &[(&str, &[&str])] = &[
    // What openraft counts with, in small.
    ("base2histogram", &[]),
    ("ottla-protocol", &[]),
    ("ottla-config", &["ottla-protocol"]),
    ("ottla-metadata", &["ottla-protocol", "ottla-config"]),
    ("ottla-replication", &["ottla-protocol", "ottla-config"]),
    ("ottla-coordinator", &["ottla-protocol", "ottla-config", "ottla-metadata"]),
    ("ottla-log", &["ottla-protocol", "ottla-config"]),
    ("ottla-rpc", &["ottla-protocol", "ottla-metadata"]),
    (
        "ottla-metadata-controller",
        &["ottla-protocol", "ottla-config", "ottla-metadata", "ottla-rpc"],
    ),
    (
        "ottla-broker",
        &[
            "ottla-protocol",
            "ottla-config",
            "ottla-metadata",
            "ottla-replication",
            "ottla-coordinator",
            "ottla-log",
            "ottla-rpc",
        ],
    ),
    // Never shipped: nothing below may use it.
    ("ottla-sim", &["ottla-protocol", "ottla-config", "ottla-metadata", "ottla-replication"]),
    ("ottla-client", &["ottla-protocol"]),
    ("ottla-cli", &["ottla-protocol", "ottla-client", "ottla-metadata"]),
    (
        "ottla",
        &[
            "ottla-protocol",
            "ottla-config",
            "ottla-metadata",
            "ottla-rpc",
            "ottla-metadata-controller",
            "ottla-broker",
            "ottla-client",
            "ottla-cli",
        ],
    ),
];

/// Rooms that decide and touch nothing.
const PURE: &[&str] =
    &["ottla-protocol", "ottla-config", "ottla-metadata", "ottla-replication", "ottla-coordinator"];
/// What a pure room must not have anywhere below it.
const IMPURE_CRATES: &[&str] = &["tokio", "tonic", "mio", "hyper", "socket2", "sled", "openraft"];
/// What a pure room must not name itself.
const IMPURE_DIRECT: &[&str] =
    &["rand", "rustix", "tempfile", "parking_lot", "arc-swap", "tracing"];
/// What a pure room must not write.
const IMPURE_TEXT: &[&str] = &[
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "std::process",
    "std::sync::Mutex",
    "Instant",
    "SystemTime",
    "new_v4",
    "rand::",
];
/// Beyond this a file has more than one reason to exist.
const MAX_LINES: usize = 700;

struct Workspace {
    names: BTreeMap<String, String>,
    /// Package id → the ids of what it uses when built for use.
    uses: BTreeMap<String, BTreeSet<String>>,
    /// Package name → the names in its own manifest, for use.
    direct: BTreeMap<String, BTreeSet<String>>,
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}

fn workspace() -> Workspace {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names = list(&all["packages"]).map(|p| (text(&p["id"]), text(&p["name"]))).collect();
    let direct = list(&all["packages"])
        .map(|package| {
            let used = list(&package["dependencies"])
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| text(&dependency["name"]));
            (text(&package["name"]), used.collect())
        })
        .collect();
    let uses = list(&all["resolve"]["nodes"])
        .map(|node| {
            let used = list(&node["deps"])
                .filter(|dep| list(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null()))
                .map(|dep| text(&dep["pkg"]));
            (text(&node["id"]), used.collect())
        })
        .collect();
    Workspace { names, uses, direct }
}

impl Workspace {
    /// Names of everything below `name`.
    fn below(&self, name: &str) -> BTreeSet<&str> {
        let start =
            self.names.iter().find(|(_, known)| *known == name).expect("in the workspace").0;
        let mut seen = BTreeSet::new();
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            for used in &self.uses[id] {
                if seen.insert(used) {
                    open.push(used);
                }
            }
        }
        seen.into_iter().map(|id| self.names[id].as_str()).collect()
    }
}

#[test]
fn every_room_uses_only_the_rooms_it_may() {
    let workspace = workspace();
    let mut wrong = Vec::new();
    for (room, allowed) in ROOMS {
        for used in &workspace.direct[*room] {
            let is_room = ROOMS.iter().any(|(name, _)| name == used);
            if is_room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{room} uses {used}"));
            }
        }
        if *room != "ottla-protocol" && workspace.direct[*room].contains("kafka-protocol") {
            wrong.push(format!("{room} names kafka-protocol, which protocol alone wraps"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_rooms_stand_on_no_io() {
    let workspace = workspace();
    let mut wrong = Vec::new();
    for room in PURE {
        let below = workspace.below(room);
        wrong.extend(
            IMPURE_CRATES
                .iter()
                .filter(|name| below.contains(*name))
                .map(|name| format!("{room} has {name} below it")),
        );
        let direct = &workspace.direct[*room];
        wrong.extend(
            IMPURE_DIRECT
                .iter()
                .filter(|name| direct.contains(**name))
                .map(|name| format!("{room} uses {name}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_rooms_write_nothing_impure() {
    let mut wrong = Vec::new();
    for room in PURE {
        let folder = room.strip_prefix("ottla-").expect("a room");
        for (path, source) in sources(&root().join("crates").join(folder).join("src")) {
            for (number, line) in source.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(found) = IMPURE_TEXT.iter().find(|text| code.contains(**text)) {
                    wrong.push(format!("{}:{}: {found}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_grows_beyond_reading() {
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates/") {
        for (path, source) in sources(&entry.expect("an entry").path().join("src")) {
            let lines = source.lines().count();
            if lines > MAX_LINES {
                wrong.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "more than {MAX_LINES} lines: {wrong:#?}");
}

/// Every source file below `folder` with its text, tests left out.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && name != "tests" {
                open.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).expect("readable");
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                found.push((path, code.to_owned()));
            }
        }
    }
    found
}
