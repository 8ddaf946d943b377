//! Describe: what is asked of the cluster, and the lines it becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ottla_client::admin::{
    ConfigEntry, ConfigResource, ConfigSource, PartitionDescription, Reassignment, TopicDescription,
};
use ottla_client::{Admin, ClientError, Target};
use ottla_protocol::api::ApiKey;
use ottla_protocol::ids::{BrokerId, KafkaUuid, TopicPartition};

use super::select;
use crate::exceptions::Failure;
use crate::jopt::Given;

/// `--partition-size-limit-per-response` when it is not given.
const PARTITION_LIMIT: i32 = 2000;

/// Which lines are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Filters {
    pub(super) under_replicated: bool,
    pub(super) under_min_isr: bool,
    pub(super) at_min_isr: bool,
    pub(super) unavailable: bool,
    pub(super) with_overrides: bool,
}

impl Filters {
    fn of(given: &Given) -> Self {
        Self {
            under_replicated: given.has("under-replicated-partitions"),
            under_min_isr: given.has("under-min-isr-partitions"),
            at_min_isr: given.has("at-min-isr-partitions"),
            unavailable: given.has("unavailable-partitions"),
            with_overrides: given.has("topics-with-overrides"),
        }
    }

    /// Whether partitions are chosen one by one; the topics' own lines are left out then.
    fn choose_partitions(&self) -> bool {
        self.under_replicated || self.under_min_isr || self.at_min_isr || self.unavailable
    }
}

/// What the lines of a topic are made of.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) topic: TopicDescription,
    pub(super) configs: Vec<ConfigEntry>,
}

/// What else the lines depend on.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    pub(super) live_brokers: BTreeSet<BrokerId>,
    pub(super) reassignments: BTreeMap<TopicPartition, Reassignment>,
}

/// The text of `--describe`.
pub(super) async fn describe(admin: &Admin, given: &Given) -> Result<String, Failure> {
    let limit = given.number("partition-size-limit-per-response")?.unwrap_or(PARTITION_LIMIT);
    let topics = match topic_id(given)? {
        Some(id) => by_id(admin, id, given).await?,
        None => by_name(admin, given, limit).await?,
    };
    if topics.is_empty() {
        return Ok(String::new());
    }
    let resources: Vec<ConfigResource> =
        topics.iter().map(|topic| ConfigResource::topic(&topic.name)).collect();
    let (configs, cluster, reassignments) = futures::join!(
        admin.describe_configs(&resources),
        admin.describe_cluster(false),
        reassignments(admin),
    );
    let failed = |call| move |error: ClientError| Failure::of_client(&error, call);
    let surroundings = Surroundings {
        live_brokers: cluster
            .map_err(failed("describeCluster"))?
            .nodes
            .iter()
            .map(|node| node.id)
            .collect(),
        reassignments: reassignments.map_err(failed("listPartitionReassignments"))?,
    };
    let mut text = String::new();
    for (topic, configs) in topics.into_iter().zip(configs.map_err(failed("describeConfigs"))?) {
        let configs = configs.map_err(|error| Failure::from(&error))?;
        render(&mut text, &Described { topic, configs }, &surroundings, Filters::of(given));
    }
    Ok(text)
}

async fn reassignments(
    admin: &Admin,
) -> Result<BTreeMap<TopicPartition, Reassignment>, ClientError> {
    if !admin.client().serves(Target::Any, ApiKey::ListPartitionReassignments).await? {
        return Ok(BTreeMap::new());
    }
    admin.list_partition_reassignments().await
}

fn topic_id(given: &Given) -> Result<Option<KafkaUuid>, Failure> {
    let Some(text) = given.one("topic-id")? else { return Ok(None) };
    let id: KafkaUuid = text.parse().map_err(|_| Failure::illegal_argument(bad_id(text)))?;
    Ok(Some(id).filter(|id| *id != KafkaUuid::ZERO))
}

/// Kafka's words for a text that is no id: it counts the bytes that the text decodes to.
fn bad_id(text: &str) -> String {
    if text.chars().count() > 24 {
        let start: String = text.chars().take(24).collect();
        return format!(
            "Input string with prefix `{start}` is too long to be decoded as a base64 UUID"
        );
    }
    let bytes = text.trim_end_matches('=').len() * 3 / 4;
    format!(
        "Input string `{text}` decoded as {bytes} bytes, which is not equal to the expected 16 bytes \
         of a base64-encoded UUID"
    )
}

async fn by_id(
    admin: &Admin,
    id: KafkaUuid,
    given: &Given,
) -> Result<Vec<TopicDescription>, Failure> {
    let described = admin.describe_topics_by_id(&[id]).await;
    let described = described.map_err(|error| Failure::of_client(&error, "describeTopics"))?;
    match described.into_iter().next() {
        Some(Ok(topic)) => Ok(vec![topic]),
        _ if given.has("if-exists") => Ok(Vec::new()),
        _ => Err(Failure::illegal_argument(format!("TopicId '{id}' does not exist as expected"))),
    }
}

async fn by_name(
    admin: &Admin,
    given: &Given,
    limit: i32,
) -> Result<Vec<TopicDescription>, Failure> {
    let names = select::topics(admin, given).await?;
    select::ensure_exists(&names, given)?;
    let described = admin.describe_topics(&names, limit).await;
    let described = described.map_err(|error| Failure::of_client(&error, "describeTopics"))?;
    described.into_iter().map(|topic| topic.map_err(|error| Failure::from(&error))).collect()
}

/// Writes the lines of one topic.
pub(super) fn render(
    text: &mut String,
    described: &Described,
    surroundings: &Surroundings,
    filters: Filters,
) {
    let Described { topic, configs } = described;
    let overrides: Vec<String> = configs
        .iter()
        .filter(|config| config.source != ConfigSource::Default)
        .map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or("null")))
        .collect();
    let of = |partition: &PartitionDescription| {
        let key = TopicPartition::new(topic.name.as_str(), partition.partition);
        surroundings.reassignments.get(&key)
    };
    // Writing to a string cannot fail.
    if !filters.choose_partitions() && (!filters.with_overrides || !overrides.is_empty()) {
        let factor =
            topic.partitions.first().map_or(0, |first| replication_factor(first, of(first)));
        let _ = writeln!(
            text,
            "Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {factor}\tConfigs: {}",
            topic.name,
            topic.id,
            topic.partitions.len(),
            overrides.join(",")
        );
    }
    if filters.with_overrides {
        return;
    }
    let min_isr = configs
        .iter()
        .find(|config| config.name == "min.insync.replicas")
        .and_then(|config| config.value.as_ref()?.parse().ok())
        .unwrap_or(1_usize);
    for partition in &topic.partitions {
        let moving = of(partition);
        let live = |leader: BrokerId| surroundings.live_brokers.contains(&leader);
        let in_sync = partition.isr.len();
        let wanted = !filters.choose_partitions()
            || (filters.under_replicated && in_sync < replication_factor(partition, moving))
            || (filters.unavailable && !partition.leader.is_some_and(live))
            || (filters.under_min_isr && (partition.leader.is_none() || in_sync < min_isr))
            || (filters.at_min_isr && in_sync == min_isr);
        if wanted {
            let _ = writeln!(text, "{}", partition_line(&topic.name, partition, moving));
        }
    }
}

/// Replicas that are still being added do not count.
fn replication_factor(partition: &PartitionDescription, moving: Option<&Reassignment>) -> usize {
    let adding = moving.map_or(0, |moving| moving.adding.len());
    partition.replicas.len().saturating_sub(adding)
}

fn partition_line(
    topic: &str,
    partition: &PartitionDescription,
    moving: Option<&Reassignment>,
) -> String {
    let leader = partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
    let mut line = format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
        partition.partition,
        list(&partition.replicas),
        list(&partition.isr)
    );
    if let Some(moving) = moving {
        let (adding, removing) = (list(&moving.adding), list(&moving.removing));
        let _ = write!(line, "\tAdding Replicas: {adding}\tRemoving Replicas: {removing}");
    }
    let unknown = || "N/A".to_owned();
    let elr = partition.elr.as_deref().map_or_else(unknown, list);
    let last_known = partition.last_known_elr.as_deref().map_or_else(unknown, list);
    let _ = write!(line, "\tElr: {elr}\tLastKnownElr: {last_known}");
    line
}

fn list(brokers: &[BrokerId]) -> String {
    brokers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
