//! Consumer groups: who is in them, and how far they have read.

mod describe;
mod types;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use ottla_protocol::ids::{BrokerId, TopicPartition};
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::{
    self, DeleteGroupsRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest,
};

pub use types::{GroupDescription, GroupListing, GroupMember, GroupState, GroupType};

use super::{Admin, Outcome, missing, outcome, text, topic_name, whole};
use crate::client::Target;
use crate::coordinator::{
    CommittedOffset, GroupOffsets, Identity, ask_coordinators, commit_offsets, commit_outcomes,
    fetch_offsets, fetched_offsets, is_moving,
};
use crate::error::{ApiError, ClientError};

/// What was said of each group that was asked for.
type ByGroup<T> = BTreeMap<String, Outcome<T>>;

impl Admin {
    /// The groups that all brokers coordinate, of some states and types only if any are named (KIP-518,
    /// KIP-848), by id. A coordinator that is still loading is waited for, at most `api_timeout_ms`.
    pub async fn list_groups(
        &self,
        states: &[GroupState],
        types: &[GroupType],
    ) -> Result<Vec<GroupListing>, ClientError> {
        let options = self.client.options();
        let deadline = Instant::now() + Duration::from_millis(options.api_timeout_ms);
        let mut attempt = 0;
        loop {
            // A broker that has gone meanwhile is not asked again; its groups have moved.
            let metadata = self.client.refresh().await?;
            let lists = metadata.nodes.keys().map(|node| self.list_groups_of(*node, states, types));
            let lists: Result<Vec<_>, _> = join_all(lists).await.into_iter().collect();
            attempt += 1;
            let pause = options.backoff(attempt);
            match lists {
                Ok(lists) => {
                    let groups = lists.into_iter().flatten();
                    let by_id = groups.map(|group| (group.group_id.clone(), group));
                    return Ok(by_id.collect::<BTreeMap<_, _>>().into_values().collect());
                }
                Err(error) if error.is_retriable() && Instant::now() + pause < deadline => {
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn list_groups_of(
        &self,
        node: BrokerId,
        states: &[GroupState],
        types: &[GroupType],
    ) -> Result<Vec<GroupListing>, ClientError> {
        let build = |version: i16| {
            let request = ListGroupsRequest::default();
            let request = if version >= 4 {
                request.with_states_filter(states.iter().map(|state| text(state.name())).collect())
            } else {
                request
            };
            if version >= 5 {
                request.with_types_filter(types.iter().map(|kind| text(kind.name())).collect())
            } else {
                request
            }
        };
        let (_, response) = self.client.request_with(Target::Node(node), build).await?;
        whole(response.error_code, None)?;
        Ok(response.groups.iter().map(GroupListing::from_wire).collect())
    }

    /// Deletes groups that have no members.
    pub async fn delete_groups(&self, groups: &[String]) -> Result<ByGroup<()>, ClientError> {
        ask_coordinators(&self.client, groups, |node, groups| async move {
            let ids = groups.iter().map(|group| messages::GroupId(text(group)));
            let request = DeleteGroupsRequest::default().with_groups_names(ids.collect());
            let response = self.client.request(Target::Node(node.id), &request).await?;
            let results = response
                .results
                .iter()
                .map(|result| (result.group_id.to_string(), outcome(result.error_code, None, ())));
            Ok(results.collect())
        })
        .await
    }

    /// The committed offsets of groups. With `require_stable`, offsets of open transactions are waited
    /// for (KIP-447).
    pub async fn list_group_offsets(
        &self,
        groups: &[String],
        require_stable: bool,
    ) -> Result<ByGroup<GroupOffsets>, ClientError> {
        ask_coordinators(&self.client, groups, |node, groups| async move {
            let mut found = BTreeMap::new();
            let mut open = groups.as_slice();
            while let Some(first) = open.first() {
                let build = |version: i16| -> OffsetFetchRequest {
                    fetch_offsets(version, open, &Identity::nobody(), None, require_stable)
                };
                let (version, response) =
                    self.client.request_with(Target::Node(node.id), build).await?;
                found.extend(fetched_offsets(first, version, &response));
                open = if version < 8 { &open[1..] } else { &[] };
            }
            Ok(found)
        })
        .await
    }

    /// Sets committed offsets of a group that has no members.
    pub async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<Outcome<BTreeMap<TopicPartition, Outcome<()>>>, ClientError> {
        let asked = |node: crate::metadata::Node, _| async move {
            let build = |version: i16| -> OffsetCommitRequest {
                commit_offsets(version, group, &Identity::nobody(), offsets)
            };
            let (_, response) = self.client.request_with(Target::Node(node.id), build).await?;
            Ok(BTreeMap::from([(group.to_owned(), commit_outcomes(&response))]))
        };
        let mut answers = ask_coordinators(&self.client, &[group.to_owned()], asked).await?;
        Ok(answers.remove(group).unwrap_or_else(|| Err(missing())))
    }

    /// Deletes committed offsets of topics that the group is not subscribed to (KIP-496).
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Outcome<BTreeMap<TopicPartition, Outcome<()>>>, ClientError> {
        let topics = partitions.chunk_by(|a, b| a.topic == b.topic).map(|run| {
            let wire = |partition: &TopicPartition| {
                OffsetDeleteRequestPartition::default().with_partition_index(partition.partition)
            };
            OffsetDeleteRequestTopic::default()
                .with_name(topic_name(&run[0].topic))
                .with_partitions(run.iter().map(wire).collect())
        });
        let request = OffsetDeleteRequest::default()
            .with_group_id(messages::GroupId(text(group)))
            .with_topics(topics.collect());
        let request = &request;
        let asked = |node: crate::metadata::Node, _| async move {
            let response = self.client.request(Target::Node(node.id), request).await?;
            let outcome = match ApiError::from_wire(response.error_code, None) {
                Some(error) => Err(error),
                None => deleted(&response),
            };
            Ok(BTreeMap::from([(group.to_owned(), outcome)]))
        };
        let mut answers = ask_coordinators(&self.client, &[group.to_owned()], asked).await?;
        Ok(answers.remove(group).unwrap_or_else(|| Err(missing())))
    }
}

fn deleted(
    response: &messages::OffsetDeleteResponse,
) -> Outcome<BTreeMap<TopicPartition, Outcome<()>>> {
    let mut outcomes = BTreeMap::new();
    for topic in &response.topics {
        for partition in &topic.partitions {
            let place = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            let outcome = outcome(partition.error_code, None, ());
            if let Err(error) = &outcome
                && is_moving(error.error_code())
            {
                return Err(error.clone());
            }
            outcomes.insert(place, outcome);
        }
    }
    Ok(outcomes)
}
