//! `kafka-verifiable-producer`: rising numbers, and a line of JSON for the fate of each.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ottla_client::{Acknowledged, ProduceError, Producer, ProducerRecord};
use ottla_protocol::ids::TopicName;
use tokio::sync::mpsc;

use crate::argparse::{Given, Group, Kind, Parser, arg};
use crate::client_settings;
use crate::exceptions::Failure;
use crate::kafka_console_producer::explain;
use crate::properties::client_options;
use crate::verifiable::{self, bytes, event, text};

/// A rate is held in steps of this length.
const STEP: Duration = Duration::from_millis(2);

pub(crate) const PARSER: &Parser = &Parser {
    name: "verifiable-producer",
    description: "This tool produces rising numbers and prints what became of each.",
    args: &[
        arg(
            &["--bootstrap-server"],
            Kind::Text,
            "HOST1:PORT1[,HOST2:PORT2[...]]",
            "Brokers of the cluster.",
        )
        .required()
        .in_group(0),
        arg(&["--topic"], Kind::Text, "TOPIC", "Where the records go.").required(),
        arg(
            &["--max-messages"],
            Kind::Integer,
            "MAX-MESSAGES",
            "How many, or -1 for as many as come until the process ends. (default: -1)",
        ),
        arg(
            &["--throughput"],
            Kind::Integer,
            "THROUGHPUT",
            "At most so many a second, or -1 for as many as possible. (default: -1)",
        ),
        arg(&["--acks"], Kind::Integer, "ACKS", "0, 1 or -1 for all. (default: -1)"),
        arg(&["--producer.config"], Kind::Text, "CONFIG-FILE", "DEPRECATED; use --command-config."),
        arg(
            &["--message-create-time"],
            Kind::Long,
            "CREATE-TIME",
            "The first record's timestamp in ms; each next one's is greater by 1. (default: -1)",
        ),
        arg(
            &["--value-prefix"],
            Kind::Integer,
            "VALUE-PREFIX",
            "Stands before each value, with a dot.",
        ),
        arg(
            &["--repeating-keys"],
            Kind::Integer,
            "REPEATING-KEYS",
            "Keys are 0 up to below this number, again and again.",
        ),
        arg(&["--command-config"], Kind::Text, "CONFIG-FILE", "Properties of the producer."),
    ],
    groups: &[Group {
        title: "Connection Group",
        description: "Where the cluster is",
        exclusive: true,
        required: true,
    }],
    commands: &[],
};

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    verifiable::main(PARSER, &args, run)
}

/// One number that was sent.
struct Sent {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    delivery: Result<ottla_client::Delivery, ProduceError>,
}

async fn run(given: Given) -> Result<(), Failure> {
    let mut properties = verifiable::properties(&given, "--producer.config")?;
    properties.insert("acks".to_owned(), given.one("--acks").unwrap_or("-1").to_owned());
    let retries = "0".to_owned();
    // Numbers are sent once; what fails is to be seen.
    properties.entry("retries".to_owned()).or_insert(retries);
    let options = client_options("verifiable-producer", &properties)?;
    let producer_options = client_settings::producer(&properties)?;
    let client = verifiable::client(&given, options).await?;
    let producer = Producer::new(client, producer_options);
    let topic = TopicName::from(given.one("--topic").unwrap_or_default());
    event("startup_complete", &[]);
    let begun = Instant::now();
    let (sent, fates) = mpsc::unbounded_channel();
    let printing = tokio::spawn(print_fates(fates, topic.clone()));
    let count = tokio::select! {
        count = send_all(&given, &producer, &topic, &sent, begun) => count,
        () = verifiable::asked_to_end() => None,
    };
    drop(sent);
    producer.flush().await;
    let (acked, failed) = printing.await.unwrap_or_default();
    event("shutdown_complete", &[]);
    let rate = given.number::<i64>("--throughput").unwrap_or(-1);
    let seconds = begun.elapsed().as_secs_f64();
    event(
        "tool_data",
        &[
            ("sent", count.unwrap_or(acked + failed).to_string()),
            ("acked", acked.to_string()),
            ("target_throughput", rate.to_string()),
            ("avg_throughput", (acked as f64 / seconds).to_string()),
        ],
    );
    Ok(())
}

/// Sends the numbers; returns how many.
async fn send_all(
    given: &Given,
    producer: &Producer,
    topic: &TopicName,
    sent: &mpsc::UnboundedSender<Sent>,
    begun: Instant,
) -> Option<u64> {
    let most: i64 = given.number("--max-messages").unwrap_or(-1);
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let rate = given.number::<f64>("--throughput").filter(|rate| *rate >= 0.0);
    let created: Option<i64> = given.number("--message-create-time").filter(|time| *time >= 0);
    let keys: Option<u64> = given.number("--repeating-keys").filter(|keys| *keys > 0);
    let prefix = given.one("--value-prefix").map(|prefix| format!("{prefix}.")).unwrap_or_default();
    for number in 0..most {
        let value = format!("{prefix}{number}").into_bytes();
        let key = keys.map(|keys| (number % keys).to_string().into_bytes());
        let timestamp = created.map(|first| first.saturating_add_unsigned(number));
        let record = ProducerRecord {
            key: key.clone(),
            value: Some(value.clone()),
            timestamp,
            ..ProducerRecord::default()
        };
        let delivery = producer.send(topic, record).await;
        if sent.send(Sent { key, value, delivery }).is_err() {
            return Some(number);
        }
        match rate {
            // None at all: wait for the end.
            Some(0.0) => std::future::pending().await,
            Some(rate) => {
                let due = begun + Duration::from_secs_f64((number + 1) as f64 / rate);
                let ahead = due.saturating_duration_since(Instant::now());
                if ahead >= STEP {
                    tokio::time::sleep(ahead).await;
                }
            }
            None => {}
        }
    }
    Some(most)
}

/// Prints the fate of every number; returns how many were acknowledged and how many were not.
async fn print_fates(mut sent: mpsc::UnboundedReceiver<Sent>, topic: TopicName) -> (u64, u64) {
    let mut open = FuturesUnordered::new();
    let (mut acked, mut failed) = (0, 0);
    let mut more = true;
    while more || !open.is_empty() {
        tokio::select! {
            next = sent.recv(), if more => match next {
                Some(Sent { key, value, delivery }) => open.push(async move {
                    let outcome = match delivery {
                        Ok(delivery) => delivery.await,
                        Err(error) => Err(error),
                    };
                    (key, value, outcome)
                }),
                None => more = false,
            },
            Some((key, value, outcome)) = open.next(), if !open.is_empty() => match outcome {
                Ok(acknowledged) => {
                    acked += 1;
                    print_success(key.as_deref(), &value, &acknowledged);
                }
                Err(error) => {
                    failed += 1;
                    print_error(key.as_deref(), &value, &topic, &error);
                }
            },
        }
    }
    (acked, failed)
}

fn print_success(key: Option<&[u8]>, value: &[u8], acknowledged: &Acknowledged) {
    event(
        "producer_send_success",
        &[
            ("key", bytes(key)),
            ("value", bytes(Some(value))),
            ("offset", acknowledged.offset.to_string()),
            ("topic", text(&acknowledged.partition.topic)),
            ("partition", acknowledged.partition.partition.to_string()),
        ],
    );
}

fn print_error(key: Option<&[u8]>, value: &[u8], topic: &TopicName, error: &ProduceError) {
    let failure = explain(error, topic);
    event(
        "producer_send_error",
        &[
            ("key", bytes(key)),
            ("value", bytes(Some(value))),
            ("exception", text(&format!("class {}", failure.class))),
            ("message", text(&failure.message)),
            ("topic", text(topic)),
        ],
    );
}
