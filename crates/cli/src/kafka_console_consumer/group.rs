//! The group to join, out of the command line.

use ottla_client::{GroupOptions, GroupProtocol};

use super::options::Misuse;
use crate::exceptions::Failure;
use crate::jopt::Given;
use crate::properties::{Properties, config_error, number};

/// The group's settings; `None` where a partition is named. A group that is not named is made up, and
/// its offsets are not committed, since nobody will come back for them.
pub(super) fn options(
    given: &Given,
    properties: &Properties,
) -> Result<Option<GroupOptions>, Misuse> {
    let named = group_id(given, properties)?;
    if given.has("partition") {
        return Ok(None);
    }
    let made_up = || format!("console-consumer-{}", rand::random_range(0..100_000));
    let mut options = GroupOptions::of(&named.clone().unwrap_or_else(made_up));
    for (key, field) in [
        ("session.timeout.ms", &mut options.session_timeout_ms),
        ("heartbeat.interval.ms", &mut options.heartbeat_interval_ms),
        ("max.poll.interval.ms", &mut options.max_poll_interval_ms),
    ] {
        if let Some(value) = number(properties, key)? {
            *field = value;
        }
    }
    let text = |key: &str| properties.get(key).cloned().filter(|value| !value.is_empty());
    options.protocol = protocol(properties)?;
    options.instance_id = text("group.instance.id");
    options.remote_assignor = text("group.remote.assignor");
    options.rack = text("client.rack");
    options.auto_create_topics = flag(properties, "allow.auto.create.topics", true)?;
    if flag(properties, "enable.auto.commit", named.is_some())? {
        if let Some(interval) = number(properties, "auto.commit.interval.ms")? {
            options.auto_commit_interval_ms = Some(interval);
        }
    } else {
        options.auto_commit_interval_ms = None;
    }
    Ok(Some(options))
}

fn group_id(given: &Given, properties: &Properties) -> Result<Option<String>, Misuse> {
    let named = given.one("group")?.map(str::to_owned);
    let property = properties.get("group.id").cloned();
    if let (Some(named), Some(property)) = (&named, &property)
        && named != property
    {
        return Err(Misuse::Usage(format!(
            "The group ids provided in different places (directly using '--group', via \
             '--consumer-property', or via '--consumer.config') do not match. Detected group ids: \
             '{named}', '{property}'"
        )));
    }
    let group = named.or(property);
    if group.as_ref().is_some_and(|group| group.trim().is_empty()) {
        return Err(Misuse::NotConstructed(Failure::new(
            "org.apache.kafka.common.errors.InvalidGroupIdException",
            "The configured group.id should not be an empty string or whitespace.",
        )));
    }
    Ok(group)
}

fn protocol(properties: &Properties) -> Result<GroupProtocol, Failure> {
    match properties.get("group.protocol").map(String::as_str) {
        None => Ok(GroupProtocol::Classic),
        Some(name) if name.eq_ignore_ascii_case("classic") => Ok(GroupProtocol::Classic),
        Some(name) if name.eq_ignore_ascii_case("consumer") => Ok(GroupProtocol::Consumer),
        Some(other) => Err(config_error(
            other,
            "group.protocol",
            "String must be one of (case insensitive): CLASSIC, CONSUMER",
        )),
    }
}

fn flag(properties: &Properties, key: &str, default: bool) -> Result<bool, Failure> {
    match properties.get(key).map(|value| value.trim().to_lowercase()).as_deref() {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => Err(config_error(other, key, "Expected value to be either true or false")),
    }
}
