//! Subscriptions by regular expression: RE2 syntax, matched against whole topic names.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_metadata::Image;
use ottla_protocol::ids::TopicName;
use regex::{Regex, RegexBuilder};

/// The longest expression, in bytes: what the key of its record can hold.
const MAX_LEN: usize = i16::MAX as usize;
/// The most memory that a compiled expression may take, in bytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// An expression that does not compile, with the reason in a few words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SubscribedTopicRegex `{regex}` is not a valid regular expression: {reason}.")]
pub(crate) struct InvalidRegex {
    regex: String,
    reason: String,
}

/// A compiled subscription. Matching takes time linear in the topic's name, whatever the expression.
#[derive(Debug, Clone)]
pub(crate) struct SubscriptionRegex(Regex);

impl SubscriptionRegex {
    /// Compiles an expression.
    ///
    /// # Errors
    /// It does not parse, or is too long or too large.
    pub(crate) fn compile(regex: &str) -> Result<Self, InvalidRegex> {
        let invalid =
            |reason: String| InvalidRegex { regex: regex.chars().take(256).collect(), reason };
        if regex.len() > MAX_LEN {
            return Err(invalid(format!("longer than {MAX_LEN} bytes")));
        }
        // Alone first: `a)(b` must not become valid by the group around it.
        build(regex).map_err(|error| invalid(reason(&error)))?;
        match build(&format!("^(?:{regex})$")) {
            Ok(compiled) => Ok(Self(compiled)),
            Err(error) => Err(invalid(reason(&error))),
        }
    }

    /// Whether the whole name matches.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        self.0.is_match(topic)
    }

    /// The topics of the image that match.
    pub(crate) fn resolve(&self, image: &Image) -> BTreeSet<TopicName> {
        let matching = image.topics().filter(|topic| self.matches(&topic.name));
        matching.map(|topic| Arc::clone(&topic.name)).collect()
    }
}

fn build(regex: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(regex)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build()
}

/// The parser draws a picture over several lines; its last line says what is wrong.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!("larger than {limit} bytes when compiled"),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim().trim_start_matches("error: ").to_owned()
        }
    }
}

#[cfg(test)]
#[path = "subscription_regex/tests.rs"]
mod tests;
