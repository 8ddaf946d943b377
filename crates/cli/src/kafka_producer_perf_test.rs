//! `kafka-producer-perf-test`: records as fast as they go, or at a rate, and how long they took.
//!
//! A record that fails is said on stderr and not counted; the exit code stays 0, as with Kafka's tool.

pub(crate) mod options;
mod stats;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ottla_client::{ProduceError, Producer, ProducerRecord};
use rand::Rng;
use tokio::sync::mpsc;

use crate::argparse::{self, Refusal};
use crate::console::{complain, print, say};
use crate::exceptions::Failure;
use crate::kafka_console_producer::explain;
use crate::session;
use options::{Misuse, PARSER, Payload, Settings};
use stats::Stats;

/// A rate is held in steps of this length, since shorter sleeps are not kept.
const STEP: Duration = Duration::from_millis(2);

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    if args.is_empty() {
        print(&argparse::help(PARSER));
        return ExitCode::SUCCESS;
    }
    match options::settings(&args) {
        Ok(settings) => session::run(run(settings)),
        Err(misuse) => {
            match misuse {
                Misuse::Refused(refusal) => {
                    if let Refusal::Help(text) = &refusal {
                        print(text);
                    } else {
                        refusal.print();
                    }
                }
                Misuse::Complaint(message) => argparse::complain_as(PARSER, message),
                Misuse::Thrown(failure) => thrown(&failure),
            }
            ExitCode::FAILURE
        }
    }
}

fn thrown(failure: &Failure) {
    complain(&format!("Exception in thread \"main\" {}", failure.thrown()));
}

/// A record whose fate is open.
struct Sent {
    at: Instant,
    bytes: usize,
    steady: bool,
    delivery: Result<ottla_client::Delivery, ProduceError>,
}

async fn run(settings: Settings) -> ExitCode {
    let client = match session::client(&settings.bootstrap, settings.client.clone()).await {
        Ok(client) => client,
        Err(error) => {
            let message = "Failed to construct kafka producer";
            thrown(&Failure::new("org.apache.kafka.common.KafkaException", message));
            complain(&format!(
                "Caused by: org.apache.kafka.common.config.ConfigException: {error}"
            ));
            return ExitCode::FAILURE;
        }
    };
    let producer = Producer::new(client, settings.producer.clone());
    if settings.warmup > 0 {
        say(&format!(
            "Warmup first {} records. Steady state results will print after the complete test summary.",
            settings.warmup
        ));
    }
    let begun = Instant::now();
    let (sent, deliveries) = mpsc::unbounded_channel();
    let counting = tokio::spawn(count(
        deliveries,
        Counters {
            all: Stats::new(settings.records),
            steady: Stats::new(settings.records - settings.warmup),
            interval: settings.interval,
            topic: settings.topic.to_string(),
        },
    ));
    let steady_since = send_all(&settings, &producer, &sent, begun).await;
    drop(sent);
    producer.flush().await;
    let Ok(counters) = counting.await else { return ExitCode::FAILURE };
    let Counters { all, steady, .. } = counters;
    say(&all.summary("", begun.elapsed()));
    if let Some(since) = steady_since {
        say(&steady.summary(" steady state", since.elapsed()));
    }
    if settings.print_metrics {
        print(&metrics(&all));
    }
    ExitCode::SUCCESS
}

/// Sends all records; returns since when it was warm, if it is to warm up.
async fn send_all(
    settings: &Settings,
    producer: &Producer,
    sent: &mpsc::UnboundedSender<Sent>,
    begun: Instant,
) -> Option<Instant> {
    let mut values = Values::new(&settings.payload);
    let mut steady_since = None;
    for number in 0..settings.records {
        if settings.warmup > 0 && number == settings.warmup {
            say("In steady state.");
            steady_since = Some(Instant::now());
        }
        let value = values.next(number);
        let bytes = value.len();
        let at = Instant::now();
        let record = ProducerRecord { value: Some(value), ..Default::default() };
        let delivery = producer.send(&settings.topic, record).await;
        let steady = number >= settings.warmup;
        if sent.send(Sent { at, bytes, steady, delivery }).is_err() {
            break;
        }
        if let Some(rate) = settings.records_per_second {
            let due = begun + Duration::from_secs_f64((number + 1) as f64 / rate);
            let ahead = due.saturating_duration_since(Instant::now());
            if ahead >= STEP {
                tokio::time::sleep(ahead).await;
            }
        }
    }
    steady_since
}

struct Counters {
    all: Stats,
    steady: Stats,
    interval: Duration,
    topic: String,
}

/// Waits for the fate of every record and prints progress.
async fn count(mut deliveries: mpsc::UnboundedReceiver<Sent>, mut counters: Counters) -> Counters {
    let mut open = FuturesUnordered::new();
    let mut window = Instant::now();
    let mut ticks = tokio::time::interval(counters.interval);
    ticks.tick().await;
    let mut more = true;
    while more || !open.is_empty() {
        tokio::select! {
            sent = deliveries.recv(), if more => match sent {
                Some(Sent { at, bytes, steady, delivery: Ok(delivery) }) => {
                    open.push(async move { (delivery.await, at.elapsed(), bytes, steady) });
                }
                Some(Sent { delivery: Err(error), .. }) => failed(&error, &counters.topic),
                None => more = false,
            },
            Some((outcome, latency, bytes, steady)) = open.next(), if !open.is_empty() => {
                match outcome {
                    Ok(_) => {
                        counters.all.record(latency, bytes);
                        if steady {
                            counters.steady.record(latency, bytes);
                        }
                    }
                    Err(error) => failed(&error, &counters.topic),
                }
            }
            _ = ticks.tick() => {
                if let Some(line) = counters.all.window(window.elapsed()) {
                    say(&line);
                }
                window = Instant::now();
            }
        }
    }
    counters
}

fn failed(error: &ProduceError, topic: &str) {
    complain(&explain(error, topic).thrown());
}

/// The values of the records, one after the other.
struct Values<'a> {
    payload: &'a Payload,
    random: rand::rngs::ThreadRng,
}

impl<'a> Values<'a> {
    fn new(payload: &'a Payload) -> Self {
        Self { payload, random: rand::rng() }
    }

    fn next(&mut self, number: u64) -> Vec<u8> {
        match self.payload {
            Payload::Random(size) => {
                let mut value = vec![0; *size];
                self.random.fill(value.as_mut_slice());
                // Capital letters: eight at a time are cheap enough not to be what is measured.
                for byte in &mut value {
                    *byte = b'A' + *byte % 26;
                }
                value
            }
            Payload::Listed(payloads) => {
                let place = self.random.random_range(0..payloads.len());
                payloads.get(place).cloned().unwrap_or_default()
            }
            Payload::Monotonic => number.to_string().into_bytes(),
        }
    }
}

/// What this producer counts, in the form of Kafka's metrics.
fn metrics(all: &Stats) -> String {
    let (records, bytes) = all.totals();
    let tags = "{client-id=perf-producer-client}";
    let rows = [
        ("app-info:version", env!("CARGO_PKG_VERSION").to_owned()),
        ("producer-metrics:outgoing-byte-total", format!("{bytes}.000")),
        ("producer-metrics:record-send-total", format!("{records}.000")),
    ];
    let names: Vec<String> = rows.iter().map(|(name, _)| format!("{name}:{tags}")).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let mut text = format!("\n{:width$}   Value\n", "Metric Name");
    for (name, (_, value)) in names.iter().zip(&rows) {
        text += &format!("{name:width$} : {value}\n");
    }
    text
}

#[cfg(test)]
mod tests;
