//! Kafka's releases and the levels of its features in each. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(crate) const METADATA_VERSION: &str = "metadata.version";

/// Metadata versions by level, from 7; of each release the last one is what the release means.
const METADATA: &[&str] = &[
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2",
    "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0",
    "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
    "4.4-IV0",
];
const FIRST: i16 = 7;
/// The last level that is released.
pub(crate) const LATEST: i16 = 30;

/// Each other feature: the level that a release sets, and from which metadata version on.
const FEATURES: &[(&str, i16, i16)] = &[
    ("kraft.version", 1, 21),
    ("transaction.version", 2, 24),
    ("group.version", 1, 22),
    ("eligible.leader.replicas.version", 1, 26),
    ("share.version", 1, 28),
    ("streams.version", 1, 29),
];

/// A metadata version's name.
pub(crate) fn metadata_name(level: i16) -> Option<&'static str> {
    METADATA.get(usize::try_from(level.checked_sub(FIRST)?).ok()?).copied()
}

/// The metadata version of `4.0-IV3` or of the release `4.0`; else what to say. `known` is the last one
/// that is named then.
pub(crate) fn metadata_level(text: &str, known: i16) -> Result<i16, String> {
    let is = |name: &&str| *name == text || name.split("-IV").next() == Some(text);
    let levels = (FIRST..).zip(METADATA).filter(|(_, name)| is(name));
    levels.map(|(level, _)| level).last().ok_or_else(|| {
        let count = usize::try_from(known - FIRST + 1).unwrap_or(0);
        let names: Vec<_> = METADATA.iter().take(count).copied().collect();
        let names = names.join(", ");
        format!("Unknown metadata.version '{text}'. Supported metadata.version are: {names}")
    })
}

/// The last level that has a name.
pub(crate) const NAMED: i16 = 31;

/// All features with their levels in a release, the metadata version among them.
pub(crate) fn levels(metadata: i16) -> BTreeMap<String, i16> {
    let mut levels: BTreeMap<String, i16> =
        features(metadata).map(|(name, level)| (name.to_owned(), level)).collect();
    levels.insert(METADATA_VERSION.to_owned(), metadata);
    levels
}

fn features(metadata: i16) -> impl Iterator<Item = (&'static str, i16)> {
    FEATURES
        .iter()
        .map(move |(name, level, from)| (*name, if metadata >= *from { *level } else { 0 }))
}

/// What `version-mapping` prints.
pub(crate) fn mapping(release: Option<&str>) -> Result<String, String> {
    let (level, name) = match release {
        Some(release) => (metadata_level(release, NAMED)?, release),
        None => (LATEST, metadata_name(LATEST).unwrap_or_default()),
    };
    let mut text = format!("{METADATA_VERSION}={level} ({name})\n");
    for (name, level) in features(level) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}={level}");
    }
    Ok(text)
}

/// What `feature-dependencies` prints.
pub(crate) fn dependencies<'a>(wanted: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let mut text = String::new();
    for wanted in wanted {
        let (name, level) = name_and_level(wanted)?;
        if name == METADATA_VERSION {
            let known = metadata_name(level);
            let version = known.ok_or_else(|| format!("Unknown metadata.version {level}"))?;
            let _ = writeln!(text, "{name}={level} ({version}) has no dependencies.");
            continue;
        }
        let feature = FEATURES.iter().find(|(known, ..)| *known == name);
        let (_, greatest, _) = feature.ok_or_else(|| format!("Unknown feature: {name}"))?;
        if !(0..=*greatest).contains(&level) {
            return Err(format!("No feature:{name} with feature level {level}"));
        }
        // The only one: its records came with this metadata version.
        if name == "eligible.leader.replicas.version" && level == 1 {
            let _ = writeln!(text, "{name}={level} requires:\n    {METADATA_VERSION}=23 (4.0-IV1)");
        } else {
            let _ = writeln!(text, "{name}={level} has no dependencies.");
        }
    }
    Ok(text)
}

/// `feature=level`.
pub(crate) fn name_and_level(text: &str) -> Result<(&str, i16), String> {
    let wrong = |why: &str| format!("Can't parse feature=level string {text}: {why}");
    let (name, level) = text.split_once('=').ok_or_else(|| wrong("equals sign not found."))?;
    let (name, level) = (name.trim(), level.trim());
    let number = level.parse();
    number
        .map(|level| (name, level))
        .map_err(|_| wrong(&format!("unable to parse {level} as a short.")))
}

/// Features beside the metadata version, by name, as named when one is not known.
pub(crate) fn unsupported(name: &str) -> Option<String> {
    if name == METADATA_VERSION || FEATURES.iter().any(|(known, ..)| *known == name) {
        return None;
    }
    let mut names: Vec<_> = FEATURES.iter().map(|(name, ..)| *name).collect();
    names.sort_unstable();
    Some(format!("Unsupported feature: {name}. Supported features are: {}", names.join(", ")))
}
