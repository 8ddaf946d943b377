//! What `--add-config`, `--add-config-file` and `--delete-config` say.

use super::Stop;
use crate::jopt::Given;
use crate::properties::{Properties, read_file};
use crate::thrown::Thrown;

const FORM: &str = "requirement failed: Invalid entity config: all configs to be added must be in the \
                    format \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas.";

/// Configs to set and keys to take away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) add: Properties,
    pub(super) delete: Vec<String>,
}

pub(super) fn changes(given: &Given) -> Result<Changes, Stop> {
    let mut add = match given.one("add-config-file")? {
        Some(path) => read_file(path).map_err(Thrown::from)?,
        None => Properties::new(),
    };
    if let Some(text) = given.one("add-config")? {
        add.extend(pairs(text).ok_or_else(|| Stop::Said(FORM.to_owned()))?);
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(key) = add.keys().find(|key| !key.chars().all(legal)) {
        return Err(Stop::Said(format!("Invalid character found for config key: {key}")));
    }
    let delete = given.all("delete-config").flat_map(|keys| keys.split(','));
    let delete = delete.map(|key| key.trim().to_owned()).collect();
    Ok(Changes { add, delete })
}

/// Reads `key=value,key=[a,b]`; `None`: it has another form.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut items = outside_brackets(text, ',');
    // As Java splits: what is empty at the end is nothing.
    while items.len() > 1 && items.last().is_some_and(|item| item.is_empty()) {
        items.pop();
    }
    let pair = |item: &str| match outside_brackets(item, '=').as_slice() {
        [key, value] => {
            Some((key.trim().to_owned(), value.replace(['[', ']'], "").trim().to_owned()))
        }
        _ => None,
    };
    items.into_iter().map(pair).collect()
}

/// The parts between separators that do not stand in brackets.
fn outside_brackets(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices(separator) {
        let behind = &text[at + separator.len_utf8()..];
        let inside = behind.find(['[', ']']).is_some_and(|next| behind[next..].starts_with(']'));
        if !inside {
            parts.push(&text[from..at]);
            from = at + separator.len_utf8();
        }
    }
    parts.push(&text[from..]);
    parts
}
