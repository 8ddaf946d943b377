//! JSON files as Kafka's tools read them, and their complaints word for word.

use serde_json::{Map, Value};

use crate::exceptions::Failure;

/// Behind a complaint about the text itself: where it is.
const PARSE_EXCEPTION: &str = "com.fasterxml.jackson.core.JsonParseException";
const MAPPING_EXCEPTION: &str = "com.fasterxml.jackson.databind.JsonMappingException";

/// Reads a whole file. The first failure is what the tool says, the second why.
pub(crate) fn read(path: &str) -> Result<String, (Failure, Failure)> {
    std::fs::read_to_string(path).map_err(|error| {
        let cause = match error.kind() {
            std::io::ErrorKind::NotFound => "java.nio.file.NoSuchFileException",
            std::io::ErrorKind::PermissionDenied => "java.nio.file.AccessDeniedException",
            std::io::ErrorKind::InvalidData => "java.nio.charset.MalformedInputException",
            _ => "java.io.IOException",
        };
        let said = Failure::new("java.io.IOException", format!("Unable to read file {path}"));
        (said, Failure::new(cause, path))
    })
}

/// Parses a text. A failure is in the words of Kafka's JSON library, as far as it goes.
pub(crate) fn parse(text: &str) -> Result<Value, Failure> {
    if text.trim().is_empty() {
        let message =
            "The input string shouldn't be empty\n at [Source: UNKNOWN; byte offset: #UNKNOWN]";
        return Err(Failure::new(PARSE_EXCEPTION, message));
    }
    serde_json::from_str(text).map_err(|error| {
        let (why, line, column) = match unrecognized_token(text) {
            Some((token, line, column)) => (
                format!(
                    "Unrecognized token '{token}': was expecting (JSON String, Number, Array, Object \
                     or token 'null', 'true' or 'false')"
                ),
                line,
                column,
            ),
            None if error.is_eof() => {
                let line = text.matches('\n').count() + 1;
                let column = text.rsplit('\n').next().map_or(1, |last| last.chars().count() + 1);
                ("Unexpected end-of-input within/between Object entries".to_owned(), line, column)
            }
            None => (without_place(&error.to_string()), error.line(), error.column()),
        };
        let place = "Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";
        let message = format!("{why}\n at [{place}; line: {line}, column: {column}]");
        Failure::new(PARSE_EXCEPTION, message)
    })
}

/// A text that begins with a word which is none of JSON's: the word and where it stands.
fn unrecognized_token(text: &str) -> Option<(&str, usize, usize)> {
    let rest = text.trim_start();
    let before = text.get(..text.len() - rest.len())?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let token = rest.get(..end).filter(|token| !token.is_empty())?;
    let is_json = token.starts_with(|c: char| c.is_ascii_digit())
        || matches!(token, "null" | "true" | "false");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (!is_json).then_some((token, line, column))
}

/// The library's own sentence ends with a place that is said in another way here.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(why, _)| why).to_owned()
}

/// A value that must be an object.
pub(crate) fn object(value: &Value) -> Result<&Map<String, Value>, Failure> {
    value.as_object().ok_or_else(|| mapping(format!("Expected JSON object, received {value}")))
}

/// A value that must be an array.
pub(crate) fn array(value: &Value) -> Result<&[Value], Failure> {
    let array = value.as_array().map(Vec::as_slice);
    array.ok_or_else(|| mapping(format!("Expected JSON array, received {value}")))
}

/// A field that an object must have.
pub(crate) fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Value, Failure> {
    object.get(name).ok_or_else(|| mapping(format!("No such field exists: `{name}`")))
}

/// A value that must be a text.
pub(crate) fn string(value: &Value) -> Result<&str, Failure> {
    value.as_str().ok_or_else(|| mapping(format!("Expected `String` value, received {value}")))
}

/// A value that must be a number of 32 bits.
pub(crate) fn integer(value: &Value) -> Result<i32, Failure> {
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| mapping(format!("Expected `Integer` value, received {value}")))
}

fn mapping(message: String) -> Failure {
    Failure::new(MAPPING_EXCEPTION, message)
}

#[cfg(test)]
mod tests;
