//! What a consumer and the task that keeps it in its group share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{TopicName, TopicPartition};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::classic::Classic;
use super::reconciled::Reconciled;
use super::{GroupOptions, GroupProtocol, Topics};
use crate::client::Client;
use crate::coordinator::{Coordinator, Identity};
use crate::error::{ApiError, ClientError};
use crate::metadata::Metadata;

/// What the membership tells the consumer.
#[derive(Debug)]
pub(super) enum Event {
    /// These are the consumer's from now on.
    Assigned(BTreeSet<TopicPartition>),
    /// These are taken away: the consumer commits what it has read of them, then says so.
    Revoked(BTreeSet<TopicPartition>, oneshot::Sender<()>),
    /// All are gone; others may have them already.
    Lost,
    /// The membership has ended for good.
    Failed(ClientError),
}

/// Seen from both sides.
pub(super) struct Shared {
    pub(super) options: GroupOptions,
    pub(super) coordinator: Coordinator,
    /// Held over a commit with all its attempts: a later one never overtakes an earlier one, so that
    /// committed offsets do not step back.
    pub(super) commits: tokio::sync::Mutex<()>,
    identity: Mutex<Identity>,
    /// Since when the consumer has not been polled; `None` while it is.
    idle_since: Mutex<Option<Instant>>,
}

/// The consumer is being polled while this lives.
pub(super) struct Polling<'a>(&'a Shared);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let mut idle = self.0.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        *idle = Some(Instant::now());
    }
}

impl Shared {
    pub(super) fn new(client: &Client, options: GroupOptions) -> Self {
        Self {
            coordinator: Coordinator::new(client, &options.group_id),
            options,
            commits: tokio::sync::Mutex::default(),
            identity: Mutex::new(Identity::nobody()),
            idle_since: Mutex::new(Some(Instant::now())),
        }
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_identity(&self, identity: Identity) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    pub(super) fn polling(&self) -> Polling<'_> {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Polling(self)
    }

    fn idle(&self) -> Duration {
        let idle = *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        idle.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Returns once the consumer has not been polled for `max.poll.interval.ms`: what it owns is not
    /// being worked on.
    pub(super) async fn idle_too_long(&self) {
        let limit = Duration::from_millis(self.options.max_poll_interval_ms);
        while let Some(left) = limit.checked_sub(self.idle()).filter(|left| !left.is_zero()) {
            tokio::time::sleep(left).await;
        }
    }

    /// Returns once the consumer is polled again.
    pub(super) async fn polled(&self) {
        let limit = Duration::from_millis(self.options.max_poll_interval_ms);
        while self.idle() >= limit {
            tokio::time::sleep(self.coordinator.client().options().backoff(5)).await;
        }
    }
}

/// The membership's side.
pub(super) struct Member {
    pub(super) shared: Arc<Shared>,
    /// Knows the topics.
    pub(super) client: Client,
    pub(super) topics: Topics,
    events: mpsc::UnboundedSender<Event>,
}

impl Member {
    /// Starts the task; it leaves the group and ends once `leaving` is cancelled.
    pub(super) fn spawn(
        shared: Arc<Shared>,
        client: Client,
        topics: Topics,
        leaving: CancellationToken,
    ) -> (mpsc::UnboundedReceiver<Event>, tokio::task::JoinHandle<()>) {
        let (events, receiver) = mpsc::unbounded_channel();
        let member = Self { shared, client, topics, events };
        let task = tokio::spawn(async move {
            tokio::select! {
                () = member.learn_topics() => {}
                () = leaving.cancelled() => return,
            }
            match member.shared.options.protocol {
                GroupProtocol::Classic => {
                    let mut classic = Classic::new(member);
                    tokio::select! {
                        error = classic.run() => classic.member.tell(Event::Failed(error)),
                        () = leaving.cancelled() => {}
                    }
                    classic.leave().await;
                }
                GroupProtocol::Consumer => {
                    let mut reconciled = Reconciled::new(member);
                    tokio::select! {
                        error = reconciled.run() => reconciled.member.tell(Event::Failed(error)),
                        () = leaving.cancelled() => {}
                    }
                    reconciled.leave().await;
                }
            }
        });
        (receiver, task)
    }

    /// What matches is not known before the topics are.
    async fn learn_topics(&self) {
        if let Topics::Matching(_) = &self.topics {
            // While nobody can be reached, there is nobody to join either.
            let _ = self.client.refresh().await;
        }
    }

    /// A consumer that is gone needs no news.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// The partitions are someone else's: nothing that was read of them may be committed any more.
    pub(super) fn lost(&self) {
        self.shared.set_identity(Identity::nobody());
        self.tell(Event::Lost);
    }

    /// Which topics are subscribed to as far as is known now.
    pub(super) fn subscribed(&self) -> BTreeSet<TopicName> {
        self.topics.resolve(&self.client.metadata())
    }

    /// The pause before another attempt.
    pub(super) async fn pause(&self, attempt: u32) {
        tokio::time::sleep(self.client.options().backoff(attempt)).await;
    }

    /// How long an ordinary answer of the coordinator may take: a heartbeat that is lost must leave room
    /// for another within the session.
    pub(super) fn limit(&self) -> Duration {
        let options = &self.shared.options;
        let third = Duration::from_millis(options.session_timeout_ms) / 3;
        third.min(Duration::from_millis(self.client.options().request_timeout_ms))
    }
}

/// Whether a failure of the connection passes: a consumer keeps trying for as long as it is wanted.
pub(super) fn passes(error: &ClientError) -> bool {
    error.is_retriable() || matches!(error, ClientError::NoNode { .. })
}

/// How many partitions each of some topics has. A topic that cannot be described just now counts as
/// `before`.
pub(super) fn partition_counts(
    metadata: &Metadata,
    topics: &BTreeSet<TopicName>,
    before: &BTreeMap<TopicName, usize>,
) -> BTreeMap<TopicName, usize> {
    let count = |topic: &TopicName| match metadata.topic(topic) {
        Some(Ok(info)) => Some(info.partitions.len()),
        Some(Err(error)) if is_gone(error) => None,
        Some(Err(_)) | None => before.get(topic).copied(),
    };
    topics.iter().filter_map(|topic| Some((TopicName::clone(topic), count(topic)?))).collect()
}

fn is_gone(error: &ApiError) -> bool {
    error.error_code() == ErrorCode::UnknownTopicOrPartition
}
