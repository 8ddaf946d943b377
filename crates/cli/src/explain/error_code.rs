//! What an error of Kafka's protocol means to whoever meets it, and what to do. Pure.

mod words;

use ottla_protocol::ErrorCode;

use crate::diagnosis::Finding;
use crate::exceptions::exception_name;

/// How some clients write codes.
const PREFIX: &str = "RD_KAFKA_RESP_ERR_";

/// Names of all errors.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ErrorCode::ALL.iter().map(|code| code.name())
}

/// An error by its number, its name (`NOT_LEADER_OR_FOLLOWER`, in any case), or the exception that Java
/// clients throw (`NotLeaderOrFollowerException`, with or without its package).
pub(super) fn explain(what: &str) -> Option<Finding> {
    let code = match what.parse() {
        Ok(number) => ErrorCode::from_code(number)?,
        Err(_) => named(what)?,
    };
    Some(finding(code))
}

fn named(what: &str) -> Option<ErrorCode> {
    let name = what.strip_prefix(PREFIX).unwrap_or(what);
    let class = name.rsplit('.').next().unwrap_or(name);
    ErrorCode::ALL.iter().copied().find(|code| {
        code.name().eq_ignore_ascii_case(name) || exception_name(*code).eq_ignore_ascii_case(class)
    })
}

fn finding(code: ErrorCode) -> Finding {
    let words = words::of(code);
    let meaning = words.map_or_else(|| code.message(), |(meaning, _)| meaning);
    let meaning = meaning.trim_end_matches('.');
    let retry = match (code, code.is_retriable()) {
        (ErrorCode::None, _) => "",
        (_, true) => " (clients try again by themselves)",
        (_, false) => " (clients do not try again)",
    };
    let finding = Finding::note(format!("{} ({}): {meaning}{retry}", code.name(), code.code()));
    match words {
        Some((_, advice)) => finding.advise(advice),
        None => finding,
    }
}

#[cfg(test)]
mod tests;
