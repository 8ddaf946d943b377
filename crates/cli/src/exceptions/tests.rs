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
