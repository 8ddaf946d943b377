//! The run: create, write, break, read back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ottla_client::admin::{NewTopic, OffsetSpec};
use ottla_client::{
    Admin, Client, ClientOptions, Consumer, ConsumerOptions, Delivery, IsolationLevel, Producer,
    ProducerOptions, ProducerRecord, StartAt,
};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{TopicName, TopicPartition};
use tokio::sync::mpsc;

use super::Options;
use super::gaps::{Millis, after_each, longest};
use super::ledger::{Fate, Seen, Sequence, check};
use super::report::Report;
use crate::console::complain;
use crate::progress::Progress;

/// Reading back gives up when nothing has come for this long.
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// `run id (16 hex digits), sequence (16 hex digits)`, then padding.
const VALUE_HEAD: usize = 32;
/// A new topic is used once its partitions have leaders; longer than this is an error.
const LEADERS_WITHIN: Duration = Duration::from_secs(30);

/// What writing has brought.
struct Written {
    fates: Vec<Fate>,
    /// When acknowledgements came, from the start of writing.
    acks: Vec<Millis>,
    /// When the kill command ran.
    kills: Vec<Millis>,
    ended: Millis,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Report> {
    let client_options = ClientOptions {
        client_id: "ottla-verify".to_owned(),
        request_timeout_ms: options.request_timeout_ms,
        connection_setup_timeout_ms: options.request_timeout_ms,
        ..ClientOptions::default()
    };
    let client = Client::connect(&options.bootstrap_server, client_options)
        .await
        .with_context(|| format!("cannot reach {}", options.bootstrap_server))?;
    let admin = Admin::new(client.clone());
    let run_id: u64 = rand::random();
    let topic = match &options.topic {
        Some(topic) => topic.clone(),
        None => format!("ottla-verify-{run_id:016x}"),
    };
    create(&admin, options, &topic).await?;
    let name = TopicName::from(topic.as_str());
    let partitions = wait_for_leaders(&client, &name).await?;

    let written = write(options, &client, &name, &partitions, run_id).await?;
    let seen = read_back(&client, &admin, &name, &partitions, run_id).await?;
    let findings = check(&written.fates, &seen);
    let report = Report {
        topic: topic.clone(),
        partitions: partitions.len(),
        seconds: written.ended / 1000.0,
        longest_gap: longest(&written.acks, written.ended, 0.0, written.ended),
        gaps_after_kills: after_each(&written.acks, written.ended, &written.kills),
        findings,
    };
    if options.topic.is_none() && report.is_clean() {
        // It served its purpose; a topic that is left behind is no failure of the check.
        let _ = admin.delete_topics(&[topic]).await;
    }
    Ok(report)
}

async fn create(admin: &Admin, options: &Options, topic: &str) -> anyhow::Result<()> {
    let new = NewTopic {
        name: topic.to_owned(),
        partitions: Some(options.partitions),
        replication_factor: options.replication_factor,
        ..NewTopic::default()
    };
    let outcomes = admin.create_topics(&[new], false).await?;
    match outcomes.into_iter().next() {
        Some(Err(error)) if error.error_code() != ErrorCode::TopicAlreadyExists => {
            Err(error).with_context(|| format!("cannot create topic {topic}"))
        }
        _ => Ok(()),
    }
}

/// The numbers of the topic's partitions, once each has a leader.
async fn wait_for_leaders(client: &Client, topic: &TopicName) -> anyhow::Result<Vec<i32>> {
    let started = Instant::now();
    loop {
        let info = client.topic(topic, false).await?;
        if info.partitions.iter().all(|partition| partition.leader.is_some()) {
            return Ok(info.partitions.iter().map(|partition| partition.partition).collect());
        }
        if started.elapsed() > LEADERS_WITHIN {
            bail!("topic {topic} has partitions without leader");
        }
        tokio::time::sleep(client.options().backoff(1)).await;
        client.refresh().await?;
    }
}

async fn write(
    options: &Options,
    client: &Client,
    topic: &TopicName,
    partitions: &[i32],
    run_id: u64,
) -> anyhow::Result<Written> {
    let producer_options = ProducerOptions {
        linger_ms: 0,
        request_timeout_ms: options.request_timeout_ms,
        delivery_timeout_ms: options.delivery_timeout_ms,
        max_block_ms: options.delivery_timeout_ms,
        auto_create_topics: false,
        ..ProducerOptions::default()
    };
    let producer = Producer::new(client.clone(), producer_options);
    let started = Instant::now();
    let (deliveries, sent) = mpsc::unbounded_channel();
    let collector = tokio::spawn(collect(sent, started));
    let until = Duration::from_secs(options.seconds);
    let (kills, stopped) = tokio::join!(
        break_things(options, started, until),
        send(options, &producer, topic, partitions, run_id, started, deliveries),
    );
    producer.flush().await;
    let (fates, mut acks) = collector.await.context("the collector failed")?;
    acks.sort_by(Millis::total_cmp);
    // An acknowledgement that came after the last record was handed over still ends a gap.
    let ended = acks.last().copied().unwrap_or(stopped).max(stopped);
    Ok(Written { fates, acks, kills, ended })
}

fn since(started: Instant) -> Millis {
    started.elapsed().as_secs_f64() * 1000.0
}

/// A record on its way.
type Sent = (Sequence, Delivery);

/// Hands records over until time is up; returns when it stopped.
async fn send(
    options: &Options,
    producer: &Producer,
    topic: &TopicName,
    partitions: &[i32],
    run_id: u64,
    started: Instant,
    deliveries: mpsc::UnboundedSender<Sent>,
) -> Millis {
    let until = Duration::from_secs(options.seconds);
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let progress = Progress::bar(options.seconds, "s of writing");
    for (sequence, partition) in (0..).zip(partitions.iter().cycle()) {
        progress.at(started.elapsed().as_secs());
        if options.rate > 0 {
            let due = started + Duration::from_secs_f64(sequence as f64 / options.rate as f64);
            if due > Instant::now() {
                tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => {}
                    _ = &mut interrupted => break,
                }
            }
        } else if sequence % 64 == 0 {
            tokio::task::yield_now().await;
        }
        if started.elapsed() >= until {
            break;
        }
        let record = ProducerRecord {
            partition: Some(*partition),
            value: Some(value(run_id, sequence, options.record_size)),
            ..ProducerRecord::default()
        };
        // What is refused before it is handed over was never sent, and is not in the ledger.
        match producer.send(topic, record).await {
            Ok(delivery) => {
                if deliveries.send((sequence, delivery)).is_err() {
                    break;
                }
            }
            Err(error) => complain(&format!("record {sequence} was not sent: {error}")),
        }
    }
    since(started)
}

fn value(run_id: u64, sequence: Sequence, size: usize) -> Vec<u8> {
    let mut value = format!("{run_id:016x}{sequence:016x}").into_bytes();
    value.resize(size.max(VALUE_HEAD), b'.');
    value
}

/// The sequence in a value of this run.
fn sequence_of(run_id: u64, value: &[u8]) -> Option<Sequence> {
    let head = std::str::from_utf8(value.get(..VALUE_HEAD)?).ok()?;
    let (run, sequence) = head.split_at_checked(16)?;
    (u64::from_str_radix(run, 16) == Ok(run_id))
        .then(|| u64::from_str_radix(sequence, 16).ok())
        .flatten()
}

/// Gathers the fates of what was sent.
async fn collect(
    mut sent: mpsc::UnboundedReceiver<Sent>,
    started: Instant,
) -> (Vec<Fate>, Vec<Millis>) {
    let mut fates = Vec::new();
    let mut acks = Vec::new();
    let mut waiting = FuturesUnordered::new();
    let mut open = true;
    while open || !waiting.is_empty() {
        tokio::select! {
            next = sent.recv(), if open => match next {
                Some((sequence, delivery)) => {
                    waiting.push(async move { (sequence, delivery.await) });
                }
                None => open = false,
            },
            Some((sequence, outcome)) = waiting.next() => {
                let fate = match outcome {
                    Ok(acked) => {
                        acks.push(since(started));
                        Fate::Acked { partition: acked.partition.partition, offset: acked.offset }
                    }
                    Err(error) => {
                        complain(&format!("record {sequence}: {error}"));
                        if error.is_definite() { Fate::Refused } else { Fate::Unknown }
                    }
                };
                let at = usize::try_from(sequence).unwrap_or(usize::MAX);
                if fates.len() <= at {
                    // A record that was never handed over counts as refused: it must not be there.
                    fates.resize(at + 1, Fate::Refused);
                }
                fates[at] = fate;
            }
        }
    }
    (fates, acks)
}

/// Runs the kill command now and then; returns when it began each time.
async fn break_things(options: &Options, started: Instant, until: Duration) -> Vec<Millis> {
    let mut kills = Vec::new();
    let Some(command) = &options.kill_command else { return kills };
    let every = Duration::from_secs_f64(options.kill_every.max(0.1));
    for turn in 1_u32.. {
        let due = every * turn;
        if due >= until {
            break;
        }
        tokio::time::sleep_until((started + due).into()).await;
        kills.push(since(started));
        complain(&format!("{:.1} s: {command}", since(started) / 1000.0));
        let status = tokio::process::Command::new("sh")
            .arg("-c")
            .arg(command)
            .stdin(std::process::Stdio::null())
            .stdout(std::io::stderr())
            .status()
            .await;
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => complain(&format!("the kill command ended with {status}")),
            Err(error) => complain(&format!("the kill command could not be run: {error}")),
        }
    }
    kills
}

/// Reads every partition to the end that it has now.
async fn read_back(
    client: &Client,
    admin: &Admin,
    topic: &TopicName,
    partitions: &[i32],
    run_id: u64,
) -> anyhow::Result<Vec<Seen>> {
    let places = partitions.iter().map(|partition| TopicPartition::new(topic.clone(), *partition));
    let asked: BTreeMap<_, _> = places.map(|place| (place, OffsetSpec::Latest)).collect();
    let listed = admin.list_offsets(&asked, IsolationLevel::ReadUncommitted).await?;
    let mut ends = BTreeMap::new();
    for (place, outcome) in listed {
        let end = outcome.with_context(|| format!("cannot learn where {place} ends"))?;
        if end.offset > 0 {
            ends.insert(place, end.offset);
        }
    }
    let reading =
        ConsumerOptions { offset_reset: Some(StartAt::Earliest), ..ConsumerOptions::default() };
    let mut consumer = Consumer::new(client.clone(), reading);
    for place in ends.keys() {
        consumer.assign(place.clone(), StartAt::Earliest);
    }
    let mut seen = Vec::new();
    let total: i64 = ends.values().sum();
    let progress = Progress::bar(u64::try_from(total).unwrap_or(0), "records read back");
    let mut last_news = Instant::now();
    while !ends.is_empty() {
        let fetched = consumer.poll(Duration::from_secs(1)).await?;
        if !fetched.is_empty() {
            last_news = Instant::now();
        }
        for run in fetched {
            seen.extend(run.records.iter().filter_map(|record| {
                let sequence = sequence_of(run_id, record.value.as_deref()?)?;
                let partition = run.partition.partition;
                Some(Seen { partition, offset: record.offset, sequence })
            }));
        }
        progress.at(seen.len() as u64);
        let done = |place: &TopicPartition, end: i64| {
            consumer.position(place).is_some_and(|position| position >= end)
        };
        let finished: Vec<_> =
            ends.iter().filter(|(place, end)| done(place, **end)).map(|(p, _)| p.clone()).collect();
        for place in finished {
            ends.remove(&place);
            consumer.unassign(&place);
        }
        if last_news.elapsed() > READ_PATIENCE {
            let left: Vec<String> = ends.keys().map(ToString::to_string).collect();
            bail!("nothing could be read of {} for {READ_PATIENCE:?}", left.join(", "));
        }
    }
    Ok(seen)
}
