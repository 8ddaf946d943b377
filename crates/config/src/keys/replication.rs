//! Replication, failover and the life of a broker.

use super::{Key, Kind};

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::node(
        "auto.leader.rebalance.enable",
        Kind::Boolean,
        "Whether leadership goes back to the preferred replicas by itself.",
    )
    .default("true"),
    Key::node(
        "broker.heartbeat.interval.ms",
        Kind::Int,
        "How often a broker says that it lives, in milliseconds.",
    )
    .default("100")
    .kafkas("2000")
    .at_least(1),
    Key::node(
        "broker.session.timeout.ms",
        Kind::Int,
        "After how many milliseconds of silence a broker is fenced. A broker \
         whose process is gone is fenced at once.",
    )
    .default("1500")
    .kafkas("9000")
    .at_least(1),
    Key::node(
        "controlled.shutdown.enable",
        Kind::Boolean,
        "Whether a broker hands its leadership over before it stops.",
    )
    .default("true"),
    Key::node(
        "default.replication.factor",
        Kind::Short,
        "How many replicas a topic's partitions have if nobody says. Where nobody \
         sets it: as many as there are live brokers, at most 3.",
    )
    .kafkas("1")
    .at_least(1),
    Key::node(
        "follower.replication.throttled.rate",
        Kind::Long,
        "How fast throttled replicas follow, in bytes per second.",
    )
    .at_least(0)
    .cluster_wide()
    .hidden(),
    Key::node(
        "initial.broker.registration.timeout.ms",
        Kind::Int,
        "How long a starting broker tries to register before it gives up, in \
         milliseconds.",
    )
    .default("60000")
    .at_least(0)
    .without_effect(),
    Key::node(
        "leader.imbalance.check.interval.seconds",
        Kind::Long,
        "How often partitions are looked for that their preferred replica does \
         not lead. A broker gets leadership back once it has been unfenced for 15 s: \
         its clients have reconnected by then.",
    )
    .default("5")
    .kafkas("300")
    .at_least(1),
    Key::node(
        "leader.imbalance.per.broker.percentage",
        Kind::Int,
        "Kafka's share of a broker's partitions that may be led elsewhere; Ottla \
         moves any back.",
    )
    .default("10")
    .without_effect(),
    Key::node(
        "leader.replication.throttled.rate",
        Kind::Long,
        "How fast throttled replicas are sent, in bytes per second.",
    )
    .at_least(0)
    .cluster_wide()
    .hidden(),
    Key::node(
        "num.replica.fetchers",
        Kind::Int,
        "Kafka's fetcher threads per leader; Ottla keeps one stream.",
    )
    .default("1")
    .at_least(1)
    .cluster_wide()
    .without_effect(),
    Key::node(
        "replica.alter.log.dirs.io.max.bytes.per.second",
        Kind::Long,
        "How fast replicas move between directories of a broker, in bytes per second.",
    )
    .at_least(0)
    .cluster_wide()
    .hidden(),
    Key::node(
        "replica.fetch.backoff.ms",
        Kind::Int,
        "How long a follower waits after a failure, in milliseconds.",
    )
    .default("1000")
    .at_least(0)
    .without_effect(),
    Key::node(
        "replica.fetch.max.bytes",
        Kind::Int,
        "The most bytes of one partition that are on their way to a follower.",
    )
    .default("1048576")
    .at_least(0)
    .without_effect(),
    Key::node(
        "replica.fetch.min.bytes",
        Kind::Int,
        "Kafka's least bytes of a replica fetch; Ottla's leaders send at once.",
    )
    .default("1")
    .without_effect(),
    Key::node(
        "replica.fetch.response.max.bytes",
        Kind::Int,
        "Kafka's most bytes of a replica fetch over all partitions.",
    )
    .default("10485760")
    .at_least(0)
    .without_effect(),
    Key::node(
        "replica.fetch.wait.max.ms",
        Kind::Int,
        "Kafka's longest wait of a replica fetch; Ottla's leaders send at once.",
    )
    .default("500")
    .without_effect(),
    Key::node(
        "replica.high.watermark.checkpoint.interval.ms",
        Kind::Long,
        "How often high watermarks are written to disk, in milliseconds.",
    )
    .default("5000")
    .at_least(1),
    Key::node(
        "replica.lag.time.max.ms",
        Kind::Long,
        "After how many milliseconds behind the leader's end a follower leaves \
         the in-sync replicas.",
    )
    .default("30000")
    .at_least(1),
    Key::node(
        "replica.socket.receive.buffer.bytes",
        Kind::Int,
        "Kafka's socket buffer of replica fetches.",
    )
    .default("65536")
    .without_effect(),
    Key::node("replica.socket.timeout.ms", Kind::Int, "Kafka's timeout of replica fetches.")
        .default("30000")
        .without_effect(),
    Key::node(
        "unclean.leader.election.interval.ms",
        Kind::Long,
        "Kafka's pause between looks for unclean elections.",
    )
    .default("300000")
    .without_effect(),
];
