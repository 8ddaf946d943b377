//! Indexes of a segment, compared with its `.log`.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use super::segment::{Batches, first_last_offset, records};
use super::{Stop, base_offset, open};

const CORRUPT: &str = "org.apache.kafka.storage.internals.log.CorruptIndexException";
const OFFSET_ENTRY: usize = 8;
const TIME_ENTRY: usize = 12;

/// What is asked of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Print,
    /// Print only what differs from the log.
    Verify,
    /// What a start would look at.
    Sanity,
}

/// Entries as (absolute offset, position).
fn offsets(path: &Path) -> Result<Vec<(i64, u64)>, Stop> {
    let base = base_offset(path)?;
    let bytes = whole(path, OFFSET_ENTRY)?;
    let entry = |entry: &[u8; OFFSET_ENTRY]| {
        let [a, b, c, d, e, f, g, h] = *entry;
        (
            base + i64::from(i32::from_be_bytes([a, b, c, d])),
            u32::from_be_bytes([e, f, g, h]).into(),
        )
    };
    Ok(bytes.as_chunks().0.iter().map(entry).collect())
}

/// Entries as (timestamp, absolute offset).
fn times(path: &Path) -> Result<Vec<(i64, i64)>, Stop> {
    let base = base_offset(path)?;
    let bytes = whole(path, TIME_ENTRY)?;
    let entry = |entry: &[u8; TIME_ENTRY]| {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *entry;
        let timestamp = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
        (timestamp, base + i64::from(i32::from_be_bytes([i, j, k, l])))
    };
    Ok(bytes.as_chunks().0.iter().map(entry).collect())
}

fn whole(path: &Path, entry: usize) -> Result<Vec<u8>, Stop> {
    let bytes = std::fs::read(path).map_err(|error| Stop::unreadable(path, &error))?;
    if bytes.len() % entry == 0 {
        return Ok(bytes);
    }
    let message = format!(
        "Index file {} is corrupt, found {} bytes which is neither positive nor a multiple of {entry}.",
        path.display(),
        bytes.len()
    );
    Err(Stop::thrown(CORRUPT, message))
}

/// Prints an offset index; returns what is to be said of it at the end.
pub(super) fn dump_offsets(path: &Path, look: Look, out: &mut dyn Write) -> Result<String, Stop> {
    let base = base_offset(path)?;
    let entries = offsets(path)?;
    if look == Look::Sanity {
        if let Some((last, _)) = entries.last().filter(|(last, _)| *last <= base) {
            let message = format!(
                "Corrupt index found, index file ({}) has non-zero size but the last offset is {last} \
                 which is no greater than the base offset {base}.",
                path.display()
            );
            return Err(Stop::thrown(CORRUPT, message));
        }
        writeln!(out, "{} passed sanity check.", path.display())?;
        return Ok(String::new());
    }
    let log_path = path.with_extension("log");
    let log = open(&log_path)?;
    let mut mismatches = Vec::new();
    for (place, (offset, position)) in entries.into_iter().enumerate() {
        // A preallocated index ends in zeros.
        if offset == base && place > 0 {
            break;
        }
        let in_log = first_last_offset(&log, &log_path, position)?;
        if in_log != Some(offset) {
            mismatches.push((offset, in_log.unwrap_or(-1)));
        }
        if look == Look::Print {
            writeln!(out, "offset: {offset} position: {position}")?;
        }
    }
    let mut said = String::new();
    if !mismatches.is_empty() {
        let _ = writeln!(said, "Mismatches in :{}", absolute(path));
        for (offset, in_log) in mismatches.into_iter().rev() {
            let _ = writeln!(said, "  Index offset: {offset}, log offset: {in_log}");
        }
    }
    Ok(said)
}

/// Prints a time index; returns what is to be said of it at the end.
pub(super) fn dump_times(path: &Path, look: Look, out: &mut dyn Write) -> Result<String, Stop> {
    let base = base_offset(path)?;
    let entries = times(path)?;
    if look == Look::Sanity {
        check_times(path, base, &entries)?;
        writeln!(out, "{} passed sanity check.", path.display())?;
        return Ok(String::new());
    }
    let log_path = path.with_extension("log");
    let log = open(&log_path)?;
    let end = log.metadata()?.len();
    let positions = offsets(&path.with_extension("index"))?;
    let (mut wrong, mut disordered, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let mut previous = -1;
    for (place, (timestamp, offset)) in entries.into_iter().enumerate() {
        if offset == base && place > 0 {
            break;
        }
        let below = positions.iter().take_while(|(indexed, _)| *indexed <= offset).last();
        let from = below.map_or(0, |(_, position)| *position);
        let mut batches = Batches::new(&log, &log_path, from, end);
        let batch = loop {
            match batches.next()? {
                Some(batch) if batch.header.last_offset() < offset => {}
                found => break found,
            }
        };
        match batch {
            Some(batch) if batch.header.last_offset() == offset => {
                let (records, _) = records(&batch);
                let greatest = records.iter().map(|record| record.timestamp).max().unwrap_or(-1);
                if greatest != timestamp {
                    wrong.push((timestamp, greatest));
                }
                if previous >= timestamp {
                    disordered.push((timestamp, previous));
                }
            }
            found => missing.push((offset, found.map_or(-1, |batch| batch.header.last_offset()))),
        }
        if look == Look::Print {
            writeln!(out, "timestamp: {timestamp} offset: {offset}")?;
        }
        previous = timestamp;
    }
    let path = absolute(path);
    let mut said = String::new();
    for (head, before, between, pairs) in [
        ("Found timestamp mismatch in :", "  Index timestamp: ", ", log timestamp: ", wrong),
        (
            "Found out of order timestamp in :",
            "  Index timestamp: ",
            ", Previously indexed timestamp: ",
            disordered,
        ),
        (
            "The following indexed offsets are not found in :",
            "Indexed offset: ",
            ", found log offset: ",
            missing,
        ),
    ] {
        if !pairs.is_empty() {
            let _ = writeln!(said, "{head}{path}");
        }
        for (first, second) in pairs {
            let _ = writeln!(said, "{before}{first}{between}{second}");
        }
    }
    Ok(said)
}

fn check_times(path: &Path, base: i64, entries: &[(i64, i64)]) -> Result<(), Stop> {
    let (Some((first, _)), Some((last, offset))) = (entries.first(), entries.last()) else {
        return Ok(());
    };
    let why = if last < first {
        format!("the last timestamp is {last} which is less than the first timestamp {first}")
    } else if *offset < base {
        format!("the last offset is {offset} which is less than the first offset {base}")
    } else {
        return Ok(());
    };
    let message = format!(
        "Corrupt time index found, time index file ({}) has non-zero size but {why}",
        path.display()
    );
    Err(Stop::thrown(CORRUPT, message))
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
