//! The logs of a node: where they are, and the defaults of its topics.

use super::{Bounds, Key, Kind, Unit};

const MAX: &str = "9223372036854775807";

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::node(
        "auto.create.topics.enable",
        Kind::Boolean,
        "Whether a topic is created when a client names one that does not exist.",
    )
    .default("true"),
    Key::node("background.threads", Kind::Int, "Kafka's background threads.")
        .default("10")
        .at_least(1)
        .without_effect()
        .cluster_wide(),
    Key::node("delete.topic.enable", Kind::Boolean, "Whether topics can be deleted.")
        .default("true"),
    Key::node(
        "log.cleaner.backoff.ms",
        Kind::Long,
        "How long the cleaner sleeps when there is nothing to compact, in \
         milliseconds.",
    )
    .default("15000")
    .at_least(0)
    .cluster_wide(),
    Key::node("log.cleaner.dedupe.buffer.size", Kind::Long, "Memory for compaction, in bytes.")
        .default("134217728")
        .cluster_wide(),
    Key::node(
        "log.cleaner.delete.retention.ms",
        Kind::Long,
        "The default of `delete.retention.ms`.",
    )
    .default("86400000")
    .at_least(0)
    .cluster_wide(),
    Key::node("log.cleaner.enable", Kind::Boolean, "Whether logs are compacted.").default("true"),
    Key::node(
        "log.cleaner.io.buffer.load.factor",
        Kind::Double,
        "How full the cleaner's buffer may get.",
    )
    .default("0.9")
    .cluster_wide(),
    Key::node("log.cleaner.io.buffer.size", Kind::Int, "The cleaner's buffers, in bytes.")
        .default("524288")
        .at_least(0)
        .cluster_wide(),
    Key::node(
        "log.cleaner.io.max.bytes.per.second",
        Kind::Double,
        "How fast the cleaner may read and write.",
    )
    .default("1.7976931348623157E308")
    .cluster_wide(),
    Key::node(
        "log.cleaner.max.compaction.lag.ms",
        Kind::Long,
        "The default of `max.compaction.lag.ms`.",
    )
    .default(MAX)
    .at_least(1)
    .cluster_wide(),
    Key::node(
        "log.cleaner.min.cleanable.ratio",
        Kind::Double,
        "The default of `min.cleanable.dirty.ratio`.",
    )
    .default("0.5")
    .bounds(Bounds::Fraction(0.0, 1.0))
    .cluster_wide(),
    Key::node(
        "log.cleaner.min.compaction.lag.ms",
        Kind::Long,
        "The default of `min.compaction.lag.ms`.",
    )
    .default("0")
    .at_least(0)
    .cluster_wide(),
    Key::node("log.cleaner.threads", Kind::Int, "How many threads compact.")
        .default("1")
        .at_least(0)
        .cluster_wide(),
    Key::node("log.cleanup.policy", Kind::List, "The default of `cleanup.policy`.")
        .default("delete")
        .bounds(Bounds::EachOf(&["compact", "delete"]))
        .cluster_wide(),
    Key::node("log.dir", Kind::Text, "Where partitions are stored, if `log.dirs` is not set."),
    Key::node(
        "log.dirs",
        Kind::List,
        "Where partitions are stored: directories between commas. Where nobody \
         sets it: `./data/<node.id>`.",
    )
    .kafkas("/tmp/kafka-logs")
    .synonyms(&["log.dir"]),
    Key::node("log.flush.interval.messages", Kind::Long, "The default of `flush.messages`.")
        .default("1")
        .kafkas(MAX)
        .at_least(1)
        .cluster_wide(),
    Key::node("log.flush.interval.ms", Kind::Long, "The default of `flush.ms`.")
        .at_least(0)
        .cluster_wide(),
    Key::node(
        "log.flush.offset.checkpoint.interval.ms",
        Kind::Int,
        "How often the recovery points are written, in milliseconds.",
    )
    .default("60000")
    .at_least(0)
    .without_effect(),
    Key::node(
        "log.flush.scheduler.interval.ms",
        Kind::Long,
        "The default of `flush.ms`, if `log.flush.interval.ms` is not set.",
    )
    .default(MAX),
    Key::node(
        "log.flush.start.offset.checkpoint.interval.ms",
        Kind::Int,
        "How often the log start offsets are written, in milliseconds.",
    )
    .default("60000")
    .at_least(0)
    .without_effect(),
    Key::node("log.index.interval.bytes", Kind::Int, "The default of `index.interval.bytes`.")
        .default("4096")
        .at_least(0)
        .cluster_wide(),
    Key::node("log.index.size.max.bytes", Kind::Int, "The default of `segment.index.bytes`.")
        .default("10485760")
        .at_least(4)
        .cluster_wide(),
    Key::node("log.local.retention.bytes", Kind::Long, "The default of `local.retention.bytes`.")
        .default("-2")
        .at_least(-2)
        .cluster_wide()
        .without_effect(),
    Key::node("log.local.retention.ms", Kind::Long, "The default of `local.retention.ms`.")
        .default("-2")
        .at_least(-2)
        .cluster_wide()
        .without_effect(),
    Key::node(
        "log.message.timestamp.after.max.ms",
        Kind::Long,
        "The default of `message.timestamp.after.max.ms`.",
    )
    .default("3600000")
    .at_least(0)
    .cluster_wide(),
    Key::node(
        "log.message.timestamp.before.max.ms",
        Kind::Long,
        "The default of `message.timestamp.before.max.ms`.",
    )
    .default(MAX)
    .at_least(0)
    .cluster_wide(),
    Key::node("log.message.timestamp.type", Kind::Text, "The default of `message.timestamp.type`.")
        .default("CreateTime")
        .one_of(&["CreateTime", "LogAppendTime"])
        .cluster_wide(),
    Key::node("log.preallocate", Kind::Boolean, "The default of `preallocate`.")
        .default("false")
        .cluster_wide()
        .without_effect(),
    Key::node("log.retention.bytes", Kind::Long, "The default of `retention.bytes`.")
        .default("-1")
        .at_least(-1)
        .cluster_wide(),
    Key::node(
        "log.retention.check.interval.ms",
        Kind::Long,
        "How often old segments are looked for, in milliseconds.",
    )
    .default("300000")
    .at_least(1),
    Key::node(
        "log.retention.hours",
        Kind::Int,
        "The default of `retention.ms` in hours, if neither `log.retention.ms` \
         nor `log.retention.minutes` is set; -1 means never.",
    )
    .default("168")
    .unit(Unit::Hours),
    Key::node(
        "log.retention.minutes",
        Kind::Int,
        "The default of `retention.ms` in minutes, if `log.retention.ms` is not \
         set; -1 means never.",
    )
    .unit(Unit::Minutes),
    Key::node("log.retention.ms", Kind::Long, "The default of `retention.ms`.")
        .at_least(-1)
        .cluster_wide(),
    Key::node(
        "log.roll.hours",
        Kind::Int,
        "The default of `segment.ms` in hours, if `log.roll.ms` is not set.",
    )
    .default("168")
    .at_least(1)
    .unit(Unit::Hours),
    Key::node(
        "log.roll.jitter.hours",
        Kind::Int,
        "The default of `segment.jitter.ms` in hours, if `log.roll.jitter.ms` is \
         not set.",
    )
    .default("0")
    .at_least(0)
    .unit(Unit::Hours)
    .without_effect(),
    Key::node("log.roll.jitter.ms", Kind::Long, "The default of `segment.jitter.ms`.")
        .at_least(0)
        .cluster_wide()
        .without_effect(),
    Key::node("log.roll.ms", Kind::Long, "The default of `segment.ms`.").at_least(1).cluster_wide(),
    Key::node("log.segment.bytes", Kind::Int, "The default of `segment.bytes`.")
        .default("1073741824")
        .at_least(1_048_576)
        .cluster_wide(),
    Key::node("log.segment.delete.delay.ms", Kind::Long, "The default of `file.delete.delay.ms`.")
        .default("60000")
        .at_least(0)
        .cluster_wide(),
    Key::node("message.max.bytes", Kind::Int, "The default of `max.message.bytes`.")
        .default("1048588")
        .at_least(0)
        .cluster_wide(),
    Key::node(
        "metadata.log.dir",
        Kind::Text,
        "Where the controller stores its metadata; the first of `log.dirs` where \
         nobody says.",
    ),
    Key::node("num.partitions", Kind::Int, "How many partitions a topic has if nobody says.")
        .default("1")
        .at_least(1),
    Key::node(
        "num.recovery.threads.per.data.dir",
        Kind::Int,
        "How many threads load and recover the logs of each directory at start.",
    )
    .default("2")
    .at_least(1)
    .cluster_wide(),
    Key::node(
        "producer.id.expiration.ms",
        Kind::Int,
        "After how many milliseconds without a record an idempotent producer is \
         forgotten.",
    )
    .default("86400000")
    .at_least(1)
    .cluster_wide(),
];
