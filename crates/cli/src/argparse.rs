//! The option syntax of Kafka's other tools: subcommands, unique prefixes for names, groups that exclude
//! one another. Error texts, usage and line breaks are those of the library that Kafka uses for it
//! (argparse4j), whose answers come in an order of their own: what is missing is complained about last.

mod help;
mod reading;
mod wrap;

use std::ffi::OsString;

use crate::console::{print, print_error};

/// What an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is none: a flag.
    Flag,
    Text,
    Integer,
    Long,
    Double,
    /// At least one text, up to the next option.
    Texts,
}

/// One option of a parser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arg {
    /// All its names, `--long` first; messages name it by all of them.
    pub(crate) names: &'static [&'static str],
    pub(crate) kind: Kind,
    /// What stands for the value in the usage.
    pub(crate) metavar: &'static str,
    pub(crate) required: bool,
    /// The parser's group that it belongs to.
    pub(crate) group: Option<usize>,
    pub(crate) help: &'static str,
}

/// An option that may be left out.
pub(crate) const fn arg(
    names: &'static [&'static str],
    kind: Kind,
    metavar: &'static str,
    help: &'static str,
) -> Arg {
    Arg { names, kind, metavar, required: false, group: None, help }
}

impl Arg {
    /// The same option, not to be left out.
    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same option as a member of a group.
    pub(crate) const fn in_group(self, group: usize) -> Self {
        Self { group: Some(group), ..self }
    }

    fn textual_name(&self) -> String {
        self.names.join("/")
    }

    fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

/// Options that belong together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// At most one of them may be given.
    pub(crate) exclusive: bool,
    /// One of them must be given.
    pub(crate) required: bool,
}

/// A tool, or one of its subcommands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parser {
    /// The tool's or the subcommand's name.
    pub(crate) name: &'static str,
    /// A tool's description, or a subcommand's line in the help of its tool.
    pub(crate) description: &'static str,
    pub(crate) args: &'static [Arg],
    pub(crate) groups: &'static [Group],
    pub(crate) commands: &'static [Parser],
}

/// `-h`, which every parser has.
const HELP: Arg = arg(&["-h", "--help"], Kind::Flag, "", "show this help message and exit");

/// What was given on a command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    command: Option<&'static str>,
    found: Vec<(&'static str, String)>,
}

/// Why a command line is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It asks for help: the text.
    Help(String),
    /// It is wrong.
    Wrong {
        /// What is wrong.
        message: String,
        /// The usage of the parser that found it, with a newline at the end.
        usage: String,
        /// The tool's name.
        tool: &'static str,
    },
}

impl Refusal {
    /// The usage and the complaint as printed, each line with its end.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Help(text) => text.clone(),
            Self::Wrong { message, usage, tool } => {
                let complaint = format!("{tool}: error: {message}\n");
                format!("{usage}{}", wrap::wrap(&complaint, wrap::Line::default()))
            }
        }
    }

    /// Prints help on stdout or the complaint on stderr, as most tools do.
    pub(crate) fn print(&self) {
        match self {
            Self::Help(text) => print(text),
            Self::Wrong { .. } => print_error(&self.text()),
        }
    }
}

/// Complains as the parser itself would: for rules between options that the tool checks.
pub(crate) fn complain_as(parser: &Parser, message: &str) {
    let refusal = Refusal::Wrong {
        message: message.to_owned(),
        usage: help::usage(&[parser]),
        tool: parser.name,
    };
    refusal.print();
}

/// Reads a command line.
pub(crate) fn parse(tool: &'static Parser, args: &[OsString]) -> Result<Given, Refusal> {
    let args: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    reading::read(tool, &args)
}

/// The help of a tool.
pub(crate) fn help(tool: &'static Parser) -> String {
    help::help(&[tool])
}

impl Given {
    /// The subcommand.
    pub(crate) fn command(&self) -> Option<&'static str> {
        self.command
    }

    /// Whether an option was given, by its first name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.found.iter().any(|(found, _)| *found == name)
    }

    /// All values of an option, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.found.iter().filter(move |(found, _)| *found == name).map(|(_, value)| value.as_str())
    }

    /// The value of an option; of several, the last.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    /// The value of an option whose kind is a number; the parser has seen that it is one.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.one(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests;
