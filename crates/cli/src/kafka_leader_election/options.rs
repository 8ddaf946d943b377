//! Which options there are, and which of them go together.

use ottla_client::admin::ElectionType;

use crate::console::say;
use crate::exceptions::Failure;
use crate::jopt::{Given, Opt, OptionError, flag, value};
use crate::thrown::Thrown;

pub(crate) const OPTIONS: &[Opt] = &[
    value("admin.config", "String: config file", "DEPRECATED: use --command-config."),
    flag("all-topic-partitions", "Elect in all partitions."),
    value("bootstrap-server", "String: host:port", "REQUIRED: where the cluster is."),
    value("command-config", "String: config file", "Properties of the client."),
    value("election-type", "[PREFERRED,UNCLEAN]: election type", "REQUIRED: whom to elect."),
    flag("help", "Print this."),
    value("partition", "Integer: partition id", "The partition of --topic."),
    value("path-to-json-file", "String: path", "The partitions, as JSON."),
    value("topic", "String: topic name", "The topic of --partition."),
    flag("version", "Print the version."),
];
const CHOICES: [&str; 3] = ["topic", "all-topic-partitions", "path-to-json-file"];

/// A command line that makes no sense, or that only asks for something about the tool.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misuse {
    /// To be said with the usage behind it.
    Usage(String),
    Thrown(Thrown),
    Version,
}

impl<T: Into<Thrown>> From<T> for Misuse {
    fn from(thrown: T) -> Self {
        Self::Thrown(thrown.into())
    }
}

pub(super) fn command_failed(message: impl Into<String>) -> Failure {
    Failure::new("org.apache.kafka.tools.AdminCommandFailedException", message)
}

/// Finds which election is wanted, or what is wrong.
pub(super) fn check(given: &Given, empty: bool) -> Result<ElectionType, Misuse> {
    if empty || given.has("help") {
        return Err(Misuse::Usage(
            "This tool attempts to elect a new leader for a set of topic partitions. The type of \
             elections supported are preferred replicas and unclean replicas."
                .to_owned(),
        ));
    }
    if given.has("version") {
        return Err(Misuse::Version);
    }
    let required = ["bootstrap-server", "election-type"];
    let missing: Vec<_> = required.into_iter().filter(|option| !given.has(option)).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(command_failed(format!("Missing required option(s): {missing}")).into());
    }
    if CHOICES.iter().filter(|option| given.has(option)).count() != 1 {
        return Err(command_failed(format!(
            "One and only one of the following options is required: {}",
            CHOICES.join(", ")
        ))
        .into());
    }
    match (given.has("topic"), given.has("partition")) {
        (true, false) => {
            return Err(command_failed("Missing required option(s): partition").into());
        }
        (false, true) => {
            let message = "Option partition is only allowed if topic is used";
            return Err(command_failed(message).into());
        }
        _ => {}
    }
    if given.has("admin.config") {
        if given.has("command-config") {
            return Err(Misuse::Usage(
                "Option \"[admin.config]\" can't be used with option \"[command-config]\"".into(),
            ));
        }
        say(
            "Option --admin.config has been deprecated and will be removed in a future version. Use \
             --command-config instead.",
        );
    }
    let text = given.one("election-type")?.unwrap_or_default();
    match text.to_uppercase().as_str() {
        "PREFERRED" => Ok(ElectionType::Preferred),
        "UNCLEAN" => Ok(ElectionType::Unclean),
        _ => {
            let option = "election-type";
            let thrown = OptionError::Unparsable { option, argument: text.to_owned() };
            let cause = Failure::new(
                "joptsimple.ValueConversionException",
                format!("Value [{text}] is not one of [[PREFERRED,UNCLEAN]]"),
            );
            Err(Thrown::caused(thrown.into(), cause.into()).into())
        }
    }
}
