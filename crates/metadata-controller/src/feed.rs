//! The metadata feed: a snapshot, then what is committed, as fast as the receiver takes it.
//!
//! A receiver pulls: nothing is kept for it but its position. Who falls behind what is kept starts again
//! from a snapshot.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use ottla_metadata::{Image, proto as records};
use ottla_rpc::controller as proto;
use ottla_rpc::controller::feed_event::Event;

use crate::committed::{Committed, Next};
use crate::quorum::{Leadership, Quorum};

/// Events under way to one receiver.
pub(crate) const BUFFER: usize = 16;
/// How many records a piece of a snapshot has.
const SNAPSHOT_RECORDS: usize = 1000;
/// How many bytes of batches are taken at a time.
const BATCH_BYTES: usize = 1024 * 1024;
/// The status is sent again when nothing else was for so long.
const IDLE: Duration = Duration::from_secs(1);

type Events = mpsc::Sender<Result<proto::FeedEvent, Status>>;

/// The receiver has gone, or the controller stops.
struct Ended;

/// Feeds one receiver.
pub(crate) struct Feed {
    pub(crate) committed: Arc<Committed>,
    pub(crate) leadership: watch::Receiver<Leadership>,
    pub(crate) quorum: Arc<Quorum>,
    pub(crate) stop: CancellationToken,
    pub(crate) events: Events,
}

impl Feed {
    /// Sends what there is from `from_offset` on, until the receiver goes or the controller stops.
    pub(crate) async fn run(mut self, from_offset: u64) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            Err(Ended) = self.feed(from_offset) => {}
        }
    }

    async fn feed(&mut self, from_offset: u64) -> Result<(), Ended> {
        let mut applied = self.committed.applied();
        self.send_status().await?;
        let mut has = match from_offset.checked_sub(1) {
            Some(has) => has,
            None => self.send_snapshot(&self.committed.image()).await?,
        };
        loop {
            applied.mark_unchanged();
            match self.committed.after(has, BATCH_BYTES) {
                Next::Snapshot(image) => has = self.send_snapshot(&image).await?,
                Next::Batches(batches) if batches.is_empty() => {
                    tokio::select! {
                        _ = applied.changed() => {}
                        _ = self.leadership.changed() => self.send_status().await?,
                        () = tokio::time::sleep(IDLE) => self.send_status().await?,
                        () = self.events.closed() => return Err(Ended),
                    }
                }
                Next::Batches(batches) => {
                    for (offset, batch) in batches {
                        let batch = records::MetadataBatch::decode(batch).map_err(|error| {
                            tracing::error!(offset, %error, "a committed batch is not readable");
                            Ended
                        })?;
                        self.send(Event::Batch(proto::FeedBatch { offset, batch: Some(batch) }))
                            .await?;
                        has = offset;
                    }
                }
            }
        }
    }

    async fn send_status(&mut self) -> Result<(), Ended> {
        let leadership = *self.leadership.borrow_and_update();
        let status = proto::FeedStatus {
            leader_id: leadership.leader.unwrap_or(-1),
            term: leadership.term,
            committed_offset: self.committed.image().offset(),
            voters: self.quorum.voters_to_proto(),
        };
        self.send(Event::Status(status)).await
    }

    /// Returns the offset that the receiver has then.
    async fn send_snapshot(&self, image: &Image) -> Result<u64, Ended> {
        let offset = image.offset();
        let mut all =
            image.records().map(|record| records::MetadataRecord::from(&record)).peekable();
        loop {
            let records: Vec<_> = all.by_ref().take(SNAPSHOT_RECORDS).collect();
            let last = all.peek().is_none();
            self.send(Event::Snapshot(proto::FeedSnapshot { offset, records, last })).await?;
            if last {
                return Ok(offset);
            }
        }
    }

    async fn send(&self, event: Event) -> Result<(), Ended> {
        self.events.send(Ok(proto::FeedEvent { event: Some(event) })).await.map_err(|_| Ended)
    }
}
