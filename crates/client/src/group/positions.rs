//! Committing and finding positions, as a member, while the coordinator may move.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TopicPartition;

use super::membership::{Shared, passes};
use crate::coordinator::{
    CommittedOffset, commit_offsets, commit_outcomes, fetch_offsets, fetched_offsets,
};
use crate::error::{ApiError, ClientError};

/// What a group has committed, by partition.
pub(super) type Positions = BTreeMap<TopicPartition, Option<CommittedOffset>>;

/// Commits offsets. A partition that is refused for itself (its topic is gone) does not fail the others.
pub(super) async fn commit(
    shared: &Shared,
    offsets: &BTreeMap<TopicPartition, CommittedOffset>,
) -> Result<(), ClientError> {
    if offsets.is_empty() {
        return Ok(());
    }
    let group = &shared.options.group_id;
    let _turn = shared.commits.lock().await;
    until_answered(shared, |limit| async move {
        let identity = shared.identity();
        if identity.epoch < 0 {
            // Whoever is no member now commits for nobody.
            return Err(ApiError::of(ErrorCode::UnknownMemberId).into());
        }
        let build = |version| commit_offsets(version, group, &identity, offsets);
        let (_, response) = shared.coordinator.ask(limit, build).await?;
        let outcomes =
            commit_outcomes(&response).map_err(|error| shared.coordinator.judge(error))?;
        let refused = outcomes.into_values().filter_map(Result::err);
        let lasting = |error: &ApiError| error.error_code() != ErrorCode::UnknownTopicOrPartition;
        refused.filter(lasting).map(Err).next().unwrap_or(Ok(())).map_err(ClientError::from)
    })
    .await
}

/// Finds where the group has come to in partitions.
pub(super) async fn find(
    shared: &Shared,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<Positions, ClientError> {
    let group = &shared.options.group_id;
    let groups = std::slice::from_ref(group);
    let partitions: &Vec<TopicPartition> = &partitions.iter().cloned().collect();
    until_answered(shared, |limit| async move {
        let identity = shared.identity();
        let build = |version| fetch_offsets(version, groups, &identity, Some(partitions), true);
        let (version, response) = shared.coordinator.ask(limit, build).await?;
        let unknown = || Err(ApiError::of(ErrorCode::CoordinatorNotAvailable));
        let found = fetched_offsets(group, version, &response).remove(group);
        let found = found.unwrap_or_else(unknown).map_err(|e| shared.coordinator.judge(e))?;
        let mut positions = Positions::new();
        for partition in partitions {
            let committed = found.get(partition).cloned().unwrap_or(Ok(None));
            let committed = committed.map_err(|error| shared.coordinator.judge(error))?;
            positions.insert(partition.clone(), committed);
        }
        Ok(positions)
    })
    .await
}

/// Asks until there is an answer, for as long as a call may take. A member epoch that has just been
/// raised is tried again with the new one.
async fn until_answered<T, Fut>(
    shared: &Shared,
    ask: impl Fn(Duration) -> Fut,
) -> Result<T, ClientError>
where
    Fut: Future<Output = Result<T, ClientError>>,
{
    let options = shared.coordinator.client().options();
    let limit = Duration::from_millis(options.request_timeout_ms);
    let deadline = Instant::now() + Duration::from_millis(options.api_timeout_ms);
    let mut attempt = 0;
    loop {
        let error = match ask(limit).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let stale = matches!(&error, ClientError::Api(error)
            if error.error_code() == ErrorCode::StaleMemberEpoch);
        attempt += 1;
        let pause = options.backoff(attempt);
        if !(stale || passes(&error)) || Instant::now() + pause >= deadline {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
    }
}
