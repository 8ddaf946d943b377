//! The small files of a partition: aborted transactions, producers, leader epochs.

use std::io::Write;
use std::path::Path;

use bytes::Buf;

use super::Stop;

/// Bytes of an entry of the transaction index.
const ABORTED: usize = 2 + 8 + 8 + 8 + 8;
/// Bytes of a producer in a snapshot.
const PRODUCER: usize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    std::fs::read(path).map_err(|error| Stop::unreadable(path, &error))
}

/// A `.txnindex`.
pub(super) fn dump_transactions(path: &Path, out: &mut dyn Write) -> Result<String, Stop> {
    let bytes = read(path)?;
    for entry in bytes.as_chunks::<ABORTED>().0 {
        let mut entry = entry.as_slice();
        writeln!(
            out,
            "version: {} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            entry.get_i16(),
            entry.get_i64(),
            entry.get_i64(),
            entry.get_i64(),
            entry.get_i64()
        )?;
    }
    let left = bytes.len() % ABORTED;
    if left == 0 {
        return Ok(String::new());
    }
    Err(Stop::thrown(
        "org.apache.kafka.storage.internals.log.CorruptIndexException",
        format!(
            "{} at position {}: the last entry has {left} bytes where {ABORTED} are due",
            path.display(),
            bytes.len() - left
        ),
    ))
}

/// A producer `.snapshot`.
pub(super) fn dump_producers(path: &Path, out: &mut dyn Write) -> Result<String, Stop> {
    let bytes = read(path)?;
    let damaged = |why: &str| Ok(format!("Snapshot file '{}' {why}\n", path.display()));
    let mut rest = bytes.as_slice();
    let (Ok(version), Ok(crc)) = (rest.try_get_i16(), rest.try_get_u32()) else {
        return damaged("ends within its head");
    };
    if version != 1 {
        return damaged(&format!("has version {version}, only 1 is known"));
    }
    if crc != crc32c::crc32c(rest) {
        return damaged("is corrupted (CRC is no longer valid)");
    }
    let count = rest.try_get_i32().ok().and_then(|count| usize::try_from(count).ok());
    if count.and_then(|count| count.checked_mul(PRODUCER)) != Some(rest.len()) {
        return damaged("has another length than its count of producers says");
    }
    for entry in rest.as_chunks::<PRODUCER>().0 {
        let mut entry = entry.as_slice();
        let (id, epoch) = (entry.get_i64(), entry.get_i16());
        let (sequence, offset) = (entry.get_i32(), entry.get_i64());
        let (delta, timestamp) = (entry.get_i32(), entry.get_i64());
        let (coordinator_epoch, transaction) = (entry.get_i32(), entry.get_i64());
        let transaction = match transaction {
            -1 => "OptionalLong.empty".to_owned(),
            first => format!("OptionalLong[{first}]"),
        };
        write!(
            out,
            "producerId: {id} producerEpoch: {epoch} coordinatorEpoch: {coordinator_epoch} \
             currentTxnFirstOffset: {transaction} lastTimestamp: {timestamp}"
        )?;
        if offset >= 0 {
            let first = i64::from(sequence) - i64::from(delta);
            let first = first.rem_euclid(i64::from(i32::MAX) + 1);
            write!(
                out,
                " firstSequence: {first} lastSequence: {sequence} lastOffset: {offset} offsetDelta: \
                 {delta} timestamp: {timestamp}"
            )?;
        }
        writeln!(out)?;
    }
    Ok(String::new())
}

/// A `leader-epoch-checkpoint`, which Kafka's tool does not read.
pub(super) fn dump_epochs(path: &Path, out: &mut dyn Write) -> Result<String, Stop> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    // Version, count, then one epoch a line.
    for (number, line) in text.lines().enumerate().skip(2) {
        let mut words = line.split(' ').map(str::parse::<i64>);
        let (Some(Ok(epoch)), Some(Ok(start)), None) = (words.next(), words.next(), words.next())
        else {
            let at = number + 1;
            return Ok(format!("{} in line {at}: '{line}' is no epoch\n", path.display()));
        };
        writeln!(out, "epoch: {epoch} startOffset: {start}")?;
    }
    Ok(String::new())
}
