//! DescribeLogDirs: what each log directory of this broker holds.

use std::collections::{HashMap, HashSet};

use ottla_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::{Context, text};
use crate::partition::{LogDirStatus, ReplicaSize};

/// A volume does not say.
const UNKNOWN: i64 = -1;

/// Whose partitions are asked for; `None`: everybody's.
type Wanted = Option<HashMap<StrBytes, HashSet<i32>>>;

pub(super) async fn handle(
    context: Context,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let wanted: Wanted = request.topics.map(|topics| {
        let partitions = |partitions: Vec<i32>| partitions.into_iter().collect();
        topics.into_iter().map(|topic| (topic.topic.0, partitions(topic.partitions))).collect()
    });
    let partitions = context.broker.partitions.clone();
    let dirs = tokio::task::spawn_blocking(move || partitions.log_dirs()).await;
    let response = DescribeLogDirsResponse::default();
    match dirs {
        Ok(dirs) => {
            let results = dirs.iter().map(|dir| result(dir, &wanted));
            response.with_results(results.collect())
        }
        Err(error) => {
            tracing::error!(%error, "cannot look at the log directories");
            response.with_error_code(ErrorCode::UnknownServerError.code())
        }
    }
}

fn result(dir: &LogDirStatus, wanted: &Wanted) -> DescribeLogDirsResult {
    let result =
        DescribeLogDirsResult::default().with_log_dir(text(&dir.path.display().to_string()));
    if dir.failure.is_some() {
        return result
            .with_error_code(ErrorCode::KafkaStorageError.code())
            .with_total_bytes(UNKNOWN)
            .with_usable_bytes(UNKNOWN);
    }
    let mut topics: Vec<DescribeLogDirsTopic> = Vec::new();
    for replica in dir.replicas.iter().filter(|replica| is_wanted(wanted, replica)) {
        let partition = DescribeLogDirsPartition::default()
            .with_partition_index(replica.partition)
            .with_partition_size(bytes(replica.size_bytes))
            .with_offset_lag(replica.offset_lag)
            .with_is_future_key(replica.is_future);
        match topics.last_mut().filter(|topic| **topic.name == *replica.topic) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(
                DescribeLogDirsTopic::default()
                    .with_name(text(&replica.topic).into())
                    .with_partitions(vec![partition]),
            ),
        }
    }
    let (total, usable) =
        dir.volume.map_or((UNKNOWN, UNKNOWN), |(total, usable)| (bytes(total), bytes(usable)));
    result.with_topics(topics).with_total_bytes(total).with_usable_bytes(usable)
}

fn is_wanted(wanted: &Wanted, replica: &ReplicaSize) -> bool {
    wanted.as_ref().is_none_or(|wanted| {
        wanted
            .get(&text(&replica.topic))
            .is_some_and(|partitions| partitions.contains(&replica.partition))
    })
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
