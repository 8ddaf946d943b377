//! Settings of producers and consumers out of their properties, with Kafka's names and defaults. What
//! these clients do not know is ignored, as in Kafka.

use ottla_client::{
    Acks, Assignor, ConsumerOptions, GroupOptions, GroupProtocol, IsolationLevel, ProducerOptions,
    StartAt,
};
use ottla_protocol::record::Compression;

use crate::exceptions::Failure;
use crate::properties::{Properties, config_error, number};

fn or<N: std::str::FromStr>(properties: &Properties, key: &str, default: N) -> Result<N, Failure> {
    Ok(number(properties, key)?.unwrap_or(default))
}

/// A producer's settings.
pub(crate) fn producer(properties: &Properties) -> Result<ProducerOptions, Failure> {
    let defaults = ProducerOptions::default();
    let acks = match properties.get("acks").map(String::as_str) {
        None | Some("-1" | "all") => Acks::All,
        Some("0") => Acks::None,
        Some("1") => Acks::Leader,
        Some(other) => {
            return Err(config_error(other, "acks", "String must be one of: all, -1, 0, 1"));
        }
    };
    let idempotent = acks == Acks::All
        && properties.get("enable.idempotence").is_none_or(|wanted| wanted != "false");
    let codec = properties.get("compression.type").map_or("none", String::as_str);
    let why = "String must be one of: none, gzip, snappy, lz4, zstd";
    let compression = Compression::from_name(codec)
        .ok_or_else(|| config_error(codec, "compression.type", why))?;
    let in_flight: usize = or(properties, "max.in.flight.requests.per.connection", 5)?;
    Ok(ProducerOptions {
        acks,
        idempotent,
        linger_ms: or(properties, "linger.ms", defaults.linger_ms)?,
        batch_bytes: or(properties, "batch.size", defaults.batch_bytes)?,
        buffer_bytes: or(properties, "buffer.memory", defaults.buffer_bytes)?,
        compression,
        delivery_timeout_ms: or(properties, "delivery.timeout.ms", defaults.delivery_timeout_ms)?,
        request_timeout_ms: or(properties, "request.timeout.ms", defaults.request_timeout_ms)?,
        retries: or(properties, "retries", defaults.retries)?,
        max_in_flight: if idempotent { in_flight.clamp(1, 5) } else { in_flight.max(1) },
        max_request_bytes: or(properties, "max.request.size", defaults.max_request_bytes)?,
        max_block_ms: or(properties, "max.block.ms", defaults.max_block_ms)?,
        auto_create_topics: true,
    })
}

/// A consumer's settings; `reset` where `auto.offset.reset` is not set.
pub(crate) fn consumer(
    properties: &Properties,
    reset: StartAt,
) -> Result<ConsumerOptions, Failure> {
    let defaults = ConsumerOptions::default();
    let isolation = match properties.get("isolation.level").map(String::as_str) {
        None | Some("read_uncommitted") => IsolationLevel::ReadUncommitted,
        Some("read_committed") => IsolationLevel::ReadCommitted,
        Some(other) => {
            let why = "String must be one of: read_committed, read_uncommitted";
            return Err(config_error(other, "isolation.level", why));
        }
    };
    let offset_reset = match properties.get("auto.offset.reset").map(String::as_str) {
        None => Some(reset),
        Some("earliest") => Some(StartAt::Earliest),
        Some("latest") => Some(StartAt::Latest),
        Some("none") => None,
        Some(other) => {
            let why = format!(
                "Invalid value `{other}` for configuration auto.offset.reset. The value must be either \
                 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'."
            );
            return Err(config_error(other, "auto.offset.reset", &why));
        }
    };
    Ok(ConsumerOptions {
        isolation,
        fetch_min_bytes: or(properties, "fetch.min.bytes", defaults.fetch_min_bytes)?,
        fetch_max_wait_ms: or(properties, "fetch.max.wait.ms", defaults.fetch_max_wait_ms)?,
        fetch_max_bytes: or(properties, "fetch.max.bytes", defaults.fetch_max_bytes)?,
        max_partition_fetch_bytes: or(
            properties,
            "max.partition.fetch.bytes",
            defaults.max_partition_fetch_bytes,
        )?,
        offset_reset,
    })
}

/// A group's settings; whether offsets are committed from time to time is said by `commits` where
/// `enable.auto.commit` does not say it.
pub(crate) fn group(
    id: &str,
    commits: bool,
    properties: &Properties,
) -> Result<GroupOptions, Failure> {
    let mut options = GroupOptions::of(id);
    for (key, field) in [
        ("session.timeout.ms", &mut options.session_timeout_ms),
        ("heartbeat.interval.ms", &mut options.heartbeat_interval_ms),
        ("max.poll.interval.ms", &mut options.max_poll_interval_ms),
    ] {
        *field = or(properties, key, *field)?;
    }
    if let Some(classes) = properties.get("partition.assignment.strategy") {
        options.assignors =
            classes.split(',').map(|class| assignor(class.trim())).collect::<Result<_, _>>()?;
    }
    options.protocol = match properties.get("group.protocol").map(|name| name.to_lowercase()) {
        None => GroupProtocol::Classic,
        Some(name) if name == "classic" => GroupProtocol::Classic,
        Some(name) if name == "consumer" => GroupProtocol::Consumer,
        Some(other) => {
            let why = "String must be one of (case insensitive): CLASSIC, CONSUMER";
            return Err(config_error(&other, "group.protocol", why));
        }
    };
    let text = |key: &str| properties.get(key).cloned().filter(|value| !value.is_empty());
    options.instance_id = text("group.instance.id");
    options.remote_assignor = text("group.remote.assignor");
    options.rack = text("client.rack");
    options.auto_create_topics = flag(properties, "allow.auto.create.topics", true)?;
    options.auto_commit_interval_ms = match flag(properties, "enable.auto.commit", commits)? {
        true => Some(or(properties, "auto.commit.interval.ms", 5_000)?),
        false => None,
    };
    Ok(options)
}

/// By Kafka's class name.
fn assignor(class: &str) -> Result<Assignor, Failure> {
    match class.rsplit('.').next().unwrap_or(class) {
        "RangeAssignor" => Ok(Assignor::Range),
        "CooperativeStickyAssignor" => Ok(Assignor::CooperativeSticky),
        _ => {
            let message = format!(
                "{class} is not served: partition.assignment.strategy is a list of RangeAssignor and \
                 CooperativeStickyAssignor"
            );
            Err(Failure::new("org.apache.kafka.common.KafkaException", message))
        }
    }
}

fn flag(properties: &Properties, key: &str, default: bool) -> Result<bool, Failure> {
    match properties.get(key).map(|value| value.trim().to_lowercase()).as_deref() {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => Err(config_error(other, key, "Expected value to be either true or false")),
    }
}
