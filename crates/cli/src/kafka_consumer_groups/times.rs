//! Points in time and durations as the command line has them.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::exceptions::Failure;

const MS_PER_DAY: i64 = 86_400_000;

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Reads `2026-11-21T14:05:00.000`, in UTC unless it ends in `Z`, `+hh` or `+hh:mm`; milliseconds since
/// the epoch.
pub(super) fn parse_datetime(text: &str) -> Result<i64, Failure> {
    let error = |message: String| Failure::new("java.text.ParseException", message);
    let Some((date, time)) = text.split_once('T').filter(|(_, time)| !time.is_empty()) else {
        let why = "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format";
        return Err(error(why.to_owned()));
    };
    let zone = if time.contains(['Z', '+', '-']) { "" } else { "Z" };
    moment(date, time).ok_or_else(|| error(format!("Unparseable date: \"{text}{zone}\"")))
}

fn moment(date: &str, time: &str) -> Option<i64> {
    let [year, month, day] = numbers(date, '-')?;
    let (clock, offset_minutes) = match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], zone(&time[at..])?),
        None => (time, 0),
    };
    let (clock, millis) = clock.split_once('.')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let millis = number(millis)?;
    let in_month = (1..=days_in_month(year, month)?).contains(&day);
    let is_clock = hour < 24 && minute < 60 && second < 60 && millis < 1000;
    (in_month && is_clock).then(|| {
        let seconds = (hour * 60 + minute - offset_minutes) * 60 + second;
        days_from_epoch(year, month, day) * MS_PER_DAY + seconds * 1000 + millis
    })
}

/// Digits only, few enough for a date.
fn number(text: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let numbers: Option<Vec<i64>> = text.split(separator).map(number).collect();
    numbers?.try_into().ok()
}

/// Minutes east of UTC.
fn zone(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
    let two = |text: &str| number(text).filter(|_| text.len() == 2);
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => Some(if leap { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

/// Days since 1970-01-01. Years are counted from March, so that the leap day is the last of its year.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

/// Reads `PnDTnHnMn.nS`, each part with a sign of its own if need be; milliseconds.
pub(super) fn parse_duration(text: &str) -> Result<i64, Failure> {
    let class = "java.time.format.DateTimeParseException";
    duration(text).ok_or_else(|| Failure::new(class, "Text cannot be parsed to a Duration"))
}

fn duration(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (days, time) = match rest.strip_prefix('P')?.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (rest.strip_prefix('P')?, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut total_ms = 0_i64;
    let mut rest = days;
    let mut units: &[(char, i64)] = &[('D', MS_PER_DAY)];
    for part in [days, time] {
        rest = part;
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_uppercase())?;
            let unit = rest[end..].chars().next()?;
            let at = units.iter().position(|(name, _)| *name == unit)?;
            let amount_ms = amount(&rest[..end], units[at].1, unit == 'S')?;
            total_ms = total_ms.checked_add(amount_ms)?;
            units = &units[at + 1..];
            rest = &rest[end + 1..];
        }
        units = &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)];
    }
    debug_assert!(rest.is_empty());
    Some(sign * total_ms)
}

/// A signed number of a unit; only seconds have a fraction.
fn amount(text: &str, unit_ms: i64, has_fraction: bool) -> Option<i64> {
    let (whole, fraction) = match text.split_once('.') {
        Some(parts) if has_fraction => parts,
        Some(_) => return None,
        None => (text, ""),
    };
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let millis = if whole.starts_with('-') { -millis } else { millis };
    whole.parse::<i64>().ok()?.checked_mul(unit_ms)?.checked_add(millis)
}
