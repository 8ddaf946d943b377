//! The sparse indexes of a segment, in Kafka's binary form, in memory as in the file.
//!
//! Offset index: entries of 4 bytes relative offset (of a batch's last record) and 4 bytes position
//! (of that batch). Time index: entries of 8 bytes timestamp and 4 bytes relative offset, which say
//! that every record with a greater timestamp comes after that offset. Both rise strictly.
//!
//! The active segment's indexes are in memory and appended to their files now and then; those of
//! closed segments stay in their files and are searched there. Nothing is mapped.

use std::io;
use std::sync::Arc;

use ottla_protocol::ids::{Offset, TimestampMs};

use crate::files;
use crate::handles::OpenFile;

/// Bytes of an entry of the offset index.
pub(crate) const OFFSET_ENTRY: usize = 8;
/// Bytes of an entry of the time index.
pub(crate) const TIME_ENTRY: usize = 12;

/// Entries of `N` bytes, wherever they are.
pub(crate) trait Entries<const N: usize> {
    /// How many entries there are.
    fn count(&self) -> usize;
    /// The entry of this number, which is below the count.
    fn entry(&self, number: usize) -> io::Result<[u8; N]>;
}

/// Entries in memory, of which the first `persisted` bytes are in the file as well.
#[derive(Debug, Default)]
pub(crate) struct Memory<const N: usize> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) persisted: usize,
}

impl<const N: usize> Entries<N> for Memory<N> {
    fn count(&self) -> usize {
        self.bytes.len() / N
    }

    fn entry(&self, number: usize) -> io::Result<[u8; N]> {
        let at = number * N;
        let bytes = self.bytes.get(at..at + N).and_then(|slice| slice.try_into().ok());
        bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// Entries in the file of a closed segment.
#[derive(Debug)]
pub(crate) struct Stored<const N: usize> {
    pub(crate) file: Arc<OpenFile>,
    pub(crate) count: usize,
}

impl<const N: usize> Entries<N> for Stored<N> {
    fn count(&self) -> usize {
        self.count
    }

    fn entry(&self, number: usize) -> io::Result<[u8; N]> {
        files::read_array(&self.file.file, (number * N) as u64)
    }
}

/// The number of the first entry for which `before` does not hold; it must hold for a prefix.
fn first_not<const N: usize>(
    entries: &impl Entries<N>,
    mut before: impl FnMut([u8; N]) -> bool,
) -> io::Result<usize> {
    let (mut low, mut high) = (0, entries.count());
    while low < high {
        let middle = low + (high - low) / 2;
        if before(entries.entry(middle)?) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn decode_offset(base: Offset, entry: [u8; OFFSET_ENTRY]) -> (Offset, u32) {
    let [a, b, c, d, e, f, g, h] = entry;
    (base + i64::from(u32::from_be_bytes([a, b, c, d])), u32::from_be_bytes([e, f, g, h]))
}

fn decode_time(base: Offset, entry: [u8; TIME_ENTRY]) -> (TimestampMs, Offset) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = entry;
    let timestamp = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
    (timestamp, base + i64::from(u32::from_be_bytes([i, j, k, l])))
}

/// A position at or before the batch that holds `target`: that of the last entry at or below it.
pub(crate) fn position_before(
    entries: &impl Entries<OFFSET_ENTRY>,
    base: Offset,
    target: Offset,
) -> io::Result<u32> {
    let next = first_not(entries, |entry| decode_offset(base, entry).0 <= target)?;
    Ok(if next == 0 { 0 } else { decode_offset(base, entries.entry(next - 1)?).1 })
}

/// A position at or behind the end of all batches below `bound`, a batch's first offset; `None` if no
/// entry is that far.
pub(crate) fn position_bound(
    entries: &impl Entries<OFFSET_ENTRY>,
    base: Offset,
    bound: Offset,
) -> io::Result<Option<u32>> {
    let first = first_not(entries, |entry| decode_offset(base, entry).0 < bound)?;
    if first == entries.count() {
        return Ok(None);
    }
    entries.entry(first).map(|entry| Some(decode_offset(base, entry).1))
}

/// The offset before which no record has a timestamp of `timestamp` or more, by the index: the search
/// begins with the batch that holds it.
pub(crate) fn offset_before_time(
    entries: &impl Entries<TIME_ENTRY>,
    base: Offset,
    timestamp: TimestampMs,
) -> io::Result<Offset> {
    let next = first_not(entries, |entry| decode_time(base, entry).0 <= timestamp)?;
    Ok(if next == 0 { base } else { decode_time(base, entries.entry(next - 1)?).1 })
}

/// The last entry of an offset index.
pub(crate) fn last_offset(
    entries: &impl Entries<OFFSET_ENTRY>,
    base: Offset,
) -> io::Result<Option<(Offset, u32)>> {
    let Some(last) = entries.count().checked_sub(1) else { return Ok(None) };
    entries.entry(last).map(|entry| Some(decode_offset(base, entry)))
}

/// The last entry of a time index: the greatest timestamp up to there.
pub(crate) fn last_time(
    entries: &impl Entries<TIME_ENTRY>,
    base: Offset,
) -> io::Result<Option<(TimestampMs, Offset)>> {
    let Some(last) = entries.count().checked_sub(1) else { return Ok(None) };
    entries.entry(last).map(|entry| Some(decode_time(base, entry)))
}

impl Memory<OFFSET_ENTRY> {
    /// Adds an entry; the offset is above all before it and less than 2^31 above the base.
    pub(crate) fn push(&mut self, base: Offset, offset: Offset, position: u32) {
        self.bytes.extend_from_slice(&((offset - base) as u32).to_be_bytes());
        self.bytes.extend_from_slice(&position.to_be_bytes());
    }

    /// Drops the entries from `offset` on.
    pub(crate) fn truncate_to(&mut self, base: Offset, offset: Offset) -> io::Result<()> {
        let keep = first_not(self, |entry| decode_offset(base, entry).0 < offset)?;
        self.cut(keep * OFFSET_ENTRY);
        Ok(())
    }

    /// Whether offsets and positions rise strictly and stay inside a segment of `size` bytes.
    pub(crate) fn is_sound(&self, size: u32) -> bool {
        let entries = self.bytes.as_chunks::<OFFSET_ENTRY>();
        let mut decoded = entries.0.iter().map(|entry| decode_offset(0, *entry));
        entries.1.is_empty()
            && decoded.clone().is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1)
            && decoded.next_back().is_none_or(|last| last.1 < size)
    }
}

impl Memory<TIME_ENTRY> {
    /// Adds an entry unless it says nothing new.
    pub(crate) fn push(&mut self, base: Offset, timestamp: TimestampMs, offset: Offset) {
        let last = last_time(self, base).ok().flatten();
        if last.is_none_or(|last| timestamp > last.0) && timestamp >= 0 {
            self.bytes.extend_from_slice(&timestamp.to_be_bytes());
            self.bytes.extend_from_slice(&((offset - base) as u32).to_be_bytes());
        }
    }

    /// Drops the entries from `offset` on.
    pub(crate) fn truncate_to(&mut self, base: Offset, offset: Offset) -> io::Result<()> {
        let keep = first_not(self, |entry| decode_time(base, entry).1 < offset)?;
        self.cut(keep * TIME_ENTRY);
        Ok(())
    }

    /// Whether timestamps and offsets rise strictly.
    pub(crate) fn is_sound(&self) -> bool {
        let entries = self.bytes.as_chunks::<TIME_ENTRY>();
        let decoded = entries.0.iter().map(|entry| decode_time(0, *entry));
        entries.1.is_empty() && decoded.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1)
    }
}

impl<const N: usize> Memory<N> {
    fn cut(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.persisted = self.persisted.min(len);
    }

    /// Bytes that the file lacks.
    pub(crate) fn pending(&self) -> usize {
        self.bytes.len() - self.persisted
    }
}
