//! Which names a topic may have.

use ottla_protocol::ErrorCode;

use crate::image::Image;
use crate::proposal::{Outcome, Refusal};

const MAX_LENGTH: usize = 249;
const CLUSTER_METADATA: &str = "__cluster_metadata";

/// Whether a new topic may have this name: well-formed, not taken, and not the same in metrics as
/// another one.
pub(super) fn check(image: &Image, name: &str) -> Outcome {
    if let Some(why) = malformed(name) {
        let message = format!("Topic name is invalid: {why}");
        return Err(Refusal::new(ErrorCode::InvalidTopicException, message));
    }
    if name == CLUSTER_METADATA {
        let message = format!("Creation of internal topic {name} is prohibited.");
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    if image.topic_by_name(name).is_some() {
        let message = format!("Topic '{name}' already exists.");
        return Err(Refusal::new(ErrorCode::TopicAlreadyExists, message));
    }
    if let Some(other) = colliding(image, name) {
        let message = format!("Topic '{name}' collides with existing topic: {other}");
        return Err(Refusal::new(ErrorCode::InvalidTopicException, message));
    }
    Ok(())
}

/// Why no topic can have this name; `None`: one can.
#[must_use]
pub fn malformed(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() {
        Some("the empty string is not allowed".to_owned())
    } else if name == "." || name == ".." {
        Some(format!("'{name}' is not allowed"))
    } else if name.chars().count() > MAX_LENGTH {
        Some(format!("the length of '{name}' is longer than the max allowed length {MAX_LENGTH}"))
    } else if !name.chars().all(legal) {
        Some(format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and \
             '-'"
        ))
    } else {
        None
    }
}

/// A topic whose name differs only by periods and underscores, which metrics do not tell apart.
fn colliding<'a>(image: &'a Image, name: &str) -> Option<&'a str> {
    let has_either = |name: &str| name.contains(['.', '_']);
    let folded = |name: &str| name.replace('.', "_");
    if !has_either(name) {
        return None;
    }
    let wanted = folded(name);
    let mut names = image.topics().map(|topic| &*topic.name);
    names.find(|other| has_either(other) && folded(other) == wanted)
}
