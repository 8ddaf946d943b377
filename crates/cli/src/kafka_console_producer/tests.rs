use std::ffi::OsString;

use ottla_client::Acks;
use ottla_protocol::record::Compression;

use super::chomp;
use super::options::{Misuse, Settings, settings};
use super::reader::LineReader;
use crate::properties::read_pairs;

fn reader(properties: &[&str]) -> LineReader {
    LineReader::new(&read_pairs(properties.iter().copied())).unwrap()
}

fn given(line: &str) -> Result<Settings, String> {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    settings(&args).map_err(|misuse| match misuse {
        Misuse::Usage(message) => message,
        Misuse::Failed(failure) => failure.thrown(),
        Misuse::Version => "version".to_owned(),
    })
}

#[test]
fn a_line_is_a_value() {
    let record = reader(&[]).read(b"k\tv", 1).unwrap();
    assert_eq!((record.key, record.value), (None, Some(b"k\tv".to_vec())));
    let empty = reader(&[]).read(b"", 1).unwrap();
    assert_eq!(empty.value, Some(Vec::new()));
    assert_eq!(chomp(b"a\r\n"), b"a");
    assert_eq!(chomp(b"a"), b"a");
}

#[test]
fn keys_and_headers_stand_before_the_value() {
    let keyed = reader(&["parse.key=true", "key.separator=:"]).read(b"k1:v:1", 1).unwrap();
    assert_eq!((keyed.key, keyed.value), (Some(b"k1".to_vec()), Some(b"v:1".to_vec())));

    let both = reader(&["parse.key=true", "parse.headers=true"]);
    let record = both.read(b"h1:a,h2:b\tk1\tv6", 1).unwrap();
    let headers: Vec<_> =
        record.headers.iter().map(|h| (h.key.as_str(), h.value.as_deref())).collect();
    assert_eq!(headers, [("h1", Some(&b"a"[..])), ("h2", Some(&b"b"[..]))]);
    assert_eq!((record.key, record.value), (Some(b"k1".to_vec()), Some(b"v6".to_vec())));
}

#[test]
fn the_null_marker_is_null() {
    let marked = reader(&["parse.key=true", "null.marker=NULL"]);
    let record = marked.read(b"k9\tNULL", 1).unwrap();
    assert_eq!((record.key, record.value), (Some(b"k9".to_vec()), None));
}

#[test]
fn a_line_without_its_separator_is_an_error_unless_ignored() {
    let strict = reader(&["parse.key=true"]);
    assert_eq!(
        strict.read(b"nokey", 1).unwrap_err(),
        "No key separator found on line number 1: 'nokey'"
    );
    let lax = reader(&["parse.key=true", "ignore.error=true"]);
    let record = lax.read(b"nokey", 1).unwrap();
    assert_eq!((record.key, record.value), (None, Some(b"nokey".to_vec())));
}

#[test]
fn marks_must_differ() {
    let pairs = read_pairs(["headers.delimiter=,"].into_iter());
    assert_eq!(
        LineReader::new(&pairs).unwrap_err().message,
        "headers.delimiter and headers.separator may not be equal"
    );
}

#[test]
fn wrong_options_are_answered_as_by_kafka() {
    let line = "--bootstrap-server localhost:9092 --topic orders";
    for (rest, message) in [
        (
            "--producer-property a=b --command-property a=b",
            "Options --command-property and --producer-property cannot be specified together.",
        ),
        (
            "--property a=b --reader-property a=b",
            "Options --reader-property and --property cannot be specified together.",
        ),
        (
            "--compression-codec rar",
            "org.apache.kafka.common.config.ConfigException: Invalid value rar for configuration \
             compression.type: String must be one of: none, gzip, snappy, lz4, zstd",
        ),
        (
            "--request-required-acks 7",
            "org.apache.kafka.common.config.ConfigException: Invalid value 7 for configuration \
             acks: String must be one of: all, -1, 0, 1",
        ),
        (
            "--command-property acks",
            "org.apache.kafka.common.config.ConfigException: Invalid value  for configuration acks: \
             String must be one of: all, -1, 0, 1",
        ),
        ("--line-reader no.such.Class", "java.lang.ClassNotFoundException: no.such.Class"),
        ("--nonsense", "nonsense is not a recognized option"),
    ] {
        assert_eq!(given(&format!("{line} {rest}")).unwrap_err(), message);
    }
    assert_eq!(
        given("--bootstrap-server localhost:9092").unwrap_err(),
        "Missing required argument \"[topic]\""
    );
    assert_eq!(
        given("--topic orders").unwrap_err(),
        "Error while validating the bootstrap address\n"
    );
    assert_eq!(
        given("--bootstrap-server localhost --topic orders").unwrap_err(),
        "Please provide valid host:port like host1:9091,host2:9092\n"
    );
}

#[test]
fn flags_go_before_properties_and_old_names_still_work() {
    let settings = given(
        "--broker-list a:9092,b:9092 --topic orders --command-property acks=1 --compression-codec",
    )
    .unwrap();
    assert_eq!(settings.bootstrap, "a:9092,b:9092");
    assert_eq!((settings.producer.acks, settings.producer.idempotent), (Acks::Leader, false));
    assert_eq!(settings.producer.compression, Compression::Gzip);
    let flags = given(
        "--bootstrap-server a:1 --topic t --command-property acks=1 --request-required-acks all",
    )
    .unwrap();
    assert_eq!((flags.producer.acks, flags.producer.idempotent), (Acks::All, true));
    assert_eq!((flags.producer.retries, flags.producer.request_timeout_ms), (3, 1_500));
}
