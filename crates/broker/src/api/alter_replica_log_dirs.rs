//! AlterReplicaLogDirs: into which log directory of this broker a replica goes.

use std::path::Path;

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TopicIdPartition;
use ottla_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use ottla_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};

use super::Context;
use super::error::Coded;

pub(super) fn handle(
    context: &Context,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let image = context.broker.metadata.image();
    let mut results = Vec::new();
    for dir in request.dirs {
        let path = Path::new(dir.path.as_str());
        for topic in dir.topics {
            let known = image.topic_by_name(&topic.name);
            let choose = |index: i32| {
                let topic = known.filter(|topic| topic.partitions.contains_key(&index));
                let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
                let id = TopicIdPartition::new(topic.id, index);
                context.broker.partitions.choose_log_dir(id, path).map_err(|error| error.code())
            };
            let partitions = topic.partitions.iter().map(|index| {
                AlterReplicaLogDirPartitionResult::default()
                    .with_partition_index(*index)
                    .with_error_code(choose(*index).err().unwrap_or(ErrorCode::None).code())
            });
            let partitions = partitions.collect();
            results.push(
                AlterReplicaLogDirTopicResult::default()
                    .with_topic_name(topic.name.clone())
                    .with_partitions(partitions),
            );
        }
    }
    AlterReplicaLogDirsResponse::default().with_results(results)
}
