//! OffsetFetch: what groups have committed.

use ottla_coordinator::{Request, Response};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use ottla_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::coordinated::{ask_each, code};
use super::{Context, text};

/// From this version on a request names several groups, and only then (KIP-709).
const BATCHED: i16 = 8;
/// From this version on there is a code for the whole answer.
const WHOLE_CODE: i16 = 2;
/// In place of offsets and epochs where there are none.
const NONE: i64 = -1;

pub(super) async fn handle(context: Context, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let OffsetFetchRequest { group_id, topics, groups, require_stable, .. } = request;
    if context.version >= BATCHED {
        let groups = fetch(&context, groups, require_stable).await;
        return OffsetFetchResponse::default().with_groups(groups);
    }
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(group_id)
        .with_member_epoch(-1)
        .with_topics(topics.as_ref().map(|topics| topics.iter().map(batched).collect()));
    let fetched = fetch(&context, vec![group], require_stable).await;
    flat(context.version, topics, fetched.into_iter().next().unwrap_or_default())
}

async fn fetch(
    context: &Context,
    groups: Vec<OffsetFetchRequestGroup>,
    require_stable: bool,
) -> Vec<OffsetFetchResponseGroup> {
    let ids: Vec<_> = groups.iter().map(|group| group.group_id.clone()).collect();
    let requests = ids
        .iter()
        .map(|id| id.as_str())
        .zip(groups.into_iter().map(|group| Request::OffsetFetch { group, require_stable }));
    let answers = ask_each(context, requests).await;
    let answers = answers.into_iter().zip(ids.iter().cloned());
    answers
        .map(|(answer, group_id)| match answer {
            Ok(Response::OffsetFetch(group)) => group,
            other => OffsetFetchResponseGroup::default()
                .with_group_id(group_id)
                .with_error_code(code(&other).code()),
        })
        .collect()
}

fn batched(topic: &OffsetFetchRequestTopic) -> OffsetFetchRequestTopics {
    OffsetFetchRequestTopics::default()
        .with_name(topic.name.clone())
        .with_partition_indexes(topic.partition_indexes.clone())
}

/// The form of a request for one group; `asked` is what it named.
fn flat(
    version: i16,
    asked: Option<Vec<OffsetFetchRequestTopic>>,
    group: OffsetFetchResponseGroup,
) -> OffsetFetchResponse {
    let failed = group.error_code != ErrorCode::None.code();
    if failed && version >= WHOLE_CODE {
        return OffsetFetchResponse::default().with_error_code(group.error_code);
    }
    let topics = if failed {
        let asked = asked.unwrap_or_default().into_iter();
        asked.map(|topic| refused(topic, group.error_code)).collect()
    } else {
        let topics = group.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|partition| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_committed_offset(partition.committed_offset)
                    .with_committed_leader_epoch(partition.committed_leader_epoch)
                    .with_metadata(partition.metadata)
                    .with_error_code(partition.error_code)
            });
            OffsetFetchResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions.collect())
        });
        topics.collect()
    };
    OffsetFetchResponse::default().with_topics(topics)
}

fn refused(topic: OffsetFetchRequestTopic, code: i16) -> OffsetFetchResponseTopic {
    let partitions = topic.partition_indexes.into_iter().map(|index| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(index)
            .with_committed_offset(NONE)
            .with_committed_leader_epoch(-1)
            .with_metadata(Some(text("")))
            .with_error_code(code)
    });
    OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
}
