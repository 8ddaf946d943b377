//! Raw Produce requests (version 7) with one prebuilt batch each: the client costs next to nothing, so
//! what is measured is the broker.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};

use crate::stats::latency;
use crate::topic::client;

#[derive(Args)]
pub(crate) struct BlastArgs {
    #[arg(long)]
    topic: String,
    /// Bytes of record values in a batch.
    #[arg(long, default_value_t = 1_000_000)]
    batch_bytes: usize,
    #[arg(long, default_value_t = 1024)]
    size: usize,
    #[arg(long, default_value_t = -1)]
    acks: i16,
    /// Requests under way per connection; there is one connection per broker that leads a partition.
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// One uncompressed batch of format 2 with `count` records of `size` bytes.
fn batch(count: usize, size: usize) -> Vec<u8> {
    let mut records = Vec::new();
    for index in 0..count {
        let mut body = vec![0u8];
        varint(&mut body, 0);
        varint(&mut body, index as i64);
        varint(&mut body, -1);
        varint(&mut body, size as i64);
        body.resize(body.len() + size, b'x');
        varint(&mut body, 0);
        varint(&mut records, body.len() as i64);
        records.extend_from_slice(&body);
    }
    let mut tail = Vec::with_capacity(40 + records.len());
    tail.extend_from_slice(&0i16.to_be_bytes());
    tail.extend_from_slice(&(count as i32 - 1).to_be_bytes());
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64);
    tail.extend_from_slice(&now_ms.to_be_bytes());
    tail.extend_from_slice(&now_ms.to_be_bytes());
    tail.extend_from_slice(&(-1i64).to_be_bytes());
    tail.extend_from_slice(&(-1i16).to_be_bytes());
    tail.extend_from_slice(&(-1i32).to_be_bytes());
    tail.extend_from_slice(&(count as i32).to_be_bytes());
    tail.extend_from_slice(&records);
    let mut out = Vec::with_capacity(21 + tail.len());
    out.extend_from_slice(&0i64.to_be_bytes());
    out.extend_from_slice(&(tail.len() as i32 + 9).to_be_bytes());
    out.extend_from_slice(&(-1i32).to_be_bytes());
    out.push(2);
    out.extend_from_slice(&crc32c::crc32c(&tail).to_be_bytes());
    out.extend_from_slice(&tail);
    out
}

fn frame(topic: &str, partition: i32, acks: i16, batch: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(batch.len() + 128);
    body.extend_from_slice(&0i16.to_be_bytes());
    body.extend_from_slice(&7i16.to_be_bytes());
    body.extend_from_slice(&0i32.to_be_bytes());
    body.extend_from_slice(&5i16.to_be_bytes());
    body.extend_from_slice(b"blast");
    body.extend_from_slice(&(-1i16).to_be_bytes());
    body.extend_from_slice(&acks.to_be_bytes());
    body.extend_from_slice(&30_000i32.to_be_bytes());
    body.extend_from_slice(&1i32.to_be_bytes());
    body.extend_from_slice(&(topic.len() as i16).to_be_bytes());
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(&1i32.to_be_bytes());
    body.extend_from_slice(&partition.to_be_bytes());
    body.extend_from_slice(&(batch.len() as i32).to_be_bytes());
    body.extend_from_slice(batch);
    let mut out = (body.len() as i32).to_be_bytes().to_vec();
    out.extend_from_slice(&body);
    out
}

/// Sends `frames` in turn until `end`; answers (requests acknowledged, latencies).
fn load(
    address: &str,
    frames: Vec<Vec<u8>>,
    in_flight: usize,
    end: Instant,
) -> anyhow::Result<(u64, Vec<u64>)> {
    let mut writer = TcpStream::connect(address).with_context(|| address.to_owned())?;
    writer.set_nodelay(true)?;
    let mut reader = writer.try_clone()?;
    reader.set_read_timeout(Some(Duration::from_secs(30)))?;
    let (sent, times) = mpsc::sync_channel::<Instant>(in_flight.max(1) - 1);
    let answers = std::thread::spawn(move || -> anyhow::Result<(u64, Vec<u64>)> {
        let mut samples = Vec::new();
        let mut count = 0;
        let mut answer = Vec::new();
        while let Ok(at) = times.recv() {
            let mut length = [0u8; 4];
            reader.read_exact(&mut length)?;
            answer.resize(u32::from_be_bytes(length).min(1 << 20) as usize, 0);
            reader.read_exact(&mut answer)?;
            samples.push(at.elapsed().as_micros() as u64);
            // correlation id, topics(1), name, partitions(1), index, then the error.
            let name = answer.get(8..10).context("a short answer")?;
            let at = 10 + u16::from_be_bytes([name[0], name[1]]) as usize + 8;
            let error = answer.get(at..at + 2).context("a short answer")?;
            if error != [0, 0] {
                bail!("error {} in a produce answer", i16::from_be_bytes([error[0], error[1]]));
            }
            count += 1;
        }
        Ok((count, samples))
    });
    for frame in frames.iter().cycle() {
        if Instant::now() >= end || answers.is_finished() {
            break;
        }
        if sent.send(Instant::now()).is_err() {
            break;
        }
        writer.write_all(frame)?;
    }
    drop(sent);
    answers.join().map_err(|_| anyhow!("the reader panicked"))?
}

pub(crate) fn run(bootstrap: &str, args: &BlastArgs) -> anyhow::Result<Value> {
    let probe: BaseConsumer = client(bootstrap).create()?;
    let metadata = probe.fetch_metadata(Some(&args.topic), Duration::from_secs(10))?;
    let count = (args.batch_bytes / args.size).max(1);
    let batch = batch(count, args.size);
    let mut loads = Vec::new();
    let started = Instant::now();
    let end = started + Duration::from_secs_f64(args.seconds);
    for broker in metadata.brokers() {
        let frames: Vec<_> = metadata
            .topics()
            .iter()
            .flat_map(|t| t.partitions())
            .filter(|p| p.leader() == broker.id())
            .map(|p| frame(&args.topic, p.id(), args.acks, &batch))
            .collect();
        if frames.is_empty() {
            continue;
        }
        let address = format!("{}:{}", broker.host(), broker.port());
        let in_flight = args.in_flight;
        loads.push(std::thread::spawn(move || load(&address, frames, in_flight, end)));
    }
    let (mut requests, mut samples) = (0, Vec::new());
    for handle in loads {
        let (count, times) = handle.join().map_err(|_| anyhow!("a connection panicked"))??;
        requests += count;
        samples.extend(times);
    }
    let seconds = started.elapsed().as_secs_f64();
    let bytes = requests * (count * args.size) as u64;
    Ok(
        json!({"mb_per_s": bytes as f64 / seconds / 1e6, "requests_per_s": requests as f64 / seconds,
        "total_bytes": bytes, "ack": latency(samples)}),
    )
}
