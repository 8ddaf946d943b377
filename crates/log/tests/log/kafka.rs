//! Kafka's own `kafka-dump-log` as the judge of the files. By hand:
//! `KAFKA_LIBS=<a folder with Kafka's jars> cargo test -p ottla-log kafka -- --ignored`.

use std::process::Command;

use ottla_protocol::record::Compression;

use crate::support::{Site, batch_of, names, small};

#[test]
#[ignore = "needs Java and Kafka's jars"]
fn kafkas_dump_log_reads_segments_indexes_and_time_indexes() {
    let libs = std::env::var("KAFKA_LIBS").expect("KAFKA_LIBS names the folder with Kafka's jars");
    let site = Site::new(small());
    let mut log = site.log();
    let codecs = [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd];
    for number in 0..60 {
        let base = log.log_end();
        let timestamp = 1_700_000_000_000 + (number as i64 * 37) % 101;
        let bytes = batch_of(codecs[number % 4], base, 1 + number % 5, 3, timestamp, 30);
        log.append(&bytes).expect("an append");
    }
    let (end, segments) = (log.log_end(), log.segment_count());
    site.close(log);
    let files: Vec<String> = names(&site)
        .into_iter()
        .filter(|name| name.ends_with(".log") || name.ends_with("index"))
        .map(|name| site.partition_path().join(name).display().to_string())
        .collect();
    assert!(segments > 3 && files.len() > segments * 2, "{files:?}");

    let output = Command::new("java")
        .args(["-cp", &format!("{libs}/*"), "org.apache.kafka.tools.DumpLogSegments"])
        .args(["--deep-iteration", "--files", &files.join(",")])
        .output()
        .expect("java runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    for offset in 0..end {
        assert!(text.contains(&format!("| offset: {offset} ")), "offset {offset} is missing");
    }
    for complaint in [
        "Mismatches",
        "Found timestamp mismatch",
        "Found out of order",
        "not valid",
        "isvalid: false",
    ] {
        assert!(!text.contains(complaint), "{complaint}");
    }
}
