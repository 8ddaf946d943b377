use super::*;

#[test]
fn a_file_names_offsets() {
    let text = r#"{"partitions":[{"topic":"orders","partition":0,"offset":-1},
                   {"topic":"one","partition":1,"offset":5}],"version":1}"#;
    let found: Vec<_> = offsets(text).unwrap().into_iter().collect();
    assert_eq!(found, [(TopicPartition::new("one", 1), 5), (TopicPartition::new("orders", 0), -1)]);
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn wrong_files_are_refused_as_by_kafka() {
    for (text, thrown) in [
        (
            r#"{"partitions":[{"topic":"one","partition":0,"offset":1}],"version":2}"#,
            "org.apache.kafka.tools.AdminOperationException: Not supported version field value 2",
        ),
        (
            r#"{"partitions":[{"topic":"one","partition":0}],"version":1}"#,
            "com.fasterxml.jackson.databind.JsonMappingException: No such field exists: `offset`",
        ),
        (
            r#"{"parts":[]}"#,
            "org.apache.kafka.tools.AdminOperationException: Missing partitions field",
        ),
        (
            "not json",
            "org.apache.kafka.tools.AdminOperationException: The input string is not a valid JSON",
        ),
        (
            r#"{"partitions":[{"topic":"one","partition":0,"offset":1},
                {"topic":"one","partition":0,"offset":2}]}"#,
            "org.apache.kafka.tools.AdminCommandFailedException: Offset json file contains duplicate \
             topic partitions: one-0",
        ),
    ] {
        assert_eq!(offsets(text).unwrap_err().thrown(), thrown, "{text}");
    }
}
