//! What the tests build on: a directory, a partition, batches.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_log::{Log, LogConfig, LogDir, LogError, NewLog, OpenOptions};
use ottla_protocol::ids::{KafkaUuid, LeaderEpoch, Offset, TimestampMs, TopicPartition};
use ottla_protocol::record::{Compression, RecordBatchBuilder, batches};
use tempfile::TempDir;

pub(crate) const TOPIC_ID: &str = "qt3_el6fSZG1LdblLws6ew";

pub(crate) fn topic_id() -> KafkaUuid {
    TOPIC_ID.parse().expect("a valid id")
}

pub(crate) fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 1500,
        index_interval_bytes: 150,
        retention_ms: -1,
        segment_ms: i64::MAX,
        ..LogConfig::default()
    }
}

pub(crate) fn options(config: LogConfig) -> OpenOptions {
    OpenOptions { node_id: 1, cluster_id: None, recovery_threads: 2, max_open_files: 8, config }
}

/// A log directory with one partition, `t-0`.
pub(crate) struct Site {
    pub(crate) temp: TempDir,
    pub(crate) config: LogConfig,
}

impl Site {
    pub(crate) fn new(config: LogConfig) -> Self {
        Self { temp: tempfile::tempdir().expect("a temporary directory"), config }
    }

    pub(crate) fn partition_path(&self) -> PathBuf {
        self.temp.path().join("t-0")
    }

    pub(crate) fn open_dir(&self) -> Arc<LogDir> {
        LogDir::open(self.temp.path(), options(self.config)).expect("the directory opens")
    }

    /// The partition, created or loaded.
    pub(crate) fn log(&self) -> Log {
        self.try_log().expect("the partition loads")
    }

    pub(crate) fn try_log(&self) -> Result<Log, LogError> {
        let dir = self.open_dir();
        let mut report = dir.load().expect("the directory loads");
        if let Some(failure) = report.failures.pop() {
            return Err(failure.error);
        }
        match report.logs.pop() {
            Some(log) => Ok(log),
            None => Ok(create(&dir, "t", 0, self.config)),
        }
    }

    /// Stops cleanly.
    pub(crate) fn close(&self, log: Log) {
        let dir = Arc::clone(log.dir());
        log.close().expect("the log closes");
        assert!(dir.close_clean(5).expect("the marker is written"));
    }
}

pub(crate) fn create(dir: &Arc<LogDir>, topic: &str, partition: i32, config: LogConfig) -> Log {
    let topic_partition = TopicPartition::new(topic, partition);
    let new = NewLog { topic_partition, topic_id: topic_id(), config };
    dir.create_many(vec![new]).expect("the partition is created").remove(0)
}

/// A batch of `count` records whose timestamps rise by 1 from `timestamp` on.
pub(crate) fn batch(
    base: Offset,
    count: usize,
    epoch: LeaderEpoch,
    timestamp: TimestampMs,
) -> Vec<u8> {
    batch_of(Compression::None, base, count, epoch, timestamp, 20)
}

pub(crate) fn batch_of(
    compression: Compression,
    base: Offset,
    count: usize,
    epoch: LeaderEpoch,
    timestamp: TimestampMs,
    value_len: usize,
) -> Vec<u8> {
    let mut builder = RecordBatchBuilder::new(compression).base_offset(base).leader_epoch(epoch);
    for number in 0..count {
        let value = vec![b'a' + (number % 26) as u8; value_len];
        builder.append(timestamp + number as i64, Some(b"key"), Some(&value), &[]);
    }
    builder.build().expect("a batch of test size").to_vec()
}

/// Appends `count` batches of two records and epoch 0, timestamps by offset; returns their bytes.
pub(crate) fn fill(log: &mut Log, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..count {
        let base = log.log_end();
        let bytes = batch(base, 2, 0, 1000 + base);
        log.append(&bytes).expect("an append");
        all.extend(bytes);
    }
    all
}

/// Every byte of the log from `offset` on, read in steps of `max_bytes`.
pub(crate) fn read_all(log: &mut Log, mut offset: Offset, max_bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let end = log.log_end();
    while offset < end {
        let plan = log.plan_read(offset, max_bytes, end, true).expect("a plan");
        let bytes = plan.read().expect("a read");
        let last = batches(&bytes).last().expect("progress").expect("whole batches");
        offset = last.header.next_offset();
        all.extend_from_slice(&bytes);
    }
    all
}

/// The names of the files in the partition's directory, sorted.
pub(crate) fn names(site: &Site) -> Vec<String> {
    let entries = std::fs::read_dir(site.partition_path()).expect("a directory");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("utf-8"))
        .collect();
    names.sort();
    names
}
