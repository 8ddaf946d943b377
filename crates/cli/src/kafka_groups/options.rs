//! Which options there are, and which of them go together.

use ottla_client::admin::GroupType;

use super::Filter;
use crate::exceptions::Failure;
use crate::jopt::{Given, Opt, OptionError, flag, value};

pub(crate) const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server to connect to", "REQUIRED: host:port, ..."),
    value("command-config", "String: command config property file", "Properties of the client."),
    flag("consumer", "Only groups of consumers, those without members included."),
    value(
        "group-type",
        "String: type",
        "Only groups of a type: classic, consumer, share, streams.",
    ),
    flag("help", "Print this."),
    flag("list", "List groups."),
    value("protocol", "String: protocol", "Only groups of a protocol."),
    flag("share", "Only share groups."),
    flag("streams", "Only streams groups."),
    flag("version", "Print the version."),
];

/// Options of which only one may be given; conflicts are looked for in this order.
const EXCLUSIVE: [(&str, [&str; 4]); 3] = [
    ("consumer", ["group-type", "protocol", "share", "streams"]),
    ("share", ["consumer", "group-type", "protocol", "streams"]),
    ("streams", ["consumer", "group-type", "protocol", "share"]),
];

/// A command line that makes no sense, or that only asks for help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misuse {
    Usage(String),
    Thrown(Failure),
    Version,
}

impl From<OptionError> for Misuse {
    fn from(error: OptionError) -> Self {
        Self::Thrown(error.into())
    }
}

/// Finds which groups are to be listed, or what is wrong.
pub(super) fn check(given: &Given) -> Result<Filter, Misuse> {
    let usage = |message: &str| Err(Misuse::Usage(message.to_owned()));
    if given.has("help") {
        return usage("This tool helps to list groups of all types.");
    }
    if given.has("version") {
        return Err(Misuse::Version);
    }
    if !given.has("bootstrap-server") {
        return usage("Missing required option(s) [bootstrap-server]");
    }
    if !given.has("list") {
        return usage("Command must include exactly one action: --list.");
    }
    let kind = given.one("group-type")?.map(GroupType::parse);
    if kind == Some(GroupType::Unknown) {
        let failure = Failure::illegal_argument("--group-type must be a valid group type.");
        return Err(Misuse::Thrown(failure));
    }
    for (option, others) in EXCLUSIVE.iter().filter(|(option, _)| given.has(option)) {
        if let Some(other) = others.iter().find(|other| given.has(other)) {
            return usage(&format!(
                "Option \"[{option}]\" can't be used with option \"[{other}]\""
            ));
        }
    }
    let protocol = given.one("protocol")?.map(str::to_owned);
    Ok(match (kind, protocol) {
        (Some(kind), protocol) => Filter::Type(kind, protocol),
        (None, Some(protocol)) => Filter::Protocol(protocol),
        (None, None) if given.has("consumer") => Filter::Consumers,
        (None, None) if given.has("share") => Filter::Type(GroupType::Share, None),
        (None, None) if given.has("streams") => Filter::Type(GroupType::Streams, None),
        (None, None) => Filter::All,
    })
}
