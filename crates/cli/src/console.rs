//! What the tools write besides their results: log lines in the form of Kafka's tools, and usage.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::jopt::{Given, Opt, usage};

/// `[TIME] LEVEL message (class)` on stderr.
pub(crate) fn log(level: &str, message: &str, class: &str) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    complain(&format!("[{}] {level} {message} ({class})", timestamp(since.as_millis())));
}

/// A line on stderr. A closed stderr is no reason to fail.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A line on stdout; a reader that has gone away is noticed by the caller's exit, not here.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Text as it is on stdout.
pub(crate) fn print(text: &str) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// Text as it is on stderr.
pub(crate) fn print_error(text: &str) {
    let _ = write!(std::io::stderr().lock(), "{text}");
}

/// A complaint with the usage behind it: the tools' answer to a wrong command line.
pub(crate) fn usage_error(message: &str, options: &[Opt]) -> ExitCode {
    complain(message);
    let _ = write!(std::io::stderr().lock(), "{}", usage(options));
    ExitCode::FAILURE
}

/// What ends a tool before it begins: a call for help (an empty command line is one), for the version, or
/// the lack of a required option.
pub(crate) fn preamble(
    given: &Given,
    args: &[OsString],
    options: &[Opt],
    about: &str,
    required: &[&str],
) -> Option<ExitCode> {
    if args.is_empty() || given.has("help") {
        return Some(usage_error(about, options));
    }
    if given.has("version") {
        return Some(version());
    }
    let missing = required.iter().find(|name| !given.has(name))?;
    Some(usage_error(&format!("Missing required argument \"[{missing}]\""), options))
}

/// `--version`.
pub(crate) fn version() -> ExitCode {
    say(env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}

/// `2026-11-21 09:08:07,006`, in UTC.
fn timestamp(millis: u128) -> String {
    let seconds = millis / 1000;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02},{:03}",
        time / 3600,
        time / 60 % 60,
        time % 60,
        millis % 1000
    )
}

/// The date of a day, counted from 1970-01-01. Years are counted from March here, so that the leap day is
/// the last day of its year.
pub(crate) fn civil(days: u128) -> (u128, u128, u128) {
    let from_0000_03_01 = days + 719_468;
    let (era, day_of_era) = (from_0000_03_01 / 146_097, from_0000_03_01 % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u128::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests;
