//! The option syntax of Kafka's tools: `--name value`, `--name=value`, options repeated, names never
//! abbreviated. Error texts are those of the library that Kafka uses for it.

use std::ffi::OsString;
use std::fmt::Write as _;

/// Whether an option takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    /// It is a flag.
    None,
    /// It must have a value; the text names its kind in the usage.
    Required(&'static str),
    /// It may have a value.
    Optional(&'static str),
}

/// One option of a tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opt {
    pub(crate) name: &'static str,
    pub(crate) argument: Argument,
    /// One sentence for the usage.
    pub(crate) help: &'static str,
}

/// A flag.
pub(crate) const fn flag(name: &'static str, help: &'static str) -> Opt {
    Opt { name, argument: Argument::None, help }
}

/// An option with a value.
pub(crate) const fn value(name: &'static str, kind: &'static str, help: &'static str) -> Opt {
    Opt { name, argument: Argument::Required(kind), help }
}

/// An option that may have a value.
pub(crate) const fn optional(name: &'static str, kind: &'static str, help: &'static str) -> Opt {
    Opt { name, argument: Argument::Optional(kind), help }
}

/// Why a command line cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OptionError {
    #[error("{0} is not a recognized option")]
    Unrecognized(String),
    #[error("Option {0} requires an argument")]
    MissingArgument(&'static str),
    #[error("Found multiple arguments for option {0}, but you asked for only one")]
    Multiple(&'static str),
    #[error("Cannot parse argument '{argument}' of option {option}")]
    Unparsable { option: &'static str, argument: String },
}

impl OptionError {
    /// The class that Kafka's tools name in their log.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::Unrecognized(_) => "joptsimple.UnrecognizedOptionException",
            Self::MissingArgument(_) => "joptsimple.OptionMissingRequiredArgumentException",
            Self::Multiple(_) => "joptsimple.MultipleArgumentsForOptionException",
            Self::Unparsable { .. } => "joptsimple.OptionArgumentConversionException",
        }
    }
}

/// What was given on a command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Each option with its value, in order.
    found: Vec<(&'static str, Option<String>)>,
}

/// Reads a command line. What is not an option, and everything behind `--`, is ignored, as Kafka's
/// tools do.
pub(crate) fn parse(options: &[Opt], args: &[OsString]) -> Result<Given, OptionError> {
    let mut given = Given::default();
    let mut args = args.iter().map(|arg| arg.to_string_lossy().into_owned()).peekable();
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        }
        let Some(rest) = arg.strip_prefix("--").or_else(|| short(&arg)) else { continue };
        let (name, attached) = match rest.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (rest, None),
        };
        let option = options
            .iter()
            .find(|option| option.name == name)
            .ok_or_else(|| OptionError::Unrecognized(name.to_owned()))?;
        let value = match option.argument {
            Argument::None => None,
            Argument::Required(_) => {
                let value = attached.or_else(|| args.next());
                Some(value.ok_or(OptionError::MissingArgument(option.name))?)
            }
            Argument::Optional(_) => {
                attached.or_else(|| args.next_if(|next| !next.starts_with('-')))
            }
        };
        given.found.push((option.name, value));
    }
    Ok(given)
}

/// `-x…` is read as the option `x`, which no tool has.
fn short(arg: &str) -> Option<&str> {
    let rest = arg.strip_prefix('-')?;
    rest.char_indices()
        .nth(1)
        .map_or(Some(rest), |(at, _)| rest.get(..at))
        .filter(|r| !r.is_empty())
}

impl Given {
    /// Whether an option was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.found.iter().any(|(found, _)| *found == name)
    }

    /// All values of an option, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.found.iter().filter(move |(found, _)| *found == name).filter_map(|(_, v)| v.as_deref())
    }

    /// The values of some options, in the order of the command line; a flag has none.
    pub(crate) fn in_order<'a>(
        &'a self,
        names: &'a [&str],
    ) -> impl Iterator<Item = Option<&'a str>> {
        self.found.iter().filter(|(found, _)| names.contains(found)).map(|(_, v)| v.as_deref())
    }

    /// The value of an option that may be given once.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&str>, OptionError> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(OptionError::Multiple(name)) } else { Ok(first) }
    }

    /// The value of an option that may be given once, as a number.
    pub(crate) fn number<N: std::str::FromStr>(
        &self,
        name: &'static str,
    ) -> Result<Option<N>, OptionError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let unparsable = |_| OptionError::Unparsable { option: name, argument: text.to_owned() };
        text.parse().map(Some).map_err(unparsable)
    }
}

/// The table of options, as printed behind a complaint.
pub(crate) fn usage(options: &[Opt]) -> String {
    let left = |option: &Opt| match option.argument {
        Argument::None => format!("--{}", option.name),
        Argument::Required(kind) => format!("--{} <{kind}>", option.name),
        Argument::Optional(kind) => format!("--{} [{kind}]", option.name),
    };
    let width = options.iter().map(|option| left(option).len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  Description\n{:width$}  -----------\n", "Option", "------");
    for option in options {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:width$}  {}", left(option), option.help);
    }
    text
}

#[cfg(test)]
mod tests;
