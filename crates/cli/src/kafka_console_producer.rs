//! `kafka-console-producer`: lines of stdin become records.
//!
//! Each line is handed over as soon as it is read; nothing waits for the end of the input. A record that
//! fails is logged and the tool goes on, so the exit code is 0 even then, as with Kafka's tool; a line
//! that cannot be read as a record, or an unusable setting, gives 1.

pub(crate) mod options;
mod reader;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use ottla_client::{Client, ClientError, Delivery, ProduceError, Producer, ProducerRecord};
use ottla_protocol::ids::TopicName;
use ottla_protocol::{ErrorCode, record};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use crate::console::{self, complain};
use crate::exceptions::Failure;
use crate::session;
use options::{Misuse, Settings};

/// Lines up to this size are read without growing the buffer.
const READ_BUFFER: usize = 64 << 10;
/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    match options::settings(&args) {
        Ok(settings) => session::run(run(settings)),
        Err(Misuse::Usage(message)) => console::usage_error(&message, options::OPTIONS),
        Err(Misuse::Version) => console::version(),
        Err(Misuse::Failed(failure)) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> ExitCode {
    complain(&failure.thrown());
    ExitCode::FAILURE
}

async fn run(settings: Settings) -> ExitCode {
    let client = match session::client(&settings.bootstrap, settings.client.clone()).await {
        Ok(client) => client,
        Err(error) => return failed(&Failure::of_client(&error, "metadata")),
    };
    tokio::spawn(warn_while_unreachable(client.clone(), settings.bootstrap.clone()));
    let producer = Producer::new(client, settings.producer.clone());
    let (deliveries, log) = mpsc::unbounded_channel();
    let logger = tokio::spawn(log_failures(settings.topic.clone(), log));

    let code = tokio::select! {
        code = produce_lines(&settings, &producer, &deliveries) => code,
        _ = tokio::signal::ctrl_c() => ExitCode::from(INTERRUPTED),
    };
    producer.flush().await;
    drop(deliveries);
    // Every delivery is resolved by now; only what it says is left to be written.
    let _ = logger.await;
    code
}

async fn warn_while_unreachable(client: Client, bootstrap: String) {
    let mut changes = client.metadata_changes();
    client.want_metadata();
    let patience = std::time::Duration::from_secs(1);
    if tokio::time::timeout(patience, changes.changed()).await.is_err() {
        session::warn_unreachable(&bootstrap, "Producer clientId=console-producer");
    }
}

/// A record on its way, for the log.
struct Sent {
    delivery: Result<Delivery, ProduceError>,
    key: Option<usize>,
    value: Option<usize>,
}

async fn produce_lines(
    settings: &Settings,
    producer: &Producer,
    deliveries: &mpsc::UnboundedSender<Sent>,
) -> ExitCode {
    let mut input = BufReader::with_capacity(READ_BUFFER, tokio::io::stdin());
    let prompt = std::io::stdin().is_terminal();
    let mut line = Vec::new();
    for number in 1_u64.. {
        if prompt {
            let mut out = std::io::stdout().lock();
            // Without a terminal to write to there is nobody to prompt.
            let _ = out.write_all(b">").and_then(|()| out.flush());
        }
        line.clear();
        match input.read_until(b'\n', &mut line).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                return failed(&Failure::new("java.io.IOException", error.to_string()));
            }
        }
        let record = match settings.reader.read(chomp(&line), number) {
            Ok(record) => record,
            Err(message) => {
                return failed(&Failure::new("org.apache.kafka.common.KafkaException", message));
            }
        };
        let (key, value) = (length(&record.key), length(&record.value));
        let delivery = producer.send(&settings.topic, record).await;
        if settings.sync {
            let outcome = match delivery {
                Ok(delivery) => delivery.await.map(|_| ()),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                return failed(&explain(&error, &settings.topic));
            }
        } else if deliveries.send(Sent { delivery, key, value }).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn length(bytes: &Option<Vec<u8>>) -> Option<usize> {
    bytes.as_ref().map(Vec::len)
}

/// A line without its end.
fn chomp(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

async fn log_failures(topic: TopicName, mut sent: mpsc::UnboundedReceiver<Sent>) {
    while let Some(Sent { delivery, key, value }) = sent.recv().await {
        let outcome = match delivery {
            Ok(delivery) => delivery.await.map(|_| ()),
            Err(error) => Err(error),
        };
        let Err(error) = outcome else { continue };
        if is_invalid_topic(&error) {
            let message = format!(
                "[Producer clientId=console-producer] Metadata response reported invalid topics \
                 [{topic}]"
            );
            console::log("ERROR", &message, "org.apache.kafka.clients.Metadata");
        }
        let size = |bytes: Option<usize>| {
            bytes.map_or_else(|| "null".to_owned(), |bytes| format!("{bytes} bytes"))
        };
        console::log(
            "ERROR",
            &format!(
                "Error when sending message to topic {topic} with key: {}, value: {} with error:",
                size(key),
                size(value)
            ),
            "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback",
        );
        complain(&explain(&error, &topic).thrown());
    }
}

/// The cluster says that a topic cannot have this name.
fn is_invalid_topic(error: &ProduceError) -> bool {
    matches!(error, ProduceError::Client(ClientError::Api(error))
        if error.error_code() == ErrorCode::InvalidTopicException)
}

/// A failed record in Kafka's words.
pub(crate) fn explain(error: &ProduceError, topic: &str) -> Failure {
    let timeout = "org.apache.kafka.common.errors.TimeoutException";
    match error {
        ProduceError::Refused { error } if error.error_code() == ErrorCode::InvalidRecord => {
            Failure::new("org.apache.kafka.common.InvalidRecordException", error.to_string())
        }
        ProduceError::Refused { error } => error.into(),
        error if is_invalid_topic(error) => Failure::new(
            "org.apache.kafka.common.errors.InvalidTopicException",
            format!("Invalid topics: [{topic}]"),
        ),
        ProduceError::Client(error) => Failure::of_client(error, "metadata"),
        ProduceError::TooLarge { .. } => Failure::new(
            "org.apache.kafka.common.errors.RecordTooLargeException",
            error.to_string(),
        ),
        ProduceError::Unknown { reason } | ProduceError::NotSent { reason } => {
            Failure::new(timeout, reason.clone())
        }
        ProduceError::Closed => Failure::new("java.lang.IllegalStateException", error.to_string()),
    }
}

/// What the reader makes of a line.
type LineRecord = Result<ProducerRecord, String>;
/// Headers of a record.
type Headers = Vec<record::Header>;

#[cfg(test)]
mod tests;
