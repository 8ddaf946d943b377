use ottla_client::ApiError;
use ottla_client::admin::{PartitionDescription, ReplicaEnd};

use super::*;

fn given(line: &str) -> Given {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    jopt::parse(OPTIONS, &args).expect("known options")
}

fn misuse(line: &str) -> String {
    match options::check(&given(line), line.is_empty()).expect_err("it makes no sense") {
        Misuse::Usage(message) => message,
        Misuse::Thrown(thrown) => thrown.message().to_owned(),
        Misuse::Version => "version".to_owned(),
    }
}

#[test]
fn command_lines_are_refused_in_kafkas_words() {
    for (line, message) in [
        ("--bootstrap-server s", "Missing required option(s): election-type"),
        (
            "--bootstrap-server s --election-type preferred",
            "One and only one of the following options is required: topic, all-topic-partitions, \
             path-to-json-file",
        ),
        (
            "--bootstrap-server s --election-type preferred --topic t",
            "Missing required option(s): partition",
        ),
        (
            "--bootstrap-server s --election-type odd --all-topic-partitions",
            "Cannot parse argument 'odd' of option election-type",
        ),
    ] {
        assert_eq!(misuse(line), message, "{line}");
    }
    let line = "--bootstrap-server s --election-type Unclean --all-topic-partitions";
    assert_eq!(options::check(&given(line), false), Ok(ElectionType::Unclean));
}

#[test]
fn election_data_names_each_partition_once() {
    let partition = r#"{"topic":"t","partition":0}"#;
    let data = |items: &str| election_data(&format!("{{\"partitions\":[{items}]}}"));
    assert_eq!(data(partition), Ok(vec![TopicPartition::new("t", 0)]));
    let said = |result: Result<_, Failure>| result.map(|_: Vec<_>| ()).unwrap_err().message;
    assert_eq!(
        said(data(&format!("{partition},{partition}"))),
        "Replica election data contains duplicate partitions: [t-0]"
    );
    assert_eq!(said(election_data("{}")), "Replica election data is missing \"partitions\" field");
    assert_eq!(said(election_data("rubbish")), "Replica election data is empty");
}

#[test]
fn what_could_not_be_elected_is_thrown_with_each_reason() {
    let error = ApiError::of(ErrorCode::PreferredLeaderNotAvailable);
    let said = vec![(TopicPartition::new("t", 0), Err(error))];
    let thrown = report(ElectionType::Preferred, said).expect_err("one was refused");
    assert_eq!(
        thrown.trace(),
        "org.apache.kafka.tools.AdminCommandFailedException: 1 replica(s) could not be elected\n\
         \tSuppressed: org.apache.kafka.common.errors.PreferredLeaderNotAvailableException: The \
         preferred leader was not available.\n\n"
    );
}

#[test]
fn what_is_given_up_is_told_of_each_candidate() {
    let described = PartitionDescription {
        partition: 0,
        leader: None,
        leader_epoch: 4,
        replicas: vec![3, 1, 2],
        isr: Vec::new(),
        elr: Some(vec![3]),
        last_known_elr: Some(vec![3]),
        offline_replicas: vec![3],
    };
    let end = |log_end, last_epoch| Some(ReplicaEnd { log_end, last_epoch });
    let partition = TopicPartition::new("t", 0);
    let gone = [(3, None), (1, end(90, 2)), (2, end(100, 3))];
    assert_eq!(
        given_up::text(&partition, &described, &gone),
        "Partition t-0 has no leader. An unclean election gives up:
  broker 3: is not live, and no candidate
  broker 1: last epoch 2, log end 90, gives up what only broker 3 has, which led last and cannot be asked; 10 record(s) of the longest live replica
  broker 2: last epoch 3, log end 100, gives up what only broker 3 has, which led last and cannot be asked; 0 record(s) of the longest live replica
"
    );
    let back = [(3, end(105, 4)), (1, end(90, 2))];
    assert_eq!(
        given_up::text(&partition, &described, &back),
        "Partition t-0 has no leader. An unclean election gives up:
  broker 3: last epoch 4, log end 105, gives up nothing, it led last
  broker 1: last epoch 2, log end 90, gives up 15 record(s) of broker 3, which led last
"
    );
}
