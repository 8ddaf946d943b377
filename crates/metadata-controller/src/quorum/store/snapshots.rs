//! Snapshots: chunks under a sequence number of their own; one row says which sequence is the current one.

use std::io;

use bytes::{Bytes, BytesMut};
use prost::Message;

use ottla_rpc::quorum as proto;

use super::Store;
use super::frame::{self, damaged};
use crate::quorum::types::{Snapshot, SnapshotMeta};
use crate::quorum::wire::{
    log_id_from_proto, log_id_to_proto, stored_membership_from_proto, stored_membership_to_proto,
};

const CURRENT: &str = "snapshot";

/// The row that names the current snapshot.
#[derive(Clone, PartialEq, Message)]
struct CurrentSnapshot {
    #[prost(uint64, tag = "1")]
    sequence: u64,
    #[prost(uint64, tag = "2")]
    bytes: u64,
    #[prost(message, optional, tag = "3")]
    last_log_id: Option<proto::LogId>,
    #[prost(message, optional, tag = "4")]
    membership: Option<proto::StoredMembership>,
}

impl Store {
    /// Makes a snapshot the current one, all or nothing, and deletes the one before.
    pub(crate) async fn save_snapshot(&self, meta: &SnapshotMeta, data: &[u8]) -> io::Result<()> {
        let sequence = self.current_row()?.map_or(1, |row| row.sequence + 1);
        // What an earlier, interrupted save has left under this number.
        self.delete_chunks(|other| other >= sequence)?;
        for (chunk, value) in (0..).zip(frame::parts(data)) {
            self.snapshots.insert(chunk_key(sequence, chunk), value)?;
        }
        self.sync.wait().await?;
        let row = CurrentSnapshot {
            sequence,
            bytes: data.len() as u64,
            last_log_id: meta.last_log_id.as_ref().map(log_id_to_proto),
            membership: Some(stored_membership_to_proto(&meta.last_membership)),
        };
        self.put_hard(CURRENT, &row.encode_to_vec())?;
        self.sync.wait().await?;
        self.delete_chunks(|other| other < sequence)
    }

    /// The current snapshot, if there is one.
    pub(crate) fn current_snapshot(&self) -> io::Result<Option<Snapshot>> {
        let Some(row) = self.current_row()? else { return Ok(None) };
        let what = format!("snapshot {}", row.sequence);
        let mut data = BytesMut::new();
        for item in self.snapshots.scan_prefix(row.sequence.to_be_bytes()) {
            data.extend_from_slice(frame::open(&what, &item?.1)?);
        }
        if data.len() as u64 != row.bytes {
            return Err(damaged(format!(
                "{what}: {} of {} bytes are there",
                data.len(),
                row.bytes
            )));
        }
        let last_membership = stored_membership_from_proto(row.membership)
            .map_err(|error| damaged(format!("{what}: {error}")))?;
        let last_log_id = row.last_log_id.map(log_id_from_proto);
        Ok(Some(Snapshot {
            meta: SnapshotMeta { last_log_id, last_membership },
            snapshot: Bytes::from(data),
        }))
    }

    fn current_row(&self) -> io::Result<Option<CurrentSnapshot>> {
        let Some(bytes) = self.hard_value(CURRENT)? else { return Ok(None) };
        let row = CurrentSnapshot::decode(&*bytes);
        row.map(Some).map_err(|error| damaged(format!("{CURRENT}: {error}")))
    }

    fn delete_chunks(&self, which: impl Fn(u64) -> bool) -> io::Result<()> {
        for key in self.snapshots.iter().keys() {
            let key = key?;
            let sequence = key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            if which(sequence) {
                self.snapshots.remove(key)?;
            }
        }
        Ok(())
    }
}

fn chunk_key(sequence: u64, chunk: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&sequence.to_be_bytes());
    key[8..].copy_from_slice(&chunk.to_be_bytes());
    key
}
