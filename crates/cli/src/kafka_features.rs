//! `kafka-features`: feature levels of the cluster, and of Kafka's releases.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::admin::{Features, UpgradeType};
use ottla_client::{Admin, ClientOptions};

use crate::argparse::{self, Arg, Given, Group, Kind, Parser, Refusal, arg};
use crate::console::{complain, print, print_error, say};
use crate::exceptions::Failure;
use crate::properties::{self, client_options};
use crate::releases::{self, METADATA_VERSION};
use crate::session;

const METADATA: Arg =
    arg(&["--metadata"], Kind::Text, "METADATA", "DEPRECATED: the metadata version, as 4.0-IV3.");
const RELEASE: Arg = arg(
    &["--release-version"],
    Kind::Text,
    "RELEASE_VERSION",
    "The release whose levels are meant, as 4.0 or 4.0-IV3.",
);
const FEATURE: Arg = arg(&["--feature"], Kind::Text, "FEATURE", "feature=level; may be repeated.");
const UNSAFE: Arg = arg(&["--unsafe"], Kind::Flag, "", "Even if metadata is lost by it.");
const DRY_RUN: Arg = arg(&["--dry-run"], Kind::Flag, "", "Only say whether it could be done.");

pub(crate) const PARSER: &Parser = &Parser {
    name: "kafka-features",
    description: "This tool shows and changes the levels of features.",
    args: &[
        arg(&["--bootstrap-server"], Kind::Text, "BOOTSTRAP_SERVER", "Brokers: host:port, …")
            .in_group(0),
        arg(
            &["--bootstrap-controller"],
            Kind::Text,
            "BOOTSTRAP_CONTROLLER",
            "Controllers: host:port, …",
        )
        .in_group(0),
        arg(&["--command-config"], Kind::Text, "COMMAND_CONFIG", "Properties of the client."),
    ],
    groups: &[Group { title: "", description: "", exclusive: true, required: false }],
    commands: &[
        command(
            "describe",
            "Show the levels that are in force.",
            &[arg(&["--node-id"], Kind::Integer, "NODE_ID", "The broker that is asked.")],
        ),
        command("upgrade", "Raise levels.", &[METADATA, RELEASE, FEATURE, DRY_RUN]),
        command("downgrade", "Lower levels.", &[METADATA, RELEASE, FEATURE, UNSAFE, DRY_RUN]),
        command(
            "disable",
            "Lower levels to 0.",
            &[
                arg(&["--feature"], Kind::Text, "FEATURE", "A feature; may be repeated."),
                UNSAFE,
                DRY_RUN,
            ],
        ),
        command("version-mapping", "Show the levels that a release sets.", &[RELEASE]),
        command(
            "feature-dependencies",
            "Show what a level needs of other features.",
            &[FEATURE.required()],
        ),
    ],
};

const fn command(name: &'static str, description: &'static str, args: &'static [Arg]) -> Parser {
    Parser { name, description, args, groups: &[], commands: &[] }
}

/// A change of levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Upgrade,
    Downgrade,
    Disable,
}

impl Change {
    /// The infinitive and the participle.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Upgrade => ("upgrade", "upgraded"),
            Self::Downgrade => ("downgrade", "downgraded"),
            Self::Disable => ("disable", "disabled"),
        }
    }
}

/// Why the tool ends without success.
enum Stop {
    /// To be said on stderr.
    Said(String),
    /// All of it is said.
    Silent,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Said(failure.thrown())
    }
}

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match argparse::parse(PARSER, &args) {
        Ok(given) => given,
        Err(help @ Refusal::Help(_)) => {
            help.print();
            return ExitCode::SUCCESS;
        }
        Err(Refusal::Wrong { message, .. }) => return misused(&message),
    };
    let offline = match given.command() {
        Some("version-mapping") => Some(releases::mapping(given.one("--release-version"))),
        Some("feature-dependencies") => Some(releases::dependencies(given.all("--feature"))),
        _ => None,
    };
    match offline {
        Some(Ok(text)) => {
            print(&text);
            return ExitCode::SUCCESS;
        }
        Some(Err(message)) => {
            complain(&message);
            return ExitCode::FAILURE;
        }
        None => {}
    }
    let controllers = given.one("--bootstrap-controller");
    let Some(bootstrap) = controllers.or_else(|| given.one("--bootstrap-server")) else {
        return misused("You must specify either --bootstrap-controller or --bootstrap-server.");
    };
    session::run_or(run(bootstrap, &given), |stop| {
        if let Stop::Said(message) = stop {
            complain(message);
        }
        ExitCode::FAILURE
    })
}

/// Kafka's tool ends this without a newline.
fn misused(message: &str) -> ExitCode {
    print_error(&format!("Command line error: {message}. Type --help for help."));
    ExitCode::FAILURE
}

async fn run(bootstrap: &str, given: &Given) -> Result<(), Stop> {
    let change = match given.command() {
        Some("upgrade") => Some(Change::Upgrade),
        Some("downgrade") => Some(Change::Downgrade),
        Some("disable") => Some(Change::Disable),
        _ => None,
    };
    let levels = change.map(|change| levels(change, given)).transpose().map_err(Stop::Said)?;
    let properties = properties::read(given.one("--command-config"))?;
    let options = client_options("adminclient-1", &properties)?;
    let bootstrap_controllers = given.has("--bootstrap-controller");
    let options = ClientOptions { bootstrap_controllers, ..options };
    let client = session::connect(bootstrap, options, "AdminClient clientId=adminclient-1")
        .await
        .map_err(|error| Failure::of_client(&error, "describeFeatures"))?;
    let admin = Admin::new(client);
    match change.zip(levels) {
        Some((change, levels)) => update(&admin, change, &levels, given).await,
        None => {
            let features = admin.describe_features(given.number("--node-id")).await;
            let features =
                features.map_err(|error| Failure::of_client(&error, "describeFeatures"))?;
            print(&description(&features));
            Ok(())
        }
    }
}

fn description(features: &Features) -> String {
    let epoch = features.epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
    let row = |(name, feature): (&String, &ottla_client::admin::Feature)| {
        let version = |level: i16| match releases::metadata_name(level) {
            Some(version) if name == METADATA_VERSION => version.to_owned(),
            _ => level.to_string(),
        };
        let (min, max) = feature.supported;
        format!(
            "Feature: {name:<40}  SupportedMinVersion: {:<15}  SupportedMaxVersion: {:<15}  \
             FinalizedVersionLevel: {:<15}  Epoch: {epoch}\n",
            version(min),
            version(max),
            version(feature.finalized)
        )
    };
    features.features.iter().map(row).collect()
}

/// The levels that the command line asks for.
fn levels(change: Change, given: &Given) -> Result<BTreeMap<String, i16>, String> {
    let mut levels = BTreeMap::new();
    if let Some(release) = given.one("--release-version") {
        if given.has("--feature") || given.has("--metadata") {
            return Err("Can not specify `release-version` with other feature flags.".to_owned());
        }
        return releases::metadata_level(release, releases::NAMED).map(releases::levels);
    }
    if let Some(metadata) = given.one("--metadata") {
        say(" `metadata` flag is deprecated and may be removed in a future release.");
        let level = releases::metadata_level(metadata, releases::NAMED)?;
        levels.insert(METADATA_VERSION.to_owned(), level);
    }
    for feature in given.all("--feature") {
        let (name, level) = match change {
            Change::Disable => (feature, 0),
            Change::Upgrade | Change::Downgrade => releases::name_and_level(feature)?,
        };
        if levels.insert(name.to_owned(), level).is_some() {
            return Err(format!("Feature {name} was specified more than once."));
        }
    }
    if levels.is_empty() {
        let (verb, _) = change.words();
        return Err(format!("You must specify at least one feature to {verb}"));
    }
    Ok(levels)
}

async fn update(
    admin: &Admin,
    change: Change,
    levels: &BTreeMap<String, i16>,
    given: &Given,
) -> Result<(), Stop> {
    let upgrade_type = match change {
        Change::Upgrade => UpgradeType::Upgrade,
        Change::Downgrade | Change::Disable if given.has("--unsafe") => {
            UpgradeType::UnsafeDowngrade
        }
        Change::Downgrade | Change::Disable => UpgradeType::SafeDowngrade,
    };
    let dry_run = given.has("--dry-run");
    let outcome = admin.update_features(levels, upgrade_type, dry_run).await;
    let outcome = outcome.map_err(|error| Failure::of_client(&error, "updateFeatures"))?;
    let (verb, participle) = change.words();
    for (name, level) in levels {
        let to = if change == Change::Disable { String::new() } else { format!(" to {level}") };
        match &outcome {
            Ok(()) if dry_run => say(&format!("{name} can be {participle}{to}.")),
            Ok(()) => say(&format!("{name} was {participle}{to}.")),
            Err(error) if dry_run => say(&format!("Can not {verb} {name}{to}. {error}")),
            Err(error) => say(&format!("Could not {verb} {name}{to}. {error}")),
        }
    }
    if outcome.is_ok() {
        return Ok(());
    }
    let count = levels.len();
    complain(&format!("{count} out of {count} operation(s) failed."));
    Err(Stop::Silent)
}

#[cfg(test)]
mod tests;
