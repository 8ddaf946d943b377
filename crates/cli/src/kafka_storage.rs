//! `kafka-storage`: what is in a node's log directories. Nothing is formatted: a node formats what it
//! finds empty. `format` is there so that scripts which call it first go on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::argparse::{self, Arg, Given, Group, Kind, Parser, Refusal, arg};
use crate::console::{complain, print, say};
use crate::exceptions::Failure;
use crate::properties::{Properties, read_file};
use crate::releases;

const CONFIG: Arg = arg(&["--config", "-c"], Kind::Text, "CONFIG", "The node's server.properties.");
const RELEASE: Arg = arg(
    &["--release-version", "-r"],
    Kind::Text,
    "RELEASE_VERSION",
    "A release of Kafka, as 4.0 or 4.0-IV3.",
);
const FEATURE: Arg = arg(&["--feature", "-f"], Kind::Text, "FEATURE", "feature=level");

pub(crate) const PARSER: &Parser = &Parser {
    name: "kafka-storage",
    description: "This tool looks at the log directories of a node.",
    args: &[],
    groups: &[],
    commands: &[
        command("info", "Show what the log directories are.", &[CONFIG.required()]),
        Parser {
            name: "format",
            description: "Has nothing to do: nodes format their empty directories themselves.",
            args: &[
                CONFIG.required(),
                arg(&["--cluster-id", "-t"], Kind::Text, "CLUSTER_ID", "The cluster's id.")
                    .required(),
                arg(&["--add-scram", "-S"], Kind::Text, "ADD_SCRAM", "Not served."),
                arg(
                    &["--ignore-formatted", "-g"],
                    Kind::Flag,
                    "",
                    "Directories that are in use already are no error.",
                ),
                RELEASE,
                FEATURE,
                arg(&["--standalone", "-s"], Kind::Flag, "", "Accepted, without effect.")
                    .in_group(0),
                arg(
                    &["--no-initial-controllers", "-N"],
                    Kind::Flag,
                    "",
                    "Accepted, without effect.",
                )
                .in_group(0),
                arg(
                    &["--initial-controllers", "-I"],
                    Kind::Text,
                    "INITIAL_CONTROLLERS",
                    "Accepted, without effect.",
                )
                .in_group(0),
            ],
            groups: &[Group { title: "", description: "", exclusive: true, required: false }],
            commands: &[],
        },
        command("version-mapping", "Show the levels that a release sets.", &[RELEASE]),
        command(
            "feature-dependencies",
            "Show what a level needs of other features.",
            &[FEATURE.required()],
        ),
        command("random-uuid", "Print a random id for a cluster.", &[]),
    ],
};

const fn command(name: &'static str, description: &'static str, args: &'static [Arg]) -> Parser {
    Parser { name, description, args, groups: &[], commands: &[] }
}

/// Why the tool ends without success.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// To be said on stderr.
    Said(String),
    /// What Java would throw.
    Thrown(Failure),
    /// All of it is said.
    Silent,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Thrown(failure)
    }
}

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match argparse::parse(PARSER, &args) {
        Ok(given) => given,
        Err(refusal) => {
            refusal.print();
            let help = matches!(refusal, Refusal::Help(_));
            return if help { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    };
    match run(&given) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Stop::Said(message)) => complain(&message),
        Err(Stop::Thrown(failure)) => {
            complain(&format!("Exception in thread \"main\" {}", failure.thrown()));
        }
        Err(Stop::Silent) => {}
    }
    ExitCode::FAILURE
}

fn run(given: &Given) -> Result<(), Stop> {
    match given.command() {
        Some("random-uuid") => say(&random_id()),
        Some("version-mapping") => {
            print(&releases::mapping(given.one("--release-version")).map_err(Stop::Said)?);
        }
        Some("feature-dependencies") => {
            print(&releases::dependencies(given.all("--feature")).map_err(Stop::Said)?);
        }
        Some("info") => {
            let (text, sound) = info(&directories(&properties(given)?)?);
            print(&text);
            if !sound {
                return Err(Stop::Silent);
            }
        }
        _ => format(given)?,
    }
    Ok(())
}

/// 16 random bytes; an id that begins with a dash would be taken for an option.
fn random_id() -> String {
    loop {
        let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        if !id.starts_with('-') {
            return id;
        }
    }
}

fn properties(given: &Given) -> Result<Properties, Failure> {
    read_file(given.one("--config").unwrap_or_default())
}

/// `log.dirs`, and the directory of the controllers' metadata.
fn directories(properties: &Properties) -> Result<Vec<PathBuf>, Failure> {
    let id = properties.get("node.id").or_else(|| properties.get("broker.id"));
    let id = id.ok_or_else(|| {
        Failure::new(
            "org.apache.kafka.common.config.ConfigException",
            "Missing required configuration \"node.id\" which has no default value.",
        )
    })?;
    let listed = properties.get("log.dirs").or_else(|| properties.get("log.dir"));
    let default = format!("data/{}", id.trim());
    let listed = listed.unwrap_or(&default).split(',').map(str::trim);
    let mut directories: Vec<PathBuf> =
        listed.filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    directories.extend(properties.get("metadata.log.dir").map(PathBuf::from));
    directories.sort();
    directories.dedup();
    Ok(directories)
}

/// `meta.properties` of a directory; empty if there is none.
fn meta(directory: &Path) -> Properties {
    read_file(&directory.join("meta.properties").display().to_string()).unwrap_or_default()
}

/// What there is, and whether all of it is as it should be.
fn info(directories: &[PathBuf]) -> (String, bool) {
    let mut problems = Vec::new();
    let mut found = Vec::new();
    let mut metadata: Option<Properties> = None;
    for directory in directories {
        let name = directory.display();
        if !directory.exists() {
            problems.push(format!("{name} does not exist"));
        } else if !directory.is_dir() {
            problems.push(format!("{name} is not a directory"));
        } else {
            found.push(name.to_string());
            let meta = meta(directory);
            if meta.is_empty() {
                problems.push(format!("{name} is not formatted."));
            } else {
                metadata.get_or_insert(meta);
            }
        }
    }
    let section = |one: &str, several: &str, lines: &[String]| {
        let title = if lines.len() == 1 { one } else { several };
        if lines.is_empty() {
            String::new()
        } else {
            format!("{title}:\n  {}\n\n", lines.join("\n  "))
        }
    };
    let mut text = section("Found log directory", "Found log directories", &found);
    if let Some(metadata) = metadata {
        let pairs: Vec<_> = metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
        text += &format!("Found metadata: {{{}}}\n\n", pairs.join(", "));
    }
    text += &section("Found problem", "Found problems", &problems);
    (text, problems.is_empty())
}

fn format(given: &Given) -> Result<(), Stop> {
    let directories = directories(&properties(given)?)?;
    if let Some(release) = given.one("--release-version") {
        releases::metadata_level(release, releases::LATEST).map_err(Stop::Said)?;
    }
    for feature in given.all("--feature") {
        let (name, _) = releases::name_and_level(feature).map_err(Stop::Said)?;
        if let Some(message) = releases::unsupported(name) {
            return Err(Stop::Said(message));
        }
    }
    for scram in given.all("--add-scram") {
        if !scram.contains('=') {
            let message = format!("Failed to find equals sign in SCRAM argument '{scram}'");
            return Err(Stop::Said(message));
        }
    }
    let id = given.one("--cluster-id").unwrap_or_default();
    let mut formatted = 0;
    for directory in &directories {
        let meta = meta(directory);
        if let Some(theirs) = meta.get("cluster.id").filter(|theirs| *theirs != id) {
            let message = format!(
                "Invalid cluster.id in: {}. Expected {id}, but read {theirs}",
                directory.join("meta.properties").display()
            );
            return Err(Failure::new("java.lang.RuntimeException", message).into());
        }
        if !meta.is_empty() {
            formatted += 1;
            if !given.has("--ignore-formatted") {
                return Err(Stop::Said(format!(
                    "Log directory {} is already formatted. Use --ignore-formatted to ignore this \
                     directory and format the others.",
                    directory.display()
                )));
            }
        }
    }
    if formatted == directories.len() {
        say("All of the log directories are already formatted.");
        return Ok(());
    }
    say("Nothing needs formatting: a node formats its empty log directories when it starts.");
    say(&format!(
        "For this id put cluster.id={id} into the properties, or CLUSTER_ID into the environment."
    ));
    Ok(())
}

#[cfg(test)]
mod tests;
