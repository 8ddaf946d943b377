//! What a topic can be told.

use super::{Bounds, Key, Kind};

const MAX: &str = "9223372036854775807";

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::topic(
        "cleanup.policy",
        Kind::List,
        &["log.cleanup.policy"],
        "What happens to old records: `delete` removes segments beyond the \
         retention, `compact` keeps the latest record of each key; both may stand \
         together, and an empty list keeps everything for ever.",
    )
    .default("delete")
    .bounds(Bounds::EachOf(&["compact", "delete"])),
    Key::both(
        "compression.gzip.level",
        Kind::Int,
        "The gzip level if `compression.type` is `gzip`: 1 to 9, or -1 for the \
         codec's default.",
    )
    .default("-1")
    .bounds(Bounds::Level(-1, 1, 9))
    .without_effect(),
    Key::both("compression.lz4.level", Kind::Int, "The LZ4 level if `compression.type` is `lz4`.")
        .default("9")
        .between(1, 17)
        .without_effect(),
    Key::both(
        "compression.type",
        Kind::Text,
        "The codec on disk. `producer` keeps what the producer chose, and is what \
         Ottla always does.",
    )
    .default("producer")
    .one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
    .without_effect(),
    Key::both(
        "compression.zstd.level",
        Kind::Int,
        "The zstd level if `compression.type` is `zstd`.",
    )
    .default("3")
    .between(-131_072, 22)
    .without_effect(),
    Key::topic(
        "delete.retention.ms",
        Kind::Long,
        &["log.cleaner.delete.retention.ms"],
        "How long compaction keeps tombstones and transaction marks, in \
         milliseconds.",
    )
    .default("86400000")
    .at_least(0),
    Key::topic(
        "file.delete.delay.ms",
        Kind::Long,
        &["log.segment.delete.delay.ms"],
        "How long a removed segment's files stay before they are deleted, in \
         milliseconds.",
    )
    .default("60000")
    .at_least(0),
    Key::topic(
        "flush.messages",
        Kind::Long,
        &["log.flush.interval.messages"],
        "How many records may be written before they are flushed to the medium. \
         1: an acks=all answer means that the record is flushed on every in-sync \
         replica, so a power cut of all nodes loses nothing acknowledged. \
         9223372036854775807 is Kafka's choice: acknowledged from the page caches \
         of the in-sync replicas. acks=1 and acks=0 never wait for a flush.",
    )
    .default("1")
    .kafkas(MAX)
    .at_least(1),
    Key::topic(
        "flush.ms",
        Kind::Long,
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "After how many milliseconds written records are flushed at the latest.",
    )
    .default(MAX)
    .at_least(0),
    Key::topic(
        "follower.replication.throttled.replicas",
        Kind::List,
        &[],
        "Replicas whose following is throttled: `*` or `partition:broker` pairs.",
    )
    .default("")
    .bounds(Bounds::ThrottledReplicas),
    Key::topic(
        "index.interval.bytes",
        Kind::Int,
        &["log.index.interval.bytes"],
        "How many bytes of records lie between two entries of the offset index.",
    )
    .default("4096")
    .at_least(0),
    Key::topic(
        "leader.replication.throttled.replicas",
        Kind::List,
        &[],
        "Replicas whose leading is throttled: `*` or `partition:broker` pairs.",
    )
    .default("")
    .bounds(Bounds::ThrottledReplicas),
    Key::topic(
        "local.retention.bytes",
        Kind::Long,
        &["log.local.retention.bytes"],
        "The local part of a tiered topic's `retention.bytes`; -2 means all of \
         it.",
    )
    .default("-2")
    .at_least(-2)
    .without_effect(),
    Key::topic(
        "local.retention.ms",
        Kind::Long,
        &["log.local.retention.ms"],
        "The local part of a tiered topic's `retention.ms`; -2 means all of it.",
    )
    .default("-2")
    .at_least(-2)
    .without_effect(),
    Key::topic(
        "max.compaction.lag.ms",
        Kind::Long,
        &["log.cleaner.max.compaction.lag.ms"],
        "How long a record may stay uncompacted, in milliseconds.",
    )
    .default(MAX)
    .at_least(1),
    Key::topic(
        "max.message.bytes",
        Kind::Int,
        &["message.max.bytes"],
        "The largest record batch accepted, after compression, in bytes.",
    )
    .default("1048588")
    .at_least(0),
    Key::topic(
        "message.timestamp.after.max.ms",
        Kind::Long,
        &["log.message.timestamp.after.max.ms"],
        "How far a record's timestamp may lie ahead of the broker's clock, in \
         milliseconds; beyond it the batch is refused.",
    )
    .default("3600000")
    .at_least(0),
    Key::topic(
        "message.timestamp.before.max.ms",
        Kind::Long,
        &["log.message.timestamp.before.max.ms"],
        "How far a record's timestamp may lie behind the broker's clock, in \
         milliseconds; beyond it the batch is refused.",
    )
    .default(MAX)
    .at_least(0),
    Key::topic(
        "message.timestamp.type",
        Kind::Text,
        &["log.message.timestamp.type"],
        "Whose timestamps records carry: the producer's (`CreateTime`) or the \
         leader's at the append (`LogAppendTime`).",
    )
    .default("CreateTime")
    .one_of(&["CreateTime", "LogAppendTime"]),
    Key::topic(
        "min.cleanable.dirty.ratio",
        Kind::Double,
        &["log.cleaner.min.cleanable.ratio"],
        "From which share of uncompacted bytes on a log is compacted.",
    )
    .default("0.5")
    .bounds(Bounds::Fraction(0.0, 1.0)),
    Key::topic(
        "min.compaction.lag.ms",
        Kind::Long,
        &["log.cleaner.min.compaction.lag.ms"],
        "How long a record stays uncompacted at least, in milliseconds.",
    )
    .default("0")
    .at_least(0),
    Key::both(
        "min.insync.replicas",
        Kind::Int,
        "How many replicas must be in sync for an acks=all append to be accepted. \
         Where nobody sets it: the majority of the replicas from a replication \
         factor of 3 on, else 1.",
    )
    .kafkas("1")
    .at_least(1),
    Key::topic(
        "preallocate",
        Kind::Boolean,
        &["log.preallocate"],
        "Whether a new segment's file gets its full size at once.",
    )
    .default("false")
    .without_effect(),
    Key::topic(
        "remote.log.copy.disable",
        Kind::Boolean,
        &[],
        "Whether a tiered topic stops copying segments to remote storage.",
    )
    .default("false")
    .without_effect(),
    Key::topic(
        "remote.log.delete.on.disable",
        Kind::Boolean,
        &[],
        "Whether remote segments are deleted when tiered storage is disabled.",
    )
    .default("false")
    .without_effect(),
    Key::topic(
        "remote.storage.enable",
        Kind::Boolean,
        &[],
        "Whether the topic uses tiered storage, which Ottla does not have.",
    )
    .default("false")
    .bounds(Bounds::NotEnabled(
        "Tiered Storage functionality is disabled in the broker. Topic cannot be \
         configured with remote log storage.",
    ))
    .without_effect(),
    Key::topic(
        "retention.bytes",
        Kind::Long,
        &["log.retention.bytes"],
        "How large each partition's log may grow before old segments are deleted, \
         in bytes; -1 means without limit.",
    )
    .default("-1")
    .at_least(-1),
    Key::topic(
        "retention.ms",
        Kind::Long,
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        "After how many milliseconds old segments are deleted; -1 means never.",
    )
    .default("604800000")
    .at_least(-1),
    Key::topic(
        "segment.bytes",
        Kind::Int,
        &["log.segment.bytes"],
        "At which size a new segment begins, in bytes.",
    )
    .default("1073741824")
    .at_least(1_048_576),
    Key::topic(
        "segment.index.bytes",
        Kind::Int,
        &["log.index.size.max.bytes"],
        "How large a segment's indexes may grow, in bytes.",
    )
    .default("10485760")
    .at_least(4),
    Key::topic(
        "segment.jitter.ms",
        Kind::Long,
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "How much earlier than `segment.ms` a segment may end, drawn at random, \
         in milliseconds.",
    )
    .default("0")
    .at_least(0)
    .without_effect(),
    Key::topic(
        "segment.ms",
        Kind::Long,
        &["log.roll.ms", "log.roll.hours"],
        "After how many milliseconds a new segment begins even if the old one is \
         not full.",
    )
    .default("604800000")
    .at_least(1),
    Key::both(
        "unclean.leader.election.enable",
        Kind::Boolean,
        "Whether a replica that is not in sync may become leader when no other is \
         left. Acknowledged records can be lost then.",
    )
    .default("false"),
];
