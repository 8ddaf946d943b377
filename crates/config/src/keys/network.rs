//! Connections and requests.

use super::{Bounds, Key, Kind};

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::node(
        "connection.failed.authentication.delay.ms",
        Kind::Int,
        "How long a connection stays open after a failed login, in milliseconds.",
    )
    .default("100")
    .at_least(0)
    .without_effect(),
    Key::node(
        "connections.max.idle.ms",
        Kind::Long,
        "After how many milliseconds without a request a connection is closed; \
         negative means never.",
    )
    .default("600000"),
    Key::node(
        "controller.quota.window.num",
        Kind::Int,
        "For how many windows permits for changes of topics (`controller_mutation_rate`) are kept.",
    )
    .default("11")
    .at_least(1),
    Key::node(
        "controller.quota.window.size.seconds",
        Kind::Int,
        "The length of such a window, in seconds.",
    )
    .default("1")
    .at_least(1),
    Key::node("fetch.max.bytes", Kind::Int, "The most bytes of records in one Fetch response.")
        .default("57671680")
        .at_least(1024),
    Key::node(
        "log.dir.failure.timeout.ms",
        Kind::Long,
        "How long a broker tries to report a failed log directory, in \
         milliseconds.",
    )
    .default("30000")
    .at_least(1)
    .without_effect(),
    Key::node("max.connection.creation.rate", Kind::Int, "The most new connections a second.")
        .default("2147483647")
        .at_least(0)
        .cluster_wide(),
    Key::node("max.connections", Kind::Int, "The most connections of the node.")
        .default("2147483647")
        .at_least(0)
        .cluster_wide(),
    Key::node("max.connections.per.ip", Kind::Int, "The most connections from one address.")
        .default("2147483647")
        .at_least(0)
        .cluster_wide(),
    Key::node(
        "max.connections.per.ip.overrides",
        Kind::Text,
        "Other limits for single addresses: `address:count` between commas.",
    )
    .default("")
    .bounds(Bounds::CountsByAddress)
    .cluster_wide(),
    Key::node(
        "max.incremental.fetch.session.cache.slots",
        Kind::Int,
        "The most incremental fetch sessions.",
    )
    .default("1000")
    .at_least(0),
    Key::node(
        "max.request.partition.size.limit",
        Kind::Int,
        "The most partitions in one answer to DescribeTopicPartitions.",
    )
    .default("2000")
    .at_least(1),
    Key::node(
        "num.io.threads",
        Kind::Int,
        "Kafka's request threads; Ottla uses one thread per core.",
    )
    .default("8")
    .at_least(1)
    .cluster_wide()
    .without_effect(),
    Key::node(
        "num.network.threads",
        Kind::Int,
        "Kafka's network threads; Ottla uses one thread per core.",
    )
    .default("3")
    .at_least(1)
    .cluster_wide()
    .without_effect(),
    Key::node("queued.max.request.bytes", Kind::Long, "Kafka's bound on queued request bytes.")
        .default("-1")
        .without_effect(),
    Key::node("queued.max.requests", Kind::Int, "Kafka's bound on queued requests.")
        .default("500")
        .at_least(1)
        .without_effect(),
    Key::node(
        "quota.window.num",
        Kind::Int,
        "For how many windows, the current one apart, what a client quota allows is kept unused.",
    )
    .default("11")
    .at_least(1),
    Key::node("quota.window.size.seconds", Kind::Int, "The length of such a window, in seconds.")
        .default("1")
        .at_least(1),
    Key::node("request.timeout.ms", Kind::Int, "Kafka's timeout of its own requests.")
        .default("30000")
        .without_effect(),
    Key::node(
        "socket.connection.setup.timeout.max.ms",
        Kind::Long,
        "Kafka's longest wait for a connection of its own.",
    )
    .default("30000")
    .without_effect(),
    Key::node(
        "socket.connection.setup.timeout.ms",
        Kind::Long,
        "Kafka's first wait for a connection of its own.",
    )
    .default("10000")
    .without_effect(),
    Key::node(
        "socket.listen.backlog.size",
        Kind::Int,
        "How many connections may wait to be accepted.",
    )
    .default("50")
    .at_least(1)
    .without_effect(),
    Key::node(
        "socket.receive.buffer.bytes",
        Kind::Int,
        "The sockets' receive buffers; Ottla leaves them to the system.",
    )
    .default("102400")
    .without_effect(),
    Key::node(
        "socket.request.max.bytes",
        Kind::Int,
        "The largest request, in bytes; a connection that announces a larger one \
         is closed.",
    )
    .default("104857600")
    .at_least(1),
    Key::node(
        "socket.send.buffer.bytes",
        Kind::Int,
        "The sockets' send buffers; Ottla leaves them to the system.",
    )
    .default("102400")
    .without_effect(),
];
