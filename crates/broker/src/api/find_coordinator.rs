//! FindCoordinator: the leader of the partition of `__consumer_offsets` that a group belongs to. The topic
//! is created when somebody first asks.

use std::sync::Arc;

use ottla_metadata::{Endpoint, Image};
use ottla_protocol::ids::{BrokerId, TopicIdPartition};
use ottla_protocol::messages::find_coordinator_response::Coordinator;
use ottla_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::{ErrorCode, StrBytes, group_partition};
use tokio::time::timeout_at;

use super::{Context, text};
use crate::coordinator::OFFSETS_TOPIC;

/// From this version on a request names several coordinators, and only then (KIP-699).
const BATCHED: i16 = 4;
/// The kinds of keys.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(super) async fn handle(
    context: Context,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let keys = if context.version < BATCHED { vec![request.key] } else { request.coordinator_keys };
    let image = match request.key_type {
        GROUP => settled(&context, &keys).await.ok_or(ErrorCode::CoordinatorNotAvailable),
        // There are no transactions yet: clients take this for a state that passes.
        TRANSACTION => Err(ErrorCode::CoordinatorNotAvailable),
        _ => Err(ErrorCode::InvalidRequest),
    };
    let found = keys.into_iter().map(|key| {
        let found = match &image {
            Ok(image) => find(&context, image, &key).ok_or(ErrorCode::CoordinatorNotAvailable),
            Err(code) => Err(*code),
        };
        coordinator(key, found)
    });
    let mut found: Vec<Coordinator> = found.collect();
    if context.version >= BATCHED {
        return FindCoordinatorResponse::default().with_coordinators(found);
    }
    let Some(one) = found.pop() else { return FindCoordinatorResponse::default() };
    FindCoordinatorResponse::default()
        .with_error_code(one.error_code)
        .with_error_message(one.error_message)
        .with_node_id(one.node_id)
        .with_host(one.host)
        .with_port(one.port)
}

/// The image, once it has the topic and no coordinator that is asked for is suspected to be gone: a client
/// whose connection to its coordinator breaks asks sooner than the leadership can have moved. `None`: there
/// is no topic yet.
async fn settled(context: &Context, keys: &[StrBytes]) -> Option<Arc<Image>> {
    let broker = &context.broker;
    if !broker.coordinator.ensure_topic(&broker.link).await {
        return None;
    }
    let mut changes = broker.metadata.subscribe();
    loop {
        changes.mark_unchanged();
        let image = broker.metadata.snapshot();
        let leaders = keys.iter().filter_map(|key| leader(&image, key));
        let suspected = leaders.filter_map(|leader| broker.partitions.suspected_until(leader));
        let Some(until) = suspected.max() else { return Some(image) };
        match timeout_at(until, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Some(image),
        }
    }
}

fn leader(image: &Image, group_id: &str) -> Option<BrokerId> {
    let topic = image.topic_by_name(OFFSETS_TOPIC)?;
    let partition = group_partition(group_id, i32::try_from(topic.partitions.len()).ok()?);
    image.partition(TopicIdPartition::new(topic.id, partition))?.leader
}

/// Who coordinates the group, and where this client reaches it.
fn find(context: &Context, image: &Image, group_id: &str) -> Option<(BrokerId, Endpoint)> {
    let leader = leader(image, group_id)?;
    let broker = image.broker(leader).filter(|broker| !broker.fenced)?;
    Some((leader, broker.endpoint(&context.listener)?.clone()))
}

fn coordinator(key: StrBytes, found: Result<(BrokerId, Endpoint), ErrorCode>) -> Coordinator {
    match found {
        Ok((id, endpoint)) => Coordinator::default()
            .with_key(key)
            .with_node_id(id.into())
            .with_host(text(&endpoint.host))
            .with_port(endpoint.port.into()),
        Err(code) => Coordinator::default()
            .with_key(key)
            .with_error_code(code.code())
            .with_error_message(Some(text(code.message())))
            .with_node_id((-1).into())
            .with_port(-1),
    }
}
