//! openraft's state machine: the image in memory, snapshots in the store.
//!
//! Nothing is written when an entry is applied: after a restart the image is the last snapshot and the log
//! from there up to what is known as committed.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};

use ottla_metadata::{Batch, Image, codec};

use super::store::Store;
use super::types::{LogId, Payload, Snapshot, SnapshotMeta, StoredMembership, TypeConfig};
use crate::committed::{Applied, Committed};

/// The image, as openraft moves it forward.
pub(crate) struct StateMachine {
    store: Arc<Store>,
    committed: Arc<Committed>,
    image: Image,
    last_applied: Option<LogId>,
    membership: StoredMembership,
}

/// Makes a snapshot of the image at one point.
pub(crate) struct SnapshotBuilder {
    store: Arc<Store>,
    image: Image,
    meta: SnapshotMeta,
}

impl StateMachine {
    pub(crate) fn new(store: Arc<Store>, committed: Arc<Committed>) -> Self {
        Self {
            store,
            committed,
            image: Image::default(),
            last_applied: None,
            membership: StoredMembership::default(),
        }
    }
}

fn applied(log_id: &LogId) -> Applied {
    Applied { term: log_id.leader_id.term, index: log_id.index }
}

fn unreadable(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = Bytes;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let at = applied(&entry.log_id);
            self.last_applied = Some(entry.log_id);
            match entry.payload {
                Payload::Blank => self.committed.push_other(at),
                Payload::Normal(batch) => {
                    let decoded = codec::decode_batch(&batch.0).map_err(unreadable)?;
                    let delta = self.image.replay_batch(at.index, &decoded);
                    for ignored in &delta.ignored {
                        tracing::warn!(offset = at.index, "{ignored}");
                    }
                    self.committed.push_batch(self.image.clone(), batch.0, at);
                }
                Payload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                    self.committed.push_other(at);
                }
            }
            if let Some(responder) = responder {
                responder.send(());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        SnapshotBuilder {
            store: Arc::clone(&self.store),
            image: self.image.clone(),
            meta: SnapshotMeta {
                last_log_id: self.last_applied,
                last_membership: self.membership.clone(),
            },
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Bytes,
    ) -> Result<(), io::Error> {
        let decoded = codec::decode_batch(&snapshot).map_err(unreadable)?;
        let at = meta.last_log_id.as_ref().map(applied).unwrap_or_default();
        let (image, ignored) = Image::from_records(at.index, &decoded.records);
        for ignored in ignored {
            tracing::warn!(offset = at.index, "in a snapshot: {ignored}");
        }
        // At a start it is the one that is there already.
        if self.store.current_snapshot()?.is_none_or(|current| current.meta != *meta) {
            self.store.save_snapshot(meta, &snapshot).await?;
        }
        self.image = image;
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.committed.replace(self.image.clone(), at);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.store.current_snapshot()
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let image = self.image.clone();
        let encode = move || {
            let batch = Batch { records: image.records().collect(), timestamp_ms: 0 };
            Bytes::from(codec::encode_batch(&batch))
        };
        let data = tokio::task::spawn_blocking(encode).await.map_err(io::Error::other)?;
        self.store.save_snapshot(&self.meta, &data).await?;
        Ok(Snapshot { meta: self.meta.clone(), snapshot: data })
    }
}
