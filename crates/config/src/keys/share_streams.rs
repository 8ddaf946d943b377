//! Share groups and streams groups. Ottla does not serve them yet; the keys are taken, and are the bounds
//! and defaults of what a group sets for itself.

use super::{Key, Kind};

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::idle(
        "group.share.assignment.interval.ms",
        Kind::Int,
        "The least time between two assignments of a share group.",
    )
    .default("1000")
    .at_least(0)
    .cluster_wide(),
    Key::idle("group.share.assignors", Kind::List, "How share groups assign partitions.")
        .default("simple"),
    Key::idle(
        "group.share.delivery.count.limit",
        Kind::Int,
        "How often a record is delivered before it is given up.",
    )
    .default("5"),
    Key::idle(
        "group.share.heartbeat.interval.ms",
        Kind::Int,
        "How often members of share groups say that they live.",
    )
    .default("5000")
    .at_least(1),
    Key::idle(
        "group.share.max.assignment.interval.ms",
        Kind::Int,
        "The most a share group may set for its assignment interval.",
    )
    .default("15000")
    .at_least(0),
    Key::idle(
        "group.share.max.delivery.count.limit",
        Kind::Int,
        "The most a share group may set for its delivery count.",
    )
    .default("10"),
    Key::idle(
        "group.share.max.heartbeat.interval.ms",
        Kind::Int,
        "The most a share group may set for its heartbeat interval.",
    )
    .default("15000")
    .at_least(1),
    Key::idle(
        "group.share.max.partition.max.record.locks",
        Kind::Int,
        "The most a share group may set for its record locks.",
    )
    .default("4000"),
    Key::idle(
        "group.share.max.record.lock.duration.ms",
        Kind::Int,
        "The most a share group may set for its lock duration.",
    )
    .default("60000"),
    Key::idle(
        "group.share.max.session.timeout.ms",
        Kind::Int,
        "The most a share group may set for its session timeout.",
    )
    .default("60000")
    .at_least(1),
    Key::idle("group.share.max.share.sessions", Kind::Int, "The most share sessions of a broker.")
        .default("2000"),
    Key::idle("group.share.max.size", Kind::Int, "The most members of a share group.")
        .default("200"),
    Key::idle(
        "group.share.min.assignment.interval.ms",
        Kind::Int,
        "The least a share group may set for its assignment interval.",
    )
    .default("0")
    .at_least(0),
    Key::idle(
        "group.share.min.delivery.count.limit",
        Kind::Int,
        "The least a share group may set for its delivery count.",
    )
    .default("2"),
    Key::idle(
        "group.share.min.heartbeat.interval.ms",
        Kind::Int,
        "The least a share group may set for its heartbeat interval.",
    )
    .default("5000")
    .at_least(1),
    Key::idle(
        "group.share.min.partition.max.record.locks",
        Kind::Int,
        "The least a share group may set for its record locks.",
    )
    .default("100"),
    Key::idle(
        "group.share.min.record.lock.duration.ms",
        Kind::Int,
        "The least a share group may set for its lock duration.",
    )
    .default("15000"),
    Key::idle(
        "group.share.min.session.timeout.ms",
        Kind::Int,
        "The least a share group may set for its session timeout.",
    )
    .default("45000")
    .at_least(1),
    Key::idle(
        "group.share.partition.max.record.locks",
        Kind::Int,
        "The most records of a partition that are out at once.",
    )
    .default("2000"),
    Key::idle(
        "group.share.record.lock.duration.ms",
        Kind::Int,
        "How long a record stays with the member that fetched it.",
    )
    .default("30000"),
    Key::idle(
        "group.share.session.timeout.ms",
        Kind::Int,
        "After how long a silent member leaves its share group.",
    )
    .default("45000")
    .at_least(1),
    Key::idle(
        "group.streams.assignment.interval.ms",
        Kind::Int,
        "The least time between two assignments of a streams group.",
    )
    .default("1000")
    .at_least(0)
    .cluster_wide(),
    Key::idle(
        "group.streams.heartbeat.interval.ms",
        Kind::Int,
        "How often members of streams groups say that they live.",
    )
    .default("5000")
    .at_least(1),
    Key::idle(
        "group.streams.initial.rebalance.delay.ms",
        Kind::Int,
        "How long a new streams group waits for more members.",
    )
    .default("3000")
    .at_least(0),
    Key::idle(
        "group.streams.max.assignment.interval.ms",
        Kind::Int,
        "The most a streams group may set for its assignment interval.",
    )
    .default("15000")
    .at_least(0),
    Key::idle(
        "group.streams.max.heartbeat.interval.ms",
        Kind::Int,
        "The most a streams group may set for its heartbeat interval.",
    )
    .default("15000"),
    Key::idle(
        "group.streams.max.session.timeout.ms",
        Kind::Int,
        "The most a streams group may set for its session timeout.",
    )
    .default("60000"),
    Key::idle("group.streams.max.size", Kind::Int, "The most members of a streams group.")
        .default("2147483647"),
    Key::idle(
        "group.streams.max.standby.replicas",
        Kind::Int,
        "The most standby replicas a streams group may have.",
    )
    .default("2")
    .at_least(0),
    Key::idle(
        "group.streams.min.assignment.interval.ms",
        Kind::Int,
        "The least a streams group may set for its assignment interval.",
    )
    .default("0")
    .at_least(0),
    Key::idle(
        "group.streams.min.heartbeat.interval.ms",
        Kind::Int,
        "The least a streams group may set for its heartbeat interval.",
    )
    .default("5000"),
    Key::idle(
        "group.streams.min.session.timeout.ms",
        Kind::Int,
        "The least a streams group may set for its session timeout.",
    )
    .default("45000"),
    Key::idle(
        "group.streams.num.standby.replicas",
        Kind::Int,
        "How many standby replicas each task of a streams group has.",
    )
    .default("0")
    .at_least(0),
    Key::idle(
        "group.streams.session.timeout.ms",
        Kind::Int,
        "After how long a silent member leaves its streams group.",
    )
    .default("45000")
    .at_least(1),
    Key::idle(
        "share.coordinator.append.linger.ms",
        Kind::Int,
        "How long writes of share groups' state are gathered; -1: as fits.",
    )
    .default("-1"),
    Key::idle(
        "share.coordinator.cached.buffer.max.bytes",
        Kind::Int,
        "The largest buffer kept for writes of share groups' state.",
    )
    .default("1048588")
    .cluster_wide(),
    Key::idle(
        "share.coordinator.load.buffer.size",
        Kind::Int,
        "How much of share groups' state is read at once.",
    )
    .default("5242880"),
    Key::idle(
        "share.coordinator.snapshot.update.records.per.snapshot",
        Kind::Int,
        "Updates of a share partition between snapshots.",
    )
    .default("500"),
    Key::idle(
        "share.coordinator.state.topic.compression.codec",
        Kind::Int,
        "The codec of the share groups' topic.",
    )
    .default("0"),
    Key::idle(
        "share.coordinator.state.topic.segment.bytes",
        Kind::Int,
        "The segment size of the share groups' topic.",
    )
    .default("104857600"),
    Key::idle(
        "share.coordinator.threads",
        Kind::Int,
        "Kafka's threads that keep share groups' state.",
    )
    .default("1"),
    Key::idle(
        "share.coordinator.write.timeout.ms",
        Kind::Int,
        "How long a write of share groups' state may take.",
    )
    .default("5000"),
    Key::idle(
        "share.fetch.purgatory.purge.interval.requests",
        Kind::Int,
        "How often Kafka sweeps waiting share fetches.",
    )
    .default("1000"),
];
