//! Produces as fast as librdkafka can; counts what was acknowledged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use serde_json::{Value, json};

use crate::stats::latency;
use crate::topic::client;

#[derive(Args)]
pub(crate) struct PutArgs {
    #[arg(long)]
    topic: String,
    /// Bytes of a record's value.
    #[arg(long, default_value_t = 1024)]
    size: usize,
    #[arg(long, default_value = "all")]
    acks: String,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Ends sooner, once so many bytes of values have been sent.
    #[arg(long, default_value_t = u64::MAX)]
    limit_bytes: u64,
    #[arg(long, default_value_t = 5)]
    linger_ms: u32,
    #[arg(long, default_value_t = 1_000_000)]
    batch_size: u32,
}

struct Acked {
    started: Instant,
    records: AtomicU64,
    failed: AtomicU64,
    /// Every 64th acknowledgement's time since its send.
    samples_us: Mutex<Vec<u64>>,
}

#[derive(Clone)]
struct Counter(Arc<Acked>);

impl ClientContext for Counter {}

impl ProducerContext for Counter {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_us: usize) {
        if result.is_err() {
            self.0.failed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let count = self.0.records.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(64) {
            let now = self.0.started.elapsed().as_micros() as u64;
            let mut samples = self.0.samples_us.lock().unwrap_or_else(|e| e.into_inner());
            samples.push(now.saturating_sub(sent_us as u64));
        }
    }
}

pub(crate) fn run(bootstrap: &str, args: &PutArgs) -> anyhow::Result<Value> {
    let acked = Arc::new(Acked {
        started: Instant::now(),
        records: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        samples_us: Mutex::new(Vec::new()),
    });
    let idempotent = if args.acks == "all" { "true" } else { "false" };
    let producer: ThreadedProducer<Counter> = client(bootstrap)
        .set("acks", &args.acks)
        .set("enable.idempotence", idempotent)
        .set("linger.ms", args.linger_ms.to_string())
        .set("batch.size", args.batch_size.to_string())
        .set("batch.num.messages", "1000000")
        .set("queue.buffering.max.messages", "2000000")
        .set("queue.buffering.max.kbytes", "262144")
        .create_with_context(Counter(acked.clone()))?;
    let payload = vec![b'x'; args.size];
    let end = Instant::now() + Duration::from_secs_f64(args.seconds);
    // The first half second only fills the pipeline.
    let warm = Instant::now() + Duration::from_millis(500);
    let mut from = None;
    let mut sent_bytes = 0;
    while Instant::now() < end && sent_bytes < args.limit_bytes {
        sent_bytes += 100 * args.size as u64;
        for _ in 0..100 {
            let sent = acked.started.elapsed().as_micros() as usize;
            let mut record: BaseRecord<'_, (), [u8], usize> =
                BaseRecord::with_opaque_to(&args.topic, sent).payload(&payload);
            while let Err((error, back)) = producer.send(record) {
                if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                    return Err(error.into());
                }
                std::thread::sleep(Duration::from_micros(200));
                record = back;
            }
        }
        if from.is_none() && Instant::now() > warm {
            from = Some((Instant::now(), acked.records.load(Ordering::Relaxed)));
        }
    }
    let (from, before) = from.unwrap_or((acked.started, 0));
    let seconds = from.elapsed().as_secs_f64();
    let records = acked.records.load(Ordering::Relaxed) - before;
    producer.flush(Duration::from_secs(30))?;
    let samples = std::mem::take(&mut *acked.samples_us.lock().unwrap_or_else(|e| e.into_inner()));
    let total = acked.records.load(Ordering::Relaxed);
    Ok(json!({
        "mb_per_s": records as f64 * args.size as f64 / seconds / 1e6,
        "records_per_s": records as f64 / seconds,
        "total_bytes": total * args.size as u64,
        "failed": acked.failed.load(Ordering::Relaxed),
        "ack": latency(samples),
    }))
}
