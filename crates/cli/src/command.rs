//! The tools' command lines in the terms of clap: for completion and man pages, and the parser of our own
//! tools.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, Parser, ValueHint};

use crate::argparse::{self, Kind};
use crate::jopt::{Argument, Opt};

/// A wrong command line of a tool of our own.
const MISUSED: u8 = 2;

/// Where a tool's options stand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Syntax {
    /// Options alone.
    Options(&'static [Opt]),
    /// Options and subcommands.
    Parser(&'static argparse::Parser),
    /// Of our own tools: what clap derives.
    Own(fn() -> Command),
}

/// Reads the command line of a tool of our own; the exit code if it asks for help or is wrong.
pub(crate) fn parse<T: Parser>(name: &str, args: Vec<OsString>) -> Result<T, ExitCode> {
    T::try_parse_from(std::iter::once(OsString::from(name)).chain(args)).map_err(|error| {
        // Clap knows whether it is help or a complaint; a closed stream is no reason to fail.
        let _ = error.print();
        if error.use_stderr() { ExitCode::from(MISUSED) } else { ExitCode::SUCCESS }
    })
}

/// A tool's command line, for those who generate from it; it parses nothing.
pub(crate) fn of(name: &'static str, about: &'static str, syntax: Syntax) -> Command {
    match syntax {
        Syntax::Options(options) => {
            let command = Command::new(name).about(about).disable_help_flag(true);
            options.iter().fold(command, |command, option| command.arg(jopt_arg(option)))
        }
        Syntax::Parser(parser) => of_parser(name, parser).about(about),
        Syntax::Own(command) => command().name(name),
    }
}

fn jopt_arg(option: &Opt) -> Arg {
    let arg = Arg::new(option.name).long(option.name).help(option.help);
    match option.argument {
        Argument::None => arg.action(ArgAction::SetTrue),
        Argument::Required(kind) => with_value(arg, option.name, kind),
        Argument::Optional(kind) => with_value(arg, option.name, kind).num_args(0..=1),
    }
}

/// `String: server to connect to` → `<server to connect to>`, and what kind of thing that is.
fn with_value(arg: Arg, name: &str, kind: &'static str) -> Arg {
    let kind = kind.split_once(": ").map_or(kind, |(_, kind)| kind);
    arg.value_name(kind).value_hint(hint(name, kind))
}

fn of_parser(name: &'static str, parser: &'static argparse::Parser) -> Command {
    let mut command = Command::new(name).about(parser.description).disable_help_subcommand(true);
    for arg in parser.args {
        command = command.arg(argparse_arg(arg));
    }
    for subcommand in parser.commands {
        command = command.subcommand(of_parser(subcommand.name, subcommand));
    }
    command
}

fn argparse_arg(option: &'static argparse::Arg) -> Arg {
    let first = option.names.first().copied().unwrap_or_default();
    let id = first.trim_start_matches('-');
    let mut arg = Arg::new(id).help(option.help).required(option.required);
    for name in option.names {
        match (name.strip_prefix("--"), name.strip_prefix('-').map(str::chars)) {
            (Some(long), _) if arg.get_long().is_none() => arg = arg.long(long),
            (Some(long), _) => arg = arg.visible_alias(long),
            (None, Some(mut letters)) => {
                if let (Some(letter), None) = (letters.next(), letters.next()) {
                    arg = arg.short(letter);
                }
            }
            (None, None) => {}
        }
    }
    match option.kind {
        Kind::Flag => arg.action(ArgAction::SetTrue),
        Kind::Texts => with_value(arg, id, option.metavar).num_args(1..),
        Kind::Text | Kind::Integer | Kind::Long | Kind::Double => {
            with_value(arg, id, option.metavar)
        }
    }
}

/// What a shell may complete a value with, by the option's name and what its value is called.
fn hint(name: &str, kind: &str) -> ValueHint {
    let kind = kind.to_lowercase();
    let is_file = kind.contains("file") || kind == "path" || kind == "config";
    if is_file || name == "command-config" {
        ValueHint::FilePath
    } else if name.starts_with("bootstrap") || name == "broker-list" {
        ValueHint::Hostname
    } else {
        ValueHint::Other
    }
}

#[cfg(test)]
mod tests;
