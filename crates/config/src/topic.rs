//! A topic's settings as they are in force.

use crate::layers::Layers;

/// What happens to old records (`cleanup.policy`); neither flag means that they are kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Segments beyond `retention.ms` or `retention.bytes` are deleted.
    pub delete: bool,
    /// All but the latest record of each key are removed.
    pub compact: bool,
}

/// Whose timestamps records carry (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The leader's clock at the append.
    LogAppendTime,
}

/// The settings of one topic that its partitions act on, as the layers add up. Milliseconds and bytes
/// throughout; -1 means "no limit" where Kafka says so.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `delete.retention.ms`: how long compaction keeps tombstones.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `flush.messages`: 1 means that acknowledged (acks=all) is flushed.
    pub flush_messages: i64,
    /// `flush.ms`; `i64::MAX` means never by time.
    pub flush_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: i32,
    /// `max.compaction.lag.ms`: a record is compacted after so long at the latest.
    pub max_compaction_lag_ms: i64,
    /// `max.message.bytes`: the largest batch, header included.
    pub max_message_bytes: i32,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub message_timestamp_after_max_ms: i64,
    /// `min.cleanable.dirty.ratio`: the share of uncompacted bytes above which a log is compacted.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: a record is not compacted before so long.
    pub min_compaction_lag_ms: i64,
    /// `min.insync.replicas` when somebody set it; see [`TopicConfig::min_isr`].
    pub min_insync_replicas: Option<i32>,
    /// `retention.bytes` of each partition; -1 means no limit.
    pub retention_bytes: i64,
    /// `retention.ms`; -1 means no limit.
    pub retention_ms: i64,
    /// `segment.bytes`.
    pub segment_bytes: i32,
    /// `segment.index.bytes`.
    pub segment_index_bytes: i32,
    /// `segment.ms`.
    pub segment_ms: i64,
}

/// `min.insync.replicas` where nobody set it: the majority of the replicas from a replication factor
/// of 3 on, else 1.
#[must_use]
pub fn default_min_insync_replicas(replication_factor: usize) -> i32 {
    if replication_factor < 3 { 1 } else { (replication_factor / 2 + 1) as i32 }
}

impl TopicConfig {
    /// The settings in force. Values that do not parse (they were checked when they were set) count as
    /// absent.
    #[must_use]
    pub fn of(layers: &Layers<'_>) -> Self {
        let long = |name| layers.long(name);
        let int = |name| layers.int(name);
        let text = |name: &str| layers.text(name).unwrap_or_default();
        let policy = text("cleanup.policy");
        let has = |wanted| policy.split(',').any(|item| item.trim() == wanted);
        let log_append_time = text("message.timestamp.type") == "LogAppendTime";
        Self {
            cleanup_policy: CleanupPolicy { delete: has("delete"), compact: has("compact") },
            delete_retention_ms: long("delete.retention.ms"),
            file_delete_delay_ms: long("file.delete.delay.ms"),
            flush_messages: long("flush.messages"),
            flush_ms: long("flush.ms"),
            index_interval_bytes: int("index.interval.bytes"),
            max_compaction_lag_ms: long("max.compaction.lag.ms"),
            max_message_bytes: int("max.message.bytes"),
            message_timestamp_type: if log_append_time {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            message_timestamp_before_max_ms: long("message.timestamp.before.max.ms"),
            message_timestamp_after_max_ms: long("message.timestamp.after.max.ms"),
            min_cleanable_dirty_ratio: text("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
            min_compaction_lag_ms: long("min.compaction.lag.ms"),
            min_insync_replicas: layers.set("min.insync.replicas").and_then(|v| v.parse().ok()),
            retention_bytes: long("retention.bytes"),
            retention_ms: long("retention.ms"),
            segment_bytes: int("segment.bytes"),
            segment_index_bytes: int("segment.index.bytes"),
            segment_ms: long("segment.ms"),
        }
    }

    /// How many in-sync replicas an acks=all append needs, in a partition of this many replicas: what
    /// was set, else [`default_min_insync_replicas`]. What was set is not capped: more than there are
    /// replicas means that acks=all is refused, as in Kafka.
    #[must_use]
    pub fn min_isr(&self, replication_factor: usize) -> i32 {
        self.min_insync_replicas.unwrap_or_else(|| default_min_insync_replicas(replication_factor))
    }
}

impl Default for TopicConfig {
    /// The defaults alone.
    fn default() -> Self {
        Self::of(&Layers::default())
    }
}
