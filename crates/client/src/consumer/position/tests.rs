use bytes::BytesMut;
use ottla_protocol::record::{Compression, ProducerFields, RecordBatchBuilder};

use super::*;

fn batch(
    base_offset: Offset,
    values: &[&str],
    change: impl Fn(RecordBatchBuilder) -> RecordBatchBuilder,
) -> Bytes {
    let mut builder = change(RecordBatchBuilder::new(Compression::None).base_offset(base_offset));
    for value in values {
        builder.append(0, None, Some(value.as_bytes()), &[]);
    }
    builder.build().unwrap()
}

fn transactional(producer_id: i64) -> impl Fn(RecordBatchBuilder) -> RecordBatchBuilder {
    move |builder| {
        let fields = ProducerFields { producer_id, producer_epoch: 0, base_sequence: 0 };
        builder.producer(fields).transactional(true)
    }
}

/// The mark that ends a transaction: kind 0 aborts, 1 commits.
fn marker(base_offset: Offset, producer_id: i64, kind: u8) -> Bytes {
    let fields = ProducerFields { producer_id, producer_epoch: 0, base_sequence: -1 };
    let mut builder = RecordBatchBuilder::new(Compression::None)
        .base_offset(base_offset)
        .producer(fields)
        .transactional(true)
        .control(true);
    builder.append(0, Some(&[0, 0, 0, kind]), Some(&[0, 0, 0, 0, 0, 0]), &[]);
    builder.build().unwrap()
}

fn run(batches: &[Bytes]) -> Bytes {
    let mut bytes = BytesMut::new();
    for batch in batches {
        bytes.extend_from_slice(batch);
    }
    bytes.freeze()
}

fn values(visible: &Visible) -> Vec<&str> {
    visible
        .records
        .iter()
        .map(|record| std::str::from_utf8(record.value.as_deref().unwrap()).unwrap())
        .collect()
}

#[test]
fn reading_begins_inside_a_batch() {
    let bytes = run(&[batch(10, &["a", "b", "c"], |b| b), batch(13, &["d"], |b| b)]);
    let found = visible(&bytes, 11, None).unwrap();
    assert_eq!((values(&found), found.next_offset), (vec!["b", "c", "d"], 14));
}

#[test]
fn a_batch_that_is_cut_ends_the_run() {
    let whole = run(&[batch(0, &["a"], |b| b), batch(1, &["b"], |b| b)]);
    let found = visible(&whole.slice(..whole.len() - 1), 0, None).unwrap();
    assert_eq!((values(&found), found.next_offset), (vec!["a"], 1));
}

#[test]
fn control_batches_are_passed_over() {
    let bytes = run(&[batch(0, &["a"], transactional(7)), marker(1, 7, 1)]);
    let found = visible(&bytes, 0, Some(&[])).unwrap();
    assert_eq!((values(&found), found.next_offset), (vec!["a"], 2));
}

#[test]
fn aborted_records_are_left_out() {
    let bytes = run(&[
        batch(0, &["aborted"], transactional(7)),
        batch(1, &["other"], transactional(8)),
        marker(2, 7, 0),
        batch(3, &["next transaction"], transactional(7)),
        marker(4, 7, 1),
    ]);
    let aborted = [Aborted { first_offset: 0, producer_id: 7 }];
    let committed = visible(&bytes, 0, Some(&aborted)).unwrap();
    assert_eq!(values(&committed), ["other", "next transaction"]);
    assert_eq!(visible(&bytes, 0, None).unwrap().records.len(), 3);
}

#[test]
fn a_damaged_batch_is_an_error() {
    let mut bytes = batch(0, &["a"], |b| b).to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(visible(&Bytes::from(bytes), 0, None).is_err());
}
