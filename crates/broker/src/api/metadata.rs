//! Metadata: brokers, topics and who leads what; creates topics that a client asks for by name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_metadata::plan::malformed_topic_name;
use ottla_metadata::proposal::{CreateTopics, NewTopic};
use ottla_metadata::{Image, Proposal, Reply, Topic};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, KafkaUuid, TopicIdPartition};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};
use tokio::time::{sleep, timeout_at};

use super::lookup::{self, PartitionView};
use super::{Context, admin_deadline, text};
use crate::coordinator::OFFSETS_TOPIC;

/// Before this version an empty list means every topic.
const EMPTY_IS_NONE: i16 = 1;
/// Before this version there are only live replicas to name.
const KNOWS_OFFLINE: i16 = 1;
/// From this version on topics can be asked for by id.
const BY_ID: i16 = 12;
/// So many topics can be created by one request.
const MAX_CREATED: usize = 1_000;
/// The kernel closes a dead process's connections one after the other: a client may have lost its own, and
/// ask who leads now, this much sooner than this broker loses its replica stream.
const SUSPICION_ARRIVES: Duration = Duration::from_millis(3);
/// A client that waits for its new topic waits at most so long for it.
const CREATE_TIMEOUT_MS: i32 = 5_000;

pub(super) async fn handle(context: Context, request: MetadataRequest) -> MetadataResponse {
    let wanted =
        request.topics.filter(|topics| !(topics.is_empty() && context.version < EMPTY_IS_NONE));
    let mut not_created = HashMap::new();
    if let Some(wanted) = &wanted
        && request.allow_auto_topic_creation
        && context.broker.config.auto_create_topics_enable
    {
        not_created = create_missing(&context, wanted).await;
    }
    let image = settled(&context, wanted.as_deref()).await;
    let topics = match wanted {
        None => image.topics().map(|topic| known(&context, &image, topic)).collect(),
        Some(wanted) => {
            wanted.iter().map(|topic| named(&context, &image, topic, &not_created)).collect()
        }
    };
    MetadataResponse::default()
        .with_brokers(brokers(&context, &image))
        .with_cluster_id(image.cluster_id().map(|id| text(id)))
        .with_controller_id(
            lookup::controller_id(&context.broker.node, &context.listener, &image).into(),
        )
        .with_topics(topics)
}

/// The image, once no partition that is asked for has a leader that is suspected to be gone.
///
/// A client whose connection to a leader breaks asks at once who leads now, sooner than the controller can
/// have moved the leadership. Told of the dead leader, librdkafka asks again only after a second.
async fn settled(context: &Context, wanted: Option<&[MetadataRequestTopic]>) -> Arc<Image> {
    let metadata = &context.broker.metadata;
    let mut changes = metadata.subscribe();
    let mut first_look = true;
    loop {
        changes.mark_unchanged();
        let image = metadata.snapshot();
        let asked: Vec<&Topic> = match wanted {
            None => image.topics().collect(),
            Some(wanted) => wanted.iter().filter_map(|topic| asked_for(&image, topic)).collect(),
        };
        let partitions = asked.iter().flat_map(|topic| topic.partitions.values());
        let mut leaders: Vec<BrokerId> =
            partitions.filter_map(|partition| partition.leader).collect();
        leaders.sort_unstable();
        leaders.dedup();
        if std::mem::take(&mut first_look)
            && wanted.is_some()
            && leaders.iter().any(|leader| *leader != context.broker.id)
        {
            sleep(SUSPICION_ARRIVES).await;
            continue;
        }
        let partitions = &context.broker.partitions;
        let suspected = leaders.iter().filter_map(|leader| partitions.suspected_until(*leader));
        let Some(until) = suspected.max() else { return image };
        match timeout_at(until, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return image,
        }
    }
}

fn asked_for<'a>(image: &'a Image, wanted: &MetadataRequestTopic) -> Option<&'a Topic> {
    match &wanted.name {
        Some(name) => image.topic_by_name(name),
        None => image.topic(KafkaUuid(wanted.topic_id)),
    }
}

/// Creates what is asked for by name and does not exist; returns why some could not be.
async fn create_missing(
    context: &Context,
    wanted: &[MetadataRequestTopic],
) -> HashMap<Arc<str>, ErrorCode> {
    let mut missing: Vec<Arc<str>> = {
        let image = context.broker.metadata.image();
        let names = wanted.iter().filter(|topic| topic.topic_id.is_nil());
        let names = names.filter_map(|topic| topic.name.as_deref());
        names
            .filter(|name| image.topic_by_name(name).is_none() && !lookup::is_internal(name))
            .map(|name| Arc::from(name.as_str()))
            .collect()
    };
    // An internal topic has a shape of its own.
    if wanted.iter().any(|topic| topic.name.as_deref().is_some_and(|name| **name == *OFFSETS_TOPIC))
    {
        context.broker.coordinator.ensure_topic(&context.broker.link).await;
    }
    missing.sort_unstable();
    missing.dedup();
    missing.truncate(MAX_CREATED);
    if missing.is_empty() {
        return HashMap::new();
    }
    let topics = missing.iter().map(|name| NewTopic {
        name: Arc::clone(name),
        partitions: -1,
        replication_factor: -1,
        assignments: Vec::new(),
        configs: Vec::new(),
    });
    let proposal =
        Proposal::CreateTopics(CreateTopics { topics: topics.collect(), validate_only: false });
    let deadline = admin_deadline(CREATE_TIMEOUT_MS);
    match context.broker.link.controllers().propose_and_see(&proposal, deadline).await {
        Ok(Reply::CreateTopics(results)) => {
            let refused = missing.into_iter().zip(results).filter_map(|(name, result)| {
                let refusal = result.err()?;
                tracing::debug!(topic = %name, "not created on demand: {refusal}");
                // Somebody else was faster: it is in the image by now, or soon.
                (refusal.code != ErrorCode::TopicAlreadyExists).then_some((name, refusal.code))
            });
            refused.collect()
        }
        Ok(_) => HashMap::new(),
        Err(error) => {
            tracing::debug!("topics not created on demand: {error}");
            let code = ErrorCode::LeaderNotAvailable;
            missing.into_iter().map(|name| (name, code)).collect()
        }
    }
}

fn named(
    context: &Context,
    image: &Image,
    wanted: &MetadataRequestTopic,
    not_created: &HashMap<Arc<str>, ErrorCode>,
) -> MetadataResponseTopic {
    let by_id = context.version >= BY_ID && !wanted.topic_id.is_nil();
    let name = wanted.name.as_deref().map_or("", |name| name.as_str());
    match lookup::topic(image, by_id, name, KafkaUuid(wanted.topic_id)) {
        Ok(topic) => known(context, image, topic),
        Err(code) => {
            let code = match not_created.get(name) {
                Some(code) => *code,
                None if !by_id && malformed_topic_name(name).is_some() => {
                    ErrorCode::InvalidTopicException
                }
                None => code,
            };
            let mut unknown = MetadataResponseTopic::default()
                .with_error_code(code.code())
                .with_topic_id(wanted.topic_id)
                .with_name(wanted.name.clone());
            if context.version < BY_ID && unknown.name.is_none() {
                unknown.name = Some(text("").into());
            }
            unknown
        }
    }
}

fn known(context: &Context, image: &Image, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().map(|(index, partition)| {
        let id = TopicIdPartition::new(topic.id, *index);
        let view = PartitionView::of(context, image, id, partition);
        let live = |ids: &[i32]| -> Vec<_> {
            let shown = ids.iter().filter(|id| {
                context.version >= KNOWS_OFFLINE || !view.offline_replicas.contains(id)
            });
            shown.map(|id| (*id).into()).collect()
        };
        MetadataResponsePartition::default()
            .with_error_code(view.code.code())
            .with_partition_index(*index)
            .with_leader_id(view.leader.into())
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(live(&partition.replicas))
            .with_isr_nodes(live(&partition.isr))
            .with_offline_replicas(view.offline_replicas.iter().map(|id| (*id).into()).collect())
    });
    let partitions = partitions.collect();
    MetadataResponseTopic::default()
        .with_name(Some(text(&topic.name).into()))
        .with_topic_id(topic.id.0)
        .with_is_internal(lookup::is_internal(&topic.name))
        .with_partitions(partitions)
}

fn brokers(context: &Context, image: &Image) -> Vec<MetadataResponseBroker> {
    let shown = image.brokers().values();
    let shown =
        shown.filter(|broker| !broker.fenced || context.broker.metadata.is_just_fenced(broker.id));
    let shown = shown.filter_map(|broker| {
        let endpoint = broker.endpoint(&context.listener)?;
        Some(
            MetadataResponseBroker::default()
                .with_node_id(broker.id.into())
                .with_host(text(&endpoint.host))
                .with_port(endpoint.port.into())
                .with_rack(broker.rack.as_deref().map(text)),
        )
    });
    shown.collect()
}
