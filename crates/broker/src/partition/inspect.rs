//! What administrators may look at: log directories and what is in them, a replica's own end, its
//! producers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_log::{Log, LogDir};
use ottla_protocol::ids::{LeaderEpoch, Offset, TimestampMs, TopicName};

use super::registry::Partitions;
use super::replica::Partition;
use super::types::PartitionError;

/// A log directory and the replicas in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirStatus {
    /// Where it is.
    pub path: PathBuf,
    /// Why it is out of service.
    pub failure: Option<String>,
    /// Bytes of its volume, in all and still to be had; `None`: the volume does not say.
    pub volume: Option<(u64, u64)>,
    /// The replicas in it, by topic and partition.
    pub replicas: Vec<ReplicaSize>,
}

/// A replica's place on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSize {
    /// Its topic.
    pub topic: TopicName,
    /// Its partition.
    pub partition: i32,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// How many records it is behind the high watermark it knows.
    pub offset_lag: i64,
    /// It is a copy on its way to that directory; its lag is behind the log that it is a copy of.
    pub is_future: bool,
}

/// An idempotent producer as a leader remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Sequence number of its last record; -1 if it has written none in this epoch.
    pub last_sequence: i32,
    /// Timestamp of its last batch; -1 if it has written none in this epoch.
    pub last_timestamp_ms: TimestampMs,
}

impl Partitions {
    /// Every log directory with its replicas. Blocking: asks the volumes for their room.
    #[must_use]
    pub fn log_dirs(&self) -> Vec<LogDirStatus> {
        let mut replicas: BTreeMap<PathBuf, Vec<ReplicaSize>> = BTreeMap::new();
        // Before the places are looked at: a replica that arrives meanwhile is seen as arrived.
        let moves = self.disks.moves.all();
        for partition in self.all() {
            let Some((dir, size)) = partition.place() else { continue };
            replicas.entry(dir).or_default().push(size);
        }
        for (id, moving) in moves {
            let Some(partition) = self.get(id) else { continue };
            let Some((place, size)) = partition.place() else { continue };
            if place == moving.to.path() {
                continue;
            }
            let (log_end, size_bytes) = moving.progress();
            let offset_lag = (partition.own_end().0 - log_end).max(0);
            let copy = ReplicaSize { size_bytes, offset_lag, is_future: true, ..size };
            replicas.entry(moving.to.path().to_owned()).or_default().push(copy);
        }
        let status = |dir: &Arc<LogDir>| {
            let path = dir.path().to_owned();
            let mut replicas = replicas.remove(&path).unwrap_or_default();
            replicas.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
            let failure = dir.failure().map(|reason| reason.to_string());
            LogDirStatus { failure, volume: volume(&path), replicas, path }
        };
        self.disks.dirs.iter().map(status).collect()
    }
}

fn volume(path: &std::path::Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some((stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize))
}

impl Partition {
    /// In which log directory it is, and how large; `None` once it has been removed.
    fn place(&self) -> Option<(PathBuf, ReplicaSize)> {
        self.look(|state| {
            let log = state.log.as_ref()?;
            let offsets = state.replica.offsets();
            let size = ReplicaSize {
                topic: Arc::clone(self.topic()),
                partition: self.id().partition,
                size_bytes: Log::size(log),
                offset_lag: (offsets.high_watermark - offsets.log_end).max(0),
                is_future: false,
            };
            Some((log.dir().path().to_owned(), size))
        })
    }

    /// Where this replica's own log ends, whatever its role, and the epoch of its last record (-1: none).
    #[must_use]
    pub fn own_end(&self) -> (Offset, LeaderEpoch) {
        self.look(|state| {
            let end = state.replica.offsets().log_end;
            let epoch = state.log.as_ref().and_then(|log| {
                ottla_replication::leader_epoch::last_record_epoch(log.epochs().entries(), end)
            });
            (end, epoch.unwrap_or(-1))
        })
    }

    /// The idempotent producers that have written to it, as far as they are remembered.
    ///
    /// # Errors
    /// It does not lead: only the leader's memory is whole.
    pub fn active_producers(&self) -> Result<Vec<ActiveProducer>, PartitionError> {
        self.look(|state| {
            state.replica.as_leader().ok_or_else(|| state.not_leader())?;
            let producers = state.replica.producers().producers();
            let active = producers.map(|(producer_id, producer)| {
                let last = producer.last();
                ActiveProducer {
                    producer_id,
                    producer_epoch: producer.epoch,
                    last_sequence: last.map_or(-1, |batch| batch.last_sequence),
                    last_timestamp_ms: last.map_or(-1, |batch| batch.timestamp_ms),
                }
            });
            Ok(active.collect())
        })
    }
}
