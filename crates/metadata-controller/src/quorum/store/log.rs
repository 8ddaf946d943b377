//! openraft's log storage over the store.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use prost::Message;

use ottla_rpc::quorum as proto;

use super::frame::{self, damaged};
use super::{COMMITTED, PURGED, Store};
use crate::quorum::types::{Entry, LogId, TypeConfig, Vote};
use crate::quorum::wire::{entry_from_proto, entry_to_proto};

/// How much one append to a follower carries at most (but at least one entry).
const MAX_READ_BYTES: usize = 1024 * 1024;
/// How many keys one batch deletes.
const DELETE_BATCH: usize = 1000;

/// The log and the vote, as openraft sees them. Cloning shares the store.
#[derive(Clone)]
pub(crate) struct LogStore {
    store: Arc<Store>,
}

impl LogStore {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    #[cfg(test)]
    pub(super) fn store(&self) -> &Store {
        &self.store
    }
}

impl Store {
    /// Deletes what was purged, then reads every entry and finds every hole.
    pub(super) fn check_log(&self) -> io::Result<()> {
        let purged = self.last_purged()?;
        if let Some(purged) = &purged {
            self.delete_through(purged.index)?;
        }
        let mut next = purged.map(|id| id.index + 1);
        self.read_entries(0, u64::MAX, |_, entry| {
            let index = entry.log_id.index;
            if next.is_some_and(|next| next != index) {
                return Err(damaged(format!(
                    "the log has a hole: entry {index} stands where {} is due",
                    next.unwrap_or_default()
                )));
            }
            next = Some(index + 1);
            Ok(true)
        })
    }

    fn last_entry(&self) -> io::Result<Option<LogId>> {
        let Some((key, _)) = self.log.last()? else { return Ok(None) };
        let (index, _) = read_key(&key)?;
        let mut last = None;
        self.read_entries(index, index + 1, |_, entry| {
            last = Some(entry.log_id);
            Ok(true)
        })?;
        Ok(last)
    }

    /// Hands the entries of `[start, end)`, with their encoded size, to `take`, until it returns false.
    fn read_entries(
        &self,
        start: u64,
        end: u64,
        mut take: impl FnMut(usize, Entry) -> io::Result<bool>,
    ) -> io::Result<()> {
        let mut parts: Vec<u8> = Vec::new();
        let mut due = None;
        for item in self.log.range(key(start, 0)..key(end, 0)) {
            let (item_key, value) = item?;
            let position = read_key(&item_key)?;
            let what = format!("log entry {}", position.0);
            if position != due.unwrap_or((position.0, 0)) {
                return Err(damaged(format!("{what}: a part is missing")));
            }
            parts.extend_from_slice(frame::open(&what, &value)?);
            if !frame::is_last(&value) {
                due = Some((position.0, position.1 + 1));
                continue;
            }
            due = None;
            let size = parts.len();
            let entry = proto::Entry::decode(std::mem::take(&mut parts).as_slice())
                .map_err(|error| damaged(format!("{what}: {error}")))?;
            let entry =
                entry_from_proto(entry).map_err(|error| damaged(format!("{what}: {error}")))?;
            if entry.log_id.index != position.0 {
                return Err(damaged(format!("{what}: it says that it is {}", entry.log_id.index)));
            }
            if !take(size, entry)? {
                return Ok(());
            }
        }
        due.map_or(Ok(()), |(index, _)| {
            Err(damaged(format!("log entry {index}: a part is missing")))
        })
    }

    fn delete_through(&self, index: u64) -> io::Result<()> {
        let keys = self.log.range(..key(index.saturating_add(1), 0)).keys();
        self.delete(keys)
    }

    /// From the end backward: what a crash leaves has no hole.
    fn delete_from(&self, index: u64) -> io::Result<()> {
        let keys = self.log.range(key(index, 0)..).keys().rev();
        self.delete(keys)
    }

    fn delete(&self, keys: impl Iterator<Item = sled::Result<sled::IVec>>) -> io::Result<()> {
        let mut batch = sled::Batch::default();
        let mut count = 0;
        for key in keys {
            batch.remove(key?);
            count += 1;
            if count == DELETE_BATCH {
                self.log.apply_batch(std::mem::take(&mut batch))?;
                count = 0;
            }
        }
        self.log.apply_batch(batch)?;
        Ok(())
    }
}

fn key(index: u64, part: u16) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&index.to_be_bytes());
    key[8..].copy_from_slice(&part.to_be_bytes());
    key
}

fn read_key(key: &[u8]) -> io::Result<(u64, u16)> {
    let bad = || damaged(format!("a log key of {} bytes", key.len()));
    let (index, part) = key.split_first_chunk::<8>().ok_or_else(bad)?;
    let part = part.try_into().map_err(|_| bad())?;
    Ok((u64::from_be_bytes(*index), u16::from_be_bytes(part)))
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end.max(start))
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        let mut entries = Vec::new();
        self.store.read_entries(start, end, |_, entry| {
            entries.push(entry);
            Ok(true)
        })?;
        Ok(entries)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        self.store.read_vote()
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        self.store.read_entries(start, end, |size, entry| {
            bytes += size;
            if bytes > MAX_READ_BYTES && !entries.is_empty() {
                return Ok(false);
            }
            entries.push(entry);
            Ok(true)
        })?;
        Ok(entries)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let last_purged_log_id = self.store.last_purged()?;
        let last_log_id = self.store.last_entry()?.max(last_purged_log_id);
        Ok(LogState { last_purged_log_id, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.store.save_vote(vote).await
    }

    /// Not synced: what is lost of it is learned again from the quorum.
    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        match committed {
            Some(committed) => self.store.put_hard_log_id(COMMITTED, &committed),
            None => Ok(()),
        }
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        // After a power cut it may be ahead of the log, as it stands in another tree.
        let last = self.get_log_state().await?.last_log_id;
        Ok(self.store.hard_log_id(COMMITTED)?.min(last))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut batch = sled::Batch::default();
        for entry in entries {
            let encoded = entry_to_proto(&entry).encode_to_vec();
            for (part, value) in (0..).zip(frame::parts(&encoded)) {
                batch.insert(&key(entry.log_id.index, part), value);
            }
        }
        self.store.log.apply_batch(batch)?;
        self.store.sync.submit(move |result| callback.io_completed(result));
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        self.store.delete_from(last_log_id.map_or(0, |id| id.index + 1))?;
        self.store.sync.wait().await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        self.store.put_hard_log_id(PURGED, &log_id)?;
        self.store.sync.wait().await?;
        self.store.delete_through(log_id.index)
    }
}
