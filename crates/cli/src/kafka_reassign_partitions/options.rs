//! Which options there are, and which of them go together.

use crate::jopt::{Given, Opt, flag, value};

pub(crate) const OPTIONS: &[Opt] = &[
    flag("additional", "With --execute: in addition to reassignments that are under way."),
    value("bootstrap-controller", "String: controller", "Controllers: host:port, …"),
    value("bootstrap-server", "String: Server(s)", "Where the cluster is."),
    value("broker-list", "String: brokerlist", "With --generate: the brokers, as in \"0,1,2\"."),
    flag("cancel", "Cancel an active reassignment."),
    value("command-config", "String: file", "Properties of the client."),
    flag("disable-rack-aware", "With --generate: do not look at racks."),
    flag(
        "disallow-replication-factor-change",
        "With --execute: refuse to change replication factors.",
    ),
    flag("execute", "Start what --reassignment-json-file says."),
    flag("generate", "Propose where partitions could go; changes nothing."),
    flag("help", "Print this."),
    flag("list", "List the active reassignments."),
    flag("preserve-throttles", "With --verify and --cancel: leave throttles as they are."),
    value("reassignment-json-file", "String: file", "The assignment: where each partition goes."),
    value(
        "replica-alter-log-dirs-throttle",
        "Long: bytes/sec",
        "With --execute: the most that moves between log directories.",
    ),
    value("throttle", "Long: bytes/sec", "With --execute: the most that moves between brokers."),
    value("timeout", "Long: ms", "How long to wait for moves between log directories to begin."),
    value("topics-to-move-json-file", "String: file", "With --generate: the topics."),
    flag("verify", "Tell how far a reassignment is; clear its throttles if it is done."),
    flag("version", "Print the version."),
];

/// What the tool is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Generate,
    Execute,
    Verify,
    Cancel,
    List,
}

/// A command line that makes no sense, or that only asks for something about the tool.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misuse {
    /// To be said with the usage behind it.
    Usage(String),
    Version,
}

/// An action with the options that it must have, and those that it may have.
type Rules = (&'static str, Action, &'static [&'static str], &'static [&'static str]);

const ACTIONS: [Rules; 5] = [
    (
        "generate",
        Action::Generate,
        &["topics-to-move-json-file", "broker-list"],
        &["command-config", "disable-rack-aware"],
    ),
    (
        "execute",
        Action::Execute,
        &["reassignment-json-file"],
        &[
            "additional",
            "command-config",
            "throttle",
            "replica-alter-log-dirs-throttle",
            "timeout",
            "disallow-replication-factor-change",
        ],
    ),
    (
        "verify",
        Action::Verify,
        &["reassignment-json-file"],
        &["command-config", "preserve-throttles"],
    ),
    (
        "cancel",
        Action::Cancel,
        &["reassignment-json-file"],
        &["command-config", "preserve-throttles", "timeout"],
    ),
    ("list", Action::List, &[], &["command-config"]),
];
const SERVERS: [&str; 2] = ["bootstrap-server", "bootstrap-controller"];

/// Finds what is to be done, or what is wrong.
pub(super) fn check(given: &Given, empty: bool) -> Result<Action, Misuse> {
    let wrong = |message: String| Err(Misuse::Usage(message));
    if empty || given.has("help") {
        return wrong("This tool helps to move topic partitions between replicas.".to_owned());
    }
    if given.has("version") {
        return Err(Misuse::Version);
    }
    let mut actions = ACTIONS.iter().filter(|(name, ..)| given.has(name));
    let (Some((name, action, required, permitted)), None) = (actions.next(), actions.next()) else {
        let names: Vec<_> = ACTIONS.iter().map(|(name, ..)| format!("--{name}")).collect();
        let names = names.join(", ");
        return wrong(format!("Command must include exactly one action: {names}"));
    };
    match SERVERS.map(|server| given.has(server)) {
        [true, true] => {
            return wrong(
                "Please don't specify both --bootstrap-server and --bootstrap-controller".into(),
            );
        }
        [false, false] => {
            return wrong(
                "Please specify either --bootstrap-server or --bootstrap-controller".into(),
            );
        }
        _ => {}
    }
    if let Some(missing) = required.iter().find(|option| !given.has(option)) {
        return wrong(format!("Missing required argument \"[{missing}]\""));
    }
    let fits = |option: &str| {
        option == *name
            || SERVERS.contains(&option)
            || required.contains(&option)
            || permitted.contains(&option)
    };
    if let Some(option) = OPTIONS.iter().find(|it| given.has(it.name) && !fits(it.name)) {
        let option = option.name;
        return wrong(format!("Option \"[{option}]\" can't be used with action \"[{name}]\""));
    }
    Ok(*action)
}
