//! Which partitions are meant. Pure.

use ottla_protocol::ids::TopicPartition;

use crate::kafka_topics::IncludeList;

/// Partitions of the topics that match.
#[derive(Debug)]
struct Rule {
    /// `None` means every topic.
    topic: Option<IncludeList>,
    /// The first one meant.
    from: i32,
    /// The first one that is not meant any more.
    below: i32,
}

/// What is chosen if one of its rules holds.
#[derive(Debug)]
pub(super) struct Filter(Vec<Rule>);

impl Filter {
    /// `--topic` and `--partitions`; says what is wrong with them.
    pub(super) fn topic(topic: Option<&str>, partitions: Option<&str>) -> Result<Self, String> {
        let include = || topic.map(IncludeList::parse).transpose().map_err(|error| error.message);
        let Some(text) = partitions else {
            return Ok(Self(vec![Rule { topic: include()?, from: 0, below: i32::MAX }]));
        };
        let mut rules = Vec::new();
        for id in text.split(',').filter(|id| !id.is_empty()) {
            let from: i32 = id.parse().map_err(|_| {
                format!(
                    "--partitions expects a comma separated list of numeric partition ids, but \
                     received: {text}"
                )
            })?;
            rules.push(Rule { topic: include()?, from, below: from.saturating_add(1) });
        }
        Ok(Self(rules))
    }

    /// `TOPIC`, `TOPIC:N`, `TOPIC:FROM-BELOW` with either end left out, separated by commas; on failure
    /// the rule that cannot be read.
    pub(super) fn rules(text: &str) -> Result<Self, String> {
        let rule = |text: &str| Self::rule(text).ok_or_else(|| text.to_owned());
        text.split(',').map(rule).collect::<Result<_, _>>().map(Self)
    }

    fn rule(text: &str) -> Option<Rule> {
        let (topic, partitions) = text.split_once(':').unwrap_or((text, ""));
        let number = |text: &str, absent: i32| match text {
            "" => Some(absent),
            text if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        let (from, below) = match partitions.split_once('-') {
            Some((from, below)) => (number(from, 0)?, number(below, i32::MAX)?),
            None if partitions.is_empty() => (0, i32::MAX),
            None => {
                let one = number(partitions, 0)?;
                (one, one.saturating_add(1))
            }
        };
        let topic = (!topic.is_empty()).then(|| IncludeList::parse(topic)).transpose().ok()?;
        Some(Rule { topic, from, below })
    }

    /// Whether a partition is meant.
    pub(super) fn allows(&self, partition: &TopicPartition) -> bool {
        self.0.iter().any(|rule| {
            (rule.from..rule.below).contains(&partition.partition)
                && rule.topic.as_ref().is_none_or(|topic| topic.allows(&partition.topic))
        })
    }
}
