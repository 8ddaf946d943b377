//! Consumer groups, share groups and transactions. Ottla does not serve the latter two yet: files and
//! tutorials name their keys all the same, so they are taken, and their lack of effect is said at start.

use super::{Bounds, Key, Kind};

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::node("group.consumer.assignment.interval.ms", Kind::Int, "The least time between two assignments of a consumer group.").default("1000").at_least(0).cluster_wide(),
    Key::node("group.consumer.assignor.offload.enable", Kind::Boolean, "Whether consumer groups are assigned on threads of their own.").default("true").without_effect(),
    Key::node("group.consumer.assignors", Kind::List, "The assignors of consumer groups; the first is for members that ask for none.").default("uniform,range").bounds(Bounds::EachOf(&["uniform", "range"])),
    Key::node("group.consumer.heartbeat.interval.ms", Kind::Int, "How often members of consumer groups say that they live.").default("5000").at_least(1),
    Key::node("group.consumer.max.assignment.interval.ms", Kind::Int, "The most that a group may set as `consumer.assignment.interval.ms`.").default("15000").at_least(0),
    Key::node("group.consumer.max.heartbeat.interval.ms", Kind::Int, "The most that a group may set as `consumer.heartbeat.interval.ms`.").default("15000").at_least(1),
    Key::node("group.consumer.max.session.timeout.ms", Kind::Int, "The most that a group may set as `consumer.session.timeout.ms`.").default("60000").at_least(1),
    Key::node("group.consumer.max.size", Kind::Int, "The most members of a consumer group.").default("2147483647").at_least(1),
    Key::node("group.consumer.migration.policy", Kind::Text, "Whether groups with members change from the classic protocol to the consumer protocol (`upgrade`), back (`downgrade`), both (`bidirectional`) or neither (`disabled`).").default("bidirectional").one_of(&["disabled", "downgrade", "upgrade", "bidirectional"]),
    Key::node("group.consumer.min.assignment.interval.ms", Kind::Int, "The least that a group may set as `consumer.assignment.interval.ms`.").default("0").at_least(0),
    Key::node("group.consumer.min.heartbeat.interval.ms", Kind::Int, "The least that a group may set as `consumer.heartbeat.interval.ms`.").default("5000").at_least(1),
    Key::node("group.consumer.min.session.timeout.ms", Kind::Int, "The least that a group may set as `consumer.session.timeout.ms`.").default("45000").at_least(1),
    Key::node("group.consumer.regex.refresh.interval.ms", Kind::Int, "How often the topics of a regular expression are looked up though no topic has come or gone.").default("600000").at_least(10000),
    Key::node("group.consumer.session.timeout.ms", Kind::Int, "After how long a silent member leaves its consumer group.").default("45000").at_least(1),
    Key::node("group.coordinator.append.linger.ms", Kind::Int, "Kafka's wait for more writes; here what comes while a write is replicated leaves together after it.").default("-1").at_least(-1).without_effect(),
    Key::node("group.coordinator.background.threads", Kind::Int, "Kafka's threads for regular expressions and assignments.").default("2").at_least(1).without_effect(),
    Key::node("group.coordinator.cached.buffer.max.bytes", Kind::Int, "Kafka's buffers that are kept.").default("1048588").at_least(524288).without_effect(),
    Key::node("group.coordinator.rebalance.protocols", Kind::List, "Which group protocols are served; both `classic` and `consumer` are.").default("classic,consumer,streams").without_effect(),
    Key::node("group.coordinator.threads", Kind::Int, "Kafka's coordinator threads.").default("4").at_least(1).without_effect(),
    Key::node("group.initial.rebalance.delay.ms", Kind::Int, "How long a classic group that was empty waits for more members.").default("3000"),
    Key::node("group.max.session.timeout.ms", Kind::Int, "The longest session timeout of classic members.").default("1800000"),
    Key::node("group.max.size", Kind::Int, "The most members of a classic group.").default("2147483647").at_least(1),
    Key::node("group.min.session.timeout.ms", Kind::Int, "The shortest session timeout of classic members.").default("6000"),
    Key::node("offset.metadata.max.bytes", Kind::Int, "The longest metadata of a committed offset.").default("4096"),
    Key::node("offsets.commit.timeout.ms", Kind::Int, "How long a write of the groups' coordinator may take until its client is told that it timed out.").default("5000").at_least(1),
    Key::node("offsets.load.buffer.size", Kind::Int, "How much is read at a time while groups are loaded.").default("5242880").at_least(1).without_effect(),
    Key::node("offsets.retention.check.interval.ms", Kind::Long, "How often old committed offsets are looked for.").default("600000").at_least(1),
    Key::node("offsets.retention.minutes", Kind::Int, "How long committed offsets are kept after their group has lost its members, or, of topics that no member subscribes to, after they were committed.").default("10080").at_least(1),
    Key::node("offsets.topic.compression.codec", Kind::Int, "The codec of the topic of committed offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.").default("0").between(0, 4),
    Key::node("offsets.topic.num.partitions", Kind::Int, "How many partitions the topic of committed offsets is created with.").default("50").at_least(1),
    Key::node("offsets.topic.replication.factor", Kind::Short, "How many replicas the topic of committed offsets is created with, but no more than there are live brokers then.").default("3").at_least(1),
    Key::node("offsets.topic.segment.bytes", Kind::Int, "The segment size that the topic of committed offsets is created with.").default("104857600").at_least(1),
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
