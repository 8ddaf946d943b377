//! A line as a record: `[headers DELIMITER][key SEPARATOR]value`. Pure.

use ottla_client::ProducerRecord;
use ottla_protocol::record::Header;

use super::{Headers, LineRecord};
use crate::exceptions::Failure;
use crate::properties::Properties;

/// How lines are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineReader {
    parse_key: bool,
    parse_headers: bool,
    key_separator: String,
    headers_delimiter: String,
    headers_separator: String,
    headers_key_separator: String,
    ignore_error: bool,
    null_marker: Option<String>,
}

impl LineReader {
    /// Reads the reader's properties (`parse.key`, `key.separator`, ...).
    pub(super) fn new(properties: &Properties) -> Result<Self, Failure> {
        let truth = |key: &str| {
            properties.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
        };
        let text = |key: &str, default: &str| {
            properties.get(key).map_or(default, String::as_str).to_owned()
        };
        let reader = Self {
            parse_key: truth("parse.key"),
            parse_headers: truth("parse.headers"),
            key_separator: text("key.separator", "\t"),
            headers_delimiter: text("headers.delimiter", "\t"),
            headers_separator: text("headers.separator", ","),
            headers_key_separator: text("headers.key.separator", ":"),
            ignore_error: truth("ignore.error"),
            null_marker: properties.get("null.marker").cloned(),
        };
        reader.check().map(|()| reader)
    }

    fn check(&self) -> Result<(), Failure> {
        let mut marks = vec![
            ("headers.delimiter", &self.headers_delimiter),
            ("headers.separator", &self.headers_separator),
            ("headers.key.separator", &self.headers_key_separator),
        ];
        if let Some(marker) = &self.null_marker {
            marks.insert(0, ("null.marker", marker));
            if *marker == self.key_separator {
                return Err(equal("null.marker", "key.separator"));
            }
        }
        for (at, (name, mark)) in marks.iter().enumerate() {
            if let Some((other, _)) = marks[at + 1..].iter().find(|(_, other)| other == mark) {
                return Err(equal(name, other));
            }
        }
        Ok(())
    }

    /// Line `number` (from 1), without its end, as a record.
    pub(super) fn read(&self, line: &[u8], number: u64) -> LineRecord {
        let delimiter = &self.headers_delimiter;
        let (headers, rest) =
            self.cut(self.parse_headers, line, line, delimiter, "headers delimiter", number)?;
        let separator = &self.key_separator;
        let (key, value) =
            self.cut(self.parse_key, rest, line, separator, "key separator", number)?;
        let headers = match headers {
            Some(headers) if !self.is_null(headers) => self.headers(headers, number)?,
            _ => Headers::new(),
        };
        let or_null = |bytes: &[u8]| (!self.is_null(bytes)).then(|| bytes.to_vec());
        Ok(ProducerRecord {
            key: key.and_then(or_null),
            value: or_null(value),
            headers,
            ..Default::default()
        })
    }

    /// Splits at a mark, if this part is wanted.
    fn cut<'a>(
        &self,
        wanted: bool,
        rest: &'a [u8],
        line: &[u8],
        mark: &str,
        name: &str,
        number: u64,
    ) -> Result<(Option<&'a [u8]>, &'a [u8]), String> {
        if !wanted {
            return Ok((None, rest));
        }
        match split_at(rest, mark.as_bytes()) {
            Some((part, rest)) => Ok((Some(part), rest)),
            None if self.ignore_error => Ok((None, rest)),
            None => {
                let line = String::from_utf8_lossy(line);
                Err(format!("No {name} found on line number {number}: '{line}'"))
            }
        }
    }

    fn is_null(&self, bytes: &[u8]) -> bool {
        self.null_marker.as_ref().is_some_and(|marker| marker.as_bytes() == bytes)
    }

    fn headers(&self, text: &[u8], number: u64) -> Result<Headers, String> {
        let mut headers = Headers::new();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (pair, behind) = match split_at(text, self.headers_separator.as_bytes()) {
                Some((pair, behind)) => (pair, Some(behind)),
                None => (text, None),
            };
            rest = behind;
            let (key, value) = match split_at(pair, self.headers_key_separator.as_bytes()) {
                Some((key, value)) => (key, Some(value)),
                None if self.ignore_error => (pair, None),
                None => {
                    return Err(format!(
                        "No header key separator found in pair '{}' on line number {number}",
                        String::from_utf8_lossy(pair)
                    ));
                }
            };
            if self.is_null(key) {
                return Err(format!(
                    "Header keys should not be equal to the null marker '{}' as they can't be null \
                     on line number {number}",
                    String::from_utf8_lossy(key)
                ));
            }
            headers.push(Header {
                key: String::from_utf8_lossy(key).into_owned(),
                value: value
                    .filter(|value| !self.is_null(value))
                    .map(|value| value.to_vec().into()),
            });
        }
        Ok(headers)
    }
}

fn equal(one: &str, other: &str) -> Failure {
    Failure::new(
        "org.apache.kafka.common.KafkaException",
        format!("{one} and {other} may not be equal"),
    )
}

/// What stands before and behind the first `mark`.
fn split_at<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    if mark.is_empty() {
        return Some((&[], text));
    }
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}
