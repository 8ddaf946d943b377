//! `--generate`: where partitions could go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_client::Admin;
use ottla_metadata::placement::{self, Candidate};
use ottla_protocol::ids::{BrokerId, TopicPartition};

use super::assignment::{self, Replicas, admin_operation, check_version, repeated};
use super::failed;
use super::stop::Stop;
use crate::console::say;
use crate::exceptions::Failure;
use crate::json_file::{array, field, object, parse, string};

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wish {
    topics: BTreeSet<String>,
    brokers: BTreeSet<BrokerId>,
    rack_aware: bool,
}

impl Wish {
    pub(super) fn of(json: &str, brokers: &str, rack_aware: bool) -> Result<Self, Stop> {
        let broker = |text: &str| {
            text.trim().parse::<BrokerId>().map_err(|_| {
                let message = format!("For input string: \"{text}\"");
                Stop::from(Failure::new("java.lang.NumberFormatException", message))
            })
        };
        let brokers = brokers.split(',').map(broker).collect::<Result<Vec<_>, _>>()?;
        let twice: Vec<_> = repeated(&brokers).into_iter().collect();
        if !twice.is_empty() {
            let message = format!("Broker list contains duplicate entries: {twice:?}");
            return Err(Stop::command_failed(message));
        }
        let topics = topics_of(json)?;
        let twice: Vec<_> = repeated(&topics).into_iter().cloned().collect();
        if !twice.is_empty() {
            return Err(Stop::command_failed(format!(
                "List of topics to reassign contains duplicate entries: [{}]",
                twice.join(", ")
            )));
        }
        let (topics, brokers) = (topics.into_iter().collect(), brokers.into_iter().collect());
        Ok(Self { topics, brokers, rack_aware })
    }

    pub(super) async fn generate(self, admin: &Admin) -> Result<(), Stop> {
        let mut current = Replicas::new();
        for (name, replicas) in assignment::of_topics(admin, &self.topics).await? {
            current.extend(replicas.ok_or_else(|| assignment::topic_not_found(&name))?);
        }
        let candidates = self.candidates(admin).await?;
        let proposed = propose(&current, &candidates, rand::random())?;
        let present = assignment::json_with_dirs(admin, &current).await;
        say(&format!("Current partition replica assignment\n{present}\n"));
        let proposed = assignment::json(&proposed, &BTreeMap::new());
        say(&format!("Proposed partition reassignment configuration\n{proposed}"));
        Ok(())
    }

    /// The brokers that may be used; those that are not live are none.
    async fn candidates(&self, admin: &Admin) -> Result<Vec<Candidate>, Stop> {
        let cluster = admin.describe_cluster(false).await.map_err(failed("listNodes"))?;
        let nodes = cluster.nodes.iter().filter(|node| self.brokers.contains(&node.id));
        let nodes: Vec<_> = nodes.collect();
        let with_rack = nodes.iter().filter(|node| node.rack.is_some()).count();
        if self.rack_aware && with_rack > 0 && with_rack < nodes.len() {
            return Err(admin_operation(
                "Not all brokers have rack information. Add --disable-rack-aware in command line to \
                 make replica assignment without rack information.",
            ));
        }
        let candidate = |node: &&ottla_client::admin::ClusterNode| Candidate {
            id: node.id,
            rack: node.rack.as_deref().filter(|_| self.rack_aware).map(Arc::from),
            active: true,
        };
        Ok(nodes.iter().map(candidate).collect())
    }
}

fn topics_of(json: &str) -> Result<Vec<String>, Stop> {
    let value = parse(json).map_err(|_| admin_operation("The input string is not a valid JSON"))?;
    let root = object(&value)?;
    check_version(root.get("version"))?;
    let items = root.get("topics").map_or(Ok(&[][..]), array)?;
    let name = |item| Ok(string(field(object(item)?, "topic")?)?.to_owned());
    items.iter().map(name).collect()
}

/// Each topic keeps the replication factor of its first partition.
pub(super) fn propose(
    current: &Replicas,
    candidates: &[Candidate],
    seed: u64,
) -> Result<Replicas, Stop> {
    let mut proposed = Replicas::new();
    let partitions: Vec<_> = current.iter().collect();
    for (topic, run) in (0_u64..).zip(partitions.chunk_by(|a, b| a.0.topic == b.0.topic)) {
        let factor = run.first().map_or(0, |(_, replicas)| replicas.len());
        let places = placement::place(candidates, seed.wrapping_add(topic), run.len(), factor);
        let places = places.map_err(|why| {
            let class = "org.apache.kafka.common.errors.InvalidReplicationFactorException";
            Stop::from(Failure::new(class, why.to_string()))
        })?;
        let run = run.iter().map(|(partition, _)| TopicPartition::clone(partition));
        proposed.extend(run.zip(places));
    }
    Ok(proposed)
}
