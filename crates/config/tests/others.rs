//! The settings of brokers while they run, of groups and of subscriptions to clients' metrics.

use std::collections::BTreeMap;

use ottla_config::describe::{describe_broker, describe_client_metrics, describe_group};
use ottla_config::{
    ConfigSource, DynamicNodeConfig, GroupConfig, Layers, validate_broker_configs,
    validate_client_metrics, validate_group_configs,
};

type Settings = BTreeMap<String, String>;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn broker_sentence(pairs: &[(&str, &str)], one_broker: bool) -> String {
    validate_broker_configs(pairs.iter().copied(), one_broker)
        .map_or_else(|e| e.to_string(), |()| String::new())
}

#[test]
fn brokers_settings_change_only_where_they_can() {
    for (pairs, one_broker, expected) in [
        (&[("log.retention.ms", "7200000"), ("no.such", "1")][..], false, ""),
        (&[("retention.ms", "1")], true, ""),
        (&[("listener.name.plaintext.max.connections", "5")], true, ""),
        (
            &[("log.dirs", "/x"), ("broker.id", "4")],
            true,
            "Cannot update these configs dynamically: [broker.id, log.dirs]",
        ),
        (
            &[("log.cleaner.threads", "none")],
            true,
            "Invalid value none for configuration log.cleaner.threads: Not a number of type INT",
        ),
        (
            &[("listener.name.plaintext.max.connections", "x")],
            false,
            "Invalid value x for configuration max.connections: Not a number of type INT",
        ),
        (
            &[("ssl.keystore.location", "x")],
            true,
            "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]",
        ),
        (
            &[("listeners", "PLAINTEXT://x:1")],
            false,
            "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
        ),
        // Kafka can; here it takes a restart.
        (
            &[("listeners", "PLAINTEXT://x:1")],
            true,
            "Cannot update these configs dynamically: [listeners]",
        ),
        (
            &[("max.connections.per.ip.overrides", "abc")],
            false,
            "Error parsing configuration property 'max.connections.per.ip.overrides': 'abc' is not address:count",
        ),
    ] {
        assert_eq!(broker_sentence(pairs, one_broker), expected, "{pairs:?}");
    }
}

#[test]
fn a_brokers_own_setting_goes_before_the_clusters() {
    let file = settings(&[
        ("max.connections", "7"),
        ("max.connections.per.ip", "3"),
        ("listener.name.internal.max.connections", "1"),
    ]);
    let cluster = settings(&[("max.connections", "8"), ("log.cleaner.threads", "2")]);
    let broker = settings(&[
        ("max.connections", "9"),
        ("max.connections.per.ip.overrides", "::1:4, localhost:5"),
        ("leader.replication.throttled.rate", "1000"),
        ("listener.name.internal.max.connections", "2"),
    ]);
    let layers =
        Layers { own: None, broker: Some(&broker), cluster: Some(&cluster), file: Some(&file) };
    let config = DynamicNodeConfig::of(&layers);
    assert_eq!((config.max_connections, config.max_connections_per_ip), (9, 3));
    assert_eq!(config.log_cleaner_threads, 2);
    assert_eq!(config.listener_max_connections, [("internal".to_owned(), 2)].into());
    let overrides: Vec<_> = config.max_connections_per_ip_overrides.into_iter().collect();
    assert_eq!(overrides, [("::1".to_owned(), 4), ("localhost".to_owned(), 5)]);

    let described = describe_broker(&layers);
    let find = |name: &str| described.iter().find(|config| config.name == name);
    let places: Vec<_> = find("max.connections")
        .expect("a key")
        .synonyms
        .iter()
        .map(|place| (place.value.as_str(), place.source))
        .collect();
    assert_eq!(
        places,
        [
            ("9", ConfigSource::DynamicBroker),
            ("8", ConfigSource::DynamicDefaultBroker),
            ("7", ConfigSource::StaticBroker),
            ("2147483647", ConfigSource::Default),
        ]
    );
    // Throttles are described where they are set, and only there.
    assert!(find("leader.replication.throttled.rate").is_some());
    assert!(find("follower.replication.throttled.rate").is_none());
}

#[test]
fn a_groups_settings_stay_within_what_its_brokers_allow() {
    let sentence = |name: &str, value: &str| {
        validate_group_configs(&settings(&[(name, value)]), &Layers::default())
            .map_or_else(|e| e.to_string(), |()| String::new())
    };
    assert_eq!(sentence("consumer.session.timeout.ms", "50000"), "");
    assert_eq!(sentence("share.auto.offset.reset", "by_duration:P3DT4H5.5S"), "");
    assert_eq!(sentence("no.such", "1"), "Unknown group config name: no.such");
    assert_eq!(
        sentence("consumer.session.timeout.ms", "soon"),
        "Invalid value soon for configuration consumer.session.timeout.ms: Not a number of type INT"
    );
    assert_eq!(
        sentence("share.session.timeout.ms", "1"),
        "share.session.timeout.ms must be greater than or equal to group.share.min.session.timeout.ms"
    );
    assert_eq!(
        sentence("streams.num.standby.replicas", "5"),
        "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas"
    );
    for reset in ["foo", "by_duration:", "by_duration:3D", "by_duration:PT", "by_duration:P1.5D"] {
        assert!(sentence("share.auto.offset.reset", reset).contains("'by_duration:<Pn"), "{reset}");
    }

    let file = settings(&[("group.consumer.session.timeout.ms", "46000")]);
    let own = settings(&[("consumer.heartbeat.interval.ms", "6000")]);
    let layers = Layers { own: Some(&own), file: Some(&file), ..Layers::default() };
    let config = GroupConfig::of(&layers);
    assert_eq!(config.consumer_session_timeout_ms, 46_000);
    assert_eq!(config.consumer_heartbeat_interval_ms, 6_000);
    assert_eq!(config.consumer_assignment_interval_ms, 1_000);

    let described = describe_group(&layers);
    assert_eq!(described.len(), 17);
    let session = described.iter().find(|c| c.name == "consumer.session.timeout.ms");
    assert_eq!(session.expect("a key").source, ConfigSource::StaticBroker);
    let beat = described.iter().find(|c| c.name == "consumer.heartbeat.interval.ms");
    assert_eq!(beat.expect("a key").source, ConfigSource::DynamicGroup);
}

#[test]
fn subscriptions_choose_clients_by_what_clients_have() {
    let sentence = |name: &str, value: &str| {
        validate_client_metrics(&settings(&[(name, value)]))
            .map_or_else(|e| e.to_string(), |()| String::new())
    };
    for (name, value, expected) in [
        ("interval.ms", "10000", ""),
        ("match", "client_id=app.*,client_software_name=(a|b)", ""),
        ("metrics", "org.apache.kafka.producer.,org.apache.kafka.consumer.", ""),
        (
            "interval.ms",
            "5",
            "Invalid value 5 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
        ),
        ("match", "nonsense=1", "Illegal client matching pattern: nonsense=1"),
        ("match", "client_id", "Illegal client matching pattern: client_id"),
        ("match", "client_id=[", "Illegal client matching pattern: client_id=["),
        ("no.such", "1", "Unknown client metrics configuration: no.such"),
    ] {
        assert_eq!(sentence(name, value), expected);
    }
    let described = describe_client_metrics(&settings(&[("interval.ms", "500")]));
    let values: Vec<_> =
        described.iter().map(|c| (c.name.as_str(), c.value.as_deref(), c.source)).collect();
    assert_eq!(
        values,
        [
            ("interval.ms", Some("500"), ConfigSource::DynamicClientMetrics),
            ("match", Some(""), ConfigSource::Default),
            ("metrics", Some(""), ConfigSource::Default),
        ]
    );
}
