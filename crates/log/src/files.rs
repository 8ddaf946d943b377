//! Names of files and directories as Kafka gives them, and the durable ways to change them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ottla_protocol::ids::{Offset, TopicPartition};
use rustix::fs::{Mode, OFlags};

/// The extension of a segment's batches.
pub(crate) const LOG: &str = "log";
/// The extension of a segment's offset index.
pub(crate) const INDEX: &str = "index";
/// The extension of a segment's time index.
pub(crate) const TIME_INDEX: &str = "timeindex";
/// The extension of a producer snapshot.
pub(crate) const SNAPSHOT: &str = "snapshot";
/// Appended to the names of a retired segment's files.
pub(crate) const DELETED: &str = "deleted";
/// Appended to the name of a file while it is written.
pub(crate) const TEMP: &str = "tmp";

/// The path of a file that is named for an offset: twenty digits and an extension.
pub(crate) fn offset_file(dir: &Path, offset: Offset, extension: &str) -> PathBuf {
    dir.join(format!("{offset:020}.{extension}"))
}

/// The offset and the extension in the name of such a file.
pub(crate) fn parse_offset_file(name: &str) -> Option<(Offset, &str)> {
    let (digits, extension) = name.split_once('.')?;
    let well_formed = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| digits.parse().ok()).flatten().map(|offset| (offset, extension))
}

/// The partition that a directory of this name holds; `None` for names of another shape.
pub(crate) fn parse_partition_dir(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    let digits = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
    if topic.is_empty() || !digits {
        return None;
    }
    Some(TopicPartition::new(topic, partition.parse().ok()?))
}

/// The name of a partition's directory once renamed: `topic-partition.<unique>-<suffix>`, the topic cut
/// if need be, since a name has at most 255 bytes.
pub(crate) fn renamed_partition_dir(partition: &TopicPartition, suffix: &str) -> String {
    let tail = format!("-{}.{}-{suffix}", partition.partition, uuid::Uuid::new_v4().simple());
    let topic: String = partition.topic.chars().take(255 - tail.len()).collect();
    topic + &tail
}

/// Makes the names in a directory (new, renamed, removed files) durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Replaces a file as a whole: after a crash it holds either the old or the new bytes.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = File::open(path.parent().unwrap_or(Path::new(".")))?;
    let name = path.file_name().and_then(|name| name.to_str());
    replace_at(&dir, name.ok_or(io::ErrorKind::InvalidFilename)?, bytes)
}

/// [`replace`] in a directory that is open, and that may have been renamed since.
pub(crate) fn replace_at(dir: &File, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temp = format!("{name}.{TEMP}");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(dir, temp.as_str(), flags, Mode::from(0o644))?);
    file.write_all(bytes)?;
    file.sync_all()?;
    rustix::fs::renameat(dir, temp.as_str(), dir, name)?;
    dir.sync_all()
}

/// Removes a file that may be gone already.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file's bytes, or `None` if there is no such file.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads up to `len` bytes at `position`, fewer only at the end of the file, into memory that is not
/// zeroed first.
pub(crate) fn read_at(file: &File, position: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let at = position + bytes.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

/// Reads exactly one entry of a fixed size.
pub(crate) fn read_array<const N: usize>(file: &File, position: u64) -> io::Result<[u8; N]> {
    let mut entry = [0; N];
    file.read_exact_at(&mut entry, position)?;
    Ok(entry)
}
