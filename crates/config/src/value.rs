//! Whether a text is a value of a key, with Kafka's sentences for what is wrong.

use crate::keys::{Bounds, Key, Kind, Stance};

/// Why a setting is refused; the text is what Kafka's tools show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// A topic has no such key.
    #[error("Unknown topic config name: {0}")]
    UnknownTopicConfig(String),
    /// A group has no such key.
    #[error("Unknown group config name: {0}")]
    UnknownGroupConfig(String),
    /// A subscription to clients' metrics has no such key.
    #[error("Unknown client metrics configuration: {0}")]
    UnknownClientMetricsConfig(String),
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
    /// Two values contradict each other, or ask for what is not there.
    #[error("{0}")]
    Conflict(String),
    /// Clients would send their metrics too often or too seldom.
    #[error("Invalid value {0} for interval.ms, interval must be between 100 and 3600000 (1 hour)")]
    PushInterval(i64),
    /// Brokers' keys that only a restart changes.
    #[error("Cannot update these configs dynamically: [{}]", .0.join(", "))]
    NotDynamic(Vec<String>),
    /// Keys that only a listener's prefix makes changeable.
    #[error(
        "These security configs can be dynamically updated only per-listener using the listener prefix: [{}]",
        .0.join(", ")
    )]
    WithoutListener(Vec<String>),
    /// Keys that brokers cannot have in common.
    #[error(
        "Cannot update these configs at default cluster level, broker id must be specified: [{}]",
        .0.join(", ")
    )]
    OnlyPerBroker(Vec<String>),
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
        Kind::Double => return check_double(key, trimmed, invalid),
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

fn check_double(
    key: &'static Key,
    text: &str,
    invalid: impl Fn(String) -> InvalidConfig,
) -> Result<(), InvalidConfig> {
    let number = text.parse::<f64>().ok().filter(|number| !number.is_nan());
    let number = number.ok_or_else(|| invalid("Not a number of type DOUBLE".to_owned()))?;
    let Bounds::Fraction(least, most) = key.bounds else { return Ok(()) };
    let reason = if number < least {
        format!("Value must be at least {least}")
    } else if number > most {
        format!("Value must be no more than {most}")
    } else {
        return Ok(());
    };
    // As Java writes such a number.
    Err(InvalidConfig::InvalidValue { name: key.name, value: format!("{number:?}"), reason })
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
        Bounds::EachOf(allowed) => match items(text).find(|item| !allowed.contains(item)) {
            Some(item) => Err(InvalidConfig::InvalidValue {
                name: key.name,
                value: item.to_owned(),
                reason: one_of(allowed),
            }),
            None => Ok(()),
        },
        Bounds::ThrottledReplicas if !is_throttled_replicas(text) => {
            let value = format!("[{}]", items(text).collect::<Vec<_>>().join(", "));
            let reason = format!("{} {THROTTLED_REPLICAS}", key.name);
            Err(InvalidConfig::InvalidValue { name: key.name, value, reason })
        }
        Bounds::OffsetReset if !is_offset_reset(text) => Err(invalid(format!(
            "Invalid value `{text}` for configuration {}. The value must be either 'earliest', \
             'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
            key.name
        ))),
        Bounds::CountsByAddress => {
            match items(text).find(|item| count_by_address(item).is_none()) {
                Some(item) => Err(InvalidConfig::Conflict(format!(
                    "Error parsing configuration property '{}': '{item}' is not address:count",
                    key.name
                ))),
                None => Ok(()),
            }
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

/// The items of a list, without blanks around them and without empty ones.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// `address:count`; the address may have colons of its own.
pub(crate) fn count_by_address(item: &str) -> Option<(&str, i32)> {
    let (address, count) = item.rsplit_once(':')?;
    Some((address.trim(), count.trim().parse().ok().filter(|count| *count >= 0)?))
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

fn is_offset_reset(text: &str) -> bool {
    text.eq_ignore_ascii_case("earliest")
        || text.eq_ignore_ascii_case("latest")
        || text.strip_prefix("by_duration:").is_some_and(is_duration)
}

/// `PnDTnHnMn.nS`, each part at most once, at least one of them, none negative.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['P', 'p']) else { return false };
    let (days, time) = match rest.split_once(['T', 't']) {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let parts = |text: &str, units: &str| -> bool {
        let (mut units, mut number) = (units.chars(), String::new());
        for letter in text.to_ascii_uppercase().chars() {
            if letter.is_ascii_digit() || letter == '.' {
                number.push(letter);
            } else if !units.any(|unit| unit == letter)
                || number.parse::<f64>().is_err()
                || (number.contains('.') && letter != 'S')
            {
                return false;
            } else {
                number.clear();
            }
        }
        number.is_empty()
    };
    let time_is_whole = time.is_none_or(|time| !time.is_empty() && parts(time, "HMS"));
    parts(days, "D") && time_is_whole && !(days.is_empty() && time.is_none())
}
