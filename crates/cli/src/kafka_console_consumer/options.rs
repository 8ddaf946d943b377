//! The command line, as settings of a consumer.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::{
    ClientOptions, ConsumerOptions, GroupOptions, GroupProtocol, IsolationLevel, StartAt,
};
use ottla_protocol::ids::TopicName;

use super::formatter::{Columns, Formatter};
use super::group;
use super::internal::Internal;
use crate::console::say;
use crate::exceptions::Failure;
use crate::jopt::{self, Given, Opt, OptionError, flag, value};
use crate::kafka_topics::IncludeList;
use crate::properties::{Properties, client_options, config_error, number, read_file, read_pairs};

pub(crate) const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server to connect to", "REQUIRED: host:port, ..."),
    value("command-config", "String: config file", "Properties of the consumer."),
    value("command-property", "String: consumer_prop", "key=value; may be repeated."),
    value("consumer-property", "String: consumer_prop", "DEPRECATED: --command-property."),
    value("consumer.config", "String: config file", "DEPRECATED: --command-config."),
    flag("enable-systest-events", "Print an event when the tool ends."),
    value(
        "formatter",
        "String: class",
        "DefaultMessageFormatter, Logging..., NoOp...; of Kafka's own topics Offsets..., GroupMetadata..., TransactionLog..., ShareGroupState...",
    ),
    value("formatter-config", "String: config file", "Properties of the formatter."),
    value(
        "formatter-property",
        "String: prop",
        "print.timestamp, print.key, print.offset, print.delivery, print.epoch, print.partition, \
         print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, \
         key.deserializer, value.deserializer, headers.deserializer; key=value, may be repeated.",
    ),
    flag("from-beginning", "Begin at the first record instead of the next."),
    value("group", "String: consumer group id", "The consumer group."),
    flag("help", "Print this."),
    value("include", "String: Java regex", "The topics, as a regular expression."),
    value("isolation-level", "String", "read_uncommitted (default) or read_committed."),
    value("key-deserializer", "String: deserializer for key", "A deserializer's class."),
    value("max-messages", "Integer: num_messages", "End after this many messages."),
    value("offset", "String: consume offset", "A number, earliest or latest. (default: latest)"),
    value("partition", "Integer: partition", "Read this partition only."),
    value("property", "String: prop", "DEPRECATED: --formatter-property."),
    flag("skip-message-on-error", "Log a message that cannot be shown, and go on."),
    value("timeout-ms", "Long: timeout_ms", "End when no message came for this long."),
    value("topic", "String: topic", "The topic."),
    value("value-deserializer", "String: deserializer for values", "A deserializer's class."),
    flag("version", "Print the version."),
];

/// New partitions are noticed after this time.
const METADATA_MAX_AGE_MS: u64 = 5_000;

/// What is read.
#[derive(Debug)]
pub(super) enum Topics {
    /// A topic, or one partition of it.
    One(TopicName, Option<i32>),
    /// Every topic that matches.
    Matching(Arc<IncludeList>),
}

/// What the tool does.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) bootstrap: String,
    pub(super) topics: Topics,
    pub(super) start: StartAt,
    /// Of the group to join; `None` for a partition that was named.
    pub(super) group: Option<GroupOptions>,
    pub(super) client: ClientOptions,
    pub(super) consumer: ConsumerOptions,
    pub(super) formatter: Formatter,
    pub(super) max_messages: Option<u64>,
    pub(super) timeout: Option<Duration>,
    pub(super) skip_on_error: bool,
    pub(super) systest_events: bool,
}

/// A command line that makes no sense, or that only asks for help.
#[derive(Debug)]
pub(super) enum Misuse {
    Usage(String),
    /// Said without the usage.
    Said(String),
    Failed(Failure),
    /// No consumer can be made of this.
    NotConstructed(Failure),
    /// How many messages are wanted is no number; `protocol` is that of the group.
    NotCounted {
        error: Failure,
        protocol: Option<GroupProtocol>,
    },
    Version,
}

impl From<Failure> for Misuse {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<OptionError> for Misuse {
    fn from(error: OptionError) -> Self {
        match error {
            OptionError::Unrecognized(_) | OptionError::MissingArgument(_) => {
                Self::Usage(error.to_string())
            }
            OptionError::Multiple(_) | OptionError::Unparsable { .. } => {
                let failure = Failure::from(error);
                Self::Said(format!("Exception in thread \"main\" {}", failure.thrown()))
            }
        }
    }
}

/// Reads the command line; says on stdout which of its options are old.
pub(super) fn settings(args: &[OsString]) -> Result<Settings, Misuse> {
    let given = jopt::parse(OPTIONS, args)?;
    if args.is_empty() || given.has("help") {
        let purpose =
            "This tool helps to read data from Kafka topics and outputs it to standard output.";
        return Err(Misuse::Usage(purpose.to_owned()));
    }
    if given.has("version") {
        return Err(Misuse::Version);
    }
    check(&given)?;
    warn_of_old_names(&given);

    let mut properties = from_file(&given, "command-config", "consumer.config")?;
    properties
        .extend(read_pairs(given.all("command-property").chain(given.all("consumer-property"))));
    let start = start(&given, &properties)?;
    let topics = match given.one("include")? {
        Some(pattern) => Topics::Matching(Arc::new(IncludeList::parse(pattern)?)),
        None => {
            let topic = given.one("topic")?.unwrap_or_default();
            Topics::One(TopicName::from(topic), given.number("partition")?)
        }
    };
    let mut client = client_options("console-consumer", &properties)?;
    if !properties.contains_key("metadata.max.age.ms") {
        client.metadata_max_age_ms = METADATA_MAX_AGE_MS;
    }
    let timeout_ms: Option<i64> = given.number("timeout-ms")?;
    let not_negative = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    let mut settings = Settings {
        bootstrap: given.one("bootstrap-server")?.unwrap_or_default().to_owned(),
        topics,
        start,
        group: group::options(&given, &properties)?,
        client,
        consumer: consumer_options(&given, &properties, start)?,
        formatter: formatter(&given)?,
        max_messages: None,
        timeout: not_negative(timeout_ms).map(Duration::from_millis),
        skip_on_error: given.has("skip-message-on-error"),
        systest_events: given.has("enable-systest-events"),
    };
    // Kafka's tool looks at it when everything else has been found in order.
    match given.number("max-messages") {
        Ok(most) => settings.max_messages = not_negative(most),
        Err(error) => {
            let protocol = settings.group.map(|group| group.protocol);
            return Err(Misuse::NotCounted { error: error.into(), protocol });
        }
    }
    Ok(settings)
}

/// Which options do not go together.
fn check(given: &Given) -> Result<(), Misuse> {
    let usage = |message: String| Err(Misuse::Usage(message));
    for (old, new) in [
        ("property", "formatter-property"),
        ("consumer-property", "command-property"),
        ("consumer.config", "command-config"),
    ] {
        if given.has(old) && given.has(new) {
            return usage(format!("Options --{old} and --{new} cannot be specified together."));
        }
    }
    if given.has("topic") == given.has("include") {
        return usage(
            "Exactly one of the following arguments is required: [topic], [include]".to_owned(),
        );
    }
    if given.has("partition") && !given.has("topic") {
        return usage("The topic is required when partition is specified.".to_owned());
    }
    if given.has("offset") && !given.has("partition") {
        return usage("The partition is required when offset is specified.".to_owned());
    }
    if given.has("offset") && given.has("from-beginning") {
        return usage("Options from-beginning and offset cannot be specified together.".to_owned());
    }
    if given.has("group") && given.has("partition") {
        return usage("Options group and partition cannot be specified together.".to_owned());
    }
    if !given.has("bootstrap-server") {
        return usage("Missing required argument \"[bootstrap-server]\"".to_owned());
    }
    Ok(())
}

fn warn_of_old_names(given: &Given) {
    for (old, new) in [
        ("property", "formatter-property"),
        ("consumer-property", "command-property"),
        ("consumer.config", "command-config"),
    ] {
        if given.has(old) {
            say(&format!(
                "Option --{old} is deprecated and will be removed in a future version. Use --{new} \
                 instead."
            ));
        }
    }
}

fn from_file(given: &Given, new: &'static str, old: &'static str) -> Result<Properties, Misuse> {
    let path = match given.one(new)? {
        Some(path) => Some(path),
        None => given.one(old)?,
    };
    Ok(path.map_or(Ok(Properties::new()), read_file)?)
}

fn start(given: &Given, properties: &Properties) -> Result<StartAt, Misuse> {
    let reset = properties.get("auto.offset.reset").map(String::as_str);
    if given.has("from-beginning") {
        return match reset {
            Some(other) if other != "earliest" => Err(Misuse::Said(format!(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset={other}', \
                 please remove one option"
            ))),
            _ => Ok(StartAt::Earliest),
        };
    }
    match given.one("offset")? {
        Some(text) => match (text.to_lowercase().as_str(), text.parse()) {
            ("earliest", _) => Ok(StartAt::Earliest),
            ("latest", _) => Ok(StartAt::Latest),
            (_, Ok(offset)) if offset >= 0_i64 => Ok(StartAt::Offset(offset)),
            _ => Err(Misuse::Usage(format!(
                "The provided offset value '{text}' is incorrect. Valid values are 'earliest', \
                 'latest', or a non-negative long."
            ))),
        },
        None => match reset {
            None | Some("latest" | "none") => Ok(StartAt::Latest),
            Some("earliest") => Ok(StartAt::Earliest),
            Some(other) => Err(config_error(
                other,
                "auto.offset.reset",
                &format!(
                    "Invalid value `{other}` for configuration auto.offset.reset. The value must be \
                     either 'earliest', 'latest', 'none' or of the format \
                     'by_duration:<PnDTnHnMn.nS.>'."
                ),
            )
            .into()),
        },
    }
}

fn consumer_options(
    given: &Given,
    properties: &Properties,
    start: StartAt,
) -> Result<ConsumerOptions, Misuse> {
    let defaults = ConsumerOptions::default();
    let level = match given.one("isolation-level")? {
        Some(level) => level,
        None => properties.get("isolation.level").map_or("read_uncommitted", String::as_str),
    };
    let isolation = match level {
        "read_uncommitted" => IsolationLevel::ReadUncommitted,
        "read_committed" => IsolationLevel::ReadCommitted,
        other => {
            let why = "String must be one of: read_committed, read_uncommitted";
            return Err(config_error(other, "isolation.level", why).into());
        }
    };
    let reset = match start {
        _ if properties.get("auto.offset.reset").is_some_and(|reset| reset == "none") => None,
        StartAt::Earliest => Some(StartAt::Earliest),
        StartAt::Latest | StartAt::Offset(_) => Some(StartAt::Latest),
    };
    Ok(ConsumerOptions {
        isolation,
        fetch_min_bytes: number(properties, "fetch.min.bytes")?.unwrap_or(defaults.fetch_min_bytes),
        fetch_max_wait_ms: number(properties, "fetch.max.wait.ms")?
            .unwrap_or(defaults.fetch_max_wait_ms),
        fetch_max_bytes: number(properties, "fetch.max.bytes")?.unwrap_or(defaults.fetch_max_bytes),
        max_partition_fetch_bytes: number(properties, "max.partition.fetch.bytes")?
            .unwrap_or(defaults.max_partition_fetch_bytes),
        offset_reset: reset,
    })
}

fn formatter(given: &Given) -> Result<Formatter, Misuse> {
    let mut properties = from_file(given, "formatter-config", "formatter-config")?;
    properties.extend(read_pairs(given.all("formatter-property").chain(given.all("property"))));
    for (option, key) in
        [("key-deserializer", "key.deserializer"), ("value-deserializer", "value.deserializer")]
    {
        if let Some(class) = given.one(option)? {
            properties.insert(key.to_owned(), class.to_owned());
        }
    }
    let columns = Columns::new(&properties)?;
    let class = given.one("formatter")?.unwrap_or("DefaultMessageFormatter");
    match class.rsplit('.').next().unwrap_or(class) {
        "DefaultMessageFormatter" | "LoggingMessageFormatter" => Ok(Formatter::Columns(columns)),
        "NoOpMessageFormatter" => Ok(Formatter::Silent),
        name => match Internal::by_class(name) {
            Some(internal) => Ok(Formatter::Internal(internal)),
            None => Err(Misuse::Usage(class.to_owned())),
        },
    }
}
