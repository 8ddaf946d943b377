//! From files and environments to a node's settings.

use std::path::PathBuf;

use ottla_config::{ConfigError, HostPort, NodeConfig, Notice, Properties, SecurityProtocol};

fn resolve(text: &str) -> Result<(NodeConfig, Vec<Notice>), ConfigError> {
    NodeConfig::resolve(&Properties::parse(text).expect("properties"))
}

fn node(text: &str) -> NodeConfig {
    resolve(text).unwrap_or_else(|error| panic!("{error}")).0
}

fn refused(text: &str) -> String {
    resolve(text).expect_err("an error").to_string()
}

fn env(pairs: &[(&str, &str)]) -> Properties {
    Properties::from_env(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())))
}

fn notices(text: &str) -> String {
    let (_, notices) = resolve(text).unwrap_or_else(|error| panic!("{error}"));
    notices.iter().map(|notice| format!("{notice}\n")).collect()
}

#[test]
fn properties_are_javas() {
    let text =
        "# comment\n! comment\n  a = 1 \nb:2\nc 3\nd=x\\\n   y\ne\\=f=g\nh=\\u00e9\\t.\ni=\nj\n";
    let properties = Properties::parse(text).expect("properties");
    let pairs: Vec<_> = properties.iter().collect();
    assert_eq!(
        pairs,
        [
            ("a", "1 "),
            ("b", "2"),
            ("c", "3"),
            ("d", "xy"),
            ("e=f", "g"),
            ("h", "é\t."),
            ("i", ""),
            ("j", ""),
        ]
    );
    let error = Properties::parse("a=1\nb=\\uzzzz").expect_err("no character");
    assert_eq!(error.to_string(), "line 2: \\uzzzz is not a character");
}

#[test]
fn variables_become_keys() {
    let properties = env(&[
        ("KAFKA_NUM_PARTITIONS", "7"),
        ("KAFKA_CFG_LOG_RETENTION_HOURS", "1"),
        ("KAFKA_LISTENER_NAME_SASL__SSL_X___Y", "z"),
        ("CLUSTER_ID", "5L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_HEAP_OPTS", "-Xmx1g"),
        ("KAFKA_BROKER_RACK", ""),
        ("PATH", "/bin"),
    ]);
    let pairs: Vec<_> = properties.iter().collect();
    assert_eq!(
        pairs,
        [
            ("cluster.id", "5L6g3nShT-eMCtK--X86sw"),
            ("listener.name.sasl_ssl.x-y", "z"),
            ("log.retention.hours", "1"),
            ("num.partitions", "7"),
        ]
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = Properties::parse("num.partitions=3\nnode.id=1").expect("properties");
    let both = file.overlaid(env(&[("KAFKA_NUM_PARTITIONS", "7")]));
    assert_eq!(both.get("num.partitions"), Some("7"));
    assert_eq!(both.get("node.id"), Some("1"));
}

#[test]
fn advertised_listeners_alone_tell_where_to_listen() {
    let properties =
        env(&[("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://kafka:29092,HOST://localhost:9092")]);
    assert_eq!(properties.get("listeners"), Some("PLAINTEXT://0.0.0.0:29092,HOST://0.0.0.0:9092"));
}

#[test]
fn nothing_at_all_is_a_node_alone() {
    let config = node("");
    assert_eq!(config.node_id, 1);
    assert!(config.roles.broker && config.roles.controller);
    assert_eq!(config.quorum_voters.len(), 1);
    assert_eq!(config.quorum_voters[0].to_string(), "1@localhost:9093");
    assert_eq!(config.broker_listeners().count(), 1);
    assert_eq!(config.controller_listeners().count(), 1);
    assert_eq!(config.advertised_listeners.len(), 1);
    assert_eq!(config.advertised_listeners[0].host, "localhost");
    assert_eq!(config.log_dirs, [PathBuf::from("./data/1")]);
    assert_eq!(config.metadata_log_dir, PathBuf::from("./data/1"));
    assert_eq!(config.default_replication_factor, None);
    assert_eq!(config.inter_broker_listener_name, "PLAINTEXT");
    assert_eq!(config.broker_heartbeat_interval_ms, 100);
    assert_eq!(config.broker_session_timeout_ms, 1500);
    assert_eq!(config.controller_quorum_election_timeout_ms, 300);
    assert_eq!(config.leader_imbalance_check_interval_seconds, 5);
    assert!(notices("").contains("defaults that are not Kafka's"));
}

/// The file that Kafka 4 ships, shortened.
#[test]
fn kafkas_own_file_resolves() {
    let config = node(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.bootstrap.servers=localhost:9093\n\
         listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
         inter.broker.listener.name=PLAINTEXT\n\
         advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n\
         num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n\
         log.dirs=/var/a, /var/b\nnum.partitions=1\nlog.retention.hours=168\n",
    );
    assert!(config.quorum_voters.is_empty(), "it finds that it is the bootstrap server itself");
    assert_eq!(config.controller_address.to_string(), "localhost:9093");
    assert_eq!(config.log_dirs, [PathBuf::from("/var/a"), PathBuf::from("/var/b")]);
    assert_eq!(config.advertised_listeners.len(), 1);
    assert_eq!(config.listeners[1].security_protocol, SecurityProtocol::Plaintext);
}

/// A broker and a controller of Kafka's own compose files.
#[test]
fn isolated_roles_resolve() {
    let broker = env(&[
        ("KAFKA_NODE_ID", "4"),
        ("KAFKA_PROCESS_ROLES", "broker"),
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
        ),
        ("KAFKA_LISTENERS", "PLAINTEXT://:19092,PLAINTEXT_HOST://:9092"),
        (
            "KAFKA_ADVERTISED_LISTENERS",
            "PLAINTEXT://kafka-1:19092,PLAINTEXT_HOST://localhost:29092",
        ),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "PLAINTEXT"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        (
            "KAFKA_CONTROLLER_QUORUM_VOTERS",
            "1@controller-1:9093,2@controller-2:9093,3@controller-3:9093",
        ),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
    ]);
    let (config, notices) = NodeConfig::resolve(&broker).expect("a broker");
    assert!(!config.roles.controller);
    assert_eq!(config.broker_listeners().count(), 2);
    assert_eq!(config.controller_listeners().count(), 0);
    assert_eq!(config.advertised_listeners[0].host, "kafka-1");
    assert_eq!(config.controller_endpoints().len(), 3);
    assert_eq!(config.cluster_id.as_deref(), Some("4L6g3nShT-eMCtK--X86sw"));
    assert_eq!(config.group_initial_rebalance_delay_ms, 0);
    assert!(!notices.iter().any(|n| n.text.contains("without effect")));

    let controller = env(&[
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_PROCESS_ROLES", "controller"),
        ("KAFKA_LISTENERS", "CONTROLLER://:9093"),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "PLAINTEXT"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@controller-1:9093,2@controller-2:9093"),
    ]);
    let (config, _) = NodeConfig::resolve(&controller).expect("a controller");
    assert!(!config.roles.broker);
    assert_eq!(config.controller_listeners().count(), 1);
    assert!(config.advertised_listeners.is_empty());
}

#[test]
fn addresses_in_every_form() {
    let config = node(
        "node.id=2\nlisteners=A://[::1]:9092,b://:0,CONTROLLER://host.example:9193\n\
         listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\n\
         controller.quorum.voters=1@[fe80::1]:9193,2@host.example:9193",
    );
    assert_eq!(config.listeners[0].host, "::1");
    assert_eq!((config.listeners[1].name.as_str(), config.listeners[1].port), ("B", 0));
    assert_eq!(config.quorum_voters[0].to_string(), "1@[fe80::1]:9193");
    let server = HostPort { host: "::1".to_owned(), port: 1 };
    assert_eq!(server.to_string(), "[::1]:1");
}

#[test]
fn errors_name_the_key() {
    for (text, expected) in [
        (
            "num.partitions=abc",
            "Invalid value abc for configuration num.partitions: Not a number of type INT",
        ),
        (
            "num.partitions=0",
            "Invalid value 0 for configuration num.partitions: Value must be at least 1",
        ),
        (
            "auto.create.topics.enable=ja",
            "Invalid value ja for configuration auto.create.topics.enable: Expected value to be either true or false",
        ),
        (
            "process.roles=brocker",
            "Invalid value brocker for configuration process.roles: String must be one of: broker, controller",
        ),
        (
            "listeners=PLAINTEXT://0.0.0.0:9092",
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0, which clients cannot connect to; set advertised.listeners=PLAINTEXT://HOST:9092 with a host name that clients can reach",
        ),
        ("listeners=PLAINTEXT", "listeners: 'PLAINTEXT': it must have the form NAME://host:port"),
        ("listeners=PLAINTEXT://x", "listeners: 'PLAINTEXT://x': the port is missing"),
        (
            "listeners=PLAINTEXT://::1:9092",
            "listeners: 'PLAINTEXT://::1:9092': an IPv6 address must stand in brackets: [::1]:9092",
        ),
        (
            "listeners=X://:9092",
            "No security protocol defined for listener X; add X:PLAINTEXT to listener.security.protocol.map",
        ),
        (
            "listeners=SSL://:9092",
            "the listener SSL is to use SSL, but Ottla serves only PLAINTEXT yet",
        ),
        (
            "listeners=PLAINTEXT://:9092,CONTROLLER://:9092",
            "listeners: PLAINTEXT and CONTROLLER have the same port 9092; each listener needs its own",
        ),
        (
            "node.id=1\nbroker.id=2",
            "node.id is 1 but broker.id is 2; they must agree, or broker.id be removed",
        ),
        (
            "controller.quorum.voters=1@a:1,2@b:2",
            "node.id is missing: each node of a cluster needs its own number",
        ),
        (
            "node.id=3\ncontroller.quorum.voters=1@a:1,2@b:2",
            "process.roles contains controller, so node.id 3 must be among the ids of controller.quorum.voters (1,2)",
        ),
        (
            "node.id=1\nprocess.roles=broker\ncontroller.quorum.voters=1@a:1",
            "process.roles is only broker, so node.id 1 must not be among the ids of controller.quorum.voters (1)",
        ),
        (
            "process.roles=broker",
            "controller.quorum.voters is missing: a node that is only a broker must be told where the controllers are (id@host:port,…)",
        ),
        ("controller.quorum.voters=1@a", "controller.quorum.voters: '1@a': the port is missing"),
        (
            "controller.quorum.voters=a:1",
            "controller.quorum.voters: 'a:1': it must have the form id@host:port",
        ),
        (
            "broker.session.timeout.ms=100",
            "broker.heartbeat.interval.ms (100) must be less than or equal to broker.session.timeout.ms / 2 (50)",
        ),
        (
            "inter.broker.listener.name=NONE",
            "inter.broker.listener.name is NONE, which is not a brokers' listener; listeners has PLAINTEXT",
        ),
        (
            "advertised.listeners=NONE://x:1\nlistener.security.protocol.map=NONE:PLAINTEXT",
            "advertised.listeners names NONE, which is not in listeners",
        ),
        (
            "zookeeper.connect=zoo:2181",
            "zookeeper.connect was removed in Kafka 4.0: there is no ZooKeeper; controllers are named in controller.quorum.voters",
        ),
        (
            "authorizer.class.name=a.B",
            "Invalid value a.B for configuration authorizer.class.name: Ottla does not check ACLs yet; remove the key to run without authorization",
        ),
        (
            "cluster.id=not an id",
            "cluster.id: 'not an id' is no id; 22 characters of URL-safe base64 are expected",
        ),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn notices_help() {
    let said = notices(
        "num.partitons=3\nretention.ms=5\ninter.broker.protocol.version=3.9\nnum.io.threads=4\nflurb=1\n\
         zookeeper.connect=zoo:2181\ncontroller.quorum.voters=1@localhost:9093",
    );
    for expected in [
        "num.partitons is no known key and has no effect; did you mean num.partitions?",
        "retention.ms is a topic's setting and has no effect here; a node's default is log.retention.ms",
        "inter.broker.protocol.version was removed in Kafka 4.0: brokers agree by themselves",
        "accepted without effect: num.io.threads",
        "flurb is no known key and has no effect\n",
        "zookeeper.connect was removed in Kafka 4.0",
        "node.id is not set: using 1",
        "advertised.listeners is not set: clients are told to connect to PLAINTEXT://localhost:9092",
    ] {
        assert!(said.contains(expected), "{expected}\n--\n{said}");
    }
}

#[test]
fn what_was_set_is_kept_for_describing() {
    let config = node("node.id=1\nlog.retention.ms = 5 \nno.such=1");
    let kept: Vec<_> = config.static_values.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(kept, [("log.retention.ms", "5"), ("no.such", "1"), ("node.id", "1")]);
}

#[test]
fn a_broker_may_know_only_bootstrap_servers() {
    let config =
        node("node.id=4\nprocess.roles=broker\ncontroller.quorum.bootstrap.servers=a:1,[::1]:2");
    assert!(config.quorum_voters.is_empty());
    let endpoints: Vec<String> =
        config.controller_endpoints().iter().map(HostPort::to_string).collect();
    assert_eq!(endpoints, ["a:1", "[::1]:2"]);
}
