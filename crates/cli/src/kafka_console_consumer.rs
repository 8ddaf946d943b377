//! `kafka-console-consumer`: records become lines of stdout.
//!
//! A named partition is read by assignment; topics are read as a member of a group, of one that nobody
//! else is in if none is named. The exit code is 0 when a limit of messages or of time ends it, 130
//! after Ctrl-C.

mod formatter;
mod group;
mod internal;
pub(crate) mod options;
mod reader;

use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::GroupProtocol;

use crate::console::{self, complain, say};
use crate::exceptions::Failure;
use crate::session;
use options::{Misuse, Settings};
use reader::Reader;

const CLASS: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
/// Said to whoever uses the classic protocol of groups.
const NEWER_PROTOCOL: &str = "The consumer rebalance protocol (KIP-848) is production-ready! Set \
                              group.protocol=consumer to try it out. See \
                              https://kafka.apache.org/documentation/#consumer_rebalance_protocol";
/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    match options::settings(&args) {
        Ok(settings) => session::run(run(settings)),
        Err(Misuse::Usage(message)) => console::usage_error(&message, options::OPTIONS),
        Err(Misuse::Said(message)) => {
            complain(&message);
            ExitCode::FAILURE
        }
        Err(Misuse::Version) => console::version(),
        Err(Misuse::Failed(failure)) => unknown_error(&failure),
        Err(Misuse::NotConstructed(failure)) => not_constructed(&failure),
        Err(Misuse::NotCounted { error, protocol }) => {
            recommend_protocol(protocol);
            complain("Processed a total of 0 messages");
            unknown_error(&error)
        }
    }
}

/// An error that ends the tool with exit code 1.
fn unknown_error(failure: &Failure) -> ExitCode {
    console::log("ERROR", "Unknown error when running consumer: ", CLASS);
    complain(&failure.thrown());
    ExitCode::FAILURE
}

/// No consumer could be made of what was given.
fn not_constructed(cause: &Failure) -> ExitCode {
    let class = "org.apache.kafka.common.KafkaException";
    let code = unknown_error(&Failure::new(class, "Failed to construct kafka consumer"));
    complain(&format!("Caused by: {}", cause.thrown()));
    code
}

fn recommend_protocol(used: Option<GroupProtocol>) {
    if used == Some(GroupProtocol::Classic) {
        complain(NEWER_PROTOCOL);
    }
}

/// Why reading has ended.
enum End {
    /// As many messages as were wanted.
    Enough,
    /// Nothing came for `--timeout-ms`.
    Timeout,
    /// Nobody reads stdout any more.
    OutputClosed,
    Interrupted,
    /// The cluster refuses; Kafka's tool counts this as a normal end.
    Refused(Failure),
    /// A record that cannot be shown.
    Failed(Failure),
}

async fn run(settings: Settings) -> ExitCode {
    let client = match session::client(&settings.bootstrap, settings.client.clone()).await {
        Ok(client) => client,
        Err(error) => {
            let class = "org.apache.kafka.common.config.ConfigException";
            return not_constructed(&Failure::new(class, error.to_string()));
        }
    };
    recommend_protocol(settings.group.as_ref().map(|group| group.protocol));
    let mut reader = Reader::new(client, &settings);
    let end = tokio::select! {
        end = reader.read() => end,
        _ = tokio::signal::ctrl_c() => End::Interrupted,
    };
    let total = reader.count();
    reader.close().await;
    if settings.systest_events {
        say("shutdown_complete");
    }
    let ended = |thrown: &str| {
        console::log("ERROR", "Error processing message, terminating consumer process: ", CLASS);
        complain(thrown);
    };
    match &end {
        End::Timeout => ended("org.apache.kafka.common.errors.TimeoutException"),
        End::Refused(failure) => ended(&failure.thrown()),
        End::OutputClosed => complain("Unable to write to standard out, closing consumer."),
        End::Enough | End::Interrupted | End::Failed(_) => {}
    }
    complain(&format!("Processed a total of {total} messages"));
    match end {
        End::Interrupted => ExitCode::from(INTERRUPTED),
        End::Failed(failure) => unknown_error(&failure),
        End::Enough | End::Timeout | End::OutputClosed | End::Refused(_) => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests;
