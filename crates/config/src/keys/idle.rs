//! Keys of Kafka's that have nothing to act on here, taken so that files and tools that name them work:
//! plugins, purgatories, metrics, tiered storage.

use super::{Bounds, Key, Kind};

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::idle(
        "add.partitions.to.txn.retry.backoff.max.ms",
        Kind::Int,
        "The longest pause before a partition is added to a transaction again.",
    )
    .default("100")
    .at_least(0),
    Key::idle(
        "add.partitions.to.txn.retry.backoff.ms",
        Kind::Int,
        "The first pause before a partition is added to a transaction again.",
    )
    .default("20")
    .at_least(1),
    Key::idle(
        "alter.config.policy.class.name",
        Kind::Class,
        "A plugin that judges changes of configuration.",
    ),
    Key::idle(
        "alter.log.dirs.replication.quota.window.num",
        Kind::Int,
        "Samples kept for the throttle of moves between directories.",
    )
    .default("11"),
    Key::idle(
        "alter.log.dirs.replication.quota.window.size.seconds",
        Kind::Int,
        "The length of such a sample, in seconds.",
    )
    .default("1"),
    Key::idle("client.quota.callback.class", Kind::Class, "A plugin that computes client quotas."),
    Key::idle(
        "config.providers",
        Kind::List,
        "Plugins that fetch values of settings from elsewhere.",
    )
    .default("")
    .cluster_wide(),
    Key::idle(
        "controller.quorum.fetch.max.bytes",
        Kind::Int,
        "The most bytes of the metadata log in one fetch of Kafka's controllers.",
    )
    .default("1048576"),
    Key::idle(
        "controller.quorum.fetch.snapshot.max.bytes",
        Kind::Int,
        "The most bytes of a metadata snapshot in one fetch.",
    )
    .default("1048576"),
    Key::idle(
        "controller.socket.timeout.ms",
        Kind::Int,
        "How long a Kafka broker waits for its controller, in milliseconds.",
    )
    .default("30000"),
    Key::idle(
        "cordoned.log.dirs",
        Kind::List,
        "Directories of `log.dirs` that get no new replicas.",
    )
    .default("")
    .per_broker(),
    Key::idle("create.topic.policy.class.name", Kind::Class, "A plugin that judges new topics."),
    Key::idle(
        "delete.records.purgatory.purge.interval.requests",
        Kind::Int,
        "How often Kafka sweeps waiting DeleteRecords requests.",
    )
    .default("1"),
    Key::idle("early.start.listeners", Kind::List, "Listeners that open before the others."),
    Key::idle(
        "fetch.purgatory.purge.interval.requests",
        Kind::Int,
        "How often Kafka sweeps waiting fetches.",
    )
    .default("1000"),
    Key::idle(
        "follower.fetch.last.tiered.offset.enable",
        Kind::Boolean,
        "Whether new followers begin behind what is in remote storage.",
    )
    .default("false")
    .cluster_wide(),
    Key::idle(
        "kafka.metrics.polling.interval.secs",
        Kind::Int,
        "How often Kafka's old metrics reporters are polled.",
    )
    .default("10"),
    Key::idle("kafka.metrics.reporters", Kind::List, "Kafka's old metrics reporters.").default(""),
    Key::idle(
        "metadata.log.segment.ms",
        Kind::Long,
        "The age at which a segment of Kafka's metadata log ends.",
    )
    .default("604800000"),
    Key::idle("metric.reporters", Kind::List, "Plugins that report metrics.").cluster_wide(),
    Key::idle("metrics.num.samples", Kind::Int, "Samples kept for Kafka's metrics.").default("2"),
    Key::idle("metrics.recording.level", Kind::Text, "Which of Kafka's metrics are recorded.")
        .default("INFO"),
    Key::idle(
        "metrics.sample.window.ms",
        Kind::Long,
        "The length of a sample of Kafka's metrics, in milliseconds.",
    )
    .default("30000"),
    Key::idle(
        "num.replica.alter.log.dirs.threads",
        Kind::Int,
        "Kafka's threads that move replicas between directories.",
    ),
    Key::idle(
        "producer.purgatory.purge.interval.requests",
        Kind::Int,
        "How often Kafka sweeps waiting produce requests.",
    )
    .default("1000"),
    Key::idle(
        "remote.fetch.max.wait.ms",
        Kind::Int,
        "How long a fetch may wait for remote storage, in milliseconds.",
    )
    .default("500")
    .cluster_wide(),
    Key::idle(
        "remote.list.offsets.request.timeout.ms",
        Kind::Long,
        "How long ListOffsets may wait for remote storage.",
    )
    .default("30000")
    .cluster_wide(),
    Key::idle(
        "remote.log.index.file.cache.total.size.bytes",
        Kind::Long,
        "Space for indexes fetched from remote storage.",
    )
    .default("1073741824")
    .cluster_wide(),
    Key::idle(
        "remote.log.manager.copier.thread.pool.size",
        Kind::Int,
        "Threads that copy segments to remote storage.",
    )
    .default("10")
    .cluster_wide(),
    Key::idle(
        "remote.log.manager.copy.max.bytes.per.second",
        Kind::Long,
        "How fast segments may be copied to remote storage.",
    )
    .default("9223372036854775807")
    .cluster_wide(),
    Key::idle(
        "remote.log.manager.copy.quota.window.num",
        Kind::Int,
        "Samples kept for that throttle.",
    )
    .default("11"),
    Key::idle(
        "remote.log.manager.copy.quota.window.size.seconds",
        Kind::Int,
        "The length of such a sample, in seconds.",
    )
    .default("1"),
    Key::idle(
        "remote.log.manager.expiration.thread.pool.size",
        Kind::Int,
        "Threads that delete segments from remote storage.",
    )
    .default("10")
    .cluster_wide(),
    Key::idle(
        "remote.log.manager.fetch.max.bytes.per.second",
        Kind::Long,
        "How fast remote storage may be read.",
    )
    .default("9223372036854775807")
    .cluster_wide(),
    Key::idle(
        "remote.log.manager.fetch.quota.window.num",
        Kind::Int,
        "Samples kept for that throttle.",
    )
    .default("11"),
    Key::idle(
        "remote.log.manager.fetch.quota.window.size.seconds",
        Kind::Int,
        "The length of such a sample, in seconds.",
    )
    .default("1"),
    Key::idle(
        "remote.log.manager.follower.thread.pool.size",
        Kind::Int,
        "Threads that follow what is in remote storage.",
    )
    .default("2")
    .cluster_wide(),
    Key::idle(
        "remote.log.manager.task.interval.ms",
        Kind::Long,
        "How often remote storage is looked after, in milliseconds.",
    )
    .default("30000"),
    Key::idle(
        "remote.log.manager.thread.pool.size",
        Kind::Int,
        "Threads that look after remote storage.",
    )
    .default("2"),
    Key::idle(
        "remote.log.metadata.custom.metadata.max.bytes",
        Kind::Int,
        "The most metadata a plugin may add to a remote segment.",
    )
    .default("128"),
    Key::idle(
        "remote.log.metadata.manager.class.name",
        Kind::Text,
        "A plugin that keeps the metadata of remote segments.",
    ),
    Key::idle(
        "remote.log.metadata.manager.class.path",
        Kind::Text,
        "Where that plugin is loaded from.",
    ),
    Key::idle(
        "remote.log.metadata.manager.impl.prefix",
        Kind::Text,
        "The prefix of that plugin's own keys.",
    )
    .default("rlmm.config."),
    Key::idle(
        "remote.log.metadata.manager.listener.name",
        Kind::Text,
        "The listener that plugin's clients use.",
    ),
    Key::idle(
        "remote.log.reader.max.pending.tasks",
        Kind::Int,
        "How many reads may wait for remote storage.",
    )
    .default("100"),
    Key::idle("remote.log.reader.threads", Kind::Int, "Threads that read remote storage.")
        .default("10")
        .cluster_wide(),
    Key::idle(
        "remote.log.storage.manager.class.name",
        Kind::Text,
        "A plugin that stores remote segments.",
    ),
    Key::idle(
        "remote.log.storage.manager.class.path",
        Kind::Text,
        "Where that plugin is loaded from.",
    ),
    Key::idle(
        "remote.log.storage.manager.impl.prefix",
        Kind::Text,
        "The prefix of that plugin's own keys.",
    )
    .default("rsm.config."),
    Key::idle(
        "remote.log.storage.system.enable",
        Kind::Boolean,
        "Whether tiered storage is there; Ottla has none.",
    )
    .default("false")
    .bounds(Bounds::NotEnabled("remote.log.storage.system.enable: Ottla has no tiered storage.")),
    Key::idle(
        "replica.selector.class",
        Kind::Text,
        "A plugin that chooses the replica a consumer reads from.",
    ),
    Key::idle("replication.quota.window.num", Kind::Int, "Samples kept for replication throttles.")
        .default("11"),
    Key::idle(
        "replication.quota.window.size.seconds",
        Kind::Int,
        "The length of such a sample, in seconds.",
    )
    .default("1"),
    Key::idle(
        "telemetry.max.bytes",
        Kind::Int,
        "The most bytes of metrics that a client may push at once.",
    )
    .default("1048576"),
    Key::idle(
        "transaction.partition.verification.enable",
        Kind::Boolean,
        "Whether writes of a transaction are checked against its partitions.",
    )
    .default("true")
    .cluster_wide(),
    Key::idle(
        "transaction.state.log.load.buffer.size",
        Kind::Int,
        "How much of the transactions' state is read at once.",
    )
    .default("5242880")
    .at_least(1),
    Key::idle(
        "transaction.two.phase.commit.enable",
        Kind::Boolean,
        "Whether transactions may be prepared by somebody else.",
    )
    .default("false"),
];
