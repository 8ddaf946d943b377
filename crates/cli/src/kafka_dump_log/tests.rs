use bytes::Bytes;
use ottla_protocol::record::{Compression, RecordBatchBuilder};

use super::options::{Decoder, Plain};
use super::records::print;
use super::*;
use crate::internal_records::{GROUPS, TRANSACTIONS};

const TEXT: Decoder = Decoder::Plain { key: Plain::Text, value: Plain::Text };
const PRINT: LogOptions = LogOptions {
    print: true,
    deep: true,
    skip_metadata: false,
    max_bytes: i32::MAX as u64,
    decoder: TEXT,
};

fn batch(base: i64, compression: Compression, values: &[&str]) -> Bytes {
    let mut builder = RecordBatchBuilder::new(compression).base_offset(base);
    for value in values {
        builder.append(1_795_256_392_858, Some(b"k".as_slice()), Some(value.as_bytes()), &[]);
    }
    builder.build().unwrap()
}

fn dumped(path: &Path, options: &LogOptions) -> (String, Result<segment::Gaps, Stop>) {
    let mut out = Vec::new();
    let outcome = segment::dump(path, options, &mut out);
    (String::from_utf8(out).unwrap(), outcome)
}

fn segment_of(folder: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join("00000000000000000000.log");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn batches_of_every_codec_are_printed_with_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = Vec::new();
    for (place, codec) in Compression::ALL.into_iter().enumerate() {
        bytes.extend_from_slice(&batch(i64::try_from(place).unwrap() * 2, codec, &["v1", "v2"]));
    }
    let path = segment_of(folder.path(), &bytes);
    let (text, outcome) = dumped(&path, &PRINT);
    assert!(outcome.unwrap().is_empty());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Log starting offset: 0");
    assert!(
        lines[1].starts_with(
            "baseOffset: 0 lastOffset: 1 count: 2 baseSequence: -1 lastSequence: -1 producerId: -1 \
             producerEpoch: -1 partitionLeaderEpoch: -1 isTransactional: false isControl: false \
             deleteHorizonMs: OptionalLong.empty position: 0 CreateTime: 1795256392858 size: "
        ),
        "{}",
        lines[1]
    );
    assert!(lines[1].ends_with(" isvalid: true"));
    assert_eq!(
        lines[2],
        "| offset: 0 CreateTime: 1795256392858 keySize: 1 valueSize: 2 sequence: -1 headerKeys: [] \
         key: k payload: v1"
    );
    assert_eq!(lines.len(), 1 + 5 * 3);
    for codec in Compression::ALL {
        assert!(text.contains(&format!("compresscodec: {} crc", codec.name())), "{text}");
    }
    let short = LogOptions { skip_metadata: true, ..PRINT };
    assert!(dumped(&path, &short).0.contains("\n| key: k payload: v1\n"));
}

#[test]
fn damage_is_said_with_its_position() {
    let folder = tempfile::tempdir().unwrap();
    let first = batch(0, Compression::None, &["v1", "v2"]);
    let mut bytes = first.to_vec();
    bytes.extend_from_slice(&batch(2, Compression::None, &["v3", "v4"]));
    // The length of the second record of the second batch.
    let at = bytes.len() - 10;
    bytes[at] = 0x7f;
    let path = segment_of(folder.path(), &bytes);
    let (text, outcome) = dumped(&path, &PRINT);
    assert!(text.contains("isvalid: true") && text.contains("isvalid: false"), "{text}");
    assert!(text.ends_with("key: k payload: v3\n"), "{text}");
    let Err(Stop::Thrown(thrown)) = outcome else { panic!("not noticed") };
    assert!(thrown.contains(&format!("at position {}: ", first.len())), "{thrown}");

    let cut = segment_of(folder.path(), &bytes[..bytes.len() - 7]);
    let (text, outcome) = dumped(&cut, &LogOptions { print: false, deep: false, ..PRINT });
    assert!(outcome.is_ok());
    let left = bytes.len() - 7 - first.len();
    let end = format!("Found {left} invalid bytes at the end of 00000000000000000000.log\n");
    assert!(text.ends_with(&end), "{text}");
}

#[test]
fn any_bytes_are_printed_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = batch(0, Compression::Gzip, &["v1", "v2"]);
    for at in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0xff;
        let path = segment_of(folder.path(), &bytes);
        let _ = dumped(&path, &PRINT);
        for name in ["0.index", "0.timeindex", "0.txnindex", "0.snapshot"] {
            std::fs::write(folder.path().join(name), &bytes[..24 + at % 3]).unwrap();
        }
        std::fs::write(folder.path().join("0.log"), &bytes).unwrap();
        let mut out = Vec::new();
        let _ = index::dump_offsets(&folder.path().join("0.index"), Look::Print, &mut out);
        let _ = index::dump_times(&folder.path().join("0.timeindex"), Look::Print, &mut out);
        let _ = small::dump_transactions(&folder.path().join("0.txnindex"), &mut out);
        let _ = small::dump_producers(&folder.path().join("0.snapshot"), &mut out);
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn records_of_groups_are_json() {
    let key = hex("0001 0001 67 0001 74 00000002");
    let value = hex("0003 0000000000000007 ffffffff 0000 000001a2000a3b59");
    let printed = print(GROUPS, 5, &key, Some(&value));
    assert_eq!(
        printed.key.unwrap(),
        r#"{"type":"1","data":{"group":"g","topic":"t","partition":2}}"#
    );
    assert_eq!(
        printed.value.unwrap(),
        r#"{"version":"3","data":{"offset":7,"leaderEpoch":-1,"metadata":"","commitTimestamp":1795297000281}}"#
    );
    // Compact lengths, and the topic's id in a tagged field.
    let value = hex("0004 0000000000000007 00000003 02 78 000001a2000a3b59 \
         01 00 10 000102030405060708090a0b0c0d0e0f");
    assert_eq!(
        print(GROUPS, 5, &key, Some(&value)).value.unwrap(),
        r#"{"version":"4","data":{"offset":7,"leaderEpoch":3,"metadata":"x","commitTimestamp":1795297000281,"topicId":"AAECAwQFBgcICQoLDA0ODw"}}"#
    );
    assert_eq!(print(GROUPS, 5, &key, None).value.unwrap(), "<DELETE>");
}

#[test]
fn records_of_transactions_are_json() {
    let key = hex("0000 0002 7478");
    let value = hex("0001 00000000000007d0 0000 0000ea60 01 02 03 7478 02 00000001 00 \
         000001a2000a3b59 000001a2000a3b59 01 02 02 0002");
    assert_eq!(
        print(TRANSACTIONS, 0, &key, Some(&value)).value.unwrap(),
        r#"{"version":"1","data":{"producerId":2000,"producerEpoch":0,"transactionTimeoutMs":60000,"transactionStatus":1,"transactionPartitions":[{"topic":"tx","partitionIds":[1]}],"transactionLastUpdateTimestampMs":1795297000281,"transactionStartTimestampMs":1795297000281,"clientTransactionVersion":2}}"#
    );
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn other_records_are_named_as_by_kafka() {
    let printed = print(GROUPS, 0, b"k1", Some(b"v1"));
    assert_eq!(printed.value, None);
    assert_eq!(printed.key.unwrap(), "Unknown record type 27441 at offset 0, skipping.");
    let printed = print(GROUPS, 1, &hex("0000 0007 706572662d7478"), Some(&[]));
    assert_eq!(
        printed.key.unwrap(),
        "Error at offset 1, skipping. Could not read record with version 0 from key's buffer due to: \
         null."
    );
}

/// Files that Apache Kafka 4.3.1 has written, with what its own tool prints of them. (Of some the batches
/// in the middle were taken out.)
#[test]
fn what_kafka_has_written_is_printed_as_by_its_own_tool() {
    for (expected, files, options) in [
        (
            include_str!("../../testdata/kafka/events.txt"),
            "events-0/00000000000000000000.log,events-0/00000000000000000000.txnindex,\
             events-0/00000000000000000077.snapshot",
            "--print-data-log",
        ),
        (
            include_str!("../../testdata/kafka/offsets.txt"),
            "__consumer_offsets-0/00000000000000000000.log",
            "--offsets-decoder",
        ),
        (
            include_str!("../../testdata/kafka/transactions.txt"),
            "__transaction_state-0/00000000000000000000.log",
            "--transaction-log-decoder",
        ),
        (
            include_str!("../../testdata/kafka/metadata.txt"),
            "__cluster_metadata-0/00000000000000000000.log,bootstrap.checkpoint",
            "--cluster-metadata-decoder",
        ),
    ] {
        let files: Vec<String> =
            files.split(',').map(|file| format!("testdata/kafka/{}", file.trim())).collect();
        let args = ["--files", &files.join(","), options].map(OsString::from);
        let mut out = Vec::new();
        dump_all(&jopt::parse(OPTIONS, &args).unwrap(), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        for (number, (got, expected)) in (1..).zip(out.lines().zip(expected.lines())) {
            assert_eq!(got, expected, "{options}, line {number}");
        }
        assert_eq!(out, expected);
    }
}
