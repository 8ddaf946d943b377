//! Which of its tools the binary is, by the name it is called or by the first argument. Pure.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use ottla_cli::{TOOLS, Tool};

/// What the binary is called as.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Called {
    Ottla,
    Tool(&'static Tool),
    ServerStart,
    ServerStop,
    ZookeeperStart,
}

/// Names beside those of the tools.
pub(crate) const SCRIPTS: &[(&str, Called, &str)] = &[
    ("kafka-server-start", Called::ServerStart, "Start a node from a server.properties"),
    ("kafka-server-stop", Called::ServerStop, "Stop the nodes of this machine"),
    ("zookeeper-server-start", Called::ZookeeperStart, "Say what took ZooKeeper's place"),
];

/// What `ottla --help` says of them.
pub(crate) fn tools_help() -> String {
    let mut text =
        "Tools, each with its own --help; a link to this program with such a name (.sh or \
                    not) is that tool:"
            .to_owned();
    let tools = TOOLS.iter().map(|tool| (tool.name, tool.about));
    for (name, about) in tools.chain(SCRIPTS.iter().map(|(name, _, about)| (*name, *about))) {
        text += &format!("\n  {name:<27}{about}");
    }
    text
}

/// The tool, and the arguments that are left for it.
pub(crate) fn resolve(args: impl IntoIterator<Item = OsString>) -> (Called, Vec<OsString>) {
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
    (Called::Ottla, args)
}

fn named(name: &OsStr) -> Option<Called> {
    let name = name.to_str()?;
    let name = name.strip_suffix(".sh").unwrap_or(name);
    let tool = TOOLS.iter().find(|tool| tool.name == name).map(Called::Tool);
    tool.or_else(|| SCRIPTS.iter().find(|(known, ..)| *known == name).map(|(_, called, _)| *called))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(args: &[&str]) -> (&'static str, Vec<String>) {
        let (called, rest) = resolve(args.iter().map(OsString::from));
        let name = match called {
            Called::Ottla => "ottla",
            Called::Tool(tool) => tool.name,
            Called::ServerStart => "start",
            Called::ServerStop => "stop",
            Called::ZookeeperStart => "zookeeper",
        };
        (name, rest.into_iter().filter_map(|arg| arg.into_string().ok()).collect())
    }

    #[test]
    fn links_answer_by_their_name_with_and_without_sh() {
        for link in ["/x/bin/kafka-topics.sh", "kafka-topics", "bin/kafka-topics"] {
            assert_eq!(resolved(&[link, "--list"]), ("kafka-topics", vec!["--list".into()]));
        }
        assert_eq!(resolved(&["bin/zookeeper-server-start.sh"]), ("zookeeper", vec![]));
    }

    #[test]
    fn subcommands_answer_by_the_same_names() {
        let rest = vec!["--topic".into(), "t".into()];
        let line = ["ottla", "kafka-console-consumer", "--topic", "t"];
        assert_eq!(resolved(&line), ("kafka-console-consumer", rest));
        assert_eq!(resolved(&["ottla", "verify"]), ("verify", vec![]));
    }

    #[test]
    fn all_else_is_ottla_itself() {
        assert_eq!(resolved(&["ottla", "cluster"]), ("ottla", vec!["cluster".into()]));
        assert_eq!(resolved(&["renamed"]), ("ottla", vec![]));
        assert_eq!(resolved(&[]), ("ottla", vec![]));
    }

    #[test]
    fn tools_stand_by_name() {
        assert!(TOOLS.is_sorted_by_key(|tool| tool.name));
    }
}
