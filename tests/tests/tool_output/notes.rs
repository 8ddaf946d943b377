//! What is to be known of a tool's recording: `tests/tool-output/TOOL.notes`, read. Pure.

use crate::recording::Recorded;

/// Something that is done between the recorded lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A command line of ours, with its standard input.
    Run(String, String),
    /// A command line of ours that runs beside the others.
    Spawn(String),
    /// A file of the working folder.
    File(String, String),
    /// kill -9 of a node, and until the others know.
    Kill(i32),
    /// kill -9 of a node, without waiting.
    Crash(i32),
    /// Its start, and until the others know.
    Start(i32),
    /// A recorded topic id stands for the id of this topic.
    Id(String, String),
    /// Waits until a command line of ours prints this text.
    Until(String, String),
}

/// A recorded line, by its text and which of the equal ones it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Which {
    pub(crate) line: String,
    pub(crate) occurrence: usize,
    /// Whether it is every line that begins so.
    pub(crate) all_that_begin: bool,
}

impl Which {
    fn read(text: &str) -> Self {
        if let Some(beginning) = text.strip_suffix(" …") {
            let line = beginning.to_owned();
            return Self { line, occurrence: 0, all_that_begin: true };
        }
        let (line, occurrence) = match text.rsplit_once(" #") {
            Some((line, number)) if number.parse::<usize>().is_ok() => {
                (line, number.parse().expect("a number"))
            }
            _ => (text, 1),
        };
        Self { line: line.to_owned(), occurrence, all_that_begin: false }
    }

    pub(crate) fn is(&self, recorded: &Recorded) -> bool {
        if self.all_that_begin {
            return recorded.line.starts_with(&self.line);
        }
        recorded.line.trim_end() == self.line.trim_end() && recorded.occurrence == self.occurrence
    }
}

/// A tool's notes.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) masks: Vec<(String, String)>,
    /// Properties of every node.
    pub(crate) settings: Vec<(String, String)>,
    /// Done before the first line.
    pub(crate) setup: Vec<Step>,
    /// Done before a line.
    pub(crate) before: Vec<(Which, Vec<Step>)>,
    /// Lines of output that come in any order.
    pub(crate) unordered: Vec<Which>,
    /// Not played, each with the reason.
    pub(crate) unplayed: Vec<(Which, String)>,
    /// Known to differ, each with the reason.
    pub(crate) differs: Vec<(Which, String)>,
}

/// To what an indented line belongs.
enum Section {
    None,
    Before(usize),
    Unordered,
    Unplayed(String),
    Differs(String),
}

impl Notes {
    pub(crate) fn read(text: &str) -> Self {
        let mut notes = Self::default();
        let mut section = Section::None;
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            match line.strip_prefix("  ") {
                Some(remark) if remark.starts_with('#') => {}
                Some(inner) => notes.inner(&section, inner),
                None => section = notes.outer(line),
            }
        }
        notes
    }

    fn outer(&mut self, line: &str) -> Section {
        if let Some(rest) = line.strip_prefix("mask ") {
            let (regex, mask) = rest.split_once(" => ").expect("mask REGEX => TEXT");
            self.masks.push((regex.to_owned(), mask.to_owned()));
        } else if let Some(rest) = line.strip_prefix("set ") {
            let (key, value) = rest.split_once('=').expect("set KEY=VALUE");
            self.settings.push((key.to_owned(), value.to_owned()));
        } else if let Some(rest) = line.strip_prefix("before $ ") {
            self.before.push((Which::read(rest), Vec::new()));
            return Section::Before(self.before.len() - 1);
        } else if line.starts_with("unordered") {
            return Section::Unordered;
        } else if let Some(reason) = line.strip_prefix("unplayed: ") {
            return Section::Unplayed(reason.to_owned());
        } else if let Some(reason) = line.strip_prefix("differs: ") {
            return Section::Differs(reason.to_owned());
        } else {
            self.setup.push(step(line));
        }
        Section::None
    }

    fn inner(&mut self, section: &Section, line: &str) {
        let which = || Which::read(line.strip_prefix("$ ").expect("a command line"));
        match section {
            Section::None => panic!("nothing that it belongs to: {line}"),
            Section::Before(place) => self.before[*place].1.push(step(line)),
            Section::Unordered => self.unordered.push(which()),
            Section::Unplayed(reason) => self.unplayed.push((which(), reason.clone())),
            Section::Differs(reason) => self.differs.push((which(), reason.clone())),
        }
    }
}

fn step(line: &str) -> Step {
    let (word, rest) = line.split_once(' ').expect("a step with what it is about");
    let unescaped = |text: &str| text.replace("\\n", "\n").replace("\\t", "\t");
    match word {
        "run" => {
            let (command, input) = rest.split_once(" <<< ").unwrap_or((rest, ""));
            Step::Run(command.to_owned(), unescaped(input))
        }
        "spawn" => Step::Spawn(rest.to_owned()),
        "file" => {
            let (name, content) = rest.split_once(" = ").expect("file NAME = CONTENT");
            Step::File(name.to_owned(), unescaped(content))
        }
        "id" => {
            let (id, topic) = rest.split_once(" = ").expect("id ID = TOPIC");
            Step::Id(id.to_owned(), topic.to_owned())
        }
        "kill" => Step::Kill(rest.parse().expect("a node")),
        "crash" => Step::Crash(rest.parse().expect("a node")),
        "start" => Step::Start(rest.parse().expect("a node")),
        "until" => {
            let (command, text) = rest.split_once(" => ").expect("until COMMAND => TEXT");
            Step::Until(command.to_owned(), text.to_owned())
        }
        _ => panic!("unknown: {line}"),
    }
}
