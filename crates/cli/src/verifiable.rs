//! What the verifiable tools print: one JSON object a line, its fields in Kafka's order.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::console::say;

/// A field's name, and its value as JSON.
pub(crate) type Field<'a> = (&'a str, String);

/// Prints `{"timestamp":…,"name":…,` and the fields.
pub(crate) fn event(name: &str, fields: &[Field<'_>]) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let head = [("timestamp", since.as_millis().to_string()), ("name", text(name))];
    say(&object(head.iter().chain(fields)));
}

/// An object with its fields in this order.
pub(crate) fn object<'a>(fields: impl IntoIterator<Item = &'a Field<'a>>) -> String {
    let fields: Vec<_> =
        fields.into_iter().map(|(name, value)| format!("{}:{value}", text(name))).collect();
    format!("{{{}}}", fields.join(","))
}

/// A list of values.
pub(crate) fn list(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(","))
}

/// A text.
pub(crate) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text out of bytes, or null.
pub(crate) fn bytes(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), |bytes| text(&String::from_utf8_lossy(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order() {
        let partition = object(&[("topic", text("t\"")), ("partition", "0".to_owned())]);
        assert_eq!(list([partition]), r#"[{"topic":"t\"","partition":0}]"#);
        assert_eq!(bytes(None), "null");
    }
}
