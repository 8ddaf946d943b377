//! `kafka-log-dirs`: what the log directories of brokers hold.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::Admin;
use ottla_client::admin::LogDir;
use ottla_protocol::ids::BrokerId;
use serde::Serialize;

use crate::console::{self, complain, print_error, say};
use crate::exceptions::{Failure, exception_name};
use crate::jopt::{self, Given, Opt, flag, value};
use crate::properties;
use crate::session;
use crate::thrown::{self, Thrown};

const CLIENT_ID: &str = "log-dirs-tool";
const VERSION: i32 = 1;

pub(crate) const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: The server(s)", "REQUIRED: where the cluster is."),
    value("broker-list", "String: Broker list", "Only these brokers, as in \"0,1,2\"."),
    value("command-config", "String: file", "Properties of the client."),
    flag("describe", "Describe the log directories."),
    flag("help", "Print this."),
    value("topic-list", "String: Topic list", "Only these topics, as in \"topic1,topic2\"."),
    flag("version", "Print the version."),
];

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return failed(&Stop::Thrown(error.into())),
    };
    let about = "This tool helps to query log directory usage on the specified brokers.";
    let required = ["bootstrap-server", "describe"];
    if let Some(code) = console::preamble(&given, &args, OPTIONS, about, &required) {
        return code;
    }
    session::run_or(describe(&given), failed)
}

/// Why the tool stops.
enum Stop {
    /// A sentence for the user.
    Terse(String),
    Thrown(Thrown),
}

impl<T: Into<Thrown>> From<T> for Stop {
    fn from(thrown: T) -> Self {
        Self::Thrown(thrown.into())
    }
}

fn failed(stop: &Stop) -> ExitCode {
    match stop {
        Stop::Terse(sentence) => complain(sentence),
        Stop::Thrown(thrown) => {
            complain(thrown.message());
            print_error(&thrown.trace());
        }
    }
    ExitCode::FAILURE
}

async fn describe(given: &Given) -> Result<(), Stop> {
    let properties = properties::read(given.one("command-config")?)?;
    let options = thrown::options(CLIENT_ID, &properties)?;
    let bootstrap = given.one("bootstrap-server")?.unwrap_or_default();
    let who = format!("AdminClient clientId={}", options.client_id);
    let client = session::connect(bootstrap, options, &who).await;
    let admin = Admin::new(client.map_err(|error| Thrown::unreached(&error, "listNodes"))?);
    let wanted = broker_list(given.one("broker-list")?.unwrap_or_default())?;
    let topics: BTreeSet<_> = items(given.one("topic-list")?.unwrap_or_default()).collect();
    let cluster = admin.describe_cluster(false).await;
    let cluster = cluster.map_err(|error| unanswered(&error, "listNodes"))?;
    let live: BTreeSet<_> = cluster.nodes.iter().map(|node| node.id).collect();
    let absent: Vec<_> = wanted.difference(&live).collect();
    if !absent.is_empty() {
        return Err(Stop::Terse(format!(
            "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
            joined(absent),
            joined(&live)
        )));
    }
    say("Querying brokers for log directories information");
    let asked = if wanted.is_empty() { live } else { wanted };
    let dirs = asked.iter().map(|broker| admin.describe_log_dirs(*broker));
    let dirs = futures::future::try_join_all(dirs).await;
    let dirs = dirs.map_err(|error| unanswered(&error, "describeLogDirs"))?;
    say(&format!("Received log directory information from brokers {}", joined(&asked)));
    say(&json(asked.into_iter().zip(&dirs), &topics));
    Ok(())
}

fn unanswered(error: &ottla_client::ClientError, call: &str) -> Thrown {
    Thrown::execution(Failure::of_client(error, call))
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn broker_list(list: &str) -> Result<BTreeSet<BrokerId>, Failure> {
    let id = |item: &str| {
        item.parse().map_err(|_| {
            let message = format!("For input string: \"{item}\"");
            Failure::new("java.lang.NumberFormatException", message)
        })
    };
    items(list).map(id).collect()
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(",")
}

#[derive(Serialize)]
struct Document<'a> {
    brokers: Vec<Broker<'a>>,
    version: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Broker<'a> {
    broker: BrokerId,
    log_dirs: Vec<Dir<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dir<'a> {
    partitions: Vec<Replica>,
    error: Option<String>,
    log_dir: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replica {
    partition: String,
    size: i64,
    offset_lag: i64,
    is_future: bool,
}

/// One line; without topics all are meant.
fn json<'a>(
    brokers: impl Iterator<Item = (BrokerId, &'a Vec<LogDir>)>,
    topics: &BTreeSet<&str>,
) -> String {
    let dir = |dir: &'a LogDir| {
        let replicas = dir.replicas.iter();
        let wanted =
            replicas.filter(|it| topics.is_empty() || topics.contains(&*it.partition.topic));
        let partitions = wanted.map(|replica| Replica {
            partition: replica.partition.to_string(),
            size: replica.size,
            offset_lag: replica.offset_lag,
            is_future: replica.is_future,
        });
        let class = |error: &ottla_client::ApiError| {
            format!("org.apache.kafka.common.errors.{}", exception_name(error.error_code()))
        };
        Dir {
            partitions: partitions.collect(),
            error: dir.error.as_ref().map(class),
            log_dir: &dir.path,
        }
    };
    let brokers = brokers
        .map(|(broker, dirs)| Broker { broker, log_dirs: dirs.iter().map(dir).collect() })
        .collect();
    serde_json::to_string(&Document { brokers, version: VERSION }).unwrap_or_default()
}

#[cfg(test)]
mod tests;
