//! A topic's settings: layers, units, validation with Kafka's sentences, DescribeConfigs.

use std::collections::BTreeMap;

use ottla_config::describe::{DescribedConfig, describe_broker, describe_topic};
use ottla_config::{
    ConfigSource, Layers, TimestampType, TopicConfig, default_min_insync_replicas,
    validate_topic_config, validate_topic_configs,
};

type Settings = BTreeMap<String, String>;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn sentence(name: &str, value: &str) -> String {
    validate_topic_config(name, value).expect_err("an invalid setting").to_string()
}

#[test]
fn defaults_are_ottlas() {
    let config = TopicConfig::default();
    assert_eq!(config.retention_ms, 604_800_000);
    assert_eq!(config.retention_bytes, -1);
    assert_eq!(config.segment_bytes, 1 << 30);
    assert_eq!(config.segment_ms, 604_800_000);
    assert_eq!(config.max_message_bytes, 1_048_588);
    assert_eq!(config.flush_messages, 1);
    assert_eq!(config.flush_ms, i64::MAX);
    assert_eq!(config.index_interval_bytes, 4096);
    assert_eq!(config.message_timestamp_type, TimestampType::CreateTime);
    assert_eq!(config.message_timestamp_after_max_ms, 3_600_000);
    assert!(config.cleanup_policy.delete && !config.cleanup_policy.compact);
    assert_eq!(config.min_insync_replicas, None);
}

fn config(own: &Settings, cluster: &Settings, file: &Settings) -> TopicConfig {
    let (own, cluster, file) = (Some(own), Some(cluster), Some(file));
    TopicConfig::of(&Layers { own, broker: None, cluster, file })
}

#[test]
fn min_insync_replicas_is_the_majority_from_three_on() {
    let computed: Vec<i32> = (1..=5).map(default_min_insync_replicas).collect();
    assert_eq!(computed, [1, 1, 2, 3, 3]);
    let none = Settings::new();
    let three = settings(&[("min.insync.replicas", "3")]);
    assert_eq!(config(&three, &none, &none).min_isr(2), 3);
    assert_eq!(config(&none, &three, &none).min_isr(1), 3);
    assert_eq!(config(&none, &none, &none).min_isr(3), 2);
}

#[test]
fn the_nearest_layer_wins_under_its_own_name() {
    let topic = settings(&[("retention.ms", "1")]);
    let cluster = settings(&[("log.retention.ms", "2"), ("flush.messages", "9")]);
    let file = settings(&[("log.retention.ms", "3"), ("log.flush.interval.messages", "100")]);
    let none = Settings::new();
    let retention = |t, c, f| config(t, c, f).retention_ms;
    assert_eq!(retention(&topic, &cluster, &file), 1);
    assert_eq!(retention(&none, &cluster, &file), 2);
    assert_eq!(retention(&none, &none, &file), 3);
    // A topic's name counts for nothing among the brokers' settings.
    assert_eq!(config(&none, &cluster, &file).flush_messages, 100);
}

#[test]
fn hours_and_minutes_become_milliseconds() {
    let none = Settings::new();
    let with = |pairs: &[(&str, &str)]| config(&none, &none, &settings(pairs));
    assert_eq!(with(&[("log.retention.hours", "2")]).retention_ms, 7_200_000);
    let both = [("log.retention.hours", "2"), ("log.retention.minutes", "5")];
    assert_eq!(with(&both).retention_ms, 300_000);
    assert_eq!(with(&[("log.retention.hours", "-1")]).retention_ms, -1);
    assert_eq!(with(&[("log.roll.hours", "1")]).segment_ms, 3_600_000);
}

#[test]
fn an_empty_cleanup_policy_keeps_everything() {
    let none = Settings::new();
    let policy = |text| {
        let topic = settings(&[("cleanup.policy", text)]);
        config(&topic, &none, &none).cleanup_policy
    };
    assert!(!policy("").delete && !policy("").compact);
    let both = policy("compact, delete");
    assert!(both.delete && both.compact);
}

#[test]
fn sentences_are_kafkas() {
    assert_eq!(sentence("x", "1"), "Unknown topic config name: x");
    assert_eq!(sentence("", "1"), "Unknown topic config name: ");
    // A broker's name is no topic's.
    assert_eq!(sentence("log.retention.ms", "1"), "Unknown topic config name: log.retention.ms");
    assert_eq!(
        sentence("retention.ms", "soon"),
        "Invalid value soon for configuration retention.ms: Not a number of type LONG"
    );
    assert_eq!(
        sentence("segment.bytes", "99999999999"),
        "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT"
    );
    assert_eq!(
        sentence("cleanup.policy", "shred"),
        "Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete"
    );
    assert_eq!(
        sentence("min.insync.replicas", "0"),
        "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"
    );
    assert_eq!(
        sentence("unclean.leader.election.enable", "maybe"),
        "Invalid value maybe for configuration unclean.leader.election.enable: Expected value to be either true or false"
    );
    assert_eq!(
        sentence("min.cleanable.dirty.ratio", "1.5"),
        "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"
    );
    assert_eq!(
        sentence("message.timestamp.type", "Now"),
        "Invalid value Now for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime"
    );
    assert!(sentence("remote.storage.enable", "true").starts_with("Tiered Storage"));
    assert!(sentence("leader.replication.throttled.replicas", "1").contains("'*'"));
}

#[test]
fn what_kafka_takes_is_taken() {
    for (name, value) in [
        ("cleanup.policy", "compact,delete"),
        ("cleanup.policy", ""),
        ("cleanup.policy", "delete,delete"),
        ("retention.ms", "-1"),
        ("retention.ms", " 5 "),
        ("flush.messages", "9223372036854775807"),
        ("compression.gzip.level", "-1"),
        ("remote.storage.enable", "false"),
        ("leader.replication.throttled.replicas", "0:1,0:2"),
        ("leader.replication.throttled.replicas", "*"),
        ("unclean.leader.election.enable", "TRUE"),
    ] {
        assert_eq!(validate_topic_config(name, value), Ok(()), "{name}={value}");
    }
    let lags = settings(&[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")]);
    assert_eq!(
        validate_topic_configs(&lags).expect_err("a conflict").to_string(),
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"
    );
}

fn named<'a>(described: &'a [DescribedConfig], name: &str) -> &'a DescribedConfig {
    described.iter().find(|config| config.name == name).expect("a described key")
}

/// As `kafka-configs --describe --all` prints it.
fn printed(config: &DescribedConfig) -> String {
    let synonyms: Vec<String> = config
        .synonyms
        .iter()
        .map(|synonym| format!("{}:{}={}", synonym.source.name(), synonym.name, synonym.value))
        .collect();
    let value = config.value.as_deref().unwrap_or("null");
    format!("{}={value} synonyms={{{}}}", config.name, synonyms.join(", "))
}

#[test]
fn topics_are_described_as_kafka_does() {
    let topic = settings(&[("retention.ms", "5000"), ("max.message.bytes", "2000")]);
    let described = describe_topic(&Layers { own: Some(&topic), ..Layers::default() }, 3);
    assert!(described.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(described.len(), 33);
    for (name, expected) in [
        (
            "cleanup.policy",
            "cleanup.policy=delete synonyms={DEFAULT_CONFIG:log.cleanup.policy=delete}",
        ),
        ("retention.ms", "retention.ms=5000 synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=5000}"),
        (
            "max.message.bytes",
            "max.message.bytes=2000 synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000, DEFAULT_CONFIG:message.max.bytes=1048588}",
        ),
        ("segment.ms", "segment.ms=604800000 synonyms={}"),
        ("flush.ms", "flush.ms=9223372036854775807 synonyms={}"),
        (
            "leader.replication.throttled.replicas",
            "leader.replication.throttled.replicas= synonyms={}",
        ),
        (
            "compression.type",
            "compression.type=producer synonyms={DEFAULT_CONFIG:compression.type=producer}",
        ),
        (
            "flush.messages",
            "flush.messages=1 synonyms={DEFAULT_CONFIG:log.flush.interval.messages=1}",
        ),
        // Nobody set it: the majority of three.
        ("min.insync.replicas", "min.insync.replicas=2 synonyms={}"),
    ] {
        assert_eq!(printed(named(&described, name)), expected);
    }
    assert_eq!(named(&described, "retention.ms").source, ConfigSource::DynamicTopic);
    assert_eq!(named(&described, "segment.ms").source, ConfigSource::Default);
    assert!(described.iter().all(|config| !config.read_only && !config.sensitive));
}

#[test]
fn brokers_are_described_with_secrets_hidden() {
    let file = settings(&[
        ("node.id", "3"),
        ("ssl.key.password", "hush"),
        ("no.such", "hush too"),
        ("log.retention.hours", "2"),
    ]);
    let cluster = settings(&[("message.max.bytes", "2000000")]);
    let layers = Layers { cluster: Some(&cluster), file: Some(&file), ..Layers::default() };
    let described = describe_broker(&layers);
    assert!(described.is_sorted_by(|a, b| a.name < b.name));
    assert!(!format!("{described:?}").contains("hush"));

    let id = named(&described, "node.id");
    assert_eq!(
        (id.value.as_deref(), id.source, id.read_only),
        (Some("3"), ConfigSource::StaticBroker, true)
    );
    let size = named(&described, "message.max.bytes");
    assert_eq!(size.source, ConfigSource::DynamicDefaultBroker);
    assert_eq!((size.value.as_deref(), size.read_only), (Some("2000000"), false));
    let unknown = named(&described, "no.such");
    assert_eq!((unknown.value.as_deref(), unknown.sensitive), (None, true));

    // The file's hours count as a topic's milliseconds; as in Kafka they are no synonym.
    let topic = describe_topic(&layers, 1);
    let retention = named(&topic, "retention.ms");
    assert_eq!(printed(retention), "retention.ms=7200000 synonyms={}");
}
