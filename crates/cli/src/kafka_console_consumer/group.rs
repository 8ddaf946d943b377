//! The group to join, out of the command line.

use ottla_client::GroupOptions;

use super::options::Misuse;
use crate::client_settings;
use crate::exceptions::Failure;
use crate::jopt::Given;
use crate::properties::Properties;

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
    let id = named.clone().unwrap_or_else(made_up);
    Ok(Some(client_settings::group(&id, named.is_some(), properties)?))
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
