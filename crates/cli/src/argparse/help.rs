//! Usage and help of a parser. Pure.

use super::wrap::{Line, wrap};
use super::{Arg, Group, HELP, Kind, Parser};

/// Columns of a usage line.
const WIDTH: usize = 75;
/// Where the second column of the help begins.
const SECOND: usize = 25;
/// A title longer than this has a line of its own.
const TITLE: usize = 21;
/// A tool whose name and the word before it are longer begins a line of its own.
const LEAD: usize = 30;

/// `usage: …`, of a tool or of the subcommand at the end of the path.
pub(super) fn usage(path: &[&Parser]) -> String {
    let Some((own, above)) = path.split_last() else { return String::new() };
    let tool = path.first().map_or("", |tool| tool.name);
    let mut words = Vec::new();
    for (depth, parser) in above.iter().enumerate() {
        if depth > 0 {
            words.push(parser.name.to_owned());
        }
        words.extend(
            parser.args.iter().filter(|arg| arg.required).filter_map(|a| outside(parser, a)),
        );
        words
            .extend(exclusive(parser).filter(|(g, _)| g.required).flat_map(|(g, m)| choice(g, &m)));
    }
    if !above.is_empty() {
        words.push(own.name.to_owned());
    }
    words.push(bracketed(&HELP));
    words.extend(own.args.iter().filter_map(|arg| outside(own, arg)));
    words.extend(exclusive(own).flat_map(|(group, members)| choice(group, &members)));
    if !own.commands.is_empty() {
        words.push(commands(own));
        words.push("...".to_owned());
    }
    lines(tool, &words)
}

fn lines(tool: &str, words: &[String]) -> String {
    let lead = format!("usage: {tool}");
    let own_line = lead.len() > LEAD;
    let indent = if own_line { 6 } else { lead.len() };
    let mut text = lead;
    if own_line {
        text.push('\n');
        text += &" ".repeat(indent);
    }
    // The library adds the indent of a line of its own twice.
    let mut width = if own_line { 2 * indent } else { indent };
    let mut first = true;
    for word in words {
        if !first && width + word.len() + 1 > WIDTH {
            text.push('\n');
            text += &" ".repeat(indent);
            width = indent;
        } else {
            first = false;
        }
        text.push(' ');
        text += word;
        width += 1 + word.len();
    }
    text + "\n"
}

/// An option's place in the usage, unless it stands in a choice.
fn outside(parser: &Parser, arg: &Arg) -> Option<String> {
    let group = arg.group.and_then(|group| parser.groups.get(group));
    let chosen = group.is_some_and(|group| group.exclusive);
    (!chosen).then(|| bracketed(arg))
}

fn exclusive(parser: &Parser) -> impl Iterator<Item = (&Group, Vec<&Arg>)> {
    parser.groups.iter().enumerate().filter(|(_, group)| group.exclusive).map(|(place, group)| {
        (group, parser.args.iter().filter(|arg| arg.group == Some(place)).collect())
    })
}

/// `(--a A | --b B)`, as words.
fn choice(group: &Group, members: &[&Arg]) -> Vec<String> {
    if let [only] = members {
        return vec![if group.required { plain(only.name(), only) } else { bracketed(only) }];
    }
    let (open, close) = if group.required { ("(", ")") } else { ("[", "]") };
    let mut words = Vec::new();
    for (place, arg) in members.iter().enumerate() {
        if place > 0 {
            words.push("|".to_owned());
        }
        words.push(plain(arg.name(), arg));
    }
    if let Some(first) = words.first_mut() {
        first.insert_str(0, open);
    }
    if let Some(last) = words.last_mut() {
        last.push_str(close);
    }
    words
}

fn bracketed(arg: &Arg) -> String {
    let plain = plain(arg.name(), arg);
    if arg.required { plain } else { format!("[{plain}]") }
}

fn plain(name: &str, arg: &Arg) -> String {
    let metavar = arg.metavar;
    match arg.kind {
        Kind::Flag => name.to_owned(),
        Kind::Texts => format!("{name} {metavar} [{metavar} ...]"),
        Kind::Text | Kind::Integer | Kind::Long | Kind::Double => format!("{name} {metavar}"),
    }
}

fn commands(parser: &Parser) -> String {
    let names: Vec<_> = parser.commands.iter().map(|command| command.name).collect();
    format!("{{{}}}", names.join(","))
}

/// Usage, description and all options.
pub(super) fn help(path: &[&Parser]) -> String {
    let Some((own, above)) = path.split_last() else { return String::new() };
    let mut text = usage(path);
    if above.is_empty() && !own.description.is_empty() {
        text += &format!("\n{}\n", wrap(own.description, Line::default()));
    }
    if !own.commands.is_empty() {
        text += "\npositional arguments:\n";
        text += &row(&commands(own), "");
        for command in own.commands {
            text += &row(&format!("  {}", command.name), command.description);
        }
    }
    text += "\noptional arguments:\n";
    let apart = |arg: &Arg| arg.group.is_some_and(|g| own.groups.get(g).is_some_and(separate));
    for arg in std::iter::once(&HELP).chain(own.args.iter().filter(|arg| !apart(arg))) {
        text += &arg_row(arg);
    }
    for (place, group) in own.groups.iter().enumerate().filter(|(_, group)| separate(group)) {
        text.push('\n');
        if !group.title.is_empty() {
            text += &format!("{}:\n", group.title);
        }
        if !group.description.is_empty() {
            let line = Line { offset: 2, indent: 2 };
            text += &format!("  {}\n\n", wrap(group.description, line));
        }
        for arg in own.args.iter().filter(|arg| arg.group == Some(place)) {
            text += &arg_row(arg);
        }
    }
    text
}

/// Whether a group's options stand apart.
fn separate(group: &Group) -> bool {
    !group.exclusive || !group.title.is_empty() || !group.description.is_empty()
}

fn arg_row(arg: &Arg) -> String {
    let title: Vec<_> = arg.names.iter().map(|name| plain(name, arg)).collect();
    row(&title.join(", "), arg.help)
}

fn row(title: &str, help: &str) -> String {
    if help.is_empty() {
        return format!("  {title}\n");
    }
    let help = wrap(help, Line { offset: SECOND, indent: SECOND });
    if title.len() <= TITLE {
        format!("  {title:<width$}{help}\n", width = SECOND - 2)
    } else {
        format!("  {title}\n{:SECOND$}{help}\n", "")
    }
}
