//! The longest time without an acknowledgement, as a producer with acks=all sees it, while a command
//! (kill -9, SIGSTOP, SIGTERM of the leader …) disturbs the cluster.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use serde_json::{Value, json};

use crate::topic::client;

#[derive(Args)]
pub(crate) struct GapArgs {
    #[arg(long)]
    topic: String,
    /// Run by sh once, `--after` seconds into the load; `{leader}` stands for the id of partition 0's
    /// leader.
    #[arg(long)]
    command: String,
    #[arg(long, default_value_t = 200)]
    rate: u64,
    #[arg(long, default_value_t = 2.0)]
    after: f64,
    #[arg(long, default_value_t = 6.0)]
    seconds: f64,
    /// How long the client waits for an answer (librdkafka's socket.timeout.ms); 0: its default.
    #[arg(long, default_value_t = 0)]
    request_timeout_ms: u32,
    /// librdkafka's debug contexts ("broker,metadata"), told on standard error.
    #[arg(long, default_value = "")]
    debug: String,
}

#[derive(Clone, Default)]
struct Acks(Arc<Mutex<(Vec<Instant>, u64)>>);

impl ClientContext for Acks {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        eprintln!("{:.3} {facility} {message}", since_epoch.as_secs_f64());
    }
}

impl ProducerContext for Acks {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut acks = self.0.lock().unwrap_or_else(|e| e.into_inner());
        match result {
            Ok(_) => acks.0.push(Instant::now()),
            Err(_) => acks.1 += 1,
        }
    }
}

pub(crate) fn run(bootstrap: &str, args: &GapArgs) -> anyhow::Result<Value> {
    let timeout = Duration::from_secs(10);
    let probe: BaseConsumer = client(bootstrap).create()?;
    let metadata = probe.fetch_metadata(Some(&args.topic), timeout)?;
    let leader = metadata
        .topics()
        .iter()
        .flat_map(|t| t.partitions())
        .find(|p| p.id() == 0)
        .context("the topic has no partition 0")?
        .leader();
    let acks = Acks::default();
    let mut config = client(bootstrap);
    config.set("acks", "all").set("enable.idempotence", "true");
    if !args.debug.is_empty() {
        config.set("debug", &args.debug).set_log_level(RDKafkaLogLevel::Debug);
    }
    if args.request_timeout_ms > 0 {
        config.set("socket.timeout.ms", args.request_timeout_ms.to_string());
    }
    let producer: ThreadedProducer<Acks> = config.create_with_context(acks.clone())?;
    let started = Instant::now();
    let interval = Duration::from_micros(1_000_000 / args.rate);
    let count = (args.seconds * args.rate as f64) as u32;
    let command = args.command.replace("{leader}", &leader.to_string());
    let mut running = None;
    let mut disturbed = None;
    for index in 0..count {
        let due = started + interval * index;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if running.is_none() && started.elapsed().as_secs_f64() >= args.after {
            disturbed = Some(started.elapsed());
            // Standard output carries the figures.
            let mut command_line = Command::new("sh");
            command_line.arg("-c").arg(&command).stdout(std::io::stderr());
            running = Some(command_line.spawn()?);
        }
        producer
            .send(BaseRecord::<(), [u8]>::to(&args.topic).partition(0).payload(b"gap"))
            .map_err(|(error, _)| error)?;
    }
    producer.flush(Duration::from_secs(30))?;
    if let Some(mut child) = running {
        child.wait()?;
    }
    let acks = acks.0.lock().unwrap_or_else(|e| e.into_inner());
    // The first second pays for connections and the producer id.
    let times: Vec<_> =
        acks.0.iter().filter(|t| t.duration_since(started).as_secs_f64() > 1.0).collect();
    let longest = times
        .windows(2)
        .filter_map(|w| Some(w.get(1)?.duration_since(**w.first()?)))
        .max()
        .unwrap_or_default();
    Ok(json!({"leader": leader, "gap_ms": longest.as_millis(), "acked": acks.0.len(),
        "failed": acks.1, "disturbed_at_ms": disturbed.map(|d| d.as_millis() as u64)}))
}
