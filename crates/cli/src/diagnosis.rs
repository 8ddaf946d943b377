//! What `explain` and `doctor` find: sentences, what to do, and how bad it is. Pure but for the printing.

pub(crate) mod partition;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

/// Nothing could be found out.
pub(crate) const NOT_ASKED: u8 = 2;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gravity {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Works, but not for long, or not for everybody.
    Warning,
    /// Does not work.
    Problem,
}

impl Gravity {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    fn style(self) -> Style {
        let color = match self {
            Self::Ok => AnsiColor::Green,
            Self::Note => AnsiColor::Cyan,
            Self::Warning => AnsiColor::Yellow,
            Self::Problem => AnsiColor::Red,
        };
        Style::new().fg_color(Some(color.into())).bold()
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) gravity: Gravity,
    /// One sentence.
    pub(crate) says: String,
    /// What to do about it.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
    /// The configuration key to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<&'static str>,
}

impl Finding {
    fn new(gravity: Gravity, says: impl Into<String>) -> Self {
        Self { gravity, says: says.into(), advice: None, key: None }
    }

    pub(crate) fn ok(says: impl Into<String>) -> Self {
        Self::new(Gravity::Ok, says)
    }

    pub(crate) fn note(says: impl Into<String>) -> Self {
        Self::new(Gravity::Note, says)
    }

    pub(crate) fn warning(says: impl Into<String>) -> Self {
        Self::new(Gravity::Warning, says)
    }

    pub(crate) fn problem(says: impl Into<String>) -> Self {
        Self::new(Gravity::Problem, says)
    }

    /// The same with what to do.
    pub(crate) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// The same with the key that is to be changed.
    pub(crate) fn key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }
}

/// The worst there is among some findings.
fn worst(findings: &[Finding]) -> Gravity {
    findings.iter().map(|finding| finding.gravity).max().unwrap_or(Gravity::Ok)
}

/// A line for each finding, what to do indented below it; the words of gravity in colours.
fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { gravity, says, advice, .. } in findings {
        let (style, word) = (gravity.style(), gravity.word());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{style}{word:<8}{style:#} {says}");
        if let Some(advice) = advice {
            let _ = writeln!(text, "{:<8} → {advice}", "");
        }
    }
    text
}

/// One object: `ok`, and the findings.
fn json(findings: &[Finding]) -> String {
    let ok = worst(findings) < Gravity::Problem;
    serde_json::json!({ "ok": ok, "findings": findings }).to_string()
}

/// Prints the findings on stdout (colours only where a terminal shows them and `NO_COLOR` does not forbid
/// it); the exit code is 1 if one of them is a problem.
pub(crate) fn report(findings: &[Finding], as_json: bool) -> ExitCode {
    let text = if as_json { json(findings) + "\n" } else { text(findings) };
    // A reader that has gone away has seen enough.
    let _ = anstream::stdout().lock().write_all(text.as_bytes());
    if worst(findings) < Gravity::Problem { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `broker 2`, `brokers 2 and 3`.
pub(crate) fn brokers(ids: &[i32]) -> String {
    let names: Vec<String> = ids.iter().map(i32::to_string).collect();
    let word = if ids.len() == 1 { "broker" } else { "brokers" };
    format!("{word} {}", and(&names))
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn and(items: &[String]) -> String {
    match items {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Like [`and`], with names beyond a handful counted.
pub(crate) fn listed(names: &[String]) -> String {
    const NAMED: usize = 8;
    match names.get(..NAMED) {
        Some(first) if names.len() > NAMED => {
            format!("{} and {} more", first.join(", "), names.len() - NAMED)
        }
        _ => and(names),
    }
}

/// `1 record`, `3 records`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Names that look like one that does not exist, the likeliest first.
pub(crate) fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    /// Less alike than this, it is another word.
    const ALIKE: f64 = 0.8;
    /// More would be a list, not a hint.
    const SHOWN: usize = 3;
    let wanted = name.to_lowercase();
    let likeness = |known: &'a str| (strsim::jaro_winkler(&wanted, &known.to_lowercase()), known);
    let mut found: Vec<_> =
        known.into_iter().map(likeness).filter(|(likeness, _)| *likeness >= ALIKE).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    found.truncate(SHOWN);
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests;
