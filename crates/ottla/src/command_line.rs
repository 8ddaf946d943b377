//! Everything that can be typed, in the terms of clap: what completion and man pages are made from.

use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};
use ottla_cli::TOOLS;

use crate::Ottla;
use crate::name::SCRIPTS;

/// `ottla` with its own commands, its tools left out.
pub(crate) fn own() -> Command {
    Ottla::command()
}

/// `ottla` with everything that it takes as its first argument.
pub(crate) fn whole() -> Command {
    // The list of tools behind the help is for those who cannot see them as commands.
    own().after_help("").subcommands(tools())
}

/// Each tool by its own name.
pub(crate) fn tools() -> impl Iterator<Item = Command> {
    TOOLS.iter().map(ottla_cli::Tool::command).chain(scripts())
}

/// Tools that a link named so may be called as; those of our own are not links.
pub(crate) fn links() -> impl Iterator<Item = Command> {
    tools().filter(|tool| tool.get_name().contains('-'))
}

fn scripts() -> impl Iterator<Item = Command> {
    SCRIPTS.iter().map(|(name, _, about)| {
        let command = Command::new(*name).about(*about);
        let file = Arg::new("file").value_name("server.properties").value_hint(ValueHint::FilePath);
        match *name {
            "kafka-server-start" => command
                .arg(file.help("The node's settings."))
                .arg(
                    Arg::new("override")
                        .long("override")
                        .value_name("property=value")
                        .action(ArgAction::Append)
                        .help("A setting that goes before the file's; may be repeated."),
                )
                .after_help("With -daemon before the file, the node leaves the terminal."),
            "kafka-server-stop" => command.arg(
                Arg::new("node-id")
                    .long("node-id")
                    .value_name("id")
                    .require_equals(true)
                    .help("Only the node of this id."),
            ),
            _ => command,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_answers_is_there() {
        whole().debug_assert();
        let names: Vec<String> =
            whole().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        for name in ["server", "cluster", "watch", "man", "completion", "doctor", "kafka-topics"] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
        let links: Vec<String> = links().map(|link| link.get_name().to_owned()).collect();
        assert!(links.iter().any(|link| link == "zookeeper-server-start"), "{links:?}");
        assert!(!links.iter().any(|link| link == "doctor"), "{links:?}");
    }
}
