//! `kafka-consumer-perf-test`: how fast a member of a group reads.
//!
//! The exit code is 0 even if fewer records came than were wanted, as with Kafka's tool.

mod report;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_client::{Client, GroupConsumer, StartAt, Topics};
use ottla_protocol::ids::TopicName;

use crate::client_settings;
use crate::console::{self, print, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Argument, Given, Opt, flag, value};
use crate::kafka_topics::IncludeList;
use crate::properties::{self, client_options, read_pairs};
use crate::session;
use report::{Report, Totals};

/// How long one look for records takes at most.
const POLL: Duration = Duration::from_millis(100);

pub(crate) const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server to connect to", "REQUIRED: host:port, …"),
    value("command-config", "String: config file", "Properties of the consumer."),
    value("command-property", "String: prop=val", "A property, before those of the file."),
    value("consumer.config", "String: config file", "DEPRECATED; use --command-config."),
    value(
        "date-format",
        "String: date format",
        "How times are printed. (default: yyyy-MM-dd HH:mm:ss:SSS)",
    ),
    value("fetch-size", "Integer: size", "Bytes of one partition in an answer. (default: 1048576)"),
    flag("from-latest", "Where the group has no offset, begin at the end."),
    value("group", "String: gid", "The group. (default: perf-consumer-NNNNN)"),
    flag("help", "Print this."),
    flag("hide-header", "Leave out the line of names."),
    value("include", "String: Java regex", "The topics whose names match."),
    value("messages", "Long: count", "DEPRECATED; use --num-records."),
    value("num-records", "Long: count", "REQUIRED: how many records to read."),
    flag("print-metrics", "Print what was counted."),
    value(
        "reporting-interval",
        "Long: interval_ms",
        "How often progress is printed. (default: 5000)",
    ),
    flag("show-detailed-stats", "Print progress instead of a summary."),
    value("socket-buffer-size", "Integer: size", "Accepted, without effect."),
    Opt {
        name: "timeout",
        argument: Argument::Optional("Long: milliseconds"),
        help: "How long no record may come. (default: 10000)",
    },
    value("topic", "String: topic", "The topic to read."),
    flag("version", "Print the version."),
];

/// A command line that is understood.
struct Settings {
    topics: Topics,
    records: u64,
    timeout_ms: u64,
    report: Report,
    client: Client,
    consumer: ottla_client::ConsumerOptions,
    group: ottla_client::GroupOptions,
    print_metrics: bool,
}

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let usage = |message: &str| console::usage_error(message, OPTIONS);
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return usage(&error.to_string()),
    };
    if args.is_empty() || given.has("help") {
        return usage("This tool is used to verify the consumer performance.");
    }
    if given.has("version") {
        return console::version();
    }
    if let Err(message) = check(&given) {
        return usage(&message);
    }
    for (old, new) in [("messages", "num-records"), ("consumer.config", "command-config")] {
        if given.has(old) {
            say(&format!("Warning: --{old} is deprecated. Use --{new} instead."));
        }
    }
    let report = Report {
        detailed: given.has("show-detailed-stats"),
        interval: Duration::ZERO,
        date_format: match given.one("date-format") {
            Ok(format) => format.unwrap_or("yyyy-MM-dd HH:mm:ss:SSS").to_owned(),
            Err(error) => return Failure::from(error).caught(),
        },
    };
    if !given.has("hide-header") {
        say(report.header());
    }
    let run = async { consume(settings(&given, report).await?).await };
    session::run_or(run, Failure::caught)
}

fn check(given: &Given) -> Result<(), String> {
    for (one, other) in [("topic", "include"), ("messages", "num-records")] {
        if given.has(one) == given.has(other) {
            return Err(format!(
                "Exactly one of the following arguments is required: [{one}], [{other}]"
            ));
        }
    }
    if given.has("consumer.config") && given.has("command-config") {
        let message = "Option \"[consumer.config]\" can't be used with option \"[command-config]\"";
        return Err(message.to_owned());
    }
    if !given.has("bootstrap-server") {
        return Err("Missing required argument \"[bootstrap-server]\"".to_owned());
    }
    Ok(())
}

async fn settings(given: &Given, report: Report) -> Result<Settings, Failure> {
    let records: Option<u64> = match given.number("num-records")? {
        Some(records) => Some(records),
        None => given.number("messages")?,
    };
    let interval: i64 = given.number("reporting-interval")?.unwrap_or(5_000);
    let interval = u64::try_from(interval)
        .ok()
        .filter(|interval| *interval > 0)
        .ok_or_else(|| Failure::illegal_argument("Reporting interval must be greater than 0."))?;
    let file = match given.one("command-config")? {
        Some(path) => Some(path),
        None => given.one("consumer.config")?,
    };
    let mut properties = properties::read(file)?;
    properties.extend(read_pairs(given.all("command-property")));
    let size: i32 = given.number("fetch-size")?.unwrap_or(1 << 20);
    properties.insert("max.partition.fetch.bytes".to_owned(), size.to_string());
    let reset = if given.has("from-latest") { StartAt::Latest } else { StartAt::Earliest };
    properties.remove("auto.offset.reset");
    let topics = match given.one("topic")? {
        Some(topic) => Topics::Named(BTreeSet::from([TopicName::from(topic)])),
        None => {
            let include = IncludeList::parse(given.one("include")?.unwrap_or_default())?;
            Topics::Matching(Arc::new(move |name: &str| include.allows(name)))
        }
    };
    let made_up = || format!("perf-consumer-{}", rand::random_range(0..100_000));
    let group = given.one("group")?.map_or_else(made_up, str::to_owned);
    let client = client_options("perf-consumer-client", &properties)?;
    let bootstrap = given.one("bootstrap-server")?.unwrap_or_default();
    Ok(Settings {
        topics,
        records: records.unwrap_or(0),
        timeout_ms: given.number("timeout")?.unwrap_or(10_000),
        report: Report { interval: Duration::from_millis(interval), ..report },
        client: session::client(bootstrap, client)
            .await
            .map_err(|error| Failure::config(error.to_string()))?,
        consumer: client_settings::consumer(&properties, reset)?,
        group: client_settings::group(&group, true, &properties)?,
        print_metrics: given.has("print-metrics"),
    })
}

async fn consume(settings: Settings) -> Result<(), Failure> {
    let Settings { topics, records, timeout_ms, report, client, consumer, group, .. } = settings;
    let begun = Instant::now();
    let started_ms = report::now_ms();
    let mut consumer = GroupConsumer::subscribe(client, topics, consumer, group);
    let mut totals = Totals::default();
    let mut window = (Instant::now(), totals);
    let mut last = Instant::now();
    let mut joined = None;
    let timeout = Duration::from_millis(timeout_ms);
    while totals.records < records && last.elapsed() <= timeout {
        let fetched = consumer.poll(POLL).await;
        let fetched = fetched.map_err(|error| Failure::of_client(&error, "metadata"))?;
        if joined.is_none() && consumer.assignment().next().is_some() {
            joined = Some(begun.elapsed());
        }
        for record in fetched.iter().flat_map(|fetched| &fetched.records) {
            let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
            totals.records += 1;
            totals.bytes += (length(&record.key) + length(&record.value)) as u64;
            last = Instant::now();
        }
        if report.detailed && window.0.elapsed() >= report.interval {
            say(&report.progress(totals, window, joined.unwrap_or_default(), begun));
            window = (Instant::now(), totals);
        }
    }
    if report.detailed && window.1 == Totals::default() && totals != window.1 {
        // It was over before the first interval was.
        say(&report.progress(totals, window, joined.unwrap_or_default(), begun));
    }
    if totals.records < records {
        say(&format!(
            "WARNING: Exiting before consuming the expected number of records: timeout ({timeout_ms} ms) \
             exceeded. You can use the --timeout option to increase the timeout."
        ));
    }
    let elapsed = begun.elapsed();
    if !report.detailed {
        say(&report.summary(totals, started_ms, elapsed, joined.unwrap_or_default()));
    }
    // The figures are printed; a group that cannot be left any more is left by its timeout.
    let _ = consumer.close().await;
    if settings.print_metrics {
        print(&report::metrics(totals));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
