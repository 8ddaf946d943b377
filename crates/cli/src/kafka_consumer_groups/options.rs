//! Which options there are, and which of them go together.

use crate::console::complain;
use crate::exceptions::Failure;
use crate::jopt::{Given, Opt, flag, optional, value};

pub(crate) const OPTIONS: &[Opt] = &[
    flag("all-groups", "All groups of consumers."),
    flag("all-topics", "With --reset-offsets: all topics that the group has offsets of."),
    value("bootstrap-server", "String: server to connect to", "REQUIRED: host:port, ..."),
    value("by-duration", "String: duration", "With --reset-offsets: so long ago. PnDTnHnMnS"),
    value("command-config", "String: command config property file", "Properties of the client."),
    flag("delete", "Delete groups without members, with their offsets."),
    flag("delete-offsets", "Delete a group's offsets of topics."),
    flag("describe", "Describe groups: offsets and lag, members, or state."),
    flag("dry-run", "With --reset-offsets: only show what would be done."),
    flag("execute", "With --reset-offsets: do it."),
    flag("export", "With --reset-offsets: print the result as CSV."),
    value("from-file", "String: path to CSV file", "With --reset-offsets: to what a file says."),
    value("group", "String: consumer group", "The group; may be repeated."),
    flag("help", "Print this."),
    flag("list", "List groups."),
    flag("members", "With --describe: the members."),
    flag("offsets", "With --describe: offsets and lag; the default."),
    flag("reset-offsets", "Reset the offsets of groups without members."),
    value("shift-by", "Long: number-of-offsets", "With --reset-offsets: by so many, also back."),
    optional("state", "String", "With --describe and --list: the state; also to list only some."),
    value("timeout", "Long: timeout (ms)", "How long a call may take. (default: 30000)"),
    flag("to-current", "With --reset-offsets: to the committed offsets."),
    value("to-datetime", "String: datetime", "With --reset-offsets: YYYY-MM-DDThh:mm:ss.sss"),
    flag("to-earliest", "With --reset-offsets: to the first record."),
    flag("to-latest", "With --reset-offsets: to the end."),
    value("to-offset", "Long: offset", "With --reset-offsets: to this offset."),
    value(
        "topic",
        "String: topic",
        "The topic, or topic:0,1 for some partitions; may be repeated.",
    ),
    optional("type", "String", "With --list: the type; also to list only some."),
    value("validate-regex", "String: regex", "Tell whether a pattern of topics is valid."),
    flag("verbose", "With --describe: more columns."),
    flag("version", "Print the version."),
];

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    List,
    Describe,
    Delete,
    ResetOffsets,
    DeleteOffsets,
    ValidateRegex,
}

/// A command line that makes no sense, or that only asks for help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misuse {
    Usage(String),
    Uncaught(Failure),
    Version,
}

const ACTIONS: [(&str, Action); 6] = [
    ("list", Action::List),
    ("describe", Action::Describe),
    ("delete", Action::Delete),
    ("reset-offsets", Action::ResetOffsets),
    ("delete-offsets", Action::DeleteOffsets),
    ("validate-regex", Action::ValidateRegex),
];

/// Options that need one of others.
const NEEDS: [(&str, &[&str]); 5] = [
    ("members", &["describe"]),
    ("verbose", &["describe"]),
    ("offsets", &["describe"]),
    ("state", &["describe", "list"]),
    ("type", &["list"]),
];

/// To what offsets are reset, in the order in which conflicts are looked for.
const SCENARIOS: [&str; 8] = [
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "to-current",
    "shift-by",
    "from-file",
];

const PURPOSE: &str = "This tool helps to list all consumer groups, describe a consumer group, \
                       delete consumer group info, or reset consumer group offsets.";
const NO_EXECUTE: &str = "WARN: No action will be performed as the --execute option is missing. In \
                          version 5.0, this command will require either --dry-run or --execute to \
                          be specified. You should add the --dry-run option explicitly if you are \
                          scripting this command and want to keep the current default behavior \
                          without prompting.";

fn usage<T>(message: impl Into<String>) -> Result<T, Misuse> {
    Err(Misuse::Usage(message.into()))
}

/// Finds what is to be done, or what is wrong.
pub(super) fn check(given: &Given, empty: bool) -> Result<Action, Misuse> {
    check_needs(given)?;
    if empty || given.has("help") {
        return usage(PURPOSE);
    }
    if given.has("version") {
        return Err(Misuse::Version);
    }
    if !given.has("validate-regex") && !given.has("bootstrap-server") {
        return usage("Missing required argument \"[bootstrap-server]\"");
    }
    if given.has("describe") {
        check_describe(given)?;
    }
    if given.has("delete") {
        check_delete(given)?;
    }
    if given.has("delete-offsets") && !(given.has("group") && given.has("topic")) {
        return usage("Option [delete-offsets] takes the following options: [group], [topic]");
    }
    if given.has("reset-offsets") {
        check_reset(given)?;
    }
    clash(given, "group", &["all-groups", "list"])?;
    clash(given, "topic", &["list", "describe"])?;
    let mut actions = ACTIONS.iter().filter(|(name, _)| given.has(name));
    match (actions.next(), actions.next()) {
        (Some((_, action)), None) => Ok(*action),
        _ => usage(
            "Command must include exactly one action: --list, --describe, --delete, \
             --reset-offsets, --delete-offsets, --validate-regex",
        ),
    }
}

fn check_needs(given: &Given) -> Result<(), Misuse> {
    for (option, needs) in NEEDS {
        if given.has(option) && !needs.iter().any(|needed| given.has(needed)) {
            return Err(Misuse::Uncaught(Failure::new(
                "joptsimple.UnavailableOptionException",
                format!(
                    "Option(s) [{option}] are unavailable given other options on the command line"
                ),
            )));
        }
    }
    Ok(())
}

fn clash(given: &Given, option: &str, others: &[&str]) -> Result<(), Misuse> {
    match others.iter().find(|other| **other != option && given.has(other)) {
        Some(other) if given.has(option) => {
            usage(format!("Option \"[{option}]\" can't be used with option \"[{other}]\""))
        }
        _ => Ok(()),
    }
}

fn check_groups(given: &Given, action: &str) -> Result<(), Misuse> {
    if given.has("group") || given.has("all-groups") {
        return Ok(());
    }
    usage(format!("Option [{action}] takes one of these options: [group], [all-groups]"))
}

fn check_describe(given: &Given) -> Result<(), Misuse> {
    check_groups(given, "describe")?;
    if ["members", "offsets", "state"].iter().filter(|part| given.has(part)).count() > 1 {
        return usage(
            "Option [describe] takes at most one of these options: [members], [offsets], [state]",
        );
    }
    if given.all("state").next().is_some() {
        return usage("Option [describe] does not take a value for [state]");
    }
    Ok(())
}

fn check_delete(given: &Given) -> Result<(), Misuse> {
    check_groups(given, "delete")?;
    if given.has("topic") {
        return usage(
            "The consumer does not support topic-specific offset deletion from a consumer group.",
        );
    }
    Ok(())
}

fn check_reset(given: &Given) -> Result<(), Misuse> {
    match (given.has("dry-run"), given.has("execute")) {
        (true, true) => {
            return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
        }
        (false, false) => complain(NO_EXECUTE),
        _ => {}
    }
    check_groups(given, "reset-offsets")?;
    SCENARIOS.iter().try_for_each(|scenario| clash(given, scenario, &SCENARIOS))
}
