//! How long a cluster takes to be whole again.

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::topic::client;

/// Nobody waits longer.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args)]
pub(crate) struct SettleArgs {
    #[arg(long)]
    topic: String,
    /// Waits until a replica is missing from an ISR, and no longer.
    #[arg(long)]
    broken: bool,
}

/// Waits until every partition has taken a record with acks=all and has all its replicas in sync, both
/// seen after the other.
pub(crate) fn run(bootstrap: &str, args: &SettleArgs) -> anyhow::Result<Value> {
    let started = Instant::now();
    let consumer: BaseConsumer = client(bootstrap).create()?;
    if args.broken {
        wait_for(&consumer, args, started, |replicas, isr| isr < replicas, false)?;
        return Ok(json!({"broken_ms": started.elapsed().as_millis()}));
    }
    let partitions = wait_for(&consumer, args, started, |_, isr| isr > 0, true)?;
    let producer: BaseProducer = client(bootstrap).set("acks", "all").create()?;
    for partition in 0..partitions {
        let record: BaseRecord<'_, (), str> =
            BaseRecord::to(&args.topic).partition(partition).payload("settled");
        if let Err((error, _)) = producer.send(record) {
            bail!("partition {partition}: {error}");
        }
    }
    producer.flush(PATIENCE)?;
    let written_ms = started.elapsed().as_millis();
    wait_for(&consumer, args, started, |replicas, isr| isr == replicas, true)?;
    Ok(json!({"written_ms": written_ms, "settled_ms": started.elapsed().as_millis()}))
}

/// Waits until one partition, or every one, has so many replicas and so many of them in sync; how many
/// partitions there are.
fn wait_for(
    consumer: &BaseConsumer,
    args: &SettleArgs,
    started: Instant,
    wanted: impl Fn(usize, usize) -> bool,
    every: bool,
) -> anyhow::Result<i32> {
    while started.elapsed() < PATIENCE {
        let Ok(metadata) = consumer.fetch_metadata(Some(&args.topic), Duration::from_secs(1))
        else {
            continue;
        };
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let (holding, all) = partitions.fold((0, 0), |(holding, all), partition| {
            let holds = wanted(partition.replicas().len(), partition.isr().len());
            (holding + i32::from(holds), all + 1)
        });
        if all > 0 && (holding == all || !every && holding > 0) {
            return Ok(all);
        }
    }
    bail!("{}: not within {} s", args.topic, PATIENCE.as_secs())
}
