//! Offsets: where partitions begin and end, and where they shall begin.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, LeaderEpoch, Offset, TimestampMs, TopicPartition};
use ottla_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::{self, DeleteRecordsRequest, ListOffsetsRequest};

use super::{Admin, Outcome, missing, outcome, topic_name};
use crate::client::{Client, Target};
use crate::consumer::IsolationLevel;
use crate::error::{ApiError, ClientError};

/// Which offset of a partition is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that can be read.
    Earliest,
    /// The one that the next record gets (for readers of committed data, the last stable one).
    Latest,
    /// That of the record with the highest timestamp (KIP-734).
    MaxTimestamp,
    /// That of the first record at or after this time.
    Timestamp(TimestampMs),
}

impl OffsetSpec {
    fn wire(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::Timestamp(timestamp) => timestamp,
        }
    }
}

/// A partition's offset, as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; -1 when no record matches.
    pub offset: Offset,
    /// The record's timestamp, or -1.
    pub timestamp: TimestampMs,
    /// The epoch of the leader that wrote it, or -1.
    pub leader_epoch: LeaderEpoch,
}

/// Where a partition begins after records were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedRecords {
    /// The first offset that can still be read.
    pub low_watermark: Offset,
}

/// What one leader is asked, by partition.
type ByLeader<T> = BTreeMap<BrokerId, Vec<(TopicPartition, T)>>;
type Outcomes<T> = BTreeMap<TopicPartition, Outcome<T>>;

impl Admin {
    /// Looks offsets up at the partitions' leaders. Leaders that have just changed are asked again, until
    /// `api_timeout_ms` is over.
    pub async fn list_offsets(
        &self,
        asked: &BTreeMap<TopicPartition, OffsetSpec>,
        isolation: IsolationLevel,
    ) -> Result<Outcomes<ListedOffset>, ClientError> {
        self.ask_leaders(asked, |node, partitions| async move {
            list_offsets_at(&self.client, node, &partitions, isolation).await
        })
        .await
    }

    /// Deletes the records before an offset; -1 stands for the high watermark.
    pub async fn delete_records(
        &self,
        before: &BTreeMap<TopicPartition, Offset>,
    ) -> Result<Outcomes<DeletedRecords>, ClientError> {
        self.ask_leaders(before, |node, partitions| async move {
            let topics = partitions.chunk_by(|(a, _), (b, _)| a.topic == b.topic).map(|run| {
                let wire = |(partition, offset): &(TopicPartition, Offset)| {
                    DeleteRecordsPartition::default()
                        .with_partition_index(partition.partition)
                        .with_offset(*offset)
                };
                DeleteRecordsTopic::default()
                    .with_name(topic_name(&run[0].0.topic))
                    .with_partitions(run.iter().map(wire).collect())
            });
            let request = DeleteRecordsRequest::default()
                .with_topics(topics.collect())
                .with_timeout_ms(self.timeout_ms());
            let (_, response) = self
                .client
                .request_within(Target::Node(node), self.limit(), |_| request.clone())
                .await?;
            let found = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|result| {
                    let partition =
                        TopicPartition::new(topic.name.as_str(), result.partition_index);
                    let deleted = DeletedRecords { low_watermark: result.low_watermark };
                    (partition, outcome(result.error_code, None, deleted))
                })
            });
            Ok(found.collect())
        })
        .await
    }

    /// Splits a question by leader, asks all leaders at once, and asks again for what failed in a way
    /// that fresh metadata may heal.
    async fn ask_leaders<'a, Q, A, F, Fut>(
        &'a self,
        asked: &BTreeMap<TopicPartition, Q>,
        ask: F,
    ) -> Result<Outcomes<A>, ClientError>
    where
        Q: Copy,
        F: Fn(BrokerId, Vec<(TopicPartition, Q)>) -> Fut + 'a,
        Fut: Future<Output = Result<Outcomes<A>, ClientError>>,
    {
        let options = self.client.options();
        let started = std::time::Instant::now();
        let mut open: BTreeMap<TopicPartition, Q> = asked.clone();
        let mut done = Outcomes::new();
        let mut attempt = 0;
        let topics: std::collections::BTreeSet<_> =
            asked.keys().map(|partition| Arc::clone(&partition.topic)).collect();
        for topic in &topics {
            self.client.topic(topic, false).await?;
        }
        while !open.is_empty() {
            let mut by_leader: ByLeader<Q> = BTreeMap::new();
            let mut failed: Outcomes<A> = BTreeMap::new();
            for (partition, question) in &open {
                match self.client.leader(partition) {
                    Some((leader, _)) => {
                        by_leader.entry(leader).or_default().push((partition.clone(), *question));
                    }
                    None => {
                        failed.insert(partition.clone(), Err(self.why_leaderless(partition)));
                    }
                }
            }
            let questions = by_leader.into_iter().map(|(node, partitions)| {
                let listed: Vec<_> =
                    partitions.iter().map(|(partition, _)| partition.clone()).collect();
                let answer = ask(node, partitions);
                async move { (listed, answer.await) }
            });
            for (listed, answer) in join_all(questions).await {
                match answer {
                    Ok(mut outcomes) => {
                        for partition in listed {
                            let outcome =
                                outcomes.remove(&partition).unwrap_or_else(|| Err(missing()));
                            failed.insert(partition, outcome);
                        }
                    }
                    Err(error) if error.is_retriable() => {
                        for partition in listed {
                            failed
                                .insert(partition, Err(ApiError::of(ErrorCode::NetworkException)));
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            attempt += 1;
            let pause = options.backoff(attempt);
            let late = started.elapsed() + pause
                >= std::time::Duration::from_millis(options.api_timeout_ms);
            for (partition, outcome) in failed {
                let again = outcome.as_ref().is_err_and(ApiError::is_retriable) && !late;
                if !again {
                    open.remove(&partition);
                    done.insert(partition, outcome);
                }
            }
            if !open.is_empty() {
                tokio::time::sleep(pause).await;
                self.client.refresh().await?;
            }
        }
        Ok(done)
    }

    fn why_leaderless(&self, partition: &TopicPartition) -> ApiError {
        let metadata = self.client.metadata();
        match metadata.topic(&partition.topic) {
            Some(Err(error)) => error.clone(),
            Some(Ok(topic)) if topic.partition(partition.partition).is_some() => {
                ApiError::of(ErrorCode::LeaderNotAvailable)
            }
            _ => ApiError::of(ErrorCode::UnknownTopicOrPartition),
        }
    }
}

/// Asks one leader for offsets, once.
pub(crate) async fn list_offsets_at(
    client: &Client,
    node: BrokerId,
    partitions: &[(TopicPartition, OffsetSpec)],
    isolation: IsolationLevel,
) -> Result<Outcomes<ListedOffset>, ClientError> {
    let timeout_ms = i32::try_from(client.options().request_timeout_ms).unwrap_or(i32::MAX);
    let build = |version: i16| {
        let topics = partitions.chunk_by(|(a, _), (b, _)| a.topic == b.topic).map(|run| {
            let wire = |(partition, spec): &(TopicPartition, OffsetSpec)| {
                ListOffsetsPartition::default()
                    .with_partition_index(partition.partition)
                    .with_timestamp(spec.wire())
            };
            ListOffsetsTopic::default()
                .with_name(topic_name(&run[0].0.topic))
                .with_partitions(run.iter().map(wire).collect())
        });
        let request = ListOffsetsRequest::default()
            .with_replica_id(messages::BrokerId(-1))
            .with_isolation_level(isolation as i8)
            .with_topics(topics.collect());
        if version >= 10 { request.with_timeout_ms(timeout_ms) } else { request }
    };
    let (_, response) = client.request_with(Target::Node(node), build).await?;
    let found = response.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|result| {
            let partition = TopicPartition::new(topic.name.as_str(), result.partition_index);
            let listed = ListedOffset {
                offset: result.offset,
                timestamp: result.timestamp,
                leader_epoch: result.leader_epoch,
            };
            (partition, outcome(result.error_code, None, listed))
        })
    });
    Ok(found.collect())
}
