//! Consumer groups, share groups and transactions. Ottla does not serve them yet: files and tutorials
//! name these keys all the same, so they are taken, and their lack of effect is said at start.

use super::{Key, Kind};

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::node(
        "group.consumer.heartbeat.interval.ms",
        Kind::Int,
        "How often members of consumer groups say that they live.",
    )
    .default("5000")
    .at_least(1)
    .without_effect(),
    Key::node(
        "group.consumer.session.timeout.ms",
        Kind::Int,
        "After how long a silent member leaves its consumer group.",
    )
    .default("45000")
    .at_least(1)
    .without_effect(),
    Key::node(
        "group.coordinator.rebalance.protocols",
        Kind::List,
        "Which group protocols are served.",
    )
    .default("classic,consumer,streams")
    .without_effect(),
    Key::node("group.coordinator.threads", Kind::Int, "Kafka's coordinator threads.")
        .default("4")
        .at_least(1)
        .without_effect(),
    Key::node(
        "group.initial.rebalance.delay.ms",
        Kind::Int,
        "How long a new classic group waits for more members.",
    )
    .default("3000")
    .without_effect(),
    Key::node(
        "group.max.session.timeout.ms",
        Kind::Int,
        "The longest session timeout of classic members.",
    )
    .default("1800000")
    .without_effect(),
    Key::node("group.max.size", Kind::Int, "The most members of a classic group.")
        .default("2147483647")
        .at_least(1)
        .without_effect(),
    Key::node(
        "group.min.session.timeout.ms",
        Kind::Int,
        "The shortest session timeout of classic members.",
    )
    .default("6000")
    .without_effect(),
    Key::node(
        "offset.metadata.max.bytes",
        Kind::Int,
        "The longest metadata of a committed offset.",
    )
    .default("4096")
    .without_effect(),
    Key::node(
        "offsets.retention.check.interval.ms",
        Kind::Long,
        "How often old committed offsets are looked for.",
    )
    .default("600000")
    .at_least(1)
    .without_effect(),
    Key::node(
        "offsets.retention.minutes",
        Kind::Int,
        "How long committed offsets of an empty group are kept.",
    )
    .default("10080")
    .at_least(1)
    .without_effect(),
    Key::node(
        "offsets.topic.compression.codec",
        Kind::Int,
        "The codec of the topic of committed offsets.",
    )
    .default("0")
    .without_effect(),
    Key::node(
        "offsets.topic.num.partitions",
        Kind::Int,
        "How many partitions the topic of committed offsets has.",
    )
    .default("50")
    .at_least(1)
    .without_effect(),
    Key::node(
        "offsets.topic.replication.factor",
        Kind::Short,
        "How many replicas the topic of committed offsets has.",
    )
    .default("3")
    .at_least(1)
    .without_effect(),
    Key::node(
        "offsets.topic.segment.bytes",
        Kind::Int,
        "The segment size of the topic of committed offsets.",
    )
    .default("104857600")
    .at_least(1)
    .without_effect(),
    Key::node(
        "share.coordinator.state.topic.min.isr",
        Kind::Short,
        "The least in-sync replicas of the share groups' topic.",
    )
    .default("2")
    .at_least(1)
    .without_effect(),
    Key::node(
        "share.coordinator.state.topic.num.partitions",
        Kind::Int,
        "How many partitions the share groups' topic has.",
    )
    .default("50")
    .at_least(1)
    .without_effect(),
    Key::node(
        "share.coordinator.state.topic.replication.factor",
        Kind::Short,
        "How many replicas the share groups' topic has.",
    )
    .default("3")
    .at_least(1)
    .without_effect(),
    Key::node(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        Kind::Int,
        "How often transactions that ran too long are looked for.",
    )
    .default("10000")
    .at_least(1)
    .without_effect(),
    Key::node(
        "transaction.max.timeout.ms",
        Kind::Int,
        "The longest timeout that a transaction may ask for.",
    )
    .default("900000")
    .at_least(1)
    .without_effect(),
    Key::node(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        Kind::Int,
        "How often forgotten transactional ids are looked for.",
    )
    .default("3600000")
    .at_least(1)
    .without_effect(),
    Key::node(
        "transaction.state.log.min.isr",
        Kind::Int,
        "The least in-sync replicas of the transactions' topic.",
    )
    .default("2")
    .at_least(1)
    .without_effect(),
    Key::node(
        "transaction.state.log.num.partitions",
        Kind::Int,
        "How many partitions the transactions' topic has.",
    )
    .default("50")
    .at_least(1)
    .without_effect(),
    Key::node(
        "transaction.state.log.replication.factor",
        Kind::Short,
        "How many replicas the transactions' topic has.",
    )
    .default("3")
    .at_least(1)
    .without_effect(),
    Key::node(
        "transaction.state.log.segment.bytes",
        Kind::Int,
        "The segment size of the transactions' topic.",
    )
    .default("104857600")
    .at_least(1)
    .without_effect(),
    Key::node(
        "transactional.id.expiration.ms",
        Kind::Int,
        "After how long an unused transactional id is forgotten.",
    )
    .default("604800000")
    .at_least(1)
    .without_effect(),
];
