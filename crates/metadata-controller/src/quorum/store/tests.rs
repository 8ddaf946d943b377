use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use openraft::RaftLogReader;
use openraft::StorageError;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::TypeConfigExt;
use tempfile::TempDir;

use super::*;
use crate::committed::Committed;
use crate::quorum::state_machine::StateMachine;
use crate::quorum::types::{EncodedBatch, Entry, Payload, SnapshotMeta, TypeConfig, log_id};

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let state_machine = StateMachine::new(Arc::clone(&store), Committed::new());
        Ok((dir, LogStore::new(store), state_machine))
    }
}

#[test]
fn openraft_own_suite_passes() {
    TypeConfig::run(Suite::test_all(Builder)).unwrap();
}

fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    let batch = EncodedBatch(Bytes::from(vec![index as u8; bytes]));
    Entry { log_id: log_id(term, index), payload: Payload::Normal(batch) }
}

async fn append(log: &mut LogStore, entries: impl IntoIterator<Item = Entry>) {
    log.blocking_append(entries.into_iter().collect::<Vec<_>>()).await.unwrap();
}

async fn indexes(log: &mut LogStore) -> Vec<u64> {
    let entries = log.try_get_log_entries(..).await.unwrap();
    entries.iter().map(|entry| entry.log_id.index).collect()
}

#[tokio::test]
async fn entries_of_any_size_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = [0, 100, 32 * 1024, 3_000_000];
    {
        let mut log = LogStore::new(Store::open(dir.path()).unwrap());
        append(&mut log, sizes.iter().zip(1..).map(|(size, index)| entry(1, index, *size))).await;
        log.save_vote(&openraft::Vote::new_committed(7, 2)).await.unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    assert!(store.has_data().unwrap());
    assert!(fs::read_dir(dir.path().join("blobs")).unwrap().next().is_none());
    let mut log = LogStore::new(store);
    let entries = log.try_get_log_entries(..).await.unwrap();
    let expected: Vec<Entry> = sizes.iter().zip(1..).map(|(size, i)| entry(1, i, *size)).collect();
    assert_eq!(entries, expected);
    assert_eq!(log.read_vote().await.unwrap(), Some(openraft::Vote::new_committed(7, 2)));
    // At most about a megabyte at a time, but at least one entry.
    let limited = log.limited_get_log_entries(1, 5).await.unwrap();
    assert_eq!(limited.len(), 3);
    assert_eq!(log.limited_get_log_entries(4, 5).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_purged_and_truncated_stays_away() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut log = LogStore::new(Store::open(dir.path()).unwrap());
        append(&mut log, (1..=3000).map(|index| entry(1, index, 10))).await;
        log.purge(log_id(1, 1500)).await.unwrap();
        log.truncate_after(Some(log_id(1, 2000))).await.unwrap();
        assert_eq!(indexes(&mut log).await, (1501..=2000).collect::<Vec<_>>());
        // As if the process had died between recording the purge and deleting.
        log_store_put_purged(&log, 1600);
    }
    let mut log = LogStore::new(Store::open(dir.path()).unwrap());
    assert_eq!(indexes(&mut log).await, (1601..=2000).collect::<Vec<_>>());
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(log_id(1, 1600)));
    assert_eq!(state.last_log_id, Some(log_id(1, 2000)));
}

fn log_store_put_purged(log: &LogStore, index: u64) {
    log.store().put_hard_log_id(PURGED, &log_id(1, index)).unwrap();
}

#[tokio::test]
async fn a_hole_and_a_flipped_bit_are_found_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut log = LogStore::new(Store::open(dir.path()).unwrap());
        append(&mut log, [entry(1, 1, 10), entry(1, 3, 10)]).await;
    }
    let error = Store::open(dir.path()).err().unwrap().to_string();
    assert!(error.starts_with("the log has a hole: entry 3 stands where 2 is due"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path()).unwrap();
        store.hard.insert(VOTE, b"\x01nonsense".to_vec()).unwrap();
        store.sync.wait().await.unwrap();
    }
    let error = Store::open(dir.path()).err().unwrap().to_string();
    assert!(error.starts_with("vote: the checksum does not fit"), "{error}");
}

#[tokio::test]
async fn a_second_process_is_kept_out_and_a_torn_index_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(OpenError::InUse)));
    drop(store);
    fs::write(dir.path().join("snap.FFFF.generating"), b"half").unwrap();
    Store::open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_snapshot_replaces_the_one_before_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let meta =
        |index| SnapshotMeta { last_log_id: Some(log_id(1, index)), ..SnapshotMeta::default() };
    let large = vec![7; 100_000];
    store.save_snapshot(&meta(1), &large).await.unwrap();
    store.save_snapshot(&meta(2), b"small").await.unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let current = store.current_snapshot().unwrap().unwrap();
    assert_eq!((current.meta, &current.snapshot[..]), (meta(2), &b"small"[..]));
    assert_eq!(store.snapshots.len(), 1);
    // A chunk that is gone is no snapshot.
    store.snapshots.clear().unwrap();
    assert!(store.current_snapshot().is_err());
}
