//! `kafka-delete-records`: raises the start of partitions to the offsets of a JSON file.
//!
//! A partition that is refused is said on stdout and leaves the exit code 0.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use ottla_client::admin::DeletedRecords;
use ottla_client::{Admin, ApiError, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{Offset, TopicPartition};

use crate::console::{self, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Given, Opt, flag, value};
use crate::json_file;
use crate::properties::{self, client_options};
use crate::session;

/// The version of the file's form; a file without one has it.
const VERSION: i64 = 1;
const OPERATION: &str = "org.apache.kafka.tools.AdminOperationException";

pub(crate) const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server(s) to connect to", "REQUIRED: host:port, …"),
    value(
        "command-config",
        "String: command config property file path",
        "Properties of the client.",
    ),
    flag("help", "Print this."),
    value(
        "offset-json-file",
        "String: Offset json file path",
        "REQUIRED: {\"partitions\": [{\"topic\": \"t\", \"partition\": 0, \"offset\": 5}], \
         \"version\": 1}; -1 means up to the high watermark.",
    ),
    flag("version", "Print the version."),
];

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return Failure::from(error).caught(),
    };
    let about =
        "This tool helps to delete records of the given partitions down to the specified offset.";
    let required = ["bootstrap-server", "offset-json-file"];
    if let Some(code) = console::preamble(&given, &args, OPTIONS, about, &required) {
        return code;
    }
    session::run_or(delete(&given), Failure::caught)
}

async fn delete(given: &Given) -> Result<(), Failure> {
    let bootstrap = given.one("bootstrap-server")?.unwrap_or_default();
    let properties = properties::read(given.one("command-config")?)?;
    let options = client_options("adminclient-1", &properties)?;
    if ottla_client::parse_bootstrap(bootstrap).is_err() {
        let message = "Failed to create new KafkaAdminClient";
        return Err(Failure::new("org.apache.kafka.common.KafkaException", message));
    }
    let path = given.one("offset-json-file")?.unwrap_or_default();
    let text = json_file::read(path).map_err(|(said, _)| said)?;
    let before = offsets(&text)?;
    say("Executing records delete operation");
    let who = "AdminClient clientId=adminclient-1";
    let outcomes = match session::connect(bootstrap, options, who).await {
        Ok(client) => delete_each(&Admin::new(client), &before).await,
        Err(error) => before.keys().map(|p| (p.clone(), Err(error.clone()))).collect(),
    };
    say("Records delete operation completed:");
    for (partition, outcome) in outcomes {
        match outcome {
            Ok(deleted) => {
                say(&format!("partition: {partition}\tlow_watermark: {}", deleted.low_watermark));
            }
            Err(error) => {
                log(&partition, &error);
                let failure = Failure::of_client(&error, "deleteRecords(api=METADATA)");
                say(&format!("partition: {partition}\terror: {}", failure.thrown()));
            }
        }
    }
    Ok(())
}

/// Topic by topic, so that one that does not exist keeps nobody else's records.
async fn delete_each(
    admin: &Admin,
    before: &BTreeMap<TopicPartition, Offset>,
) -> Vec<(TopicPartition, Result<DeletedRecords, ClientError>)> {
    let known = match admin.list_topics().await {
        Ok(topics) => topics,
        Err(error) => return before.keys().map(|p| (p.clone(), Err(error.clone()))).collect(),
    };
    let exists = |partition: &TopicPartition| {
        known.iter().any(|topic| topic.name.as_str() == &*partition.topic)
    };
    let there = before.iter().filter(|(partition, _)| exists(partition));
    let asked: BTreeMap<TopicPartition, Offset> = there.map(|(p, o)| (p.clone(), *o)).collect();
    let missing = before.keys().filter(|partition| !exists(partition)).map(|partition| {
        let error = ApiError::of(ErrorCode::UnknownTopicOrPartition);
        (partition.clone(), Err(ClientError::from(error)))
    });
    let mut outcomes: Vec<_> = missing.collect();
    match admin.delete_records(&asked).await {
        Ok(answers) => outcomes
            .extend(answers.into_iter().map(|(p, answer)| (p, answer.map_err(ClientError::from)))),
        Err(error) => outcomes.extend(asked.keys().map(|p| (p.clone(), Err(error.clone())))),
    }
    outcomes
}

fn log(partition: &TopicPartition, error: &ClientError) {
    let ClientError::Api(error) = error else { return };
    if !error.is_retriable() {
        let code = error.error_code().name();
        console::log(
            "ERROR",
            &format!(
                "[AdminClient clientId=adminclient-1] DeleteRecords request for topic partition \
                 {partition} failed due to an unexpected error {code}"
            ),
            "org.apache.kafka.clients.admin.internals.DeleteRecordsHandler",
        );
    }
}

/// Reads the file's text.
fn offsets(text: &str) -> Result<BTreeMap<TopicPartition, Offset>, Failure> {
    let operation = |message: String| Failure::new(OPERATION, message);
    let file = json_file::parse(text)
        .map_err(|_| operation("The input string is not a valid JSON".to_owned()))?;
    let file = json_file::object(&file)?;
    let version = file.get("version").map_or(Some(VERSION), serde_json::Value::as_i64);
    if version != Some(VERSION) {
        let version = version.map_or_else(|| "null".to_owned(), |version| version.to_string());
        return Err(operation(format!("Not supported version field value {version}")));
    }
    let partitions =
        file.get("partitions").ok_or_else(|| operation("Missing partitions field".to_owned()))?;
    let mut offsets = BTreeMap::new();
    let mut twice: Vec<String> = Vec::new();
    for entry in json_file::array(partitions)? {
        let entry = json_file::object(entry)?;
        let topic = json_file::string(json_file::field(entry, "topic")?)?;
        let partition = json_file::integer(json_file::field(entry, "partition")?)?;
        let offset = json_file::field(entry, "offset")?;
        let offset = offset.as_i64().ok_or_else(|| {
            let message = format!("Expected `Long` value, received {offset}");
            Failure::new("com.fasterxml.jackson.databind.JsonMappingException", message)
        })?;
        let partition = TopicPartition::new(topic, partition);
        let name = partition.to_string();
        if offsets.insert(partition, offset).is_some() && !twice.contains(&name) {
            twice.push(name);
        }
    }
    if !twice.is_empty() {
        return Err(Failure::new(
            "org.apache.kafka.tools.AdminCommandFailedException",
            format!("Offset json file contains duplicate topic partitions: {}", twice.join(",")),
        ));
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests;
