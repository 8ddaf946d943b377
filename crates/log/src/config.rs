//! The topic settings that a log obeys.

/// The topic settings that a log obeys, resolved; may be replaced while the log is open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is rolled before it grows beyond this.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment is rolled when a batch is this much younger than its first one.
    pub segment_ms: i64,
    /// `segment.index.bytes`: a segment is rolled when an index has reached this size.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: the bytes of log between two index entries.
    pub index_interval_bytes: u32,
    /// `retention.ms`; -1 keeps for ever.
    pub retention_ms: i64,
    /// `retention.bytes`; -1 keeps everything.
    pub retention_bytes: i64,
    /// With `compact` in `cleanup.policy`: how; `None` keeps every record.
    pub compaction: Option<Compaction>,
}

/// How a log is compacted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compaction {
    /// `min.cleanable.dirty.ratio`: not before this share of its bytes is dirty.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: segments with younger records are left alone.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: with records this old in its dirty part, whatever its share.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: tombstones stay so long after they were first met.
    pub delete_retention_ms: i64,
}

impl Default for Compaction {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 24 * 3_600_000,
        }
    }
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: 7 * 24 * 3_600_000,
            retention_bytes: -1,
            compaction: None,
        }
    }
}
