//! Follows the committed metadata: from any controller, for ever.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use ottla_metadata::codec::CodecError;
use ottla_metadata::{Batch, Delta, Image, Record};
use ottla_protocol::ids::BrokerId;
use ottla_rpc::controller::feed_event::Event;
use ottla_rpc::controller::{FeedEvent, FeedRequest};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::Streaming;

use super::Shared;
use super::leader::Client;
use crate::partition::Partitions;

/// Between two rounds in which no controller gave a feed.
const ROUND_PAUSE: Duration = Duration::from_millis(20);
/// A controller that does not open a feed in this time is passed over.
const OPEN_TIMEOUT: Duration = Duration::from_millis(500);
/// How many events are taken in, at most, before the partitions are told.
const MAX_GATHERED: usize = 256;

/// What can be wrong with a feed; the next controller is asked.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error("the controller ended the feed")]
    Ended,
    #[error("the controller did not open a feed in time")]
    Silent,
    #[error("{0}")]
    Status(#[from] tonic::Status),
    #[error("{0}")]
    Codec(#[from] CodecError),
    #[error("an event without content")]
    Empty,
    #[error("the controller has known no leader for too long")]
    Leaderless,
}

/// Follows the feed until the link stops. Prefers the controller in the same process, then goes round.
pub(super) async fn follow(shared: Arc<Shared>, partitions: Partitions, local: Option<BrokerId>) {
    let leader = &shared.controllers.leader;
    // Brokers without a controller of their own spread over the controllers.
    let mut next = local
        .and_then(|id| leader.position(id))
        .unwrap_or(shared.broker_id.unsigned_abs() as usize);
    let mut follower = Follower {
        partitions,
        image: Image::default(),
        applied: Image::default(),
        gathered: None,
        leaderless_since: None,
    };
    let mut failures = 0;
    loop {
        // They may have changed.
        let mut controllers = leader.controllers();
        if controllers.is_empty() {
            return;
        }
        let count = controllers.len();
        let client = controllers.swap_remove(next % count);
        let before = follower.image.offset();
        let error = match follower.follow(&shared, client).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        let offset = follower.image.offset();
        tracing::debug!(offset, "metadata feed lost: {error}");
        failures = if offset > before { 1 } else { failures + 1 };
        next = next.wrapping_add(1);
        if failures >= count {
            failures = 0;
            sleep(ROUND_PAUSE).await;
        }
    }
}

/// What has arrived, and what the partitions have been told.
struct Follower {
    partitions: Partitions,
    image: Image,
    applied: Image,
    /// What changed since `applied`, if it is the effect of one batch.
    gathered: Option<Gathered>,
    /// Since when the controller at the other end has known no leader.
    leaderless_since: Option<Instant>,
}

enum Gathered {
    Batch(Delta),
    /// Several batches or a snapshot: compared as a whole.
    Several,
}

impl Follower {
    async fn follow(
        &mut self,
        shared: &Shared,
        mut client: Client,
    ) -> Result<std::convert::Infallible, FeedError> {
        let request = FeedRequest {
            cluster_id: shared.controllers.cluster_id().unwrap_or_default(),
            node_id: shared.broker_id,
            from_offset: if self.image.offset() == 0 { 0 } else { self.image.offset() + 1 },
        };
        let mut events = match timeout(OPEN_TIMEOUT, client.feed(request)).await {
            Ok(stream) => stream?.into_inner(),
            Err(_) => return Err(FeedError::Silent),
        };
        let mut snapshot = Vec::new();
        self.leaderless_since = None;
        loop {
            let mut taken = self
                .next(shared, &mut events)
                .await
                .and_then(|event| self.take(shared, &mut snapshot, event));
            // Whatever else has arrived is taken in too before the partitions are told.
            for _ in 0..MAX_GATHERED {
                if taken.is_err() {
                    break;
                }
                let Some(event) = next(&mut events).now_or_never() else { break };
                taken = event.and_then(|event| self.take(shared, &mut snapshot, event));
            }
            self.apply(shared).await;
            taken?;
        }
    }

    /// The next event. A controller that is cut off from the others would keep its feed open for ever
    /// and say nothing: after a session's time without a leader, another one is asked.
    async fn next(
        &self,
        shared: &Shared,
        events: &mut Streaming<FeedEvent>,
    ) -> Result<Event, FeedError> {
        let Some(since) = self.leaderless_since else { return next(events).await };
        timeout_at(since + shared.session_timeout, next(events))
            .await
            .map_err(|_| FeedError::Leaderless)?
    }

    fn take(
        &mut self,
        shared: &Shared,
        snapshot: &mut Vec<Record>,
        event: Event,
    ) -> Result<(), FeedError> {
        match event {
            Event::Status(status) => {
                shared.controllers.leader.learn(&status.voters);
                shared.controllers.leader.heard(status.leader_id, status.term);
                self.leaderless_since = match status.leader_id {
                    0.. => None,
                    _ => self.leaderless_since.or_else(|| Some(Instant::now())),
                };
            }
            Event::Snapshot(chunk) => {
                for record in chunk.records {
                    snapshot.push(Record::try_from(record)?);
                }
                if chunk.last {
                    let (image, ignored) = Image::from_records(chunk.offset, snapshot.iter());
                    snapshot.clear();
                    for record in ignored {
                        tracing::warn!(offset = chunk.offset, "metadata snapshot: {record}");
                    }
                    // A controller that lags behind may offer what is already known.
                    if image.offset() > self.image.offset() {
                        self.image = image;
                        self.gathered = Some(Gathered::Several);
                    }
                }
            }
            Event::Batch(feed_batch) => {
                let offset = feed_batch.offset;
                if offset <= self.image.offset() {
                    return Ok(());
                }
                let batch = Batch::try_from(feed_batch.batch.unwrap_or_default())?;
                let delta = self.image.replay_batch(offset, &batch);
                for record in &delta.ignored {
                    tracing::warn!(offset, "metadata: {record}");
                }
                self.gathered = match self.gathered {
                    None => Some(Gathered::Batch(delta)),
                    Some(_) => Some(Gathered::Several),
                };
            }
        }
        Ok(())
    }

    /// Shows the image to readers and has the partitions follow it, on a thread that may block.
    ///
    /// Not before the image holds this process's own registration: only then is it certain to hold
    /// every topic that was created before, and a replica that it lacks is one that was deleted.
    async fn apply(&mut self, shared: &Shared) {
        let registration = self
            .image
            .broker(shared.broker_id)
            .filter(|broker| broker.incarnation_id == shared.incarnation_id);
        if shared.controllers.metadata.applied_offset() == 0 && registration.is_none() {
            self.gathered = self.gathered.take().map(|_| Gathered::Several);
            return;
        }
        if let Some(registration) = registration {
            self.partitions.set_broker_epoch(registration.epoch);
        }
        let delta = match self.gathered.take() {
            None => return,
            Some(Gathered::Batch(delta)) => delta,
            Some(Gathered::Several) => Delta::between(&self.applied, &self.image),
        };
        self.applied = self.image.clone();
        let image = Arc::new(self.image.clone());
        let offset = image.offset();
        shared.controllers.metadata.publish(Arc::clone(&image), &delta);
        let partitions = self.partitions.clone();
        let applied = tokio::task::spawn_blocking(move || partitions.apply(&image, &delta)).await;
        if let Err(error) = applied {
            tracing::error!(offset, %error, "the partitions could not follow the metadata");
        }
        shared.controllers.metadata.applied(offset);
        shared.beat_now.notify_one();
    }
}

async fn next(events: &mut Streaming<FeedEvent>) -> Result<Event, FeedError> {
    let event = events.message().await?.ok_or(FeedError::Ended)?;
    event.event.ok_or(FeedError::Empty)
}
