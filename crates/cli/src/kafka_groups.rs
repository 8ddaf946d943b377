//! `kafka-groups`: the groups of all kinds.

pub(crate) mod options;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use ottla_client::admin::{GroupListing, GroupType};
use ottla_client::{Admin, ClientError};

use crate::console::{self, print, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Given};
use crate::properties::{self, Properties, client_options};
use crate::session;
use options::{Misuse, OPTIONS};

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return console::usage_error(&error.to_string(), OPTIONS),
    };
    let filter = match options::check(&given) {
        Ok(filter) => filter,
        Err(Misuse::Usage(message)) => return console::usage_error(&message, OPTIONS),
        Err(Misuse::Thrown(failure)) => return failure.caught(),
        Err(Misuse::Version) => return console::version(),
    };
    session::run(async move {
        let path = given.one("command-config").map_err(Failure::from);
        let properties = match path.and_then(properties::read) {
            Ok(properties) => properties,
            Err(failure) => return failure.caught(),
        };
        match list(&given, &properties).await {
            Ok(groups) => {
                print(&render(&groups, &filter));
                ExitCode::SUCCESS
            }
            Err(failures) => failed(&failures),
        }
    })
}

/// An error, and its causes.
fn failed(failures: &[Failure]) -> ExitCode {
    let message = failures.first().map_or("", |failure| &failure.message);
    say(&format!("Error while executing groups command : {message}"));
    let trace: Vec<String> = failures.iter().map(Failure::thrown).collect();
    // Kafka's logger ends the exception with a newline before the logger's name.
    let message = format!("{}\n", trace.join("\nCaused by: "));
    console::log("ERROR", &message, "org.apache.kafka.tools.GroupsCommand");
    ExitCode::FAILURE
}

async fn list(given: &Given, properties: &Properties) -> Result<Vec<GroupListing>, Vec<Failure>> {
    let not_made = |failure| {
        let class = "org.apache.kafka.common.KafkaException";
        vec![Failure::new(class, "Failed to create new KafkaAdminClient"), failure]
    };
    let bootstrap = given.one("bootstrap-server").map_err(|error| vec![error.into()])?;
    let options = client_options("adminclient-1", properties).map_err(not_made)?;
    let who = "AdminClient clientId=adminclient-1";
    let client = session::connect(bootstrap.unwrap_or_default(), options, who).await;
    let client = client.map_err(|error| match session::bootstrap_error(&error) {
        Some(error) => not_made(Failure::config(error.to_string())),
        None => vec![not_listed(&error)],
    })?;
    Admin::new(client).list_groups(&[], &[]).await.map_err(|error| vec![not_listed(&error)])
}

fn not_listed(error: &ClientError) -> Failure {
    match error {
        ClientError::NoNode { .. } => Failure::new(
            "org.apache.kafka.common.KafkaException",
            "Failed to find brokers to send ListGroups",
        ),
        error => Failure::of_client(error, "listGroups"),
    }
}

/// Which groups are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    All,
    /// Of a type, and of a protocol if one is named.
    Type(GroupType, Option<String>),
    Protocol(String),
    /// Of consumers, those that only keep offsets included.
    Consumers,
}

impl Filter {
    fn shows(&self, group: &GroupListing) -> bool {
        match self {
            Self::All => true,
            Self::Type(kind, protocol) => {
                group.group_type == Some(*kind)
                    && protocol.as_ref().is_none_or(|protocol| group.protocol_type == *protocol)
            }
            Self::Protocol(protocol) => group.protocol_type == *protocol,
            Self::Consumers => {
                group.is_of_consumers() || group.group_type == Some(GroupType::Consumer)
            }
        }
    }
}

fn render(groups: &[GroupListing], filter: &Filter) -> String {
    let rows: Vec<[&str; 3]> = groups
        .iter()
        .filter(|group| filter.shows(group))
        .map(|group| {
            let kind = group.group_type.map_or("", GroupType::name);
            [group.group_id.as_str(), kind, group.protocol_type.as_str()]
        })
        .collect();
    let longest = rows.iter().flatten().map(|cell| cell.chars().count()).max().unwrap_or(0);
    let width = longest.max(20);
    // Writing to a string cannot fail.
    let mut text = String::new();
    let _ = writeln!(text, "{:width$} {:width$} {:width$}", "GROUP", "TYPE", "PROTOCOL");
    for row in rows {
        for cell in row {
            let _ = write!(text, "{cell:width$} ");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
