use ottla_client::ApiError;
use ottla_client::admin::LogDirReplica;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TopicPartition;

use super::*;

fn dir(path: &str, topics: &[&str]) -> LogDir {
    let replica = |topic: &&str| LogDirReplica {
        partition: TopicPartition::new(*topic, 0),
        size: 106,
        offset_lag: 0,
        is_future: false,
    };
    LogDir {
        path: path.to_owned(),
        error: None,
        replicas: topics.iter().map(replica).collect(),
        volume: None,
    }
}

#[test]
fn directories_are_one_line_in_kafkas_order_of_keys() {
    let broken =
        LogDir { error: Some(ApiError::of(ErrorCode::KafkaStorageError)), ..dir("/b", &[]) };
    let dirs = [vec![dir("/a", &["one", "two"])], vec![broken]];
    let text = json([1, 2].into_iter().zip(&dirs), &BTreeSet::from(["one"]));
    assert_eq!(
        text,
        r#"{"brokers":[{"broker":1,"logDirs":[{"partitions":[{"partition":"one-0","size":106,"offsetLag":0,"isFuture":false}],"error":null,"logDir":"/a"}]},{"broker":2,"logDirs":[{"partitions":[],"error":"org.apache.kafka.common.errors.KafkaStorageException","logDir":"/b"}]}],"version":1}"#
    );
}

#[test]
fn lists_may_have_holes_but_only_numbers() {
    assert_eq!(broker_list(" 2,,1 "), Ok(BTreeSet::from([1, 2])));
    assert_eq!(broker_list(""), Ok(BTreeSet::new()));
    let refused = broker_list("x").expect_err("it is no number");
    assert_eq!(refused.message, "For input string: \"x\"");
}
