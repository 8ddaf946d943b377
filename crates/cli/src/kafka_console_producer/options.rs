//! The command line, as settings of a producer.

use std::ffi::OsString;

use ottla_client::{Acks, ClientOptions, ProducerOptions, parse_bootstrap};
use ottla_protocol::ids::TopicName;
use ottla_protocol::record::Compression;

use super::reader::LineReader;
use crate::console::say;
use crate::exceptions::Failure;
use crate::jopt::{self, Argument, Given, Opt, OptionError, flag, value};
use crate::properties::{Properties, client_options, config_error, number, read_file, read_pairs};

pub(crate) const OPTIONS: &[Opt] = &[
    value("batch-size", "Integer: size", "Bytes of a batch. (default: 16384)"),
    value("bootstrap-server", "String: server to connect to", "REQUIRED: host:port, ..."),
    value("broker-list", "String: broker-list", "The old name of --bootstrap-server."),
    value("command-config", "String: config file", "Properties of the producer."),
    value("command-property", "String: producer_prop", "key=value; may be repeated."),
    Opt {
        name: "compression-codec",
        argument: Argument::Optional("String: compression-codec"),
        help: "none, gzip, snappy, lz4 or zstd; without a value, gzip.",
    },
    flag("help", "Print this."),
    value("line-reader", "String: reader_class", "Only Kafka's own LineMessageReader."),
    value("max-block-ms", "Long: max block on send", "How long a send may wait. (default: 60000)"),
    value("max-memory-bytes", "Long: total memory in bytes", "(default: 33554432)"),
    value("max-partition-memory-bytes", "Integer: memory in bytes", "DEPRECATED: --batch-size."),
    value("message-send-max-retries", "Integer", "How often a batch is sent again. (default: 3)"),
    value("metadata-expiry-ms", "Long: metadata expiration interval", "(default: 300000)"),
    value("producer-property", "String: producer_prop", "DEPRECATED: --command-property."),
    value("producer.config", "String: config file", "DEPRECATED: --command-config."),
    value("property", "String: prop", "DEPRECATED: --reader-property."),
    value("reader-config", "String: config file", "Properties of the line reader."),
    value(
        "reader-property",
        "String: prop",
        "parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, \
         headers.key.separator, ignore.error, null.marker; key=value, may be repeated.",
    ),
    value("request-required-acks", "String: request required acks", "all, -1, 0, 1. (default: -1)"),
    value("request-timeout-ms", "Integer: request timeout ms", "(default: 1500)"),
    value("retry-backoff-ms", "Long", "Pause before a batch is sent again. (default: 100)"),
    value("socket-buffer-size", "Integer: size", "Accepted; the system chooses."),
    flag("sync", "Wait for each record's acknowledgement."),
    value("timeout", "Long: timeout_ms", "How long a batch waits for company. (default: 5)"),
    value("topic", "String: topic", "REQUIRED: where to."),
    flag("version", "Print the version."),
];

const LINE_READERS: [&str; 2] =
    ["org.apache.kafka.tools.LineMessageReader", "kafka.tools.ConsoleProducer$LineMessageReader"];

/// What the tool does.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) bootstrap: String,
    pub(super) topic: TopicName,
    pub(super) client: ClientOptions,
    pub(super) producer: ProducerOptions,
    pub(super) reader: LineReader,
    pub(super) sync: bool,
}

/// A command line that makes no sense, or that only asks for help.
#[derive(Debug)]
pub(super) enum Misuse {
    Usage(String),
    Failed(Failure),
    Version,
}

impl From<Failure> for Misuse {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<OptionError> for Misuse {
    fn from(error: OptionError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Reads the command line; says on stdout which of its options are old.
pub(super) fn settings(args: &[OsString]) -> Result<Settings, Misuse> {
    let given = jopt::parse(OPTIONS, args)?;
    let usage = |message: String| Err(Misuse::Usage(message));
    if args.is_empty() || given.has("help") {
        let purpose = "This tool helps to read data from standard input and publish it to Kafka.";
        return usage(purpose.to_owned());
    }
    if given.has("version") {
        return Err(Misuse::Version);
    }
    let Some(topic) = given.one("topic")? else {
        return usage("Missing required argument \"[topic]\"".to_owned());
    };
    for (new, old) in [
        ("command-property", "producer-property"),
        ("reader-property", "property"),
        ("command-config", "producer.config"),
    ] {
        if given.has(new) && given.has(old) {
            return usage(format!("Options --{new} and --{old} cannot be specified together."));
        }
    }
    let bootstrap = match given.one("bootstrap-server")? {
        Some(servers) => servers,
        None => given.one("broker-list")?.unwrap_or_default(),
    };
    if bootstrap.is_empty() {
        return usage("Error while validating the bootstrap address\n".to_owned());
    }
    if parse_bootstrap(bootstrap).is_err() {
        return usage("Please provide valid host:port like host1:9091,host2:9092\n".to_owned());
    }
    warn_of_old_names(&given);

    let mut properties = match file(&given, "command-config", "producer.config")? {
        Some(path) => read_file(path)?,
        None => Properties::new(),
    };
    properties
        .extend(read_pairs(given.all("command-property").chain(given.all("producer-property"))));
    let mut reading = match given.one("reader-config")? {
        Some(path) => read_file(path)?,
        None => Properties::new(),
    };
    reading.extend(read_pairs(given.all("reader-property").chain(given.all("property"))));
    if let Some(class) = given.one("line-reader")?.filter(|class| !LINE_READERS.contains(class)) {
        return Err(Failure::new("java.lang.ClassNotFoundException", class).into());
    }
    Ok(Settings {
        bootstrap: bootstrap.to_owned(),
        topic: TopicName::from(topic),
        producer: producer_options(&given, &properties)?,
        client: client(&given, &properties)?,
        reader: LineReader::new(&reading)?,
        sync: given.has("sync"),
    })
}

fn file<'a>(
    given: &'a Given,
    new: &'static str,
    old: &'static str,
) -> Result<Option<&'a str>, OptionError> {
    Ok(match given.one(new)? {
        Some(path) => Some(path),
        None => given.one(old)?,
    })
}

fn warn_of_old_names(given: &Given) {
    for (old, until, new) in [
        ("property", "a future version", "reader-property"),
        ("producer-property", "a future version", "command-property"),
        ("producer.config", "a future version", "command-config"),
        ("max-partition-memory-bytes", "Apache Kafka 5.0", "batch-size"),
    ] {
        if given.has(old) {
            say(&format!(
                "Warning: --{old} is deprecated and will be removed in {until}. Use --{new} instead."
            ));
        }
    }
}

/// A setting's text: the flag's value, else the property's.
fn setting<'a>(
    given: &'a Given,
    flag: &'static str,
    properties: &'a Properties,
    key: &str,
) -> Result<Option<&'a str>, OptionError> {
    Ok(match given.one(flag)? {
        Some(value) => Some(value),
        None => properties.get(key).map(String::as_str),
    })
}

/// A setting that is a number.
fn numeric<N: std::str::FromStr>(
    given: &Given,
    flag: &'static str,
    properties: &Properties,
    key: &str,
    default: N,
) -> Result<N, Misuse> {
    Ok(match given.number(flag)? {
        Some(value) => value,
        None => number(properties, key)?.unwrap_or(default),
    })
}

fn client(given: &Given, properties: &Properties) -> Result<ClientOptions, Misuse> {
    let mut options = client_options("console-producer", properties)?;
    options.request_timeout_ms =
        numeric(given, "request-timeout-ms", properties, "request.timeout.ms", 1_500)?;
    options.retry_backoff_ms =
        numeric(given, "retry-backoff-ms", properties, "retry.backoff.ms", 100)?;
    options.metadata_max_age_ms =
        numeric(given, "metadata-expiry-ms", properties, "metadata.max.age.ms", 300_000)?;
    Ok(options)
}

fn producer_options(given: &Given, properties: &Properties) -> Result<ProducerOptions, Misuse> {
    let defaults = ProducerOptions::default();
    let acks = acks(setting(given, "request-required-acks", properties, "acks")?)?;
    let batch_bytes = match given.number("batch-size")? {
        Some(bytes) => bytes,
        None => numeric(
            given,
            "max-partition-memory-bytes",
            properties,
            "batch.size",
            defaults.batch_bytes,
        )?,
    };
    let idempotent = match properties.get("enable.idempotence").map(String::as_str) {
        Some("true") if acks != Acks::All => {
            return Err(Failure::new(
                "org.apache.kafka.common.config.ConfigException",
                "Must set acks to all in order to use the idempotent producer. Otherwise we cannot \
                 guarantee idempotence.",
            )
            .into());
        }
        Some("false") => false,
        _ => acks == Acks::All,
    };
    let in_flight: usize =
        number(properties, "max.in.flight.requests.per.connection")?.unwrap_or(5);
    Ok(ProducerOptions {
        acks,
        idempotent,
        linger_ms: numeric(given, "timeout", properties, "linger.ms", defaults.linger_ms)?,
        batch_bytes,
        buffer_bytes: numeric(
            given,
            "max-memory-bytes",
            properties,
            "buffer.memory",
            defaults.buffer_bytes,
        )?,
        compression: compression(given, properties)?,
        delivery_timeout_ms: number(properties, "delivery.timeout.ms")?
            .unwrap_or(defaults.delivery_timeout_ms),
        request_timeout_ms: numeric(
            given,
            "request-timeout-ms",
            properties,
            "request.timeout.ms",
            1_500,
        )?,
        retries: numeric(given, "message-send-max-retries", properties, "retries", 3)?,
        max_in_flight: if idempotent { in_flight.clamp(1, 5) } else { in_flight.max(1) },
        max_request_bytes: number(properties, "max.request.size")?
            .unwrap_or(defaults.max_request_bytes),
        max_block_ms: numeric(
            given,
            "max-block-ms",
            properties,
            "max.block.ms",
            defaults.max_block_ms,
        )?,
        auto_create_topics: true,
    })
}

fn acks(text: Option<&str>) -> Result<Acks, Failure> {
    match text {
        None | Some("-1" | "all") => Ok(Acks::All),
        Some("0") => Ok(Acks::None),
        Some("1") => Ok(Acks::Leader),
        Some(other) => Err(config_error(other, "acks", "String must be one of: all, -1, 0, 1")),
    }
}

fn compression(given: &Given, properties: &Properties) -> Result<Compression, Misuse> {
    let name = match given.one("compression-codec")? {
        Some(name) => name,
        None if given.has("compression-codec") => "gzip",
        None => properties.get("compression.type").map_or("none", String::as_str),
    };
    let why = "String must be one of: none, gzip, snappy, lz4, zstd";
    Compression::from_name(name).ok_or_else(|| config_error(name, "compression.type", why).into())
}
