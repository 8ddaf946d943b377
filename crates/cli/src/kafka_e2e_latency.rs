//! `kafka-e2e-latency`: from the sending of a record to its reading, one record at a time.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ottla_client::admin::NewTopic;
use ottla_client::{
    Admin, Client, Consumer, ConsumerOptions, Fetched, Producer, ProducerRecord, StartAt,
};
use ottla_protocol::ids::{TopicName, TopicPartition};
use ottla_protocol::record::Header;
use rand::Rng;

use crate::client_settings;
use crate::console::{self, complain, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Argument, Given, Opt, flag, value};
use crate::kafka_console_producer::explain;
use crate::properties::{self, Properties, client_options};
use crate::session;

/// A record that is not read back for so long is lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// A latency is printed once in so many records.
const PRINT_EVERY: u64 = 1000;

const fn number(name: &'static str, help: &'static str) -> Opt {
    Opt { name, argument: Argument::Optional("Integer: bytes"), help }
}

pub(crate) const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: bootstrap-server", "REQUIRED: host:port, …"),
    Opt {
        name: "command-config",
        argument: Argument::Optional("String: config-file"),
        help: "Properties of the clients.",
    },
    flag("help", "Print this."),
    number("num-headers", "Headers of each record. (default: 0)"),
    value("num-records", "Integer: count", "REQUIRED: how many records."),
    value("producer-acks", "String: producer-acks", "REQUIRED: 1 or all."),
    number("record-header-key-size", "Bytes of a header's key. (default: 0)"),
    number("record-header-size", "Bytes of a header's value, -1 for null. (default: 0)"),
    number("record-key-size", "Bytes of each key; 0 for none. (default: 0)"),
    value("record-size", "Integer: bytes", "REQUIRED: bytes of each value."),
    value("topic", "String: topic-name", "REQUIRED: where the records go."),
    flag("version", "Print the version."),
];

/// The positional form, which Kafka deprecates.
const POSITIONS: [&str; 6] =
    ["bootstrap-server", "topic", "num-records", "producer-acks", "record-size", "command-config"];

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let usage = |message: &str| console::usage_error(message, OPTIONS);
    if args.is_empty() {
        return usage(
            "This tool measures end-to-end latency in Kafka by sending messages and timing their \
             reception.",
        );
    }
    let named = args.iter().any(|arg| arg.to_string_lossy().starts_with("--"));
    let args = if named {
        args
    } else {
        if !(5..=6).contains(&args.len()) {
            complain(&format!(
                "Invalid number of arguments. Expected 5 or 6 positional arguments, but got {}. Usage: \
                 bootstrap-server topic num-records producer-acks record-size [optional] command-config",
                args.len()
            ));
            return ExitCode::FAILURE;
        }
        say(
            "WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. \
             Please use named arguments instead: --bootstrap-server, --topic, --num-records, \
             --producer-acks, --record-size, --command-config",
        );
        let pairs = POSITIONS.iter().zip(args);
        pairs.flat_map(|(name, value)| [OsString::from(format!("--{name}")), value]).collect()
    };
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return Failure::from(error).caught(),
    };
    if given.has("help") {
        return usage("This tool measures end-to-end latency.");
    }
    if given.has("version") {
        return console::version();
    }
    match settings(&given) {
        Ok(Ok(settings)) => session::run_or(measure(settings), Failure::caught),
        Ok(Err(message)) => usage(&message),
        Err(failure) => failure.caught(),
    }
}

struct Settings {
    bootstrap: String,
    topic: TopicName,
    records: u64,
    size: usize,
    key_size: usize,
    headers: usize,
    header_key_size: usize,
    /// `None` for null.
    header_size: Option<usize>,
    properties: Properties,
}

/// The settings; the inner error is one that is said with the usage.
fn settings(given: &Given) -> Result<Result<Settings, String>, Failure> {
    for required in ["bootstrap-server", "topic", "num-records", "producer-acks", "record-size"] {
        if !given.has(required) {
            return Ok(Err(format!("Missing required argument \"[{required}]\"")));
        }
    }
    let records: i64 = given.number("num-records")?.unwrap_or(0);
    let acks = given.one("producer-acks")?.unwrap_or_default();
    if !["1", "all"].contains(&acks) {
        return Ok(Err(
            "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. \
             Please use '1' or 'all'."
                .to_owned(),
        ));
    }
    let size = |name: &'static str| given.number::<i32>(name).map(|size| size.unwrap_or(0));
    for name in ["record-size", "record-key-size", "num-headers", "record-header-key-size"] {
        if size(name)? < 0 {
            return Ok(Err(format!("Value for --{name} must be >= 0.")));
        }
    }
    let count = |name: &'static str| Ok::<_, Failure>(usize::try_from(size(name)?).unwrap_or(0));
    let mut properties = properties::read(given.one("command-config")?)?;
    properties.insert("acks".to_owned(), acks.to_owned());
    properties.insert("linger.ms".to_owned(), "0".to_owned());
    Ok(Ok(Settings {
        bootstrap: given.one("bootstrap-server")?.unwrap_or_default().to_owned(),
        topic: TopicName::from(given.one("topic")?.unwrap_or_default()),
        records: u64::try_from(records).unwrap_or(0),
        size: count("record-size")?,
        key_size: count("record-key-size")?,
        headers: count("num-headers")?,
        header_key_size: count("record-header-key-size")?,
        header_size: usize::try_from(size("record-header-size")?).ok(),
        properties,
    }))
}

async fn measure(settings: Settings) -> Result<(), Failure> {
    let options = client_options("e2e-latency", &settings.properties)?;
    let of_client = |error: &ottla_client::ClientError| Failure::of_client(error, "listTopics");
    let client =
        Client::connect(&settings.bootstrap, options.clone()).await.map_err(|e| of_client(&e))?;
    let admin = Admin::new(client.clone());
    create_topic(&admin, &settings.topic).await?;
    // Fetches wait for records: the consumer has connections of its own.
    let reading = Client::connect(&settings.bootstrap, options).await.map_err(|e| of_client(&e))?;
    let mut consumer = Consumer::new(
        reading,
        ConsumerOptions {
            fetch_max_wait_ms: 500,
            ..client_settings::consumer(&settings.properties, StartAt::Latest)?
        },
    );
    let topic = client.topic(&settings.topic, false).await.map_err(|error| of_client(&error))?;
    let asked = topic.partitions.iter().map(|info| {
        let partition = TopicPartition::new(settings.topic.clone(), info.partition);
        (partition, ottla_client::admin::OffsetSpec::Latest)
    });
    let ends = admin
        .list_offsets(&asked.collect(), ottla_client::IsolationLevel::ReadUncommitted)
        .await
        .map_err(|error| Failure::of_client(&error, "listOffsets"))?;
    for (partition, end) in ends {
        let start = end.map_or(StartAt::Latest, |listed| StartAt::Offset(listed.offset));
        consumer.assign(partition, start);
    }
    let producer = Producer::new(client, client_settings::producer(&settings.properties)?);
    let mut latencies = Vec::new();
    let mut total = Duration::ZERO;
    for number in 0..settings.records {
        let record = record(&settings);
        let wanted = record.value.clone();
        let begun = Instant::now();
        let delivery = producer.send(&settings.topic, record).await;
        let sent = match delivery {
            Ok(delivery) => delivery.await.map(|_| ()),
            Err(error) => Err(error),
        };
        sent.map_err(|error| explain(&error, &settings.topic))?;
        let fetched = next(&mut consumer, begun).await?;
        let elapsed = begun.elapsed();
        check(&fetched, wanted.as_deref())?;
        if number % PRINT_EVERY == 0 {
            say(&format!("{number}\t{:.6}", elapsed.as_nanos() as f64 / 1e6));
        }
        total += elapsed;
        latencies.push(elapsed.as_millis());
    }
    let count = settings.records.max(1);
    say(&format!("Avg latency: {:.4} ms", total.as_nanos() as f64 / 1e6 / count as f64));
    latencies.sort_unstable();
    let percentile =
        |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or(0);
    say(&format!(
        "Percentiles: 50th = {}, 99th = {}, 99.9th = {}",
        percentile(0.5),
        percentile(0.99),
        percentile(0.999)
    ));
    Ok(())
}

async fn create_topic(admin: &Admin, topic: &TopicName) -> Result<(), Failure> {
    let topics = admin.list_topics().await.map_err(|e| Failure::of_client(&e, "listTopics"))?;
    if topics.iter().any(|listing| listing.name.as_str() == &**topic) {
        return Ok(());
    }
    say(&format!(
        "Topic \"{topic}\" does not exist. Will create topic with 1 partition(s) and replication factor \
         = 1"
    ));
    let new = NewTopic {
        name: topic.to_string(),
        partitions: Some(1),
        replication_factor: Some(1),
        ..NewTopic::default()
    };
    let outcome = admin.create_topics(std::slice::from_ref(&new), false).await;
    let outcomes = outcome.map_err(|error| Failure::of_client(&error, "createTopics"))?;
    outcomes.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err((&error).into()))
}

fn record(settings: &Settings) -> ProducerRecord {
    let mut random = rand::rng();
    let mut letters = |count: usize| -> Vec<u8> {
        (0..count).map(|_| random.random_range(b'A'..=b'Z')).collect()
    };
    let value = letters(settings.size);
    let key = (settings.key_size > 0).then(|| letters(settings.key_size));
    let headers = (0..settings.headers).map(|_| Header {
        key: String::from_utf8(letters(settings.header_key_size)).unwrap_or_default(),
        value: settings.header_size.map(|size| letters(size).into()),
    });
    let headers = headers.collect();
    ProducerRecord { key, value: Some(value), headers, ..ProducerRecord::default() }
}

/// The next records, which must come before too long.
async fn next(consumer: &mut Consumer, begun: Instant) -> Result<Vec<Fetched>, Failure> {
    loop {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() {
            let seconds = PATIENCE.as_millis();
            return Err(Failure::new(
                "java.lang.RuntimeException",
                format!("poll() timed out before finding a result (timeout:[{seconds}ms])"),
            ));
        }
        let fetched = consumer.poll(left).await;
        let fetched = fetched.map_err(|error| Failure::of_client(&error, "metadata"))?;
        if !fetched.is_empty() {
            return Ok(fetched);
        }
    }
}

/// What was read must be what was sent, and nothing else.
fn check(fetched: &[Fetched], wanted: Option<&[u8]>) -> Result<(), Failure> {
    let wrong = |message: String| Err(Failure::new("java.lang.RuntimeException", message));
    let records: Vec<_> = fetched.iter().flat_map(|fetched| &fetched.records).collect();
    match records.as_slice() {
        [record] if record.value.as_deref() == wanted => Ok(()),
        [record] => wrong(format!(
            "The record read at offset {} is not the record that was sent",
            record.offset
        )),
        several => wrong(format!(
            "Only one result was expected during this test. We found [{}]",
            several.len()
        )),
    }
}
