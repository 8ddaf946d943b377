//! `ottla doctor`: dials every address that clients are given, from where the user sits, and says what
//! fails and which key to change.
//!
//! Asking and judging are apart: [`ask`] dials and asks, [`judge`] makes findings of it, purely. Works
//! against any Kafka cluster. Exit code 0: no problem; 1: a problem; 2: a wrong command line.

pub(crate) mod ask;
pub(crate) mod dial;
pub(crate) mod facts;
pub(crate) mod judge;
mod local;
pub(crate) mod reach;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use ottla_client::parse_bootstrap;

use crate::diagnosis::{self, NOT_ASKED};
use crate::progress::Progress;
use crate::{command, console, session};

/// Dials every address that clients are given and says which fails, why, and which key to change.
#[derive(Debug, Parser)]
#[command(name = "ottla doctor", disable_version_flag = true)]
struct Options {
    /// Where the cluster is, as clients are told: host:port, ...
    #[arg(long, default_value = "localhost:9092")]
    bootstrap_server: String,
    /// How long to wait for each connection and each answer.
    #[arg(long, default_value_t = 3_000)]
    timeout_ms: u64,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn command() -> clap::Command {
    Options::command()
}

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let options: Options = match command::parse("ottla doctor", args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let bootstrap = match parse_bootstrap(&options.bootstrap_server) {
        Ok(bootstrap) => bootstrap,
        Err(error) => {
            console::complain(&format!("ottla doctor: {error}"));
            return ExitCode::from(NOT_ASKED);
        }
    };
    session::run(async move {
        let progress = Progress::spinner("dialling").beating();
        let facts = ask::facts(&bootstrap, Duration::from_millis(options.timeout_ms)).await;
        progress.done();
        diagnosis::report(&judge::judge(&facts), options.json)
    })
}
