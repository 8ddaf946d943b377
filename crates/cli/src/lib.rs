//! Kafka's command line tools over the client: same flags, same output, same exit codes.
//!
//! Each tool is a `main` that is given the arguments behind its name and returns the exit code. A tool
//! runs on a single-threaded runtime of its own, so that a call costs little more than its requests.

mod argparse;
mod client_settings;
mod command;
mod console;
mod diagnosis;
pub mod doctor;
mod exceptions;
pub mod explain;
mod internal_records;
mod jopt;
mod json_file;
pub mod kafka_broker_api_versions;
pub mod kafka_cluster;
pub mod kafka_configs;
pub mod kafka_console_consumer;
pub mod kafka_console_producer;
pub mod kafka_consumer_groups;
pub mod kafka_consumer_perf_test;
pub mod kafka_delete_records;
pub mod kafka_dump_log;
pub mod kafka_e2e_latency;
pub mod kafka_features;
pub mod kafka_get_offsets;
pub mod kafka_groups;
pub mod kafka_leader_election;
pub mod kafka_log_dirs;
pub mod kafka_metadata_quorum;
pub mod kafka_producer_perf_test;
pub mod kafka_reassign_partitions;
pub mod kafka_storage;
pub mod kafka_topics;
pub mod kafka_verifiable_consumer;
pub mod kafka_verifiable_producer;
pub mod progress;
mod properties;
mod releases;
mod session;
mod thrown;
mod verifiable;
pub mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use command::Syntax;

/// A tool of this crate.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// What it is called, without `.sh`.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Runs it with the arguments behind its name.
    pub main: fn(Vec<OsString>) -> ExitCode,
    syntax: Syntax,
}

impl Tool {
    /// Its command line, for completion and man pages.
    #[must_use]
    pub fn command(&self) -> clap::Command {
        command::of(self.name, self.about, self.syntax)
    }
}

const fn tool(
    name: &'static str,
    about: &'static str,
    main: fn(Vec<OsString>) -> ExitCode,
    syntax: Syntax,
) -> Tool {
    Tool { name, about, main, syntax }
}

/// All tools, by name.
#[rustfmt::skip]
pub const TOOLS: &[Tool] = &[
    tool("doctor", "Find out what keeps clients from the cluster, and which key to change", doctor::main, Syntax::Own(doctor::command)),
    tool("explain", "Say why a topic, group or broker does not work, or what an error means", explain::main, Syntax::Own(explain::command)),
    tool("kafka-broker-api-versions", "List the requests that each broker serves", kafka_broker_api_versions::main, Syntax::Options(kafka_broker_api_versions::OPTIONS)),
    tool("kafka-cluster", "The cluster's id, its brokers, the end of a registration", kafka_cluster::main, Syntax::Parser(kafka_cluster::TOOL)),
    tool("kafka-configs", "Describe and change the settings of topics, brokers, groups, …", kafka_configs::main, Syntax::Options(kafka_configs::options::OPTIONS)),
    tool("kafka-console-consumer", "Print records", kafka_console_consumer::main, Syntax::Options(kafka_console_consumer::options::OPTIONS)),
    tool("kafka-console-producer", "Send the lines of the standard input", kafka_console_producer::main, Syntax::Options(kafka_console_producer::options::OPTIONS)),
    tool("kafka-consumer-groups", "List, describe and delete groups, reset and delete their offsets", kafka_consumer_groups::main, Syntax::Options(kafka_consumer_groups::options::OPTIONS)),
    tool("kafka-consumer-perf-test", "Measure how fast records are consumed", kafka_consumer_perf_test::main, Syntax::Options(kafka_consumer_perf_test::OPTIONS)),
    tool("kafka-delete-records", "Delete the records before an offset", kafka_delete_records::main, Syntax::Options(kafka_delete_records::OPTIONS)),
    tool("kafka-dump-log", "Print the files of a partition", kafka_dump_log::main, Syntax::Options(kafka_dump_log::options::OPTIONS)),
    tool("kafka-e2e-latency", "Measure the time from producing to consuming", kafka_e2e_latency::main, Syntax::Options(kafka_e2e_latency::OPTIONS)),
    tool("kafka-features", "Show feature levels of the cluster and of releases", kafka_features::main, Syntax::Parser(kafka_features::PARSER)),
    tool("kafka-get-offsets", "Print where partitions begin, end, or were at a time", kafka_get_offsets::main, Syntax::Options(kafka_get_offsets::OPTIONS)),
    tool("kafka-groups", "List groups of all kinds", kafka_groups::main, Syntax::Options(kafka_groups::options::OPTIONS)),
    tool("kafka-leader-election", "Elect preferred leaders, or any live replica", kafka_leader_election::main, Syntax::Options(kafka_leader_election::options::OPTIONS)),
    tool("kafka-log-dirs", "Print what the log directories hold", kafka_log_dirs::main, Syntax::Options(kafka_log_dirs::OPTIONS)),
    tool("kafka-metadata-quorum", "Describe the controllers", kafka_metadata_quorum::main, Syntax::Parser(kafka_metadata_quorum::PARSER)),
    tool("kafka-producer-perf-test", "Measure how fast records are produced", kafka_producer_perf_test::main, Syntax::Parser(kafka_producer_perf_test::options::PARSER)),
    tool("kafka-reassign-partitions", "Move partitions between brokers and log directories", kafka_reassign_partitions::main, Syntax::Options(kafka_reassign_partitions::options::OPTIONS)),
    tool("kafka-storage", "Show what is in a node's log directories", kafka_storage::main, Syntax::Parser(kafka_storage::PARSER)),
    tool("kafka-topics", "Create, list, describe, alter and delete topics", kafka_topics::main, Syntax::Options(kafka_topics::options::OPTIONS)),
    tool("kafka-verifiable-consumer", "Consume as a member of a group and print what happens", kafka_verifiable_consumer::main, Syntax::Parser(kafka_verifiable_consumer::PARSER)),
    tool("kafka-verifiable-producer", "Produce numbers and print the fate of each", kafka_verifiable_producer::main, Syntax::Parser(kafka_verifiable_producer::PARSER)),
    tool("verify", "Produce with acks=all, read back, count what was lost or doubled", verify::main, Syntax::Own(verify::command)),
];
