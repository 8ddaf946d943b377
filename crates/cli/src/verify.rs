//! `ottla verify`: does the cluster keep what it acknowledges?
//!
//! Writes numbered records with acks=all and idempotence, keeps a ledger of what was acknowledged where,
//! runs a command that breaks things now and then, reads everything back and compares. Works against any
//! Kafka cluster. Exit code 0: nothing wrong; 1: something lost, duplicated, reordered, moved or back from
//! a refusal; 2: the check itself could not be made.

mod gaps;
mod ledger;
mod report;
mod run;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::console::{complain, say};
use crate::{command, session};

/// The check could not be made.
const NOT_CHECKED: u8 = 2;

/// Writes with acks=all, reads everything back, and says what was lost, duplicated or reordered.
#[derive(Debug, Clone, Parser)]
#[command(name = "ottla verify", disable_version_flag = true)]
struct Options {
    /// Where the cluster is: host:port, ...
    #[arg(long, default_value = "localhost:9092")]
    bootstrap_server: String,
    /// The topic to use, created if it is missing; without it, a new one, deleted if all is well.
    #[arg(long)]
    topic: Option<String>,
    /// How many partitions the new topic has.
    #[arg(long, default_value_t = 3)]
    partitions: i32,
    /// How many replicas the new topic has; without it, the cluster decides.
    #[arg(long)]
    replication_factor: Option<i16>,
    /// Records a second; 0 means as fast as it goes.
    #[arg(long, default_value_t = 200)]
    rate: u64,
    /// Bytes of a record's value, at least 32.
    #[arg(long, default_value_t = 100)]
    record_size: usize,
    /// How long to write.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// A shell command that breaks something, such as `ottla cluster kill 2`.
    #[arg(long)]
    kill_command: Option<String>,
    /// Seconds from one run of the command to the next.
    #[arg(long, default_value_t = 5.0)]
    kill_every: f64,
    /// A node that is silent for this long loses its connection.
    #[arg(long, default_value_t = 1_000)]
    request_timeout_ms: u64,
    /// How long a record is tried before its fate counts as unknown.
    #[arg(long, default_value_t = 60_000)]
    delivery_timeout_ms: u64,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn command() -> clap::Command {
    Options::command()
}

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let options: Options = match command::parse("ottla verify", args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    session::run(async {
        match run::run(&options).await {
            Ok(report) => {
                let text = if options.json { report.json() } else { report.text() };
                say(text.trim_end());
                if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => {
                complain(&format!("ottla verify: {error:#}"));
                ExitCode::from(NOT_CHECKED)
            }
        }
    })
}
