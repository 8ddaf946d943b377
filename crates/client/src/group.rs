//! A consumer in a group: the partitions come from the group, the positions from its committed offsets.
//!
//! A task of its own keeps the membership: it joins, sends heartbeats, and joins again when the group
//! changes or the coordinator does. What it is told, it hands to the consumer as events; the consumer
//! takes them in while it is polled. A consumer that is not polled for `max.poll.interval.ms` leaves.

mod assignor;
mod classic;
mod membership;
mod options;
mod positions;
pub(crate) mod protocol;
mod reconciled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{Offset, TopicPartition};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::consumer::{ConsumerOptions, Fetched, Fetcher, StartAt};
use crate::coordinator::CommittedOffset;
use crate::error::{ApiError, ClientError};
pub use assignor::Assignor;
use membership::{Event, Member, Shared};
pub use options::{GroupOptions, GroupProtocol, Matches, Topics};

/// How long a closing consumer waits for its last commit, and for its farewell, to be answered.
const FAREWELL: Duration = Duration::from_secs(5);

/// Requests to the coordinator that run beside the reading.
enum Work {
    /// The committed offsets of partitions that were assigned with this number.
    Positions(u64, Result<positions::Positions, ClientError>),
    /// A commit with its number, and what was to be committed.
    Committed(u64, BTreeMap<TopicPartition, CommittedOffset>, Result<(), ClientError>),
}

/// Reads what its group gives it.
pub struct GroupConsumer {
    fetcher: Fetcher,
    shared: Arc<Shared>,
    offset_reset: Option<StartAt>,
    events: mpsc::UnboundedReceiver<Event>,
    work: FuturesUnordered<BoxFuture<'static, Work>>,
    /// What is owned, with the number of the assignment that brought it.
    owned: BTreeMap<TopicPartition, u64>,
    assignments: u64,
    /// What is known to be committed.
    committed: BTreeMap<TopicPartition, Offset>,
    /// Counts the commits.
    commits: u64,
    /// Commits on their way, each with whoever waits for partitions to be given up.
    committing: BTreeMap<u64, Option<oneshot::Sender<()>>>,
    commit_at: Option<Instant>,
    leaving: CancellationToken,
    membership: Option<JoinHandle<()>>,
}

impl GroupConsumer {
    /// A consumer that is joining its group. Must be called within a tokio runtime.
    #[must_use]
    pub fn subscribe(
        client: Client,
        topics: Topics,
        options: ConsumerOptions,
        group: GroupOptions,
    ) -> Self {
        match &topics {
            Topics::Named(names) => {
                for name in names {
                    client.follow_topic(name, group.auto_create_topics);
                }
            }
            Topics::Matching(_) => client.follow_all_topics(),
        }
        client.want_metadata();
        let offset_reset = options.offset_reset;
        let shared = Arc::new(Shared::new(&client, group));
        let leaving = CancellationToken::new();
        let (events, membership) =
            Member::spawn(Arc::clone(&shared), client.clone(), topics, leaving.clone());
        let mut consumer = Self {
            fetcher: Fetcher::new(client, options),
            shared,
            offset_reset,
            events,
            work: FuturesUnordered::new(),
            owned: BTreeMap::new(),
            assignments: 0,
            committed: BTreeMap::new(),
            commits: 0,
            committing: BTreeMap::new(),
            commit_at: None,
            leaving,
            membership: Some(membership),
        };
        consumer.schedule_commit();
        consumer
    }

    /// The partitions that are this consumer's now.
    pub fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.owned.keys()
    }

    /// The offset of the next record of a partition; `None` before it is known.
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.fetcher.delivered(partition).map(|(offset, _)| offset)
    }

    /// Goes on from another offset; returns whether the partition is this consumer's.
    pub fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> bool {
        let owned = self.owned.contains_key(partition);
        if owned {
            self.fetcher.assign(partition.clone(), StartAt::Offset(offset));
        }
        owned
    }

    /// The next records; an empty list after `limit`. Joins and leaves of others, lost coordinators and
    /// lost sessions are taken in on the way; what comes back as an error will not heal by itself. What
    /// was returned before counts as read, and is committed from time to time
    /// (`auto.commit.interval.ms`). May be dropped at any await.
    pub async fn poll(&mut self, limit: Duration) -> Result<Vec<Fetched>, ClientError> {
        let deadline = Instant::now() + limit;
        let shared = Arc::clone(&self.shared);
        let _polling = shared.polling();
        loop {
            if self.commit_at.is_some_and(|at| at <= Instant::now()) {
                self.schedule_commit();
                if self.committing.is_empty() {
                    self.start_commit(|_| true, None);
                }
            }
            let now = Instant::now();
            let left = deadline.saturating_duration_since(now);
            let until_commit = self.commit_at.map(|at| at.saturating_duration_since(now));
            let wait = until_commit.map_or(left, |until| until.min(left));
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => self.on_event(event)?,
                Some(done) = self.work.next(), if !self.work.is_empty() => self.on_done(done)?,
                fetched = self.fetcher.poll(wait) => {
                    let fetched = fetched?;
                    if !fetched.is_empty() || Instant::now() >= deadline {
                        return Ok(fetched);
                    }
                }
            }
        }
    }

    /// Commits how far everything was read that [`GroupConsumer::poll`] has returned.
    pub async fn commit(&mut self) -> Result<(), ClientError> {
        let number = self.start_commit(|_| true, None);
        // Commits take turns: this one is made when those before it are.
        while !self.committing.is_empty() {
            let Some(done) = self.work.next().await else { break };
            let own = match &done {
                Work::Committed(done, _, result) if Some(*done) == number => Some(result.clone()),
                _ => None,
            };
            self.on_done(done)?;
            if let Some(result) = own {
                return result;
            }
        }
        Ok(())
    }

    /// Commits, where commits are automatic, and leaves the group.
    pub async fn close(mut self) -> Result<(), ClientError> {
        let result = match self.shared.options.auto_commit_interval_ms {
            Some(_) => match tokio::time::timeout(FAREWELL, self.commit()).await {
                Ok(result) => result,
                Err(_) => Err(ApiError::of(ErrorCode::RequestTimedOut).into()),
            },
            None => Ok(()),
        };
        self.leaving.cancel();
        self.events.close();
        if let Some(membership) = self.membership.take() {
            // A coordinator that is gone ends the session by itself.
            let _ = tokio::time::timeout(FAREWELL, membership).await;
        }
        result
    }

    fn schedule_commit(&mut self) {
        let interval = self.shared.options.auto_commit_interval_ms;
        self.commit_at = interval.map(|ms| Instant::now() + Duration::from_millis(ms));
    }

    /// The positions of some partitions, where they have moved since they were committed.
    fn uncommitted(
        &self,
        wanted: impl Fn(&TopicPartition) -> bool,
    ) -> BTreeMap<TopicPartition, CommittedOffset> {
        let moved = |partition: &TopicPartition| {
            let (offset, epoch) = self.fetcher.delivered(partition)?;
            let committed = CommittedOffset {
                offset,
                leader_epoch: Some(epoch).filter(|epoch| *epoch >= 0),
                metadata: String::new(),
            };
            let news = self.committed.get(partition) != Some(&offset);
            news.then(|| (partition.clone(), committed))
        };
        self.owned.keys().filter(|partition| wanted(partition)).filter_map(moved).collect()
    }

    /// Begins to commit what is wanted, beside the reading, and returns the commit's number; nothing is
    /// begun where nothing has moved. `done` is told whatever comes of it.
    fn start_commit(
        &mut self,
        wanted: impl Fn(&TopicPartition) -> bool,
        done: Option<oneshot::Sender<()>>,
    ) -> Option<u64> {
        let offsets = self.uncommitted(wanted);
        if offsets.is_empty() {
            // Dropping `done` is an answer, too.
            return None;
        }
        self.commits += 1;
        let number = self.commits;
        self.committing.insert(number, done);
        let shared = Arc::clone(&self.shared);
        self.work.push(Box::pin(async move {
            let result = positions::commit(&shared, &offsets).await;
            Work::Committed(number, offsets, result)
        }));
        Some(number)
    }

    fn on_event(&mut self, event: Event) -> Result<(), ClientError> {
        match event {
            Event::Assigned(partitions) => {
                self.assignments += 1;
                let number = self.assignments;
                self.owned.extend(partitions.iter().map(|partition| (partition.clone(), number)));
                if !partitions.is_empty() {
                    let shared = Arc::clone(&self.shared);
                    self.work.push(Box::pin(async move {
                        Work::Positions(number, positions::find(&shared, &partitions).await)
                    }));
                }
            }
            Event::Revoked(partitions, done) => {
                if self.shared.options.auto_commit_interval_ms.is_some() {
                    self.start_commit(|partition| partitions.contains(partition), Some(done));
                }
                self.give_up(&partitions);
            }
            Event::Lost => {
                let all = self.owned.keys().cloned().collect();
                self.give_up(&all);
            }
            Event::Failed(error) => return Err(error),
        }
        Ok(())
    }

    fn give_up(&mut self, partitions: &BTreeSet<TopicPartition>) {
        for partition in partitions {
            self.owned.remove(partition);
            self.committed.remove(partition);
            self.fetcher.unassign(partition);
        }
    }

    fn on_done(&mut self, done: Work) -> Result<(), ClientError> {
        match done {
            Work::Positions(number, found) => {
                let still_owned = self.owned.values().any(|owned| *owned == number);
                match found {
                    Ok(positions) => self.start_at(number, positions)?,
                    Err(error) if still_owned => return Err(error),
                    Err(_) => {}
                }
            }
            Work::Committed(number, offsets, result) => {
                if let Some(Some(done)) = self.committing.remove(&number) {
                    let _ = done.send(());
                }
                if result.is_ok() {
                    let owned = offsets.into_iter().filter(|(p, _)| self.owned.contains_key(p));
                    self.committed.extend(owned.map(|(partition, c)| (partition, c.offset)));
                }
            }
        }
        Ok(())
    }

    fn start_at(
        &mut self,
        number: u64,
        positions: positions::Positions,
    ) -> Result<(), ClientError> {
        let mut undefined = Vec::new();
        for (partition, committed) in positions {
            if self.owned.get(&partition) != Some(&number) {
                continue;
            }
            match (committed, self.offset_reset) {
                (Some(committed), _) => {
                    self.committed.insert(partition.clone(), committed.offset);
                    let epoch = committed.leader_epoch.unwrap_or(-1);
                    self.fetcher.resume(partition, committed.offset, epoch);
                }
                (None, Some(start)) => self.fetcher.assign(partition, start),
                (None, None) => undefined.push(partition.to_string()),
            }
        }
        if undefined.is_empty() {
            return Ok(());
        }
        let undefined = undefined.join(", ");
        Err(ApiError {
            code: ErrorCode::OffsetOutOfRange.code(),
            message: Some(format!(
                "Undefined offset with no reset policy for partitions: [{undefined}]"
            )),
        }
        .into())
    }
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        self.leaving.cancel();
    }
}
