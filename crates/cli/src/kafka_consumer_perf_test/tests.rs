use super::*;

#[test]
fn figures_have_kafkas_form() {
    let date_format = "yyyy-MM-dd HH:mm:ss:SSS".to_owned();
    let report = Report { detailed: false, interval: Duration::from_secs(5), date_format };
    let totals = Totals { records: 1000, bytes: 1 << 20 };
    assert_eq!(
        report.summary(
            totals,
            1_795_256_835_829,
            Duration::from_millis(2_000),
            Duration::from_millis(1_500)
        ),
        "2026-11-21 10:27:15:829, 2026-11-21 10:27:17:829, 1.0000, 0.5000, 1000, 500.0000, 1500, 500, \
         2.0000, 2000.0000"
    );
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn wrong_options_are_answered_as_by_kafka() {
    let complaint = |line: &str| {
        let args: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        check(&jopt::parse(OPTIONS, &args).unwrap()).unwrap_err()
    };
    let server = "--bootstrap-server localhost:9092";
    assert_eq!(
        complaint(server),
        "Exactly one of the following arguments is required: [topic], [include]"
    );
    assert_eq!(
        complaint(&format!("{server} --topic t --messages 1 --num-records 1")),
        "Exactly one of the following arguments is required: [messages], [num-records]"
    );
    assert_eq!(
        complaint("--topic t --num-records 1"),
        "Missing required argument \"[bootstrap-server]\""
    );
}
