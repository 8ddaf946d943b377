//! Which options there are, and which of them go together.

use crate::exceptions::Failure;
use crate::jopt::{Given, Opt, flag, value};

pub(crate) const OPTIONS: &[Opt] = &[
    flag("alter", "Alter the number of partitions and replica assignment of a topic."),
    flag("at-min-isr-partitions", "With --describe: only partitions at the minimum ISR."),
    value("bootstrap-server", "String: server to connect to", "REQUIRED: host:port, ..."),
    value("command-config", "String: file", "Properties of the client."),
    value("config", "String: name=value", "With --create: a config; may be repeated."),
    flag("create", "Create a topic."),
    flag("delete", "Delete topics."),
    value("delete-config", "String: name", "DEPRECATED; has no effect."),
    flag("describe", "List details of topics."),
    flag("exclude-internal", "With --list and --describe: leave internal topics out."),
    flag("help", "Print this."),
    flag("if-exists", "With --alter, --delete, --describe: only if the topic exists."),
    flag("if-not-exists", "With --create: only if the topic does not exist."),
    flag("list", "List topics."),
    value(
        "partition-size-limit-per-response",
        "Integer: maximum number of partitions per response",
        "With --describe: how many partitions one answer holds.",
    ),
    value("partitions", "Integer: # of partitions", "With --create and --alter."),
    value(
        "replica-assignment",
        "String: broker:broker,broker:broker",
        "With --create and --alter: the brokers of each partition.",
    ),
    value("replication-factor", "Integer: # of replicas", "With --create."),
    value("topic", "String: topic", "The topic; a regular expression except with --create."),
    value("topic-id", "String: topic-id", "With --describe: the topic by its id."),
    flag("topics-with-overrides", "With --describe: only topics with configs of their own."),
    flag("unavailable-partitions", "With --describe: only partitions without a live leader."),
    flag("under-min-isr-partitions", "With --describe: only partitions below the minimum ISR."),
    flag(
        "under-replicated-partitions",
        "With --describe: only partitions with replicas not in sync.",
    ),
    flag("version", "Print the version."),
];

/// What the tool is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    List,
    Describe,
    Create,
    Alter,
    Delete,
}

impl Action {
    /// What Kafka's tool asks the cluster first, for the message when nobody answers.
    pub(super) fn first_call(self) -> &'static str {
        match self {
            Self::Create => "createTopics",
            Self::List | Self::Describe | Self::Alter | Self::Delete => "listTopics",
        }
    }
}

/// A command line that makes no sense, or that only asks for help.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misuse {
    /// To be said with the usage behind it.
    Usage(String),
    /// To be said with the exception behind it.
    Thrown(Failure),
    Version,
}

const ACTIONS: [(&str, Action); 5] = [
    ("create", Action::Create),
    ("list", Action::List),
    ("alter", Action::Alter),
    ("describe", Action::Describe),
    ("delete", Action::Delete),
];

/// The filters of describe that choose partitions.
pub(super) const REPORTS: [&str; 4] = [
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
];

/// Each option with the actions that it goes with.
const FITS: &[(&str, &[&str])] = &[
    ("config", &["create", "alter"]),
    ("partitions", &["create", "alter"]),
    ("replication-factor", &["create"]),
    ("replica-assignment", &["create", "alter"]),
    ("under-replicated-partitions", &["describe"]),
    ("under-min-isr-partitions", &["describe"]),
    ("at-min-isr-partitions", &["describe"]),
    ("unavailable-partitions", &["describe"]),
    ("topics-with-overrides", &["describe"]),
    ("if-exists", &["alter", "delete", "describe"]),
    ("if-not-exists", &["create"]),
    ("exclude-internal", &["list", "describe"]),
];

const DELETE_CONFIG: &str = "delete-config option is no longer supported and deprecated since version \
                             4.0. The config will be fully removed in future releases.";
const CONFIGS_TOOL: &str = "(To alter topic configurations, the kafka-configs tool can be used.)";

/// Finds what is to be done, or what is wrong.
pub(super) fn check(given: &Given, empty: bool) -> Result<Action, Misuse> {
    let usage = |message: &str| Err(Misuse::Usage(message.to_owned()));
    if given.has("delete-config") {
        crate::console::complain(DELETE_CONFIG);
    }
    if empty {
        return usage("Create, delete, describe, or change a topic.");
    }
    if given.has("help") {
        return usage("This tool helps to create, delete, describe, or change a topic.");
    }
    if given.has("version") {
        return Err(Misuse::Version);
    }
    let mut actions = ACTIONS.iter().filter(|(name, _)| given.has(name));
    let (Some((_, action)), None) = (actions.next(), actions.next()) else {
        return usage(
            "Command must include exactly one action: --list, --describe, --create, --alter or \
             --delete",
        );
    };
    check_required(given, *action)?;
    check_fitting(given)?;
    Ok(*action)
}

fn check_required(given: &Given, action: Action) -> Result<(), Misuse> {
    let missing = |name: &str| Misuse::Usage(format!("Missing required argument \"[{name}]\""));
    if !given.has("bootstrap-server") {
        let message = "--bootstrap-server must be specified";
        return Err(Misuse::Thrown(Failure::illegal_argument(message)));
    }
    match action {
        Action::Describe
            if given.has("if-exists") && !given.has("topic") && !given.has("topic-id") =>
        {
            let message = "--topic or --topic-id is required to describe a topic";
            Err(Misuse::Usage(message.to_owned()))
        }
        Action::List | Action::Describe => Ok(()),
        Action::Create | Action::Alter | Action::Delete if !given.has("topic") => {
            Err(missing("topic"))
        }
        Action::Alter if given.has("config") => Err(Misuse::Usage(format!(
            "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \
             \"[alter]\" {CONFIGS_TOOL}"
        ))),
        Action::Alter if !given.has("partitions") => Err(missing("partitions")),
        Action::Create | Action::Alter | Action::Delete => Ok(()),
    }
}

fn check_fitting(given: &Given) -> Result<(), Misuse> {
    let clash = |option: &str, with: &str| {
        Misuse::Usage(format!("Option \"[{option}]\" can't be used with option \"[{with}]\""))
    };
    for (option, fits) in FITS.iter().filter(|(option, _)| given.has(option)) {
        let wrong = ACTIONS.iter().find(|(name, _)| given.has(name) && !fits.contains(name));
        if let Some((action, _)) = wrong {
            return Err(clash(option, action));
        }
    }
    if given.has("create") && given.has("replica-assignment") {
        for other in ["partitions", "replication-factor"] {
            if given.has(other) {
                return Err(clash("replica-assignment", other));
            }
        }
    }
    for report in REPORTS.iter().filter(|report| given.has(report)) {
        if given.has("topics-with-overrides") {
            return Err(clash(report, "topics-with-overrides"));
        }
    }
    Ok(())
}
