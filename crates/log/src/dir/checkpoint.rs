//! The four checkpoint files of a directory, in Kafka's format, and the offsets that they hold.
//!
//! Each open log shares its offsets with this registry, so that a checkpoint takes no partition's lock.
//! The files say what they said last for partitions not loaded yet. Locks: `files` is held while a file
//! is written; `partitions` is a leaf, held for moments.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use ottla_protocol::ids::{Offset, TopicPartition};
use parking_lot::Mutex;

use super::OpenError;
use crate::files;

/// What a checkpoint file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    RecoveryPoint,
    HighWatermark,
    LogStart,
    Cleaned,
}

impl Kind {
    const ALL: [Self; 4] =
        [Self::RecoveryPoint, Self::HighWatermark, Self::LogStart, Self::Cleaned];

    fn file_name(self) -> &'static str {
        match self {
            Self::RecoveryPoint => "recovery-point-offset-checkpoint",
            Self::HighWatermark => "replication-offset-checkpoint",
            Self::LogStart => "log-start-offset-checkpoint",
            Self::Cleaned => "cleaner-offset-checkpoint",
        }
    }
}

/// The offsets of one log that outlive a restart, shared by the log and the registry.
#[derive(Debug, Default)]
pub(crate) struct SharedOffsets {
    pub(crate) recovery_point: AtomicI64,
    pub(crate) high_watermark: AtomicI64,
    pub(crate) log_start: AtomicI64,
    /// Below it the log is compacted; 0: it never was.
    pub(crate) cleaned: AtomicI64,
    /// Counts truncations, so that a plan made before one knows that it is overtaken.
    pub(crate) truncations: AtomicU64,
    /// Set once all of the log is on disk and nothing will be written to it any more.
    pub(crate) closed: AtomicBool,
    /// Set when the log's directory is being renamed: its paths no longer lead to it.
    pub(crate) gone: AtomicBool,
}

impl SharedOffsets {
    fn get(&self, kind: Kind) -> Offset {
        match kind {
            Kind::RecoveryPoint => &self.recovery_point,
            Kind::HighWatermark => &self.high_watermark,
            Kind::LogStart => &self.log_start,
            Kind::Cleaned => &self.cleaned,
        }
        .load(Ordering::Acquire)
    }
}

type Offsets = BTreeMap<TopicPartition, Offset>;

#[derive(Debug)]
pub(crate) struct Checkpoints {
    dir: PathBuf,
    partitions: Mutex<BTreeMap<TopicPartition, Arc<SharedOffsets>>>,
    /// What each file holds.
    files: Mutex<[Offsets; 4]>,
}

impl Checkpoints {
    /// Reads the files.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        let mut files = <[Offsets; 4]>::default();
        for (kind, offsets) in Kind::ALL.into_iter().zip(&mut files) {
            let path = dir.join(kind.file_name());
            let bytes =
                files::read_if_there(&path).map_err(|error| OpenError::io("read", &path, error))?;
            if let Some(bytes) = bytes {
                *offsets = parse(&String::from_utf8_lossy(&bytes))
                    .map_err(|what| OpenError::Unreadable { path, what })?;
            }
        }
        Ok(Self { dir: dir.to_owned(), partitions: Mutex::default(), files: Mutex::new(files) })
    }

    /// What a file holds for a partition.
    pub(crate) fn stored(&self, partition: &TopicPartition, kind: Kind) -> Option<Offset> {
        self.files.lock()[kind as usize].get(partition).copied()
    }

    /// Takes a log into the registry.
    pub(crate) fn register(&self, partition: TopicPartition, offsets: Arc<SharedOffsets>) {
        self.partitions.lock().insert(partition, offsets);
    }

    /// Keeps the lines of a partition that could not be loaded, which is never closed either.
    pub(crate) fn register_unloaded(&self, partition: &TopicPartition) {
        let stored = |kind| self.stored(partition, kind).unwrap_or(0).into();
        let offsets = SharedOffsets {
            recovery_point: stored(Kind::RecoveryPoint),
            high_watermark: stored(Kind::HighWatermark),
            log_start: stored(Kind::LogStart),
            cleaned: stored(Kind::Cleaned),
            ..SharedOffsets::default()
        };
        self.register(partition.clone(), Arc::new(offsets));
    }

    /// Whether a log of this name is registered.
    pub(crate) fn is_registered(&self, partition: &TopicPartition) -> bool {
        self.partitions.lock().contains_key(partition)
    }

    /// Drops partitions that are gone; their lines leave the files with the next write.
    pub(crate) fn unregister<'a>(&self, gone: impl IntoIterator<Item = &'a TopicPartition>) {
        let mut partitions = self.partitions.lock();
        for partition in gone {
            partitions.remove(partition);
        }
    }

    /// Whether all registered logs are closed.
    pub(crate) fn all_closed(&self) -> bool {
        self.partitions.lock().values().all(|offsets| offsets.closed.load(Ordering::Acquire))
    }

    /// Writes one file, unless it says the same already.
    pub(crate) fn write(&self, kind: Kind) -> io::Result<()> {
        self.write_locked(kind, &mut self.files.lock())
    }

    /// Makes sure that no file knows these partitions, which are about to be created: an older topic of
    /// the same name may have left lines behind.
    pub(crate) fn forget_stale<'a>(
        &self,
        created: impl Iterator<Item = &'a TopicPartition> + Clone,
    ) -> io::Result<()> {
        let mut files = self.files.lock();
        for kind in Kind::ALL {
            if created.clone().any(|partition| files[kind as usize].contains_key(partition)) {
                self.write_locked(kind, &mut files)?;
            }
        }
        Ok(())
    }

    /// Makes the stored recovery point of a partition, and up to where it is compacted, at most what its
    /// log says now. To be called before bytes below the old recovery point are overwritten: recovery and
    /// compaction would not look at them.
    pub(crate) fn lower(&self, partition: &TopicPartition) -> io::Result<()> {
        let mut files = self.files.lock();
        let Some(offsets) = self.partitions.lock().get(partition).cloned() else { return Ok(()) };
        for kind in [Kind::RecoveryPoint, Kind::Cleaned] {
            let stored = files[kind as usize].get(partition).copied().unwrap_or(0);
            if offsets.get(kind) < stored {
                self.write_locked(kind, &mut files)?;
            }
        }
        Ok(())
    }

    fn write_locked(&self, kind: Kind, files: &mut [Offsets; 4]) -> io::Result<()> {
        let mut offsets: Offsets = self
            .partitions
            .lock()
            .iter()
            .map(|(partition, offsets)| (partition.clone(), offsets.get(kind)))
            .collect();
        if matches!(kind, Kind::LogStart | Kind::Cleaned) {
            offsets.retain(|_, offset| *offset > 0);
        }
        let stored = &mut files[kind as usize];
        if *stored != offsets {
            files::replace(&self.dir.join(kind.file_name()), render(&offsets).as_bytes())?;
            *stored = offsets;
        }
        Ok(())
    }
}

/// A checkpoint file's text: version, number of lines, then a line per partition.
pub(crate) fn render(offsets: &Offsets) -> String {
    let mut text = format!("0\n{}\n", offsets.len());
    for (partition, offset) in offsets {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {} {offset}", partition.topic, partition.partition);
    }
    text
}

/// The offsets in a checkpoint file, or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Offsets, String> {
    let mut lines = text.lines();
    match lines.next() {
        Some("0") => {}
        other => return Err(format!("version {} is not known", other.unwrap_or("(none)"))),
    }
    let count = lines.next().and_then(|line| line.parse::<usize>().ok());
    let offsets = lines.map(parse_line).collect::<Result<Offsets, _>>()?;
    if count == Some(offsets.len()) {
        Ok(offsets)
    } else {
        Err(format!("{} lines where {count:?} are announced", offsets.len()))
    }
}

fn parse_line(line: &str) -> Result<(TopicPartition, Offset), String> {
    let mut words = line.split(' ');
    let parsed = (|| {
        let topic = words.next().filter(|topic| !topic.is_empty())?;
        let partition = words.next()?.parse().ok()?;
        let offset = words.next()?.parse().ok()?;
        words.next().is_none().then(|| (TopicPartition::new(topic, partition), offset))
    })();
    parsed.ok_or_else(|| format!("not a topic, partition and offset: '{line}'"))
}
