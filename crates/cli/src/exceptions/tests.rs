use ottla_protocol::api::ApiKey;

use super::*;

#[test]
fn error_codes_have_kafkas_class_names() {
    for (code, name) in [
        (ErrorCode::TopicAlreadyExists, "TopicExistsException"),
        (ErrorCode::InvalidTopicException, "InvalidTopicException"),
        (ErrorCode::InvalidReplicationFactor, "InvalidReplicationFactorException"),
        (ErrorCode::InvalidReplicaAssignment, "InvalidReplicaAssignmentException"),
        (ErrorCode::InvalidPartitions, "InvalidPartitionsException"),
        (ErrorCode::InvalidConfig, "InvalidConfigurationException"),
        (ErrorCode::NotEnoughReplicas, "NotEnoughReplicasException"),
        (ErrorCode::UnknownTopicOrPartition, "UnknownTopicOrPartitionException"),
    ] {
        assert_eq!(exception_name(code), name);
    }
}

#[test]
fn what_a_node_does_not_serve_is_named_as_kafka_names_it() {
    let address = "localhost:9092".to_owned();
    let error = ClientError::Unsupported { address, api: ApiKey::DescribeClientQuotas };
    assert_eq!(
        Failure::of_client(&error, "describeClientQuotas").thrown(),
        "org.apache.kafka.common.errors.UnsupportedVersionException: The node does not support \
         DESCRIBE_CLIENT_QUOTAS"
    );
}

#[test]
fn a_config_value_that_the_tool_would_have_refused_keeps_its_class() {
    let error = |message: &str| ApiError {
        code: ErrorCode::InvalidConfig.code(),
        message: Some(message.to_owned()),
    };
    let value = "Invalid value soon for configuration retention.ms: Not a number of type LONG";
    assert_eq!(
        Failure::from(&error(value)).class,
        "org.apache.kafka.common.config.ConfigException"
    );
    assert_eq!(
        Failure::from(&error("Unknown topic config name: no.such.config")).thrown(),
        "org.apache.kafka.common.errors.InvalidConfigurationException: Unknown topic config name: \
         no.such.config"
    );
}
