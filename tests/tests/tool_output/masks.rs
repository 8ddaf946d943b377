//! What differs from run to run is masked, in a recording as in our output. Pure.

use regex::Regex;

/// Masks in the order in which they are applied.
#[derive(Debug)]
pub(crate) struct Masks(Vec<(Regex, String)>);

impl Masks {
    /// Those of every tool, with a tool's own behind them.
    pub(crate) fn with(own: &[(String, String)]) -> Self {
        let every = [
            // As Kafka's tools log with the backend of its jars alone, and with that of its distribution.
            (r"(?m)^(WARN|ERROR) ([\w.$]+) - (.*)$", "[TIME] $1 $3 ($2)"),
            (r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]", "[TIME]"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
            (r"\b1[5-9]\d{11}\b", "<ms>"),
            (concat!(r"(?m)^(4\.3\.1|", env!("CARGO_PKG_VERSION"), r")$"), "<version>"),
            (r"\b(console-consumer|perf-consumer|console-share-consumer)-\d+\b", "$1-<n>"),
        ];
        let every = every.iter().map(|(regex, mask)| ((*regex).to_owned(), (*mask).to_owned()));
        let compile = |(regex, mask): (String, String)| {
            (Regex::new(&regex).unwrap_or_else(|error| panic!("{regex}: {error}")), mask)
        };
        Self(every.chain(own.iter().cloned()).map(compile).collect())
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        let mut text = ids(text);
        for (regex, mask) in &self.0 {
            text = regex.replace_all(&text, mask.as_str()).into_owned();
        }
        text
    }
}

/// Ids of topics, clusters and directories: 22 letters of base64, some of each case.
fn ids(text: &str) -> String {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let mut masked = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_letter) {
        masked += &rest[..start];
        let word_and_rest = &rest[start..];
        let end = word_and_rest.find(|letter| !is_letter(letter)).unwrap_or(word_and_rest.len());
        let word = &word_and_rest[..end];
        let upper = word.bytes().any(|byte| byte.is_ascii_uppercase());
        let lower = word.bytes().any(|byte| byte.is_ascii_lowercase());
        let is_id = word.len() == 22 && upper && lower && !word.ends_with("Exception");
        masked += if is_id { "<id>" } else { word };
        rest = &word_and_rest[end..];
    }
    masked + rest
}

/// Lines that are compared: Java's stack traces and what a client logs as a warning are not.
pub(crate) fn compared(text: &str) -> Vec<String> {
    let is_trace = |line: &str| {
        line.starts_with("Caused by: ")
            || line.starts_with("\tat ")
            || line.starts_with("\t... ")
            || line.starts_with("\t[") && line.ends_with(" frames]")
    };
    let is_warning = |line: &str| line.starts_with("[TIME] WARN ");
    text.lines()
        .map(|line| {
            line.replace(
                "The consumer rebalance protocol (KIP-848) is production-ready! Set \
             group.protocol=consumer to try it out. See \
             https://kafka.apache.org/documentation/#consumer_rebalance_protocol",
                "[KIP-848 notice]",
            )
        })
        .filter(|line| !is_trace(line) && !is_warning(line))
        .collect()
}
