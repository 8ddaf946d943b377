//! `ottla man`: manual pages, made from the same tables as the commands themselves.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use anyhow::{Context, Result, bail};
use clap::Command;
use clap_mangen::Man;

use crate::command_line;

/// Shows a manual page, or writes all of them into a folder.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of what: `cluster up`, `kafka-topics`, …; of ottla itself if nothing is named.
    command: Vec<String>,
    /// Write all pages into this folder, such as /usr/local/share/man/man1.
    #[arg(long, conflicts_with = "command", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// Shows a page (through `man` at a terminal, as it is elsewhere), or writes all of them.
pub(crate) fn run(args: Args) -> Result<()> {
    if let Some(dir) = args.dir {
        let written = write_all(&dir)?;
        say!("{written} pages written to {}", dir.display());
        return Ok(());
    }
    let pages = pages();
    let name = args.command.join("-");
    let name = if name.is_empty() { "ottla" } else { &name };
    let wanted = |page: &&Page| page.name == name || page.name.strip_prefix("ottla-") == Some(name);
    let Some(page) = pages.iter().find(wanted) else {
        bail!("there is no page of {}: `ottla --help` lists what there is", args.command.join(" "));
    };
    if !io::stdout().is_terminal() || show(&page.text).is_err() {
        // A reader that has gone away has seen enough.
        let _ = io::stdout().write_all(&page.text);
    }
    Ok(())
}

/// Shows a page as `man` would.
fn show(page: &[u8]) -> io::Result<()> {
    let mut man = Process::new("man").args(["-l", "-"]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = man.stdin.take() {
        // A reader that quits early ends the pipe.
        let _ = stdin.write_all(page);
    }
    man.wait().map(|_| ())
}

fn write_all(dir: &Path) -> Result<usize> {
    fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    let pages = pages();
    for page in &pages {
        let path = dir.join(format!("{}.1", page.name));
        fs::write(&path, &page.text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(pages.len())
}

struct Page {
    name: String,
    text: Vec<u8>,
}

/// A page for `ottla`, for each of its commands, and for each tool under its own name.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    add(command_line::own(), "ottla".to_owned(), &mut pages);
    for tool in command_line::tools() {
        // Tools of our own are called as commands of `ottla`.
        let called = match tool.get_name() {
            kafka if kafka.contains('-') => kafka.to_owned(),
            own => format!("ottla {own}"),
        };
        let name = called.replace(' ', "-");
        add(tool.bin_name(called), name, &mut pages);
    }
    pages
}

fn add(command: Command, name: String, pages: &mut Vec<Page>) {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let subcommands: Vec<Command> =
        command.get_subcommands().filter(|it| !it.is_hide_set()).cloned().collect();
    for subcommand in subcommands {
        let name = format!("{name}-{}", subcommand.get_name());
        add(subcommand, name, pages);
    }
    let version = env!("CARGO_PKG_VERSION");
    let command = command.display_name(name.clone()).version(version);
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = Man::new(command).source(format!("Ottla {version}")).manual("Ottla").render(&mut text);
    pages.push(Page { name, text });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options() {
        let pages = pages();
        let of = |name: &str| {
            let page = pages.iter().find(|page| page.name == name);
            String::from_utf8_lossy(&page.unwrap_or_else(|| panic!("no page of {name}")).text)
                .replace("\\-", "-")
        };
        assert!(of("ottla").contains("cluster"));
        assert!(of("ottla-cluster-up").contains("--base-port"));
        assert!(of("kafka-topics").contains("--under-min-isr-partitions"));
        assert!(of("kafka-metadata-quorum-describe").contains("--replication"));
        assert!(of("ottla-doctor").contains("--bootstrap-server"));
        assert!(of("kafka-server-start").contains("--override"));
    }
}
