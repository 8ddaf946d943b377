//! Topics for the runs.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};

#[derive(Args)]
pub(crate) struct CreateArgs {
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 6)]
    partitions: i32,
    #[arg(long, default_value_t = 3)]
    replication_factor: i32,
    /// key=value, repeated.
    #[arg(long)]
    config: Vec<String>,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[arg(long)]
    topic: String,
}

pub(crate) fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("broker.address.family", "v4");
    config
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    // librdkafka answers from its own threads: parking until woken is all the runtime this needs.
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

pub(crate) fn create(bootstrap: &str, args: &CreateArgs) -> anyhow::Result<Value> {
    let started = Instant::now();
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create()?;
    let mut topic = NewTopic::new(
        &args.topic,
        args.partitions,
        TopicReplication::Fixed(args.replication_factor),
    );
    for pair in &args.config {
        let (key, value) = pair.split_once('=').context("--config wants key=value")?;
        topic = topic.set(key, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    for result in wait(admin.create_topics([&topic], &options))? {
        if let Err((name, code)) = result {
            bail!("creating {name}: {code}");
        }
    }
    let created_ms = started.elapsed().as_millis();
    let consumer: BaseConsumer = client(bootstrap).create()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let metadata = consumer.fetch_metadata(Some(&args.topic), Duration::from_secs(10))?;
        let full = metadata.topics().iter().all(|t| {
            t.partitions().len() == args.partitions as usize
                && t.partitions()
                    .iter()
                    .all(|p| p.leader() >= 0 && p.isr().len() == args.replication_factor as usize)
        });
        if full {
            break;
        }
        if Instant::now() > deadline {
            bail!("{}: not every partition has its full ISR after 60 s", args.topic);
        }
    }
    Ok(json!({"created_ms": created_ms, "in_isr_ms": started.elapsed().as_millis()}))
}

pub(crate) fn delete(bootstrap: &str, args: &DeleteArgs) -> anyhow::Result<Value> {
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create()?;
    for result in wait(admin.delete_topics(&[&args.topic], &AdminOptions::new()))? {
        if let Err((name, code)) = result {
            bail!("deleting {name}: {code}");
        }
    }
    Ok(json!({"deleted": args.topic}))
}
