//! Consumes a topic from its start to the end it had when the run began.

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::topic::client;

#[derive(Args)]
pub(crate) struct GetArgs {
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 60.0)]
    limit_seconds: f64,
}

pub(crate) fn run(bootstrap: &str, args: &GetArgs) -> anyhow::Result<Value> {
    let consumer: BaseConsumer = client(bootstrap)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "131072")
        .set("fetch.message.max.bytes", "1048576")
        // How long librdkafka pauses once its queue is full: a second would be all that is measured.
        .set("fetch.queue.backoff.ms", "5")
        .create()?;
    let timeout = Duration::from_secs(10);
    let metadata = consumer.fetch_metadata(Some(&args.topic), timeout)?;
    let mut list = TopicPartitionList::new();
    let mut wanted = 0u64;
    for topic in metadata.topics() {
        for partition in topic.partitions() {
            let (low, high) = consumer.fetch_watermarks(&args.topic, partition.id(), timeout)?;
            wanted += (high - low) as u64;
            list.add_partition_offset(&args.topic, partition.id(), Offset::Beginning)?;
        }
    }
    let started = Instant::now();
    consumer.assign(&list)?;
    let (mut records, mut bytes) = (0u64, 0u64);
    while records < wanted {
        if started.elapsed().as_secs_f64() > args.limit_seconds {
            bail!("{records} of {wanted} records after {} s", args.limit_seconds);
        }
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            bytes += message?.payload_len() as u64;
            records += 1;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({"mb_per_s": bytes as f64 / seconds / 1e6, "records_per_s": records as f64 / seconds,
        "total_bytes": bytes}))
}
