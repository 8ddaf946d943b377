use super::*;

fn complaint(line: &str) -> String {
    let args: Vec<_> = line.split_whitespace().map(OsString::from).collect();
    match options::settings(&args).unwrap_err() {
        Misuse::Refused(refusal) => refusal.text(),
        Misuse::Complaint(message) => message.to_owned(),
        Misuse::Thrown(failure) => failure.thrown(),
    }
}

/// As printed by Apache Kafka 4.3.1.
#[test]
fn wrong_options_are_answered_as_by_kafka() {
    let all = "--topic orders --num-records 10 --throughput -1 --bootstrap-server localhost:1";
    let usage = "\
usage: kafka-producer-perf-test
       [-h] [--bootstrap-server BOOTSTRAP-SERVER] --topic TOPIC
       --num-records NUM-RECORDS [--payload-delimiter PAYLOAD-DELIMITER]
       --throughput THROUGHPUT
       [--producer-props PROP-NAME=PROP-VALUE [PROP-NAME=PROP-VALUE ...]]
       [--command-property PROP-NAME=PROP-VALUE [PROP-NAME=PROP-VALUE ...]]
       [--producer.config CONFIG-FILE] [--command-config CONFIG-FILE]
       [--print-metrics] [--transactional-id TRANSACTIONAL-ID]
       [--transaction-duration-ms TRANSACTION-DURATION]
       [--warmup-records WARMUP-RECORDS] [--reporting-interval INTERVAL-MS]
       (--record-size RECORD-SIZE | --payload-file PAYLOAD-FILE |
       --payload-monotonic)
kafka-producer-perf-test: error:  one  of  the  arguments  --record-size --
payload-file --payload-monotonic is required
";
    assert_eq!(complaint(all), usage);
    for (rest, message) in [
        ("--record-size 0", "--record-size should be greater than zero."),
        (
            "--record-size 5 --command-property acks",
            "java.lang.IllegalArgumentException: Invalid property: acks",
        ),
        (
            "--record-size 5 --producer-props a=1 --command-property a=1",
            "--command-property and --producer-props cannot be specified together.",
        ),
        (
            "--record-size 5 --warmup-records 10",
            "The value for --warmup-records must be strictly fewer than the number of records in the \
             test, --num-records.",
        ),
    ] {
        assert_eq!(complaint(&format!("{all} {rest}")), message);
    }
    assert!(complaint(&format!("{all} --record-size x")).ends_with(
        "kafka-producer-perf-test: error: argument --record-size:  could not convert\n\
         'x' to Integer (For input string: \"x\")\n"
    ));
}

#[test]
fn summaries_have_kafkas_form() {
    let mut stats = Stats::new(100);
    for latency_ms in 1..=100 {
        stats.record(Duration::from_millis(latency_ms), 1 << 20);
    }
    assert_eq!(
        stats.window(Duration::from_secs(2)).unwrap(),
        "100 records sent, 50.0 records/sec (50.00 MB/sec), 50.5 ms avg latency, 100.0 ms max latency."
    );
    assert_eq!(stats.window(Duration::from_secs(2)), None);
    assert_eq!(
        stats.summary("", Duration::from_secs(4)),
        "100 records sent, 25.000000 records/sec (25.00 MB/sec), 50.50 ms avg latency, 100.00 ms max \
         latency, 51 ms 50th, 96 ms 95th, 100 ms 99th, 100 ms 99.9th."
    );
    let none = Stats::new(2).summary("", Duration::from_secs(1));
    assert_eq!(
        none,
        "0 records sent, 0.000000 records/sec (0.00 MB/sec), NaN ms avg latency, 0.00 ms max latency, 0 \
         ms 50th, 0 ms 95th, 0 ms 99th, 0 ms 99.9th."
    );
}
