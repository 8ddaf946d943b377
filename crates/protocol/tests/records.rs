//! Batches: what the builder writes the decoder reads, in every codec.

use bytes::Bytes;
use ottla_protocol::record::{
    BATCH_HEADER_LEN, BatchError, BatchHeader, Compression, CompressionError, ControlRecord,
    DecodeLimits, EndTransaction, Header, NO_SEQUENCE, ProducerFields, RecordBatchBuilder,
    TimestampType, batches, check_crc, check_produced, compress, decode_batch, decode_records,
    decompress, retain, stamp, stamp_log_append_time,
};
use proptest::prelude::*;

type Input = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn input() -> impl Strategy<Value = Input> {
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..300));
    let headers = prop::collection::vec(("[a-z]{0,8}", bytes()), 0..3);
    (0i64..2_000_000_000_000, bytes(), bytes(), headers)
}

fn build(builder: &mut RecordBatchBuilder, inputs: &[Input]) -> Bytes {
    for (timestamp, key, value, headers) in inputs {
        let headers: Vec<Header> = headers
            .iter()
            .map(|(key, value)| Header { key: key.clone(), value: value.clone().map(Bytes::from) })
            .collect();
        builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers);
    }
    builder.build().expect("a small batch")
}

fn one(text: &str) -> Bytes {
    build(&mut RecordBatchBuilder::default(), &[(1000, None, Some(text.into()), vec![])])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn records_survive_every_codec(
        id in 0i16..5,
        inputs in prop::collection::vec(input(), 1..20),
    ) {
        let codec = Compression::from_id(id).expect("a codec");
        let mut builder = RecordBatchBuilder::new(codec).base_offset(42).leader_epoch(3);
        let batch = build(&mut builder, &inputs);
        let header = check_produced(&batch).expect("a valid batch");
        prop_assert_eq!(header.compression(), Some(codec));
        prop_assert_eq!(header.count as usize, inputs.len());
        prop_assert_eq!(header.next_offset(), 42 + inputs.len() as i64);
        prop_assert_eq!(header.size_in_bytes(), batch.len());

        let records = decode_records(&batch).expect("records");
        prop_assert_eq!(records.len(), inputs.len());
        for (index, (record, (timestamp, key, value, headers))) in
            records.iter().zip(&inputs).enumerate()
        {
            prop_assert_eq!(record.offset, 42 + index as i64);
            prop_assert_eq!(record.timestamp, *timestamp);
            prop_assert_eq!(record.leader_epoch, 3);
            prop_assert_eq!(record.key.as_deref(), key.as_deref());
            prop_assert_eq!(record.value.as_deref(), value.as_deref());
            prop_assert_eq!(record.headers.len(), headers.len());
            for (found, (key, value)) in record.headers.iter().zip(headers) {
                prop_assert_eq!(&found.key, key);
                prop_assert_eq!(found.value.as_deref(), value.as_deref());
            }
        }
    }

    #[test]
    fn compression_round_trips_and_is_capped(
        id in 0i16..5,
        bytes in prop::collection::vec(any::<u8>(), 1..100_000),
    ) {
        let codec = Compression::from_id(id).expect("a codec");
        let packed = compress(codec, None, &bytes);
        prop_assert_eq!(decompress(codec, &packed, bytes.len()).expect("the bytes"), bytes.clone());
        let limit = bytes.len() - 1;
        prop_assert_eq!(
            decompress(codec, &packed, limit),
            Err(CompressionError::TooLarge { limit })
        );
    }

    #[test]
    fn a_flipped_bit_fails_the_checksum(bit in 0usize..8, at in 21usize..100) {
        let mut batch = one(&"x".repeat(100)).to_vec();
        batch[at] ^= 1 << bit;
        let failed = matches!(check_crc(&batch), Err(BatchError::BadCrc { .. }));
        prop_assert!(failed);
    }
}

#[test]
fn bombs_do_not_explode() {
    let zeros = vec![0u8; 64 << 20];
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let packed = compress(codec, None, &zeros);
        let limit = 1 << 20;
        assert_eq!(decompress(codec, &packed, limit), Err(CompressionError::TooLarge { limit }));
    }
}

#[test]
fn bare_snappy_is_read_too() {
    let packed = snap::raw::Encoder::new().compress_vec(b"hello hello").expect("snappy");
    assert_eq!(decompress(Compression::Snappy, &packed, 100).expect("plain"), b"hello hello");
}

/// One record (key `k`, value `v`, timestamp 1000) by hand, from the description of the format.
#[test]
fn the_bytes_are_kafkas() {
    let mut builder = RecordBatchBuilder::default();
    builder.append(1000, Some(b"k"), Some(b"v"), &[]);
    let batch = builder.build().expect("a batch");
    let expected: &[u8] = &[
        0, 0, 0, 0, 0, 0, 0, 0, // base offset
        0, 0, 0, 58, // length
        0xff, 0xff, 0xff, 0xff, // leader epoch
        2,    // magic
    ];
    assert_eq!(&batch[..17], expected);
    let body: &[u8] = &[
        0, 0, // attributes
        0, 0, 0, 0, // last offset delta
        0, 0, 0, 0, 0, 0, 3, 0xe8, // base timestamp
        0, 0, 0, 0, 0, 0, 3, 0xe8, // max timestamp
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // producer id
        0xff, 0xff, // producer epoch
        0xff, 0xff, 0xff, 0xff, // base sequence
        0, 0, 0, 1, // count
        16, 0, 0, 0, 2, b'k', 2, b'v', 0, // the record
    ];
    assert_eq!(&batch[21..], body);
}

#[test]
fn stamping_keeps_the_checksum_right() {
    let mut batch = one("v").to_vec();
    stamp(&mut batch, 1234, 7);
    assert_eq!(check_crc(&batch), Ok(()));
    let header = BatchHeader::parse(&batch).expect("a header");
    assert_eq!((header.base_offset, header.partition_leader_epoch), (1234, 7));

    stamp_log_append_time(&mut batch, 5555);
    assert_eq!(check_crc(&batch), Ok(()));
    let record = &decode_records(&batch).expect("records")[0];
    assert_eq!(record.timestamp, 5555);
    assert_eq!(record.timestamp_type, TimestampType::LogAppendTime);
    assert_eq!(record.offset, 1234);
}

#[test]
fn batches_are_walked_to_a_torn_end() {
    let mut run = one("first").to_vec();
    let second_at = run.len();
    run.extend_from_slice(&one("second"));
    assert_eq!(batches(&run).filter(Result::is_ok).count(), 2);

    run.pop();
    let found: Vec<_> = batches(&run).collect();
    assert_eq!(found.len(), 2);
    assert!(matches!(
        found[1],
        Err(BatchError::Truncated { position, .. }) if position == second_at
    ));
    assert_eq!(decode_records(&run).expect("the first").len(), 1);

    run[second_at + 16] = 1;
    let error = batches(&run).nth(1).expect("an item").expect_err("an old message");
    assert_eq!(error, BatchError::BadMagic { position: second_at, magic: 1 });
}

#[test]
fn produced_bytes_hold_exactly_one_sound_batch() {
    let batch = one("v");
    assert!(check_produced(&batch).is_ok());
    assert_eq!(check_produced(&[]), Err(BatchError::NotOneBatch { found: 0 }));
    let twice = [&batch[..], &batch[..]].concat();
    assert_eq!(check_produced(&twice), Err(BatchError::NotOneBatch { found: 2 }));
    assert!(matches!(check_produced(&batch[..30]), Err(BatchError::Truncated { .. })));

    let empty = RecordBatchBuilder::default().build().expect("a batch");
    assert!(matches!(check_produced(&empty), Err(BatchError::Invalid(_))));

    let mark = EndTransaction::Commit.to_batch(1, 0).build().expect("a batch");
    assert!(matches!(check_produced(&mark), Err(BatchError::Invalid(_))));

    let mut unnumbered = RecordBatchBuilder::default().producer(ProducerFields {
        producer_id: 1,
        producer_epoch: 0,
        base_sequence: NO_SEQUENCE,
    });
    let unnumbered = build(&mut unnumbered, &[(1, None, None, vec![])]);
    assert!(matches!(check_produced(&unnumbered), Err(BatchError::Invalid(_))));
}

#[test]
fn idempotent_fields_and_wrapping_sequences() {
    let producer = ProducerFields { producer_id: 9, producer_epoch: 2, base_sequence: i32::MAX };
    let mut builder = RecordBatchBuilder::default().producer(producer).transactional(true);
    let record = |n: i64| (n, None, None, vec![]);
    let batch = build(&mut builder, &[record(1), record(2), record(3)]);
    let header = check_produced(&batch).expect("a batch");
    assert_eq!((header.producer_id, header.producer_epoch), (9, 2));
    assert!(header.has_producer_id() && header.is_transactional() && !header.is_control());
    // i32::MAX, 0, 1.
    assert_eq!(header.last_sequence(), 1);
    assert_eq!(header.max_timestamp, 3);
}

#[test]
fn transaction_marks_are_read_and_hidden() {
    for how in [EndTransaction::Abort, EndTransaction::Commit] {
        let producer =
            ProducerFields { producer_id: 4, producer_epoch: 1, base_sequence: NO_SEQUENCE };
        let batch = how.to_batch(10, 6).producer(producer).build().expect("a batch");
        let expected = ControlRecord::EndTransaction { how, coordinator_epoch: 6 };
        assert_eq!(ControlRecord::from_batch(&batch), Ok(expected));
        assert!(BatchHeader::parse(&batch).expect("a header").is_control());
        assert_eq!(decode_records(&batch), Ok(Vec::new()));
    }
    assert!(ControlRecord::from_batch(&one("v")).is_err());
}

#[test]
fn the_header_is_61_bytes() {
    let batch = one("");
    assert!(BatchHeader::parse(&batch[..BATCH_HEADER_LEN]).is_ok());
    assert!(BatchHeader::parse(&batch[..BATCH_HEADER_LEN - 1]).is_err());
}

#[test]
fn what_compaction_leaves_keeps_offsets_times_and_producer() {
    for compression in Compression::ALL {
        let producer = ProducerFields { producer_id: 9, producer_epoch: 2, base_sequence: 40 };
        let mut builder = RecordBatchBuilder::new(compression)
            .base_offset(100)
            .leader_epoch(7)
            .producer(producer);
        let header = Header { key: "h".to_owned(), value: Some(Bytes::from_static(b"x")) };
        for number in 0..5_i64 {
            let key = [b'a' + number as u8];
            let value = (number != 3).then_some(&b"value"[..]);
            builder.append(1000 + number, Some(&key), value, std::slice::from_ref(&header));
        }
        let batch = builder.build().expect("a small batch");
        let whole = BatchHeader::parse(&batch).expect("a batch");
        let mut records = Vec::new();
        decode_batch(&batch, DecodeLimits::default(), &mut records).expect("records");
        records.retain(|record| matches!(record.offset, 101 | 103));

        let left = retain(&whole, &records, Some(5_000_000)).expect("a small batch");
        let head = BatchHeader::parse(&left).expect("a batch");
        assert_eq!((head.base_offset, head.last_offset(), head.count), (100, 104, 2));
        assert_eq!((head.max_timestamp, head.base_timestamp), (1003, 5_000_000));
        assert!(head.has_delete_horizon());
        assert_eq!(head.compression(), Some(compression));
        assert_eq!((head.producer_id, head.last_sequence()), (9, 44));
        assert_eq!(head.partition_leader_epoch, 7);
        let mut read = Vec::new();
        decode_batch(&left, DecodeLimits::default(), &mut read).expect("records");
        assert_eq!(read, records);

        let bare = retain(&head, &[], Some(5_000_000)).expect("a head");
        let head = BatchHeader::parse(&bare).expect("a batch");
        check_crc(&bare).expect("its checksum");
        assert_eq!((bare.len(), head.count, head.last_offset()), (61, 0, 104));
        assert_eq!((head.max_timestamp, head.last_sequence()), (-1, 44));
        assert!(!head.has_delete_horizon());
        assert_eq!(decode_records(&bare).expect("no records"), []);
    }
}
