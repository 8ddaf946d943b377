//! `--validate-regex`: whether the brokers take a pattern of topics, and what is wrong with it, in the
//! words of the library that Kafka checks it with.

use regex_syntax::ast::ErrorKind;

/// One sentence on a pattern.
pub(super) fn verdict(regex: &str) -> String {
    match regex_syntax::parse(regex) {
        Ok(_) => format!("The regular expression `{regex}` is valid."),
        Err(error) => {
            format!("The regular expression `{regex}` is invalid: {}.", description(&error))
        }
    }
}

fn description(error: &regex_syntax::Error) -> String {
    let kind = match error {
        regex_syntax::Error::Parse(error) => error.kind(),
        _ => return "invalid character class range".to_owned(),
    };
    match kind {
        ErrorKind::ClassUnclosed => "missing closing ]",
        ErrorKind::GroupUnclosed | ErrorKind::GroupUnopened => "missing closing )",
        ErrorKind::RepetitionMissing => "missing argument to repetition operator",
        ErrorKind::RepetitionCountInvalid
        | ErrorKind::RepetitionCountUnclosed
        | ErrorKind::RepetitionCountDecimalEmpty => "invalid repeat count",
        ErrorKind::ClassRangeInvalid | ErrorKind::ClassRangeLiteral => {
            "invalid character class range"
        }
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression",
        ErrorKind::EscapeUnrecognized | ErrorKind::UnsupportedBackreference => {
            "invalid escape sequence"
        }
        ErrorKind::GroupNameDuplicate { .. } => "duplicate capture group name",
        ErrorKind::GroupNameEmpty
        | ErrorKind::GroupNameInvalid
        | ErrorKind::GroupNameUnexpectedEof => "invalid named capture",
        ErrorKind::FlagUnrecognized
        | ErrorKind::FlagUnexpectedEof
        | ErrorKind::UnsupportedLookAround => "invalid or unsupported Perl syntax",
        other => return other.to_string(),
    }
    .to_owned()
}
