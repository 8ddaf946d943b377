//! Batches that kafka-python 3.0.12 wrote, one in each codec, with the same forty records.

use ottla_protocol::record::{Compression, check_produced, decode_records};

fn is_read(codec: Compression, batch: &[u8]) {
    let header = check_produced(batch).expect("a sound batch");
    assert_eq!(header.compression(), Some(codec));
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (9, 2, 5));
    assert_eq!((header.count, header.last_sequence(), header.max_timestamp), (40, 44, 1039));

    let records = decode_records(batch).expect("records");
    assert_eq!(records.len(), 40);
    for (i, record) in records.iter().enumerate() {
        assert_eq!((record.offset, record.timestamp), (i as i64, 1000 + i as i64));
        let key = (i % 5 != 0).then(|| format!("key-{i}").into_bytes());
        assert_eq!(record.key.as_deref(), key.as_deref());
        let value = (i % 7 != 0).then(|| format!("value-{i} ").repeat(4).into_bytes());
        assert_eq!(record.value.as_deref(), value.as_deref());
        let headers: Vec<_> =
            record.headers.iter().map(|h| (h.key.as_str(), h.value.as_deref())).collect();
        let number = i.to_string();
        // A key may stand twice.
        let expected = [("h", Some(number.as_bytes())), ("h", None)];
        assert_eq!(headers, &expected[..if i % 2 == 0 { 0 } else { 2 }]);
    }
}

#[test]
fn plain() {
    is_read(Compression::None, include_bytes!("fixtures/kafka-python-none.batch"));
}

#[test]
fn gzip() {
    is_read(Compression::Gzip, include_bytes!("fixtures/kafka-python-gzip.batch"));
}

#[test]
fn snappy() {
    is_read(Compression::Snappy, include_bytes!("fixtures/kafka-python-snappy.batch"));
}

#[test]
fn lz4() {
    is_read(Compression::Lz4, include_bytes!("fixtures/kafka-python-lz4.batch"));
}

#[test]
fn zstd() {
    is_read(Compression::Zstd, include_bytes!("fixtures/kafka-python-zstd.batch"));
}
