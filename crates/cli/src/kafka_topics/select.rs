//! Which topics are meant.

use ottla_client::Admin;
use regex::Regex;

use crate::exceptions::Failure;
use crate::jopt::Given;

/// Kafka's own topics.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// A topic pattern: a regular expression, or a list of them separated by commas.
#[derive(Debug)]
pub(crate) struct IncludeList(Regex);

impl IncludeList {
    /// Reads a pattern; quotes around it and blanks in it are dropped, as by Kafka's tools.
    pub(crate) fn parse(pattern: &str) -> Result<Self, Failure> {
        let pattern = pattern.trim().replace(',', "|").replace(' ', "");
        let pattern = pattern.trim_matches(['"', '\'']);
        let invalid = || {
            Failure::new("java.lang.RuntimeException", format!("{pattern} is an invalid regex."))
        };
        Regex::new(&format!("^(?:{pattern})$")).map(Self).map_err(|_| invalid())
    }

    /// Whether a topic is meant.
    pub(crate) fn allows(&self, topic: &str) -> bool {
        self.0.is_match(topic)
    }
}

/// Whether a topic is one of Kafka's own.
pub(crate) fn is_internal(topic: &str) -> bool {
    INTERNAL.contains(&topic)
}

/// The topics that the command line means, by name.
pub(super) async fn topics(admin: &Admin, given: &Given) -> Result<Vec<String>, Failure> {
    let pattern = given.one("topic")?.map(IncludeList::parse);
    let all = admin.list_topics().await.map_err(|e| Failure::of_client(&e, "listTopics"))?;
    let pattern = pattern.transpose()?;
    let exclude_internal = given.has("exclude-internal");
    let names = all.into_iter().map(|topic| topic.name);
    Ok(names
        .filter(|name| pattern.as_ref().is_none_or(|pattern| pattern.allows(name)))
        .filter(|name| !(exclude_internal && is_internal(name)))
        .collect())
}

/// A topic that was named must be there, unless `--if-exists` says otherwise.
pub(super) fn ensure_exists(found: &[String], given: &Given) -> Result<(), Failure> {
    match given.one("topic")? {
        Some(wanted) if found.is_empty() && !given.has("if-exists") => {
            Err(Failure::illegal_argument(format!("Topic '{wanted}' does not exist as expected")))
        }
        _ => Ok(()),
    }
}
