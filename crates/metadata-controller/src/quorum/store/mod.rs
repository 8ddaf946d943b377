//! The quorum on disk: log, vote and snapshots in one sled database.
//!
//! One database is one ordered file, so that one sync makes all that was written before it durable.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `raft_log` | index, part | a part of a `quorum.v1.Entry` |
//! | `raft_hard` | `vote`, `purged`, `committed`, `snapshot`, `founders`, `rejoining` | a message each |
//! | `snap` | sequence, chunk | a chunk of an encoded metadata batch |

mod frame;
mod log;
mod snapshots;
mod sync;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use prost::Message;

use ottla_rpc::quorum as proto;

use super::types::{LogId, Vote};
use super::wire::{log_id_from_proto, log_id_to_proto, vote_from_proto, vote_to_proto};
use frame::damaged;
use sync::SyncThread;

pub(crate) use log::LogStore;

/// Fixed when the database is created. A leaf page of up to 17 values must stay below a quarter of it: a
/// larger one spills into a file that sled never syncs. Each of sled's buffers is as large as a segment.
const SEGMENT_SIZE: usize = 1024 * 1024;
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

const VOTE: &str = "vote";
const PURGED: &str = "purged";
const COMMITTED: &str = "committed";
const FOUNDERS: &str = "founders";
const REJOINING: &str = "rejoining";

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("it is in use")]
    InUse,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(
        "{0}. If the other controllers are healthy, move this directory away and start again: the node \
         then gets the log from them"
    )]
    Damaged(String),
}

/// The database with its trees. One per controller; shared.
pub(crate) struct Store {
    log: sled::Tree,
    hard: sled::Tree,
    snapshots: sled::Tree,
    sync: SyncThread,
}

impl Store {
    /// Opens or creates the store in `dir`, and checks all that is in it. Blocking.
    pub(crate) fn open(dir: &Path) -> Result<Arc<Self>, OpenError> {
        fs::create_dir_all(dir)?;
        delete_torn_index(dir)?;
        let db = open_sled(dir)?;
        if has_files(&dir.join("blobs"))? {
            return Err(OpenError::Damaged(
                "it holds values in files of their own, which are never written here".to_owned(),
            ));
        }
        // The files' names must outlive a power cut as well.
        File::open(dir)?.sync_all()?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        let file = File::open(dir.join("db"))?;
        let tree = |name: &str| db.open_tree(name).map_err(io::Error::from);
        let store = Self {
            log: tree("raft_log")?,
            hard: tree("raft_hard")?,
            snapshots: tree("snap")?,
            sync: SyncThread::start(db, file)?,
        };
        store.check().map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => OpenError::Damaged(error.to_string()),
            _ => OpenError::Io(error),
        })?;
        Ok(Arc::new(store))
    }

    /// Whether this voter has ever voted or taken an entry.
    pub(crate) fn has_data(&self) -> io::Result<bool> {
        Ok(self.read_vote()?.is_some() || self.last_purged()?.is_some() || !self.log.is_empty())
    }

    /// The incarnations of the voters with which this node formed the quorum; see `bootstrap`.
    pub(crate) fn founders(&self) -> io::Result<Vec<Vec<u8>>> {
        let bytes = self.hard_value(FOUNDERS)?.unwrap_or_default();
        Ok(bytes.chunks_exact(16).map(<[u8]>::to_vec).collect())
    }

    /// Remembers the founders, durably.
    pub(crate) async fn save_founders(&self, incarnations: &[Vec<u8>]) -> io::Result<()> {
        self.put_hard(FOUNDERS, &incarnations.concat())?;
        self.sync.wait().await
    }

    /// Whether this voter lost its data and has not got it all back yet.
    pub(crate) fn is_rejoining(&self) -> io::Result<bool> {
        Ok(self.hard_value(REJOINING)?.is_some())
    }

    /// Remembers that this voter is coming back, or that it has come back; durably.
    pub(crate) async fn set_rejoining(&self, rejoining: bool) -> io::Result<()> {
        if rejoining {
            self.put_hard(REJOINING, &[])?;
        } else {
            self.hard.remove(REJOINING)?;
        }
        self.sync.wait().await
    }

    fn read_vote(&self) -> io::Result<Option<Vote>> {
        let Some(bytes) = self.hard_value(VOTE)? else { return Ok(None) };
        let vote =
            proto::Vote::decode(&*bytes).map_err(|error| damaged(format!("vote: {error}")))?;
        vote_from_proto(Some(vote)).map(Some).map_err(|error| damaged(format!("vote: {error}")))
    }

    async fn save_vote(&self, vote: &Vote) -> io::Result<()> {
        self.put_hard(VOTE, &vote_to_proto(vote).encode_to_vec())?;
        self.sync.wait().await
    }

    fn last_purged(&self) -> io::Result<Option<LogId>> {
        self.hard_log_id(PURGED)
    }

    fn hard_log_id(&self, key: &str) -> io::Result<Option<LogId>> {
        let Some(bytes) = self.hard_value(key)? else { return Ok(None) };
        let id =
            proto::LogId::decode(&*bytes).map_err(|error| damaged(format!("{key}: {error}")))?;
        Ok(Some(log_id_from_proto(id)))
    }

    fn put_hard_log_id(&self, key: &str, id: &LogId) -> io::Result<()> {
        self.put_hard(key, &log_id_to_proto(id).encode_to_vec())
    }

    fn hard_value(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(value) = self.hard.get(key)? else { return Ok(None) };
        Ok(Some(frame::open(key, &value)?.to_vec()))
    }

    fn put_hard(&self, key: &str, payload: &[u8]) -> io::Result<()> {
        self.hard.insert(key, frame::seal(payload))?;
        Ok(())
    }

    /// Everything readable, and the log without a hole.
    fn check(&self) -> io::Result<()> {
        self.read_vote()?;
        self.check_log()?;
        self.current_snapshot()?;
        Ok(())
    }
}

fn open_sled(dir: &Path) -> Result<sled::Db, OpenError> {
    let config = sled::Config::new()
        .path(dir)
        .mode(sled::Mode::HighThroughput)
        .segment_size(SEGMENT_SIZE)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    // sled panics on some kinds of damage.
    let opened = catch_unwind(AssertUnwindSafe(|| config.open()))
        .map_err(|_| OpenError::Damaged("sled cannot read it".to_owned()))?;
    opened.map_err(|error| match error {
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            OpenError::InUse
        }
        sled::Error::Io(error) => OpenError::Io(error),
        other => OpenError::Damaged(other.to_string()),
    })
}

/// A process that is killed while it opens the database leaves a half-written index, which the next open
/// would take for damage. It can be deleted: the index is made anew from the file.
fn delete_torn_index(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn has_files(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
