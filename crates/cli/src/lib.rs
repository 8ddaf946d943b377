//! Kafka's command line tools over the client: same flags, same output, same exit codes.
//!
//! Each tool is a `main` that is given the arguments behind its name and returns the exit code. A tool
//! runs on a single-threaded runtime of its own, so that a call costs little more than its requests.

mod argparse;
mod console;
mod exceptions;
mod jopt;
pub mod kafka_console_consumer;
pub mod kafka_console_producer;
pub mod kafka_metadata_quorum;
pub mod kafka_topics;
mod properties;
mod session;
pub mod verify;
