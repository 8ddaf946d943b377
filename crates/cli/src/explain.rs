//! `ottla explain TOPIC[/PARTITION] | GROUP | BROKER | ERROR_CODE`: in plain sentences, why it cannot be
//! written, read or joined, and what to do.
//!
//! [`ask`] asks the cluster; the other modules make findings of the facts, purely. Exit code 0: nothing
//! wrong; 1: something is; 2: nobody could be asked.

mod ask;
mod broker;
mod error_code;
mod group;
mod topic;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, ValueEnum};
use ottla_client::{Admin, Client};

use crate::diagnosis::{self, Finding, NOT_ASKED, and, similar};
use crate::doctor::ask::impatient;
use crate::progress::Progress;
use crate::{command, console, session};

/// Says why a topic, partition, group or broker does not work and what to do, or what an error means.
#[derive(Debug, Parser)]
#[command(name = "ottla explain", disable_version_flag = true)]
struct Options {
    /// A topic, TOPIC/PARTITION, a group, a broker's id, or an error's name or number.
    what: String,
    /// What it is, where one word may mean several things.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Where the cluster is: host:port, ...
    #[arg(long, default_value = "localhost:9092")]
    bootstrap_server: String,
    /// How long to wait for each connection and each answer.
    #[arg(long, default_value_t = 3_000)]
    timeout_ms: u64,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Topic,
    Group,
    Broker,
    Error,
}

pub(crate) fn command() -> clap::Command {
    Options::command()
}

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let options: Options = match command::parse("ottla explain", args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let error = match options.kind {
        None | Some(Kind::Error) => error_code::explain(&options.what),
        Some(_) => None,
    };
    // A number may be a broker as well; a name of an error is nothing else.
    let is_number = options.what.parse::<i32>().is_ok();
    let about_error_only = options.kind == Some(Kind::Error) || (error.is_some() && !is_number);
    if about_error_only {
        let none = || {
            let name = &options.what;
            let names = similar(&name.to_uppercase(), error_code::names());
            vec![not_found(&format!("there is no error {name}"), &names)]
        };
        return diagnosis::report(&error.map_or_else(none, |error| vec![error]), options.json);
    }
    session::run(async move {
        let progress = Progress::spinner("asking the cluster").beating();
        let found = about_cluster(&options).await;
        progress.done();
        match (found, error) {
            (Ok(mut findings), error) => {
                // That there is no such broker is no answer where an error was meant.
                if error.is_some() && options.kind.is_none() {
                    findings.retain(|finding| !broker::is_unknown(finding));
                }
                findings.extend(error);
                diagnosis::report(&findings, options.json)
            }
            (Err(_), Some(error)) => diagnosis::report(&[error], options.json),
            (Err(reason), None) => {
                let at = &options.bootstrap_server;
                console::complain(&format!("ottla explain: {reason}"));
                console::complain(&format!("`ottla doctor --bootstrap-server {at}` may say why."));
                ExitCode::from(NOT_ASKED)
            }
        }
    })
}

async fn about_cluster(options: &Options) -> Result<Vec<Finding>, ottla_client::ClientError> {
    let patience = Duration::from_millis(options.timeout_ms);
    let client = Client::connect(&options.bootstrap_server, impatient(patience)).await?;
    let admin = Admin::new(client);
    let what = options.what.as_str();
    let wants = |kind| options.kind.is_none_or(|wanted| wanted == kind);
    if let Ok(id) = what.parse::<i32>()
        && wants(Kind::Broker)
    {
        let facts = ask::broker(&admin, &options.bootstrap_server, id, patience).await?;
        return Ok(broker::judge(&facts));
    }
    let mut findings = Vec::new();
    if wants(Kind::Topic)
        && let Some(facts) = ask::topic(&admin, what).await?
    {
        findings.extend(topic::judge(&facts));
    }
    if wants(Kind::Group) {
        match ask::group(&admin, what).await {
            Ok(facts) => findings.extend(facts.iter().flat_map(group::judge)),
            // Without a quorum no coordinator is found. What is known of the topic helps all the same.
            Err(_) if !findings.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    if findings.is_empty() {
        findings.push(nothing(options, &ask::names(&admin).await));
    }
    Ok(findings)
}

/// There is nothing of that name.
fn nothing(options: &Options, known: &[String]) -> Finding {
    let what = &options.what;
    let kind = match options.kind {
        Some(Kind::Topic) => "no topic",
        Some(Kind::Group) => "no group",
        Some(Kind::Broker | Kind::Error) => "nothing",
        None => "neither a topic, nor a group, nor an error",
    };
    let names = similar(what, known.iter().map(String::as_str));
    let finding = not_found(&format!("there is {kind} called {what}"), &names);
    if names.is_empty() {
        return finding.advise(
            "A topic is made with kafka-topics --create; a group is there once a member has joined it or \
             has committed an offset.",
        );
    }
    finding
}

fn not_found(says: &str, similar: &[String]) -> Finding {
    let finding = Finding::problem(says);
    match similar {
        [] => finding,
        names => finding.advise(format!("Did you mean {}?", and(names).replace(" and ", " or "))),
    }
}
