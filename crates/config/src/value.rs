//! Whether a text is a value of a key, with Kafka's sentences for what is wrong.

use std::collections::BTreeMap;

use crate::keys::{self, Bounds, Dynamic, Key, Kind, Scope, Stance};

/// Why a setting is refused; the text is what Kafka's tools show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// A topic has no such key.
    #[error("Unknown topic config name: {0}")]
    UnknownTopicConfig(String),
    /// The key's value is none.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    InvalidValue {
        /// The key.
        name: &'static str,
        /// The text given.
        value: String,
        /// What is wrong, as a sentence.
        reason: String,
    },
    /// A list names an item twice.
    #[error("Configuration '{0}' values must not be duplicated.")]
    Duplicate(&'static str),
    /// Two values contradict each other, or ask for what is not there.
    #[error("{0}")]
    Conflict(String),
    /// A broker's key that only a restart changes.
    #[error("Cannot update these configs dynamically: [{0}]")]
    NotDynamic(String),
}

/// Checks a key and a value for a topic.
pub fn validate_topic_config(name: &str, value: &str) -> Result<(), InvalidConfig> {
    match keys::find(name).filter(|key| key.is_topic()) {
        Some(key) => check(key, value),
        None => Err(InvalidConfig::UnknownTopicConfig(name.to_owned())),
    }
}

/// Checks all of a topic's own settings, also against each other.
pub fn validate_topic_configs(overrides: &BTreeMap<String, String>) -> Result<(), InvalidConfig> {
    for (name, value) in overrides {
        validate_topic_config(name, value)?;
    }
    let long = |name: &str| overrides.get(name).and_then(|value| value.trim().parse::<i64>().ok());
    let (least, most) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
    match (long(least).unwrap_or(0), long(most).unwrap_or(i64::MAX)) {
        (min, max) if min > max => Err(InvalidConfig::Conflict(format!(
            "conflict topic config setting {least} ({min}) > {most} ({max})"
        ))),
        _ => Ok(()),
    }
}

/// Checks a key and a value that brokers are to take while they run. Unknown keys are taken, as Kafka
/// takes them: plugins may own them.
pub fn validate_broker_config(name: &str, value: &str) -> Result<(), InvalidConfig> {
    match keys::find(name) {
        None => Ok(()),
        Some(key) if key.scope == Scope::Topic => Ok(()),
        Some(key) if key.dynamic == Dynamic::ReadOnly => {
            Err(InvalidConfig::NotDynamic(name.to_owned()))
        }
        Some(key) => check(key, value),
    }
}

/// Checks a value against its key's type and bounds.
pub(crate) fn check(key: &'static Key, value: &str) -> Result<(), InvalidConfig> {
    let invalid = |reason: String| InvalidConfig::InvalidValue {
        name: key.name,
        value: value.to_owned(),
        reason,
    };
    let trimmed = value.trim();
    let number = match key.kind {
        Kind::Boolean => {
            if !trimmed.eq_ignore_ascii_case("true") && !trimmed.eq_ignore_ascii_case("false") {
                return Err(invalid("Expected value to be either true or false".to_owned()));
            }
            None
        }
        Kind::Int | Kind::Short | Kind::Long => Some(
            whole_number(key.kind, trimmed)
                .ok_or_else(|| invalid(format!("Not a number of type {}", key.kind.name())))?,
        ),
        Kind::Double => {
            let number = trimmed.parse::<f64>().ok().filter(|number| !number.is_nan());
            let number = number.ok_or_else(|| invalid("Not a number of type DOUBLE".to_owned()))?;
            if let Bounds::Fraction(least, most) = key.bounds {
                let text = |bound: f64| format!("{bound:?}");
                if number < least {
                    return Err(invalid(format!("Value must be at least {}", text(least))));
                }
                if number > most {
                    return Err(invalid(format!("Value must be no more than {}", text(most))));
                }
            }
            None
        }
        Kind::Text | Kind::List | Kind::Class | Kind::Password => None,
    };
    match number {
        Some(number) => check_number(key.bounds, number).map_err(invalid),
        None => check_text(key, trimmed, invalid),
    }
}

/// Java's parsers take a sign, and no blanks or underscores; the width is the type's.
fn whole_number(kind: Kind, text: &str) -> Option<i64> {
    let number = text.parse::<i64>().ok()?;
    let fits = match kind {
        Kind::Short => i16::try_from(number).is_ok(),
        Kind::Int => i32::try_from(number).is_ok(),
        _ => true,
    };
    fits.then_some(number)
}

fn check_number(bounds: Bounds, number: i64) -> Result<(), String> {
    match bounds {
        Bounds::AtLeast(least) | Bounds::Between(least, _) if number < least => {
            Err(format!("Value must be at least {least}"))
        }
        Bounds::Between(_, most) if number > most => {
            Err(format!("Value must be no more than {most}"))
        }
        Bounds::Level(plain, least, most)
            if number != plain && !(least..=most).contains(&number) =>
        {
            Err(format!("Value must be between {least} and {most} or equal to {plain}"))
        }
        _ => Ok(()),
    }
}

fn check_text(
    key: &'static Key,
    text: &str,
    invalid: impl Fn(String) -> InvalidConfig,
) -> Result<(), InvalidConfig> {
    let one_of = |allowed: &[&str]| format!("String must be one of: {}", allowed.join(", "));
    match key.bounds {
        Bounds::OneOf(allowed) if !allowed.contains(&text) => Err(invalid(one_of(allowed))),
        Bounds::EachOf(allowed) => {
            let mut seen = Vec::new();
            for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
                if !allowed.contains(&item) {
                    return Err(InvalidConfig::InvalidValue {
                        name: key.name,
                        value: item.to_owned(),
                        reason: one_of(allowed),
                    });
                }
                if seen.contains(&item) {
                    return Err(InvalidConfig::Duplicate(key.name));
                }
                seen.push(item);
            }
            Ok(())
        }
        Bounds::ThrottledReplicas if !is_throttled_replicas(text) => {
            Err(invalid(THROTTLED_REPLICAS.to_owned()))
        }
        Bounds::NotEnabled(sentence) if text.eq_ignore_ascii_case("true") => {
            Err(InvalidConfig::Conflict(sentence.to_owned()))
        }
        _ => match key.stance {
            Stance::Refused(reason) if !text.is_empty() => Err(invalid(reason.to_owned())),
            _ => Ok(()),
        },
    }
}

const THROTTLED_REPLICAS: &str = "must be the literal '*' or a list of replicas in the following \
     format: [partitionId]:[brokerId],[partitionId]:[brokerId],...";

fn is_throttled_replicas(text: &str) -> bool {
    let pair = |item: &str| {
        item.split_once(':')
            .is_some_and(|(p, b)| p.parse::<u32>().is_ok() && b.parse::<u32>().is_ok())
    };
    text.is_empty() || text == "*" || text.split(',').map(str::trim).all(pair)
}
