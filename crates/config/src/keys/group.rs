//! What a group, and what a subscription of clients' metrics, can be told.

use super::{Bounds, Key, Kind};

/// The settings of groups, sorted by name.
pub(super) const GROUPS: &[Key] = &[
    Key::group(
        "consumer.assignment.interval.ms",
        &["group.consumer.assignment.interval.ms"],
        "The least time between two assignments of a consumer group, in milliseconds.",
    )
    .default("1000")
    .at_least(0),
    Key::group(
        "consumer.heartbeat.interval.ms",
        &["group.consumer.heartbeat.interval.ms"],
        "How often members of a consumer group say that they live, in milliseconds.",
    )
    .default("5000")
    .at_least(1),
    Key::group(
        "consumer.session.timeout.ms",
        &["group.consumer.session.timeout.ms"],
        "After how many milliseconds of silence a member leaves its consumer group.",
    )
    .default("45000")
    .at_least(1),
    Key::group(
        "share.assignment.interval.ms",
        &["group.share.assignment.interval.ms"],
        "The least time between two assignments of a share group, in milliseconds.",
    )
    .default("1000")
    .at_least(0)
    .without_effect(),
    Key::group_text(
        "share.auto.offset.reset",
        "Where a share group begins: `earliest`, `latest` or `by_duration:PnDTnHnMn.nS`.",
    )
    .default("latest")
    .bounds(Bounds::OffsetReset)
    .without_effect(),
    Key::group(
        "share.delivery.count.limit",
        &["group.share.delivery.count.limit"],
        "How often a record is delivered to a share group before it is given up.",
    )
    .default("5")
    .at_least(2)
    .without_effect(),
    Key::group(
        "share.heartbeat.interval.ms",
        &["group.share.heartbeat.interval.ms"],
        "How often members of a share group say that they live, in milliseconds.",
    )
    .default("5000")
    .at_least(1)
    .without_effect(),
    Key::group_text(
        "share.isolation.level",
        "Whether a share group sees records of transactions that are not committed.",
    )
    .default("read_uncommitted")
    .one_of(&["read_committed", "read_uncommitted"])
    .without_effect(),
    Key::group(
        "share.partition.max.record.locks",
        &["group.share.partition.max.record.locks"],
        "The most records of a partition that are out at once.",
    )
    .default("2000")
    .at_least(100)
    .without_effect(),
    Key::group(
        "share.record.lock.duration.ms",
        &["group.share.record.lock.duration.ms"],
        "How long a record stays with the member that fetched it, in milliseconds.",
    )
    .default("30000")
    .at_least(1000)
    .without_effect(),
    Key::group_flag(
        "share.renew.acknowledge.enable",
        "Whether members of a share group may keep a record for longer.",
    )
    .default("true")
    .without_effect(),
    Key::group(
        "share.session.timeout.ms",
        &["group.share.session.timeout.ms"],
        "After how many milliseconds of silence a member leaves its share group.",
    )
    .default("45000")
    .at_least(1)
    .without_effect(),
    Key::group(
        "streams.assignment.interval.ms",
        &["group.streams.assignment.interval.ms"],
        "The least time between two assignments of a streams group, in milliseconds.",
    )
    .default("1000")
    .at_least(0)
    .without_effect(),
    Key::group(
        "streams.heartbeat.interval.ms",
        &["group.streams.heartbeat.interval.ms"],
        "How often members of a streams group say that they live, in milliseconds.",
    )
    .default("5000")
    .at_least(1)
    .without_effect(),
    Key::group(
        "streams.initial.rebalance.delay.ms",
        &["group.streams.initial.rebalance.delay.ms"],
        "How long a new streams group waits for more members, in milliseconds.",
    )
    .default("3000")
    .at_least(0)
    .without_effect(),
    Key::group(
        "streams.num.standby.replicas",
        &["group.streams.num.standby.replicas"],
        "How many standby replicas each task of a streams group has.",
    )
    .default("0")
    .at_least(0)
    .without_effect(),
    Key::group(
        "streams.session.timeout.ms",
        &["group.streams.session.timeout.ms"],
        "After how many milliseconds of silence a member leaves its streams group.",
    )
    .default("45000")
    .at_least(1)
    .without_effect(),
];

/// The settings of subscriptions to clients' metrics (KIP-714), sorted by name.
pub(super) const CLIENT_METRICS: &[Key] = &[
    Key::client_metrics(
        "interval.ms",
        Kind::Int,
        "How often a client sends its metrics, in milliseconds.",
    )
    .default("300000")
    .without_effect(),
    Key::client_metrics(
        "match",
        Kind::List,
        "Which clients are meant: `name=pattern` between commas.",
    )
    .default("")
    .without_effect(),
    Key::client_metrics(
        "metrics",
        Kind::List,
        "Which metrics are wanted: beginnings of their names between commas.",
    )
    .default("")
    .without_effect(),
];
