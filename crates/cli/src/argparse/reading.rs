//! The walk over a command line: from the tool's options to its subcommand's.

use super::{Arg, Given, HELP, Kind, Parser, Refusal, help};

/// Reads a command line.
pub(super) fn read(tool: &'static Parser, args: &[String]) -> Result<Given, Refusal> {
    let mut reading = Reading {
        args,
        at: 0,
        path: vec![tool],
        only_values: false,
        missing: None,
        given: Given::default(),
    };
    reading.parser(tool)?;
    match reading.missing {
        Some(refusal) => Err(refusal),
        None => Ok(reading.given),
    }
}

struct Reading<'a> {
    args: &'a [String],
    at: usize,
    /// The tool and its subcommand, as far as they are known.
    path: Vec<&'static Parser>,
    /// Whether `--` was passed.
    only_values: bool,
    /// The first complaint about something that is missing; all else is complained about first.
    missing: Option<Refusal>,
    given: Given,
}

impl<'a> Reading<'a> {
    fn wrong(&self, message: String) -> Refusal {
        let tool = self.path.first().map_or("", |parser| parser.name);
        Refusal::Wrong { message, usage: help::usage(&self.path), tool }
    }

    fn wrong_value(&self, arg: &Arg, message: &str) -> Refusal {
        self.wrong(format!("argument {}: {message}", arg.textual_name()))
    }

    fn next(&self) -> Option<&'a str> {
        self.args.get(self.at).map(String::as_str)
    }

    /// The next argument, if it is not an option.
    fn take_value(&mut self) -> Option<&'a str> {
        let next = self.next().filter(|next| self.only_values || !is_option(next))?;
        self.at += 1;
        Some(next)
    }

    fn parser(&mut self, parser: &'static Parser) -> Result<(), Refusal> {
        let mut used: Vec<&'static str> = Vec::new();
        while let Some(next) = self.next() {
            if !self.only_values && next == "--" {
                self.only_values = true;
                self.at += 1;
            } else if !self.only_values && is_option(next) {
                self.option(parser, next, &mut used)?;
            } else if !self.only_values && !parser.commands.is_empty() {
                self.check_missing(parser, &used);
                return self.command(parser, next);
            } else {
                let rest = self.args.get(self.at..).unwrap_or_default().join(" ");
                return Err(self.wrong(format!("unrecognized arguments: '{rest}'")));
            }
        }
        if !parser.commands.is_empty() {
            return Err(self.wrong("too few arguments".to_owned()));
        }
        self.check_missing(parser, &used);
        Ok(())
    }

    fn command(&mut self, parser: &'static Parser, name: &str) -> Result<(), Refusal> {
        let exact = parser.commands.iter().find(|command| command.name == name);
        let found: Vec<_> = match exact {
            Some(command) => vec![command],
            None => parser.commands.iter().filter(|c| c.name.starts_with(name)).collect(),
        };
        match found.as_slice() {
            [command] => {
                self.at += 1;
                self.given.command = Some(command.name);
                self.path.push(command);
                self.parser(command)
            }
            [] => {
                let all: Vec<_> = parser.commands.iter().map(|c| format!("'{}'", c.name)).collect();
                let all = all.join(", ");
                Err(self.wrong(format!("invalid choice: '{name}' (choose from {all})")))
            }
            several => {
                let names: Vec<_> = several.iter().map(|command| command.name).collect();
                let names = names.join(", ");
                Err(self.wrong(format!("ambiguous command: {name} could match {names}")))
            }
        }
    }

    fn option(
        &mut self,
        parser: &'static Parser,
        text: &'a str,
        used: &mut Vec<&'static str>,
    ) -> Result<(), Refusal> {
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let (arg, attached) = match self.find(parser, name)? {
            Some(arg) => (arg, attached),
            // `-xVALUE`: the short option x with its value.
            None => short(parser, text)
                .ok_or_else(|| self.wrong(format!("unrecognized arguments: '{text}'")))?,
        };
        self.at += 1;
        if arg.names == HELP.names {
            return Err(Refusal::Help(help::help(&self.path)));
        }
        self.check_exclusive(parser, arg, used)?;
        self.value(arg, attached)?;
        used.push(arg.name());
        Ok(())
    }

    /// The option of that name, or the only one that begins so.
    fn find(&self, parser: &'static Parser, name: &str) -> Result<Option<Arg>, Refusal> {
        let all = || std::iter::once(&HELP).chain(parser.args);
        if let Some(arg) = all().find(|arg| arg.names.contains(&name)) {
            return Ok(Some(*arg));
        }
        let begins = |known: &&str| known.starts_with(name);
        let mut names: Vec<&str> =
            all().flat_map(|arg| arg.names.iter().copied()).filter(begins).collect();
        names.sort_unstable();
        match names.as_slice() {
            [] => Ok(None),
            [only] => Ok(all().find(|arg| arg.names.contains(only)).copied()),
            several => {
                Err(self
                    .wrong(format!("ambiguous option: {name} could match {}", several.join(", "))))
            }
        }
    }

    fn value(&mut self, arg: Arg, attached: Option<&'a str>) -> Result<(), Refusal> {
        let mut values = Vec::new();
        match arg.kind {
            Kind::Flag => {
                if let Some(value) = attached {
                    let message = format!("ignore implicit argument '{value}'");
                    return Err(self.wrong_value(&arg, &message));
                }
                values.push("true");
            }
            Kind::Texts if attached.is_none() => {
                while let Some(value) = self.take_value() {
                    values.push(value);
                }
                if values.is_empty() {
                    return Err(self.wrong_value(&arg, "expected 1 argument(s)"));
                }
            }
            Kind::Text | Kind::Texts | Kind::Integer | Kind::Long | Kind::Double => {
                let value = attached.or_else(|| self.take_value());
                let missing = || self.wrong_value(&arg, "expected one argument");
                values.push(value.ok_or_else(missing)?);
            }
        }
        for value in values {
            self.check_value(&arg, value)?;
            self.given.found.push((arg.name(), value.to_owned()));
        }
        Ok(())
    }

    fn check_value(&self, arg: &Arg, value: &str) -> Result<(), Refusal> {
        let (kind, fits) = match arg.kind {
            Kind::Flag | Kind::Text | Kind::Texts => return Ok(()),
            Kind::Integer => ("Integer", value.parse::<i32>().is_ok()),
            Kind::Long => ("Long", value.parse::<i64>().is_ok()),
            Kind::Double => ("Double", value.parse::<f64>().is_ok()),
        };
        if fits {
            return Ok(());
        }
        let message =
            format!("could not convert '{value}' to {kind} (For input string: \"{value}\")");
        Err(self.wrong_value(arg, &message))
    }

    fn check_exclusive(&self, parser: &Parser, arg: Arg, used: &[&str]) -> Result<(), Refusal> {
        let Some(group) = arg.group else { return Ok(()) };
        if !parser.groups.get(group).is_some_and(|group| group.exclusive) {
            return Ok(());
        }
        let other = parser.args.iter().find(|other| {
            other.group == arg.group && other.name() != arg.name() && used.contains(&other.name())
        });
        match other {
            Some(other) => {
                let message = format!("not allowed with argument {}", other.textual_name());
                Err(self.wrong_value(&arg, &message))
            }
            None => Ok(()),
        }
    }

    fn check_missing(&mut self, parser: &'static Parser, used: &[&str]) {
        if self.missing.is_some() {
            return;
        }
        let missing = |arg: &&Arg| arg.required && !used.contains(&arg.name());
        // Of several, the last one is named.
        let message = match parser.args.iter().rev().find(missing) {
            Some(arg) => Some(format!("argument {} is required", arg.textual_name())),
            None => parser.groups.iter().enumerate().find_map(|(group, about)| {
                let members = || parser.args.iter().filter(|arg| arg.group == Some(group));
                let open = about.exclusive
                    && about.required
                    && !members().any(|arg| used.contains(&arg.name()));
                let names: Vec<_> = members().map(Arg::textual_name).collect();
                open.then(|| format!("one of the arguments {} is required", names.join(" ")))
            }),
        };
        self.missing = message.map(|message| self.wrong(message));
    }
}

fn is_option(text: &str) -> bool {
    let negative = |text: &str| {
        text.strip_prefix('-')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    text.len() > 1 && text.starts_with('-') && !negative(text)
}

fn short<'a>(parser: &'static Parser, text: &'a str) -> Option<(Arg, Option<&'a str>)> {
    let (name, value) = text.split_at_checked(2)?;
    let arg = parser.args.iter().find(|arg| arg.names.contains(&name))?;
    (arg.kind != Kind::Flag && !name.ends_with('-')).then_some((*arg, Some(value)))
}
