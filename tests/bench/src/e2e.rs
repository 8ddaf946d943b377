//! Open loop: records become due at a steady rate; each carries the moment it was due, so that a
//! stalled sender or broker counts against itself (no coordinated omission).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::stats::latency;
use crate::topic::client;

#[derive(Args)]
pub(crate) struct E2eArgs {
    #[arg(long)]
    topic: String,
    /// Records per second.
    #[arg(long, default_value_t = 200)]
    rate: u64,
    #[arg(long, default_value_t = 1024)]
    size: usize,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

pub(crate) fn run(bootstrap: &str, args: &E2eArgs) -> anyhow::Result<Value> {
    let consumer: BaseConsumer = client(bootstrap)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "500")
        .create()?;
    let timeout = Duration::from_secs(10);
    let metadata = consumer.fetch_metadata(Some(&args.topic), timeout)?;
    let mut list = TopicPartitionList::new();
    for topic in metadata.topics() {
        for partition in topic.partitions() {
            let (_, high) = consumer.fetch_watermarks(&args.topic, partition.id(), timeout)?;
            list.add_partition_offset(&args.topic, partition.id(), Offset::Offset(high))?;
        }
    }
    consumer.assign(&list)?;
    let clock = Instant::now();
    let done = Arc::new(AtomicBool::new(false));
    let reader_done = done.clone();
    let reader = std::thread::spawn(move || {
        let mut samples = Vec::new();
        let mut seen = 0u64;
        while !reader_done.load(Ordering::Relaxed) {
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
            let now = clock.elapsed().as_micros() as u64;
            let Some(due) = message.payload().and_then(|p| p.first_chunk::<8>()) else { continue };
            let due = u64::from_le_bytes(*due);
            seen += 1;
            // The first 300 ms pay for connections.
            if due > 300_000 + 500_000 {
                samples.push(now.saturating_sub(due));
            }
        }
        (seen, samples)
    });
    let producer: ThreadedProducer<DefaultProducerContext> = client(bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .create()?;
    let mut payload = vec![b'x'; args.size.max(8)];
    let interval_us = 1_000_000 / args.rate;
    let first_us = clock.elapsed().as_micros() as u64 + 500_000;
    let count = (args.seconds * args.rate as f64) as u64;
    for index in 0..count {
        let due = first_us + index * interval_us;
        let now = clock.elapsed().as_micros() as u64;
        if due > now {
            std::thread::sleep(Duration::from_micros(due - now));
        }
        if let Some(head) = payload.first_chunk_mut::<8>() {
            *head = due.to_le_bytes();
        }
        producer
            .send(BaseRecord::<(), [u8]>::to(&args.topic).payload(&payload))
            .map_err(|(error, _)| error)?;
    }
    let behind_ms =
        clock.elapsed().as_millis() as i64 - ((first_us + count * interval_us) / 1000) as i64;
    producer.flush(Duration::from_secs(30))?;
    std::thread::sleep(Duration::from_millis(300));
    done.store(true, Ordering::Relaxed);
    let (seen, samples) = reader.join().map_err(|_| anyhow!("the reader panicked"))?;
    Ok(json!({"sent": count, "seen": seen, "behind_ms": behind_ms, "e2e": latency(samples)}))
}
