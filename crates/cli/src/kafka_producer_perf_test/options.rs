//! The command line of the producer's performance test.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use ottla_client::{ClientOptions, ProducerOptions};
use ottla_protocol::ids::TopicName;

use crate::argparse::{self, Arg, Given, Group, Kind, Parser, Refusal, arg};
use crate::client_settings;
use crate::console::say;
use crate::exceptions::Failure;
use crate::properties::{Properties, client_options, read_file};

const PROPERTY: &str = "PROP-NAME=PROP-VALUE";

const ARGS: &[Arg] = &[
    arg(&["--bootstrap-server"], Kind::Text, "BOOTSTRAP-SERVER", "Brokers: host:port, …"),
    arg(&["--topic"], Kind::Text, "TOPIC", "Where the records go.").required(),
    arg(&["--num-records"], Kind::Long, "NUM-RECORDS", "How many records.").required(),
    arg(
        &["--payload-delimiter"],
        Kind::Text,
        "PAYLOAD-DELIMITER",
        "What separates the payloads of --payload-file. (default: \\n)",
    ),
    arg(
        &["--throughput"],
        Kind::Double,
        "THROUGHPUT",
        "At most so many records a second, or -1 for as many as possible.",
    )
    .required(),
    arg(&["--producer-props"], Kind::Texts, PROPERTY, "DEPRECATED; use --command-property."),
    arg(
        &["--command-property"],
        Kind::Texts,
        PROPERTY,
        "Properties of the producer, before those of a file.",
    ),
    arg(&["--producer.config"], Kind::Text, "CONFIG-FILE", "DEPRECATED; use --command-config."),
    arg(&["--command-config"], Kind::Text, "CONFIG-FILE", "A file of the producer's properties."),
    arg(&["--print-metrics"], Kind::Flag, "", "Print what was counted. (default: false)"),
    arg(&["--transactional-id"], Kind::Text, "TRANSACTIONAL-ID", "Not served yet."),
    arg(&["--transaction-duration-ms"], Kind::Long, "TRANSACTION-DURATION", "Not served yet."),
    arg(
        &["--warmup-records"],
        Kind::Long,
        "WARMUP-RECORDS",
        "So many first records are left out of a second summary. (default: 0)",
    ),
    arg(
        &["--reporting-interval"],
        Kind::Long,
        "INTERVAL-MS",
        "How often progress is printed. (default: 5000)",
    ),
    arg(&["--record-size"], Kind::Integer, "RECORD-SIZE", "Bytes of each value.").in_group(0),
    arg(
        &["--payload-file"],
        Kind::Text,
        "PAYLOAD-FILE",
        "A file of values, of which each record gets one by chance.",
    )
    .in_group(0),
    arg(&["--payload-monotonic"], Kind::Flag, "", "Values are rising numbers. (default: false)")
        .in_group(0),
];

pub(crate) const PARSER: &Parser = &Parser {
    name: "kafka-producer-perf-test",
    description: "This tool measures how fast records are produced.",
    args: ARGS,
    groups: &[Group {
        title: "",
        description: "Exactly one of --record-size, --payload-file and --payload-monotonic is needed.",
        exclusive: true,
        required: true,
    }],
    commands: &[],
};

/// What the values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    /// So many letters by chance.
    Random(usize),
    /// One of these by chance.
    Listed(Vec<Vec<u8>>),
    /// The record's number.
    Monotonic,
}

/// A command line that is understood.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) bootstrap: String,
    pub(super) topic: TopicName,
    pub(super) records: u64,
    pub(super) warmup: u64,
    /// `None` means as many as possible.
    pub(super) records_per_second: Option<f64>,
    pub(super) payload: Payload,
    pub(super) interval: Duration,
    pub(super) print_metrics: bool,
    pub(super) client: ClientOptions,
    pub(super) producer: ProducerOptions,
}

/// Why the tool does not begin.
#[derive(Debug)]
pub(super) enum Misuse {
    Refused(Refusal),
    /// A rule between options is broken.
    Complaint(&'static str),
    Thrown(Failure),
}

impl From<Failure> for Misuse {
    fn from(failure: Failure) -> Self {
        Self::Thrown(failure)
    }
}

pub(super) fn settings(args: &[OsString]) -> Result<Settings, Misuse> {
    let given = argparse::parse(PARSER, args).map_err(Misuse::Refused)?;
    check(&given)?;
    for (old, new) in
        [("--producer-props", "--command-property"), ("--producer.config", "--command-config")]
    {
        if given.has(old) {
            say(&format!(
                "Option {old} has been deprecated and will be removed in a future version. Use {new} \
                 instead."
            ));
        }
    }
    let properties = properties(&given)?;
    let bootstrap = properties.get("bootstrap.servers").cloned().unwrap_or_default();
    let payload = payload(&given)?;
    let rate: f64 = given.number("--throughput").unwrap_or(-1.0);
    let records: i64 = given.number("--num-records").unwrap_or(0);
    let warmup: i64 = given.number("--warmup-records").unwrap_or(0);
    let interval: i64 = given.number("--reporting-interval").unwrap_or(5_000);
    Ok(Settings {
        bootstrap,
        topic: TopicName::from(given.one("--topic").unwrap_or_default()),
        records: u64::try_from(records).unwrap_or(0),
        warmup: u64::try_from(warmup).unwrap_or(0),
        records_per_second: Some(rate).filter(|rate| *rate > 0.0),
        payload,
        interval: Duration::from_millis(u64::try_from(interval).unwrap_or(0)),
        print_metrics: given.has("--print-metrics"),
        client: client_options("perf-producer-client", &properties)?,
        producer: client_settings::producer(&properties)?,
    })
}

/// Rules between options, in the order in which Kafka's tool looks at them.
fn check(given: &Given) -> Result<(), Misuse> {
    let number = |name: &str| given.number::<i64>(name);
    let complaint = if number("--num-records").is_some_and(|n| n <= 0) {
        "--num-records should be greater than zero."
    } else if number("--warmup-records") >= number("--num-records") {
        "The value for --warmup-records must be strictly fewer than the number of records in the test, \
         --num-records."
    } else if number("--record-size").is_some_and(|n| n <= 0) {
        "--record-size should be greater than zero."
    } else if given.has("--command-property") && given.has("--producer-props") {
        "--command-property and --producer-props cannot be specified together."
    } else if given.has("--command-config") && given.has("--producer.config") {
        "--command-config and --producer.config cannot be specified together."
    } else if number("--transaction-duration-ms").is_some_and(|n| n <= 0) {
        "--transaction-duration-ms should be greater than zero."
    } else if number("--reporting-interval").is_some_and(|n| n <= 0) {
        "--reporting-interval should be greater than zero."
    } else if !["--bootstrap-server", "--command-property", "--producer-props"]
        .iter()
        .chain(&["--producer.config", "--command-config"])
        .any(|name| given.has(name))
    {
        "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or \
         --command-config must be specified."
    } else {
        return Ok(());
    };
    Err(Misuse::Complaint(complaint))
}

fn properties(given: &Given) -> Result<Properties, Misuse> {
    let file = given.one("--command-config").or_else(|| given.one("--producer.config"));
    let mut properties = file.map_or_else(|| Ok(BTreeMap::new()), read_file)?;
    for pair in given.all("--command-property").chain(given.all("--producer-props")) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::illegal_argument(format!("Invalid property: {pair}")))?;
        properties.insert(key.to_owned(), value.to_owned());
    }
    if let Some(bootstrap) = given.one("--bootstrap-server") {
        properties.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
    }
    let transactional = ["--transactional-id", "--transaction-duration-ms"];
    if transactional.iter().any(|name| given.has(name))
        || properties.contains_key("transactional.id")
    {
        return Err(Failure::new(
            "org.apache.kafka.common.errors.UnsupportedVersionException",
            "This producer has no transactions yet; leave out --transactional-id, \
             --transaction-duration-ms and transactional.id.",
        )
        .into());
    }
    Ok(properties)
}

fn payload(given: &Given) -> Result<Payload, Failure> {
    if let Some(size) = given.number("--record-size") {
        return Ok(Payload::Random(size));
    }
    let Some(file) = given.one("--payload-file") else { return Ok(Payload::Monotonic) };
    let path = std::path::absolute(Path::new(file)).unwrap_or_else(|_| file.into());
    say(&format!("Reading payloads from: {}", path.display()));
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if text.is_empty() {
        return Err(Failure::illegal_argument("File does not exist or empty file provided."));
    }
    // A delimiter is typed with its escapes.
    let delimiter = given.one("--payload-delimiter").unwrap_or("\\n");
    let delimiter = delimiter.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r");
    let mut payloads: Vec<Vec<u8>> =
        text.split(&delimiter).map(|payload| payload.as_bytes().to_vec()).collect();
    while payloads.last().is_some_and(Vec::is_empty) {
        payloads.pop();
    }
    say(&format!("Number of records read: {}", payloads.len()));
    Ok(Payload::Listed(payloads))
}
