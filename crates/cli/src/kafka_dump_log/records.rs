//! Records of Kafka's internal topics as this tool prints them. Pure.

use bytes::Buf;

use crate::internal_records::{Decoded, GROUP_METADATA, Kinds, Unread, form};

/// A record's key and value as they are printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
}

/// What members of a classic group subscribe to and are given, by version.
const SUBSCRIPTION: [&str; 4] = [
    "topics:[s] userData:b",
    "topics:[s] userData:b ownedPartitions:[{topic:s partitions:[i32]}]",
    "topics:[s] userData:b ownedPartitions:[{topic:s partitions:[i32]}] generationId:i32",
    "topics:[s] userData:b ownedPartitions:[{topic:s partitions:[i32]}] generationId:i32 rackId:s",
];
const ASSIGNMENT: [&str; 1] = ["assignedPartitions:[{topic:s partitions:[i32]}] userData:b"];

/// A record as it is printed; what cannot be read is said in the key's place.
pub(super) fn print(kinds: &Kinds, offset: i64, key: &[u8], value: Option<&[u8]>) -> Printed {
    let Decoded { number, key, value } = match kinds.decode(key, value) {
        Ok(decoded) => decoded,
        Err(unread) => return Printed { key: Some(explain(&unread, offset)), value: None },
    };
    let value = match value {
        None => "<DELETE>".to_owned(),
        Some((version, data)) => {
            let data = if number == GROUP_METADATA { with_structures(data) } else { data };
            format!("{{\"version\":\"{version}\",\"data\":{data}}}")
        }
    };
    let key = format!("{{\"type\":\"{number}\",\"data\":{key}}}");
    Printed { key: Some(key), value: Some(value) }
}

fn explain(unread: &Unread, offset: i64) -> String {
    let (version, what) = match unread {
        Unread::NoKind => {
            return format!(
                "Error at offset {offset}, skipping. Could not read version from key's buffer."
            );
        }
        Unread::UnknownKind(number) => {
            return format!("Unknown record type {number} at offset {offset}, skipping.");
        }
        Unread::Key(number) => (number, "key"),
        Unread::Value(version) => (version, "value"),
    };
    format!(
        "Error at offset {offset}, skipping. Could not read record with version {version} from \
         {what}'s buffer due to: null."
    )
}

/// What the members of a group of consumers tell one another, in place of its bytes.
fn with_structures(data: String) -> String {
    if !data.starts_with("{\"protocolType\":\"consumer\"") {
        return data;
    }
    let data = with_structure(&data, "subscription", &SUBSCRIPTION);
    with_structure(&data, "assignment", &ASSIGNMENT)
}

/// The data with the bytes of a field, which a class of the client wrote, replaced by what is in them.
fn with_structure(data: &str, field: &str, forms: &[&str]) -> String {
    use base64::Engine as _;
    let head = format!("\"{field}\":\"");
    let mut done = String::new();
    let mut rest = data;
    while let Some((before, after)) = rest.split_once(&head) {
        let Some((encoded, behind)) = after.split_once('"') else { break };
        done += before;
        let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
        let mut bytes = bytes.as_slice();
        let structure = bytes.try_get_i16().ok().and_then(|version| {
            // A later version only adds at the end.
            let place = usize::try_from(version).ok()?.min(forms.len().checked_sub(1)?);
            form::json(forms.get(place)?, false, &mut bytes).ok()
        });
        match structure {
            Some(structure) => done += &format!("\"{field}\":{structure}"),
            None => done += &format!("{head}{encoded}\""),
        }
        rest = behind;
    }
    done + rest
}
