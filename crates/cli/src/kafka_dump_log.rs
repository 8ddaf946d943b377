//! `kafka-dump-log`: what is in the files of a partition, of ours and of Apache Kafka's.
//!
//! Files are only read, and in pieces. What is damaged is said with the position at which it begins.

mod index;
pub(crate) mod options;
mod quorum_records;
mod records;
mod segment;
mod small;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::console::{self, complain, print_error};
use crate::exceptions::Failure;
use crate::jopt::{self, Given};
use index::Look;
use options::{LogOptions, OPTIONS};

const EPOCHS: &str = "leader-epoch-checkpoint";

/// Why the tool ends early.
#[derive(Debug)]
enum Stop {
    /// `class: message`, as Java would say it.
    Thrown(String),
    /// The output is read no further, or a file cannot be read any more.
    Io(io::Error),
}

impl Stop {
    fn thrown(class: &str, message: impl std::fmt::Display) -> Self {
        Self::Thrown(format!("{class}: {message}"))
    }

    fn unreadable(path: &Path, error: &io::Error) -> Self {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => Self::thrown("java.nio.file.NoSuchFileException", path),
            io::ErrorKind::PermissionDenied => {
                Self::thrown("java.nio.file.AccessDeniedException", path)
            }
            _ => Self::thrown("java.io.IOException", format!("{path}: {error}")),
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Thrown(failure.thrown())
    }
}

fn open(path: &Path) -> Result<File, Stop> {
    File::open(path).map_err(|error| Stop::unreadable(path, &error))
}

/// The number that a segment's files are called by.
fn base_offset(path: &Path) -> Result<i64, Stop> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.split(['.', '-']).next().unwrap_or_default();
    number.parse().map_err(|_| {
        Stop::thrown("java.lang.NumberFormatException", format!("For input string: \"{number}\""))
    })
}

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return stopped(Stop::from(Failure::from(error))),
    };
    let usage = |message: &str| console::usage_error(message, OPTIONS);
    if args.is_empty() || given.has("help") {
        return usage(
            "This tool helps to parse a log file and dump its contents to the console, useful for \
             debugging a seemingly corrupt log segment.",
        );
    }
    if given.has("version") {
        return console::version();
    }
    if !given.has("files") {
        return usage("Missing required argument \"[files]\"");
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = dump_all(&given, &mut out).and_then(|said| {
        out.flush()?;
        Ok(said)
    });
    match outcome {
        Ok(said) => {
            print_error(&said);
            ExitCode::SUCCESS
        }
        Err(stop) => {
            // What was printed before stands before the complaint; a reader that has gone needs neither.
            let _ = out.flush();
            stopped(stop)
        }
    }
}

fn stopped(stop: Stop) -> ExitCode {
    match stop {
        Stop::Thrown(thrown) => complain(&format!("Exception in thread \"main\" {thrown}")),
        Stop::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Stop::Io(error) => {
            complain(&format!("Exception in thread \"main\" java.io.IOException: {error}"));
        }
    }
    ExitCode::FAILURE
}

/// Prints every file; returns what is to be said on stderr behind them.
fn dump_all(given: &Given, out: &mut dyn Write) -> Result<String, Stop> {
    let look = if given.has("index-sanity-check") {
        Look::Sanity
    } else if given.has("verify-index-only") {
        Look::Verify
    } else {
        Look::Print
    };
    let mut said = BTreeMap::<&str, String>::new();
    let files = given.one("files").map_err(Failure::from)?.unwrap_or_default();
    for file in files.split(',') {
        writeln!(out, "Dumping {file}")?;
        let path = Path::new(file);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (what, text) = match name.rsplit_once('.').map(|(_, suffix)| suffix) {
            Some("log" | "checkpoint") => {
                let gaps = segment::dump(path, &LogOptions::read(given)?, out)?;
                ("3 log", gaps_text(path, &gaps))
            }
            Some("index") => ("1 index", index::dump_offsets(path, look, out)?),
            Some("timeindex") => ("2 timeindex", index::dump_times(path, look, out)?),
            Some("txnindex") => ("0", small::dump_transactions(path, out)?),
            Some("snapshot") => ("0", small::dump_producers(path, out)?),
            None if name == EPOCHS => ("0", small::dump_epochs(path, out)?),
            _ => ("0", format!("Ignoring unknown file {file}\n")),
        };
        *said.entry(what).or_default() += &text;
    }
    Ok(said.into_values().collect())
}

/// Records that do not follow one another: after compaction that is as it should be.
fn gaps_text(path: &Path, gaps: &segment::Gaps) -> String {
    if gaps.is_empty() {
        return String::new();
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut text = format!("Non-consecutive offsets in {}\n", path.display());
    for (offset, next) in gaps {
        text += &format!("  {offset} is followed by {next}\n");
    }
    text
}

#[cfg(test)]
mod tests;
