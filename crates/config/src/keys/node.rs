//! Who a node is, where it listens, which quorum it belongs to.

use super::{Bounds, Key, Kind};

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::node(
        "advertised.listeners",
        Kind::List,
        "What clients and other nodes are told to connect to: `NAME://host:port` \
         between commas, for names of `listeners`. Where nobody sets it: \
         `listeners`, with localhost for an empty host.",
    ),
    Key::node("broker.id", Kind::Int, "The old name of `node.id`.").at_least(0),
    Key::node(
        "broker.rack",
        Kind::Text,
        "The rack (or zone) of this broker; replicas are spread over racks.",
    ),
    Key::node(
        "cluster.id",
        Kind::Text,
        "The cluster's id (`CLUSTER_ID` in the environment): 22 characters of \
         URL-safe base64. Where nobody sets it, the first leader of the quorum \
         draws one.",
    ),
    Key::node(
        "controller.listener.names",
        Kind::List,
        "Which of `listeners` serve the controller quorum. Default: CONTROLLER.",
    ),
    Key::node(
        "controller.quorum.append.linger.ms",
        Kind::Int,
        "How long the quorum's leader collects records before it writes them; \
         Ottla writes at once and collects while it flushes.",
    )
    .default("25")
    .at_least(0)
    .without_effect(),
    Key::node(
        "controller.quorum.auto.join.enable",
        Kind::Boolean,
        "Whether a controller joins the quorum by itself.",
    )
    .default("false")
    .without_effect(),
    Key::node(
        "controller.quorum.bootstrap.servers",
        Kind::List,
        "Where the controllers are found, where `controller.quorum.voters` names none: \
         `host:port` between commas. A controller that is not one of them becomes an \
         observer of their quorum; if it is, all of them form a new one.",
    )
    .default(""),
    Key::node(
        "controller.quorum.election.backoff.max.ms",
        Kind::Int,
        "Kafka's longest pause between elections; Ottla draws the timeout anew \
         each time.",
    )
    .default("1000")
    .at_least(0)
    .without_effect(),
    Key::node(
        "controller.quorum.election.timeout.ms",
        Kind::Int,
        "After how many milliseconds of silence from the leader a controller \
         stands for election; each time drawn between this and twice this.",
    )
    .default("300")
    .kafkas("1000")
    .at_least(1),
    Key::node(
        "controller.quorum.fetch.timeout.ms",
        Kind::Int,
        "Kafka's time without a successful fetch until an election; see \
         `controller.quorum.election.timeout.ms`.",
    )
    .default("2000")
    .at_least(0)
    .without_effect(),
    Key::node(
        "controller.quorum.heartbeat.interval.ms",
        Kind::Int,
        "How often the quorum's leader says that it lives, in milliseconds. \
         Ottla's own key: Kafka's followers fetch instead.",
    )
    .default("100")
    .at_least(1),
    Key::node(
        "controller.quorum.request.timeout.ms",
        Kind::Int,
        "How long a request to a controller may take, in milliseconds.",
    )
    .default("2000")
    .at_least(1)
    .without_effect(),
    Key::node(
        "controller.quorum.retry.backoff.ms",
        Kind::Int,
        "Kafka's pause before a request to the quorum is repeated, in \
         milliseconds.",
    )
    .default("20")
    .at_least(0)
    .without_effect(),
    Key::node(
        "controller.quorum.voters",
        Kind::List,
        "The controllers that form the quorum: `id@host:port` between commas, the same \
         on every node. Where nobody sets it: this node alone. Who votes later stands in \
         the quorum's log.",
    )
    .default(""),
    Key::node(
        "inter.broker.listener.name",
        Kind::Text,
        "Which listener brokers use among themselves. Default: the first that is \
         not a controller's.",
    ),
    Key::node(
        "listener.security.protocol.map",
        Kind::Text,
        "How each listener is secured: `NAME:PROTOCOL` between commas. A listener \
         that is named after a protocol needs no entry, nor does a controller's \
         without TLS.",
    )
    .default("PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL")
    .per_broker(),
    Key::node(
        "listeners",
        Kind::List,
        "Where this node listens: `NAME://host:port` between commas; an empty \
         host means every address, IPv6 stands in brackets.",
    )
    .default("PLAINTEXT://:9092")
    .per_broker(),
    Key::node(
        "metadata.log.max.record.bytes.between.snapshots",
        Kind::Long,
        "Kafka's bytes of metadata records between two snapshots; Ottla counts \
         records.",
    )
    .default("20971520")
    .at_least(1)
    .without_effect(),
    Key::node(
        "metadata.log.max.snapshot.interval.ms",
        Kind::Long,
        "Kafka's longest time between two metadata snapshots, in milliseconds.",
    )
    .default("3600000")
    .at_least(0)
    .without_effect(),
    Key::node("metadata.log.segment.bytes", Kind::Int, "Kafka's segment size of the metadata log.")
        .default("1073741824")
        .without_effect(),
    Key::node(
        "metadata.max.idle.interval.ms",
        Kind::Int,
        "Kafka's longest time between two metadata records, in milliseconds.",
    )
    .default("500")
    .at_least(0)
    .without_effect(),
    Key::node("metadata.max.retention.bytes", Kind::Long, "Kafka's size of the metadata log.")
        .default("104857600")
        .without_effect(),
    Key::node("metadata.max.retention.ms", Kind::Long, "Kafka's age of the metadata log.")
        .default("604800000")
        .without_effect(),
    Key::node(
        "node.id",
        Kind::Int,
        "This node's number, unique in the cluster. Default: 1 for a node that is \
         alone.",
    )
    .at_least(0)
    .synonyms(&["broker.id"]),
    Key::node(
        "process.roles",
        Kind::List,
        "What this node does: `broker`, `controller`, or both, which is also the \
         default.",
    )
    .bounds(Bounds::EachOf(&["broker", "controller"])),
    Key::node(
        "security.inter.broker.protocol",
        Kind::Text,
        "The old way to choose the brokers' own listener: the first with this \
         protocol.",
    )
    .default("PLAINTEXT")
    .one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
];
