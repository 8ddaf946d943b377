//! `ottla completion`: scripts that let a shell complete this program's commands, and the tools by their
//! own names, with and without `.sh`.

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::Result;
use clap_complete::{Shell, generate};

use crate::command_line;

/// Prints a script that teaches a shell to complete `ottla` and all kafka-* tools.
///
/// bash: `source <(ottla completion bash)`; zsh: `source <(ottla completion zsh)` behind compinit; fish:
/// `ottla completion fish | source`. In the file that the shell reads when it starts, it stays.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which shell.
    #[arg(value_enum)]
    shell: Kind,
}

/// Shells that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script.
pub(crate) fn run(args: &Args) -> Result<()> {
    // A shell that reads no further has what it wants.
    let _ = io::stdout().write_all(script(args.shell).as_bytes());
    Ok(())
}

fn script(kind: Kind) -> String {
    let shell = match kind {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut command_line::whole(), "ottla", &mut script);
    let mut links = String::new();
    for mut link in command_line::links() {
        let name = link.get_name().to_owned();
        generate(shell, &mut link, &name, &mut script);
        // Writing to a string cannot fail.
        let _ = match kind {
            // The generator's name of the function; bash leaves a folder before the name out by itself.
            Kind::Bash => {
                let function = name.replace('-', "__");
                writeln!(links, "complete -F _{function} -o bashdefault -o default {name}.sh")
            }
            Kind::Zsh => writeln!(links, "compdef _{name} {name}.sh"),
            Kind::Fish => writeln!(links, "complete -c {name}.sh -w {name}"),
        };
    }
    String::from_utf8_lossy(&script).into_owned() + &links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_every_name() {
        for kind in [Kind::Bash, Kind::Zsh, Kind::Fish] {
            let script = script(kind);
            for word in ["ottla", "kafka-topics", "kafka-topics.sh", "bootstrap-server", "cluster"]
            {
                assert!(script.contains(word), "{word} for {kind:?}");
            }
        }
    }
}
