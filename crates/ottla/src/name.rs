//! Which of its tools the binary is, by the name it is called or by the first argument. Pure.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A tool of the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Ottla,
    Topics,
    ConsoleProducer,
    ConsoleConsumer,
    MetadataQuorum,
    Verify,
    ServerStart,
    ServerStop,
    ZookeeperStart,
}

/// Names under which a tool answers: as a link to the binary, with or without `.sh`, and as
/// `ottla NAME`.
const NAMES: &[(&str, Tool)] = &[
    ("kafka-topics", Tool::Topics),
    ("kafka-console-producer", Tool::ConsoleProducer),
    ("kafka-console-consumer", Tool::ConsoleConsumer),
    ("kafka-metadata-quorum", Tool::MetadataQuorum),
    ("kafka-server-start", Tool::ServerStart),
    ("kafka-server-stop", Tool::ServerStop),
    ("zookeeper-server-start", Tool::ZookeeperStart),
    ("verify", Tool::Verify),
];

/// What `ottla --help` says of them.
pub(crate) const TOOLS_HELP: &str = "\
Tools, each with its own --help; a link to this program with such a name (.sh or not) is that tool:
  verify                  Produce with acks=all, read back, count what was lost or doubled
  kafka-topics            Create, list, describe, alter and delete topics
  kafka-console-producer  Send the lines of the standard input
  kafka-console-consumer  Print records
  kafka-metadata-quorum   Describe the controllers
  kafka-server-start      Start a node from a server.properties
  kafka-server-stop       Stop the nodes of this machine";

/// The tool, and the arguments that are left for it.
pub(crate) fn resolve(args: impl IntoIterator<Item = OsString>) -> (Tool, Vec<OsString>) {
    let mut args = args.into_iter();
    let called = args.next().unwrap_or_default();
    let mut args: Vec<_> = args.collect();
    if let Some(tool) = Path::new(&called).file_name().and_then(named) {
        return (tool, args);
    }
    if let Some(tool) = args.first().and_then(|first| named(first)) {
        args.remove(0);
        return (tool, args);
    }
    (Tool::Ottla, args)
}

fn named(name: &OsStr) -> Option<Tool> {
    let name = name.to_str()?;
    let name = name.strip_suffix(".sh").unwrap_or(name);
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, tool)| *tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(args: &[&str]) -> (Tool, Vec<String>) {
        let (tool, rest) = resolve(args.iter().map(OsString::from));
        (tool, rest.into_iter().filter_map(|arg| arg.into_string().ok()).collect())
    }

    #[test]
    fn links_answer_by_their_name_with_and_without_sh() {
        for link in ["/x/bin/kafka-topics.sh", "kafka-topics", "bin/kafka-topics"] {
            assert_eq!(resolved(&[link, "--list"]), (Tool::Topics, vec!["--list".into()]));
        }
    }

    #[test]
    fn subcommands_answer_by_the_same_names() {
        let rest = vec!["--topic".into(), "t".into()];
        assert_eq!(
            resolved(&["ottla", "kafka-console-consumer", "--topic", "t"]),
            (Tool::ConsoleConsumer, rest)
        );
        assert_eq!(resolved(&["ottla", "verify"]), (Tool::Verify, vec![]));
    }

    #[test]
    fn all_else_is_ottla_itself() {
        assert_eq!(resolved(&["ottla", "cluster"]), (Tool::Ottla, vec!["cluster".into()]));
        assert_eq!(resolved(&["renamed"]), (Tool::Ottla, vec![]));
        assert_eq!(resolved(&[]), (Tool::Ottla, vec![]));
    }
}
